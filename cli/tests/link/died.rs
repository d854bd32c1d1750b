//! What remains when a process of a link is killed?

use core::time::Duration;
use std::io::{Read as _, Write as _};

use strait::hqq::Link;

use crate::link_name::LinkName;
use crate::support::run;

#[test]
fn what_a_killed_sender_sent_arrives_and_its_death_is_said() {
    let name = LinkName::new("orphan");
    let mut receiver = name.receiver("8", "8", &["--file", "-"]);
    let mut sender = name.start("send", &["--size", "4"]);
    let (mut input, mut output) = (sender.stdin(), receiver.stdout());
    input.write_all(b"last words").unwrap();
    let mut heard = [0; 8];
    output.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"last wor");
    sender.kill();
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
    let ended = receiver.end().expect_code(3);
    assert!(ended.stderr.contains("which sent, died"), "{}", ended.stderr);
}

#[test]
fn a_sender_says_that_its_receiver_was_killed() {
    let name = LinkName::new("deaf");
    let mut receiver = name.receiver("2", "8", &["--file", "-"]);
    let mut sender = name.start("send", &["--size", "4", "--timeout-ms", "20"]);
    let (mut input, mut output) = (sender.stdin(), receiver.stdout());
    input.write_all(b"ping").unwrap();
    let mut heard = [0; 4];
    output.read_exact(&mut heard).unwrap();
    receiver.kill();
    input.write_all(b"nobody reads any of this").unwrap();
    drop(input);
    let ended = sender.end().expect_code(2);
    let said = &ended.stderr;
    assert!(said.contains("no slot became free within 20 ms"), "{said}");
    // On Windows a link cannot be looked at any more when the process that made it is gone.
    assert!(said.contains("which received, died") || cfg!(windows), "{said}");
    // It was the last one, and left in order.
    run(&["link", "inspect", &name]).expect_code(1);
}

#[test]
fn a_sender_that_leaves_in_order_in_the_middle_of_a_message_did_not_die() {
    let name = LinkName::new("orderly");
    let mut receiver = name.receiver("8", "4096", &["--session", "--file", "-", "-v"]);
    let mut output = receiver.stdout();
    let (_, mut complaints) = receiver.first_complaint();
    let session = Link::builder(&name).primary().open().unwrap().session().negotiate().unwrap();
    // Nobody reads the output: the first fills it, the second waits behind that, and no third one is taken.
    session.send(&vec![1; 1 << 20]).unwrap();
    session.send(&vec![2; 2 << 20]).unwrap();
    session.with_timeout(Duration::from_millis(20)).send(&vec![3; 16 << 20]).unwrap_err();
    drop(session);
    let mut heard = Vec::new();
    output.read_to_end(&mut heard).unwrap();
    assert_eq!(heard.len(), 3 << 20);
    let mut said = String::new();
    complaints.read_to_string(&mut said).unwrap();
    receiver.end().expect_code(3);
    assert!(!said.contains("died"), "{said}");
    assert!(said.contains("in the middle of a message") || said.contains("were given up by it"), "{said}");
}
