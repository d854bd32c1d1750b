//! Does `strait link trace` show every packet, each way, and change nothing?

use strait::hqq::{ErrorCode, Features, Link, Profile};

use crate::link_name::LinkName;
use crate::support::{TempFile, run, start};

/// Without compression and credits.
const GO: Features = Features::KNOWN_TO_ALL;

#[test]
fn copies_tombstones_and_sessions_are_shown_each_way_and_no_byte_changes() {
    let name = LinkName::new("trace");
    let builder = Link::builder(&name).slots(32).slot_len(64).profile(Profile::Superblock);
    // Its name goes with it, everywhere.
    let _keeper = builder.clone().create().unwrap();
    let mut ours = builder.clone().primary().open().unwrap();
    let mut theirs = builder.secondary().open().unwrap();
    ours.sender().send(b"six by").unwrap();
    theirs.sender().reserve().unwrap().abort(ErrorCode::INVALID_OP);
    drop(theirs.receiver().recv().unwrap());
    let asking = std::thread::spawn(move || theirs.session().offer(GO).negotiate().unwrap());
    let session = ours.session().offer(GO).accept().unwrap();
    let other = asking.join().unwrap();
    session.send(&[1; 100]).unwrap();
    assert_eq!(other.recv().unwrap().len(), 100);

    // What a session's thread announces changes by itself.
    drop((session, other));
    let before = format!("{:?}", strait::hqq::inspect(&name).unwrap());
    let text = run(&["link", "trace", &name, "--once"]).expect_code(0);
    assert_eq!(format!("{:?}", strait::hqq::inspect(&name).unwrap()), before);
    let text = text.text();
    let of = |from: &str| -> Vec<String> {
        let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        lines.filter(|words| words[1] == from).map(|words| words[2..].join(" ")).collect()
    };
    let (primary, secondary) = (of("primary"), of("secondary"));
    assert_eq!(primary[0], "0 COPY copy=1 buffer=0 len=6", "{text}");
    assert!(primary[1].starts_with("1 PROTO_ACK version=1.0 features=LARGE_COPY|"), "{text}");
    let first = "connection=0 message=1 total=100 offset=0 len=64 flags=0x1 aux=0";
    assert!(primary.iter().any(|line| line.ends_with(first)), "{text}");
    assert_eq!(secondary[0], "0 TOMBSTONE copy=1 slot=0 reason=6 (invalid operation)", "{text}");
    assert!(secondary[1].starts_with("1 PROTO_NEGOTIATE version=1.0"), "{text}");
    assert!(secondary[1].ends_with("by Strait"), "{text}");

    let file = TempFile::new("pcap");
    let written = run(&["link", "trace", &name, "--once", "--pcap", file.path()]).expect_code(0);
    assert!(written.stdout.is_empty());
    let bytes = file.bytes();
    assert_eq!(bytes[..4], 0xa1b2_3c4d_u32.to_le_bytes());
    assert_eq!(bytes.len(), 24 + 96 * text.lines().count());
    assert_eq!((bytes[24 + 16], bytes[24 + 32], bytes[24 + 56]), (0, 0xff, 6));
}

#[test]
fn a_trace_follows_until_it_has_enough_or_the_link_goes() {
    use std::io::{BufRead as _, BufReader};
    let name = LinkName::new("follow");
    let mut link = Link::builder(&name).slots(4).slot_len(16).create().unwrap();
    let mut other = Link::builder(&name).secondary().open().unwrap();
    let mut tracer = start(&["link", "trace", &name, "-n", "20"]);
    let mut lines = BufReader::new(tracer.stdout()).lines();
    // One by one: none is overwritten before it is shown.
    for position in 0..20 {
        link.sender().send(b"x").unwrap();
        drop(other.receiver().recv().unwrap());
        let line = lines.next().unwrap().unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!((words[1], words[2].parse()), ("primary", Ok(position)), "{line}");
    }
    tracer.end().expect_code(0);

    let mut tracer = start(&["link", "trace", &name]);
    let mut lines = BufReader::new(tracer.stdout()).lines();
    assert!(lines.next().unwrap().unwrap().contains("COPY"));
    drop((link, other));
    let ended = tracer.end().expect_code(0);
    assert!(ended.stderr.contains("was removed"), "{}", ended.stderr);
}

#[test]
fn what_cannot_be_traced_is_said() {
    let name = LinkName::new("untraced");
    let ended = run(&["link", "trace", &name]).expect_code(1);
    assert!(ended.stderr.contains("not found"), "{}", ended.stderr);
    run(&["link", "trace", "a/b"]).expect_code(4);
}
