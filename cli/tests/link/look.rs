//! Does `strait link inspect` tell the truth and change nothing?

use strait::hqq::{Link, Profile};
use strait::zerobuffer::Reader;

use crate::link_name::LinkName;
use crate::support::{Name, run};

/// Every byte of the segment.
#[cfg(target_os = "linux")]
fn image(name: &LinkName) -> Vec<u8> {
    std::fs::read(std::path::Path::new("/dev/shm").join(&**name)).unwrap()
}

/// All that can be seen of it.
#[cfg(not(target_os = "linux"))]
fn image(name: &LinkName) -> String {
    format!("{:?}", strait::hqq::inspect(name).unwrap())
}

#[test]
fn every_slot_and_every_process_is_counted_and_no_byte_changes() {
    for (profile, word) in [(Profile::Superblock, "superblock"), (Profile::Seed, "seed")] {
        let name = LinkName::new("look");
        let builder = Link::builder(&name).slots(8).slot_len(64).profile(profile);
        let (mut tx, _other) = builder.clone().create().unwrap().split();
        let mut theirs = builder.secondary().open().unwrap();
        for _ in 0..3 {
            tx.send(b"x").unwrap();
            drop(theirs.receiver().recv().unwrap());
        }
        (0..3).for_each(|_| tx.send(b"y").unwrap());
        let claimed = theirs.receiver().recv().unwrap();
        let reserved = tx.reserve().unwrap();

        let before = image(&name);
        let text = run(&["link", "inspect", &name]).expect_code(0);
        let json = run(&["link", "inspect", &name, "--json-output"]).expect_code(0).json();
        assert!(image(&name) == before, "a byte has changed");
        drop((claimed, reserved));

        let pid = std::process::id();
        for line in [
            format!("profile                 {word}"),
            "slots                   8".to_owned(),
            "slot_len                64".to_owned(),
            "made_by_strait          yes".to_owned(),
            "foreign_peers           no".to_owned(),
            "ring 0                  from primary to secondary".to_owned(),
            "  head                  4".to_owned(),
            "  tail                  7".to_owned(),
            "  unread                2".to_owned(),
            "  reserved              1".to_owned(),
            "  claimed               1".to_owned(),
            "  odd                   0".to_owned(),
            format!("  held_by               pid {pid}: 1 reserved, 1 claimed"),
            "handles                 4".to_owned(),
            format!("  pid {pid:<18}primary, 2 handles  (alive)"),
            format!("  pid {pid:<18}secondary, 2 handles  (alive)"),
        ] {
            assert!(text.text().lines().any(|found| found == line), "no {line:?} in\n{}", text.text());
        }
        assert_eq!([&json["slots"], &json["slot_len"]], [8, 64]);
        assert_eq!(json["profile"], word);
        let ring = &json["rings"][0];
        assert_eq!([&ring["unread"], &ring["reserved"], &ring["claimed"], &ring["odd"]], [2, 1, 1, 0]);
        assert_eq!(ring["held_by"], serde_json::json!([{"pid": pid, "reserved": 1, "claimed": 1}]));
        assert_eq!(json["rings"][1]["held_by"], serde_json::json!([]));
        assert_eq!([&json["rings"][1]["head"], &json["rings"][1]["tail"]], [0, 0]);
        assert_eq!(
            json["participants"][1],
            serde_json::json!({"pid": pid, "side": "secondary", "alive": true, "handles": 2})
        );
    }
}

#[test]
fn what_is_no_link_is_named() {
    let name = Name::new("no-link");
    let reader = Reader::builder(&name).payload_capacity(256).create().unwrap();
    for verb in ["inspect", "rm"] {
        let ended = run(&["link", verb, &name]).expect_code(1);
        assert!(ended.stderr.contains("neither a superblock nor a ring"), "{}", ended.stderr);
    }
    drop(reader);
}

#[test]
fn strangers_are_told() {
    let name = LinkName::new("strangers");
    let link = Link::builder(&name).slots(2).slot_len(8).foreign_peers().create().unwrap();
    let json = run(&["link", "inspect", &name, "--json"]).expect_code(0).json();
    assert_eq!([&json["foreign_peers"], &json["kept"]], [true, false]);
    drop(link);
}
