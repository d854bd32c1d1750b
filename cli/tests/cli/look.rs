//! Do `inspect` and `ls` tell the truth and change nothing?

use strait::zerobuffer::{Reader, Writer};

use crate::support::{Name, run};

fn buffer(name: &Name, metadata: &[u8]) -> (Reader, Writer) {
    let reader = Reader::builder(name).payload_capacity(256).metadata_capacity(64).create().unwrap();
    let mut writer = Writer::connect(name).unwrap();
    writer.set_metadata(metadata).unwrap();
    (reader, writer)
}

/// Every byte of the segment.
#[cfg(target_os = "linux")]
fn image(name: &Name) -> Vec<u8> {
    std::fs::read(name.segment()).unwrap()
}

/// All that can be seen of the segment.
#[cfg(not(target_os = "linux"))]
fn image(name: &Name) -> String {
    format!("{:?}", strait::zerobuffer::inspect(name, 100).unwrap())
}

#[test]
fn inspecting_changes_no_byte() {
    let name = Name::new("inspect");
    let (mut reader, mut writer) = buffer(&name, b"{\"a\":1}");
    for frame in [&[0xa1; 20][..], &[0xb2; 100], &[0xc3; 60]] {
        writer.send(frame).unwrap();
    }
    reader.recv().unwrap();
    let before = image(&name);
    for args in
        [&["inspect", &*name][..], &["inspect", &name, "--hex"], &["inspect", &name, "--json", "--hex"]]
    {
        run(args).expect_code(0);
    }
    run(&["ls"]).expect_code(0);
    assert_eq!(image(&name), before);

    let text = run(&["inspect", &name]).expect_code(0);
    let text = text.text();
    let pid = std::process::id();
    for line in [
        "state                   live".to_owned(),
        "version                 1.0.0".to_owned(),
        "payload_size            256".to_owned(),
        "payload_write_pos       228".to_owned(),
        "payload_read_pos        36".to_owned(),
        "payload_written_count   3".to_owned(),
        format!("writer_pid              {pid}  (alive)"),
        format!("reader_pid              {pid}  (alive)"),
        "metadata                7 bytes".to_owned(),
        "  {\"a\":1}".to_owned(),
        "unread                  2 listed".to_owned(),
        "  at 36           frame 2, 100 bytes".to_owned(),
        "  at 152          frame 3, 60 bytes".to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "no {line:?} in\n{text}");
    }

    let json = run(&["inspect", &name, "--json", "--frames", "1", "--hex"]).expect_code(0).json();
    assert_eq!(json["payload_size"], 256);
    assert_eq!(json["metadata"], "{\"a\":1}");
    assert_eq!(json["metadata_hex"], "7b2261223a317d");
    assert_eq!(json["unread"].as_array().unwrap().len(), 1);
    assert_eq!(
        json["unread"][0],
        serde_json::json!({"position": 36, "size": 100, "sequence": 2, "wrap_marker": false})
    );
}

#[test]
fn hostile_metadata_cannot_command_the_terminal() {
    let name = Name::new("hostile");
    let (_reader, _writer) = buffer(&name, b"\x1b[2J\x1b]0;x\x07\xff\r\nstate live\xc2\x9b1m");
    for args in [&["inspect", &*name][..], &["inspect", &name, "--hex"], &["inspect", &name, "--json"]] {
        let ended = run(args).expect_code(0);
        let text = ended.text();
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert!(!text.contains("\nstate live"), "{text:?}");
    }
}

#[test]
fn ls_lists_a_buffer_with_its_numbers() {
    let name = Name::new("listed");
    let (_reader, mut writer) = buffer(&name, b"m");
    writer.send(&[0; 112]).unwrap();
    let text = run(&["ls"]).expect_code(0);
    let line = text.text().lines().find(|line| line.starts_with(&*name)).unwrap();
    let pid = std::process::id().to_string();
    let columns: Vec<_> = line.split_whitespace().collect();
    assert_eq!(columns, [&*name, "live", "256", "50.0%", "1", &pid, &pid]);
    let list = run(&["ls", "--json"]).expect_code(0).json();
    let entry = list.as_array().unwrap().iter().find(|entry| entry["name"] == *name).unwrap();
    assert_eq!(entry["used_permille"], 500);
    assert_eq!(entry["writer_alive"], true);
}

#[test]
fn ls_says_of_a_writer_that_it_gave_up_and_gives_it_no_number() {
    let name = Name::new("listed-gone");
    let (_reader, writer) = buffer(&name, b"m");
    writer.abort();
    let text = run(&["ls"]).expect_code(0);
    let line = text.text().lines().find(|line| line.starts_with(&*name)).unwrap();
    assert!(line.contains(&format!("  gave up  {:>8}", std::process::id())), "{line}");
}

#[test]
fn gc_keeps_a_buffer_in_use_and_says_whose_it_is() {
    let name = Name::new("in-use");
    let _ends = buffer(&name, b"m");
    let ended = run(&["gc", &name]).expect_code(0);
    let kept = format!("kept {}: its reader lives (pid {})\n", &*name, std::process::id());
    assert!(ended.text().starts_with(&kept), "{}", ended.text());
}
