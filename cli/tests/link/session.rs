//! Does a file arrive as it was, whatever features both ends have agreed on?

use crate::files::{real_file, sha256};
use crate::link_name::LinkName;
use crate::support::TempFile;

/// Options, and what each is called once it is agreed.
const FEATURES: [(&[&str], &str); 6] = [
    (&["--compress"], "COMPRESSION"),
    (&["--encrypt", "--key-file"], "ENCRYPTION"),
    (&["--flow-control"], "FLOW_CONTROL"),
    (&["--qos"], "QOS"),
    (&["--reliable"], "RELIABLE_DELIVERY"),
    (&["--statistics"], "STATISTICS"),
];

/// A secret, as hexadecimal digits.
pub(crate) fn key_file(digit: char) -> TempFile {
    TempFile::with("key", (digit.to_string().repeat(64) + "\n").as_bytes())
}

fn every_combination(profile: &str) {
    let (small, large, key) = (real_file(300_001), real_file(4_000_001), key_file('a'));
    let digests = [&small, &large].map(|file| sha256(&file.bytes()));
    for mask in 0_u32..1 << FEATURES.len() {
        let asked = || FEATURES.iter().enumerate().filter(move |(bit, _)| mask >> bit & 1 == 1);
        let mut options: Vec<&str> = vec!["--session"];
        for (_, (option, _)) in asked() {
            options.extend_from_slice(option);
            if option.contains(&"--key-file") {
                options.push(key.path());
            }
        }
        // None, each alone and all: more bytes than the ring, the window and the queues have.
        let (file, digest) = match mask.count_ones() {
            0 | 1 | 6 => (&large, &digests[1]),
            _ => (&small, &digests[0]),
        };
        let (name, copy) = (LinkName::new("session"), TempFile::new("copy"));
        let to = ["--profile", profile, "--file", copy.path(), "--sha256", digest, "--json-output"];
        let receiver = name.receiver("32", "4096", &[&to[..], &options].concat());
        // As one message, or as many; urgent where there are classes.
        let mut from = vec!["--file", file.path(), "--json-output"];
        if mask.count_ones() % 2 == 1 {
            from.extend(["--message-size", "50000"]);
        }
        if options.contains(&"--qos") {
            from.extend(["--priority", "3"]);
        }
        let sent = name.start("send", &[&from[..], &options].concat()).end().expect_code(0).json();
        let received = receiver.end().expect_code(0).json();
        assert!(copy.bytes() == file.bytes(), "{profile} {options:?}");
        assert_eq!([&sent["sha256"], &received["sha256"]], [digest, digest], "{profile} {options:?}");
        for (report, is_late) in [(&sent, false), (&received, true)] {
            let agreed = report["session"]["agreed"].as_array().unwrap();
            let agreed: Vec<&str> = agreed.iter().map(|name| name.as_str().unwrap()).collect();
            // A receiver that looks only when the sender has gone finds nothing agreed any more.
            if is_late && agreed.is_empty() {
                continue;
            }
            for (bit, (_, feature)) in FEATURES.iter().enumerate() {
                assert_eq!(agreed.contains(feature), mask >> bit & 1 == 1, "{feature} of {agreed:?}");
            }
        }
        let ratio = &sent["session"]["statistics"]["compression_ratio"];
        assert_eq!(
            ratio.as_f64().is_some_and(|ratio| ratio > 1.0),
            options.contains(&"--compress"),
            "{sent}"
        );
        let peer = &sent["session"]["peer_statistics"];
        assert_eq!(peer.is_object(), options.contains(&"--statistics"), "{sent}");
        let acknowledged = sent["session"]["statistics"]["acknowledged"].as_u64().unwrap();
        let expected =
            if options.contains(&"--reliable") { sent["messages_sent"].as_u64().unwrap() } else { 0 };
        assert_eq!(acknowledged, expected, "{sent}");
    }
}

#[test]
fn a_real_file_arrives_through_every_combination_of_features_in_the_superblock_profile() {
    every_combination("superblock");
}

#[test]
fn a_real_file_arrives_through_every_combination_of_features_in_the_seed_profile() {
    every_combination("seed");
}

#[test]
fn either_side_may_send_and_lines_may_be_of_any_length() {
    use std::io::Write as _;
    let name = LinkName::new("reverse");
    let receiver = name.receiver("4", "64", &["--session", "--role", "primary"]);
    let mut sender = name.start("send", &["--session", "--role", "secondary", "--lines"]);
    let line = "longer than a slot ".repeat(100);
    sender.stdin().write_all(format!("{line}\nshort\n").as_bytes()).unwrap();
    sender.end().expect_code(0);
    assert_eq!(receiver.end().expect_code(0).text(), format!("{line}\\n\nshort\\n\n"));
}

// Elsewhere the name goes with the process that made the link.
#[cfg(target_os = "linux")]
#[test]
fn what_a_killed_receiver_did_not_acknowledge_goes_to_the_next() {
    use std::io::{Read as _, Write as _};
    let name = LinkName::new("again");
    let options = ["--session", "--reliable"];
    let mut first = name.receiver("8", "64", &[&options[..], &["--file", "-"]].concat());
    let mut sender = name.start("send", &[&options[..], &["--lines", "--json-output"]].concat());
    let mut input = sender.stdin();
    let mut output = first.stdout();
    input.write_all(b"one\n").unwrap();
    let mut heard = [0; 4];
    output.read_exact(&mut heard).unwrap();
    first.kill();
    input.write_all(b"two\nthree\n").unwrap();
    drop(input);
    let second = name.start("recv", &[&options[..], &["--file", "-"]].concat());
    let sent = sender.end().expect_code(0).json();
    let received = second.end().expect_code(0).stdout;
    assert_eq!(sent["session"]["statistics"]["peers_lost"], 1, "{sent}");
    // The first message was written before it was acknowledged: it may come again.
    let text = String::from_utf8(received).unwrap();
    assert!(text == "two\nthree\n" || text == "one\ntwo\nthree\n", "{text:?}");
}

#[test]
fn a_message_that_the_receiver_refuses_is_no_success() {
    let (large, key) = (real_file(100_000), key_file('c'));
    for options in [&[][..], &["--reliable"], &["--encrypt", "--key-file", key.path()]] {
        let (name, copy) = (LinkName::new("refused"), TempFile::new("refused"));
        let to = ["--session", "--max-message", "50000", "--file", copy.path()];
        let receiver = name.receiver("32", "4096", &[&to[..], options].concat());
        let from = ["--session", "--file", large.path(), "--timeout-ms", "60000"];
        let sent = name.start("send", &[&from[..], options].concat()).end();
        let received = receiver.end().expect_code(3);
        assert!(received.stderr.contains("--max-message"), "{options:?}: {}", received.stderr);
        // Whoever waits to be acknowledged hears of it; others may have gone before.
        if options.contains(&"--reliable") {
            assert!(sent.stderr.contains("refused 1 of the messages"), "{}", sent.stderr);
            assert_eq!(sent.code, Some(2), "{}", sent.stderr);
        }
    }
}
