//! Does a link that was made to stay outlive its processes, and go when it is told to?

use std::path::{Path, PathBuf};

use crate::link_name::LinkName;
use crate::support::{run, start};

fn segment(name: &LinkName) -> PathBuf {
    Path::new("/dev/shm").join(&**name)
}

#[test]
fn what_was_sent_waits_for_a_receiver_that_comes_later() {
    for profile in ["superblock", "seed"] {
        let name = LinkName::new("kept");
        let shape = ["--slots", "4", "--slot-len", "16", "--profile", profile, "--json-output"];
        let made = run(&[&["link", "create", &*name], &shape[..]].concat()).expect_code(0).json();
        assert_eq!([&made["slots"], &made["slot_len"]], [4, 16]);
        assert_eq!(made["profile"], profile);
        assert_eq!(made["bytes"], std::fs::metadata(segment(&name)).unwrap().len());
        run(&["link", "create", &name]).expect_code(1);
        for text in ["one", "two", "three"] {
            run(&["link", "send", &name, "--message", text]).expect_code(0);
        }
        assert_eq!(run(&["link", "recv", &name]).expect_code(0).text(), "one\ntwo\nthree\n");
        run(&["link", "rm", &name]).expect_code(0);
        assert!(!segment(&name).exists());
    }
}

#[test]
fn a_link_in_use_is_removed_only_by_force() {
    let name = LinkName::new("used");
    let mut receiver = name.receiver("2", "8", &["-v"]);
    let (_, _rest) = receiver.first_complaint();
    let ended = run(&["link", "rm", &name]).expect_code(1);
    assert!(ended.stderr.contains(&format!("process {} uses link", receiver.id())), "{}", ended.stderr);
    run(&["link", "rm", &name, "--force"]).expect_code(0);
    assert!(!segment(&name).exists());
}

#[test]
fn a_held_link_goes_with_its_interrupt() {
    use std::io::Read as _;
    let name = LinkName::new("held");
    let mut holder = start(&["link", "create", &name, "--hold", "--slots", "2", "--slot-len", "8"]);
    let mut first = [0; 7];
    let mut output = holder.stdout();
    output.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"created");
    run(&["link", "inspect", &name]).expect_code(0);
    // Not SIGINT: a shell that runs the tests in the background has them ignore it.
    let killed = std::process::Command::new("kill").args(["-TERM", &holder.id().to_string()]).status();
    assert!(killed.unwrap().success());
    output.read_to_end(&mut Vec::new()).unwrap();
    holder.end().expect_code(0);
    assert!(!segment(&name).exists());
}

#[test]
fn a_link_that_another_program_made_is_looked_at_too() {
    let name = LinkName::new("plain");
    let shape = ["--slots", "4", "--slot-len", "16", "--profile", "seed"];
    run(&[&["link", "create", &*name], &shape[..]].concat()).expect_code(0);
    // Without what Strait adds behind the layout.
    let file = std::fs::OpenOptions::new().write(true).open(segment(&name)).unwrap();
    let whole = file.metadata().unwrap().len();
    file.set_len(whole - strait_extension()).unwrap();
    let ended = run(&["link", "inspect", &name]).expect_code(1);
    assert!(ended.stderr.contains("give the slot length"), "{}", ended.stderr);
    let json = run(&["link", "inspect", &name, "--slot-len", "16", "--json"]).expect_code(0).json();
    assert_eq!([&json["made_by_strait"], &json["foreign_peers"]], [false, true]);
    assert_eq!(json["participants"], serde_json::json!([]));
    let ours = ["link", "send", &*name, "--role", "primary", "--slot-len", "16", "--message", "x"];
    run(&ours).expect_code(0);
    let text = run(&["link", "recv", &name, "--slot-len", "16", "-n", "1"]).expect_code(0);
    assert_eq!(text.text(), "x\n");
}

#[test]
fn on_a_link_that_go_made_we_take_the_side_that_go_hears() {
    let name = LinkName::new("go");
    run(&["link", "create", &name, "--slots", "4", "--slot-len", "64"]).expect_code(0);
    // What Go makes is the same without what Strait adds. Its maker is primary: it reads ring 1.
    let file = std::fs::OpenOptions::new().write(true).open(segment(&name)).unwrap();
    let whole = file.metadata().unwrap().len();
    file.set_len(whole - strait_extension()).unwrap();
    let tails = || {
        let json = run(&["link", "inspect", &name, "--json"]).expect_code(0).json();
        [0, 1].map(|ring| json["rings"][ring]["tail"].as_u64().unwrap())
    };
    assert_eq!(tails(), [0, 0]);
    let sent = run(&["link", "send", &name, "--message", "x", "--json-output"]).expect_code(0).json();
    assert_eq!(sent["side"], "secondary");
    assert_eq!(tails(), [0, 1]);
    let ours = ["link", "send", &*name, "--message", "x", "--role", "primary"];
    run(&ours).expect_code(0);
    assert_eq!(tails(), [1, 1]);
    let took = run(&["link", "recv", &name, "-n", "1", "--file", "-"]).expect_code(0);
    assert_eq!(took.stdout, b"x");
}

#[test]
fn a_head_that_cannot_be_is_not_called_a_full_ring() {
    use std::os::unix::fs::FileExt as _;
    let name = LinkName::new("head");
    run(&["link", "create", &name, "--slots", "4", "--slot-len", "16"]).expect_code(0);
    run(&["link", "send", &name, "--message", "x", "-n", "4"]).expect_code(0);
    // The first ring begins behind a page, its head 24 bytes further on.
    let file = std::fs::OpenOptions::new().write(true).open(segment(&name)).unwrap();
    let page = run(&["link", "inspect", &name, "--json"]).expect_code(0).json()["page"].as_u64().unwrap();
    file.write_all_at(&99_u64.to_ne_bytes(), page + 24).unwrap();
    let ended = run(&["link", "send", &name, "--message", "x", "--timeout-ms", "5"]).expect_code(2);
    assert!(ended.stderr.contains("ring is corrupt: head is 99"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("became free"), "{}", ended.stderr);
}

/// Bytes that Strait adds: a header, and 128 participants.
fn strait_extension() -> u64 {
    384 + 128 * 64
}
