//! What becomes of links whose processes have died, and of what only has a link's name.

use strait::hqq::Link;
use strait::zerobuffer::Reader;

use crate::link_name::LinkName;
use crate::support::{Name, run};

/// Leaves a link of 16 slots of 64 bytes whose only process was killed.
fn dead(name: &LinkName) {
    let mut receiver = name.receiver("16", "64", &["-v"]);
    let (_, _rest) = receiver.first_complaint();
    receiver.kill();
}

/// What `strait ls` says of a link.
#[track_caller]
fn listed(name: &LinkName) -> Option<serde_json::Value> {
    let list = run(&["ls", "--json"]).expect_code(0).json();
    list.as_array().unwrap().iter().find(|entry| entry["name"] == **name).cloned()
}

#[test]
fn ls_and_gc_know_a_dead_link() {
    let name = LinkName::new("dead");
    dead(&name);
    let entry = listed(&name).unwrap();
    assert_eq!([&entry["kind"], &entry["state"]], ["link", "dead"]);
    assert_eq!([&entry["slots"], &entry["slot_len"], &entry["primary_handles"]], [16, 64, 0]);
    let table = run(&["ls"]).expect_code(0);
    let line = table.text().lines().find(|line| line.starts_with(&*name)).unwrap();
    assert!(line.contains("dead"), "{line}");

    let ended = run(&["gc", "--dry-run", &name]).expect_code(0);
    assert!(ended.text().starts_with(&format!("would remove {}: ", &*name)), "{}", ended.text());
    assert!(listed(&name).is_some());
    let ended = run(&["gc", &name]).expect_code(0);
    assert!(ended.text().starts_with(&format!("removed {}: ", &*name)), "{}", ended.text());
    assert_eq!(listed(&name), None);
}

#[test]
fn gc_leaves_links_in_use_and_kept_ones_and_says_why() {
    let (used, kept) = (LinkName::new("live"), LinkName::new("kept-on"));
    let mut receiver = used.receiver("2", "8", &["-v"]);
    let (_, _rest) = receiver.first_complaint();
    run(&["link", "create", &kept, "--slots", "2", "--slot-len", "8"]).expect_code(0);
    assert_eq!(listed(&used).unwrap()["state"], "live");
    assert_eq!(listed(&kept).unwrap()["state"], "kept");
    let json = run(&["gc", "--json", &used, &kept]).expect_code(0).json();
    assert_eq!(json["bytes_freed"], 0);
    for (name, words) in [(&used, "running processes have 2 handles"), (&kept, "made to stay")] {
        let rows = json["buffers"].as_array().unwrap();
        let row = rows.iter().find(|row| row["name"] == **name).unwrap();
        assert_eq!(row["removed"], false);
        assert!(row["error"].as_str().unwrap().contains(words), "{row}");
        assert!(listed(name).is_some());
    }
    receiver.kill();
    run(&["gc", &used]).expect_code(0);
    assert_eq!(listed(&used), None);
}

#[test]
fn the_next_version_of_a_program_replaces_a_dead_link_of_another_shape() {
    let name = LinkName::new("version");
    dead(&name);
    let ended = name.receiver("16", "128", &["--timeout-ms", "5"]).end().expect_code(3);
    assert!(ended.stderr.contains("no message came within 5 ms"), "{}", ended.stderr);
    assert_eq!(listed(&name), None, "it left in order");
}

#[test]
fn a_link_of_another_shape_that_is_kept_or_in_use_stays_and_says_so() {
    for (keep, words) in [(true, "made to stay"), (false, "running processes have 2 handles")] {
        let name = LinkName::new("shape");
        let builder = Link::builder(&name).slots(2).slot_len(64);
        let builder = if keep { builder.keep() } else { builder };
        let link = builder.create().unwrap();
        let link = (!keep).then_some(link);
        let ended = name.receiver("2", "128", &["--timeout-ms", "5"]).end().expect_code(1);
        for words in [words, "slot length is 64, expected is 128"] {
            assert!(ended.stderr.contains(words), "{}", ended.stderr);
        }
        assert!(listed(&name).is_some());
        drop(link);
    }
}

/// A buffer, and memory of another program that begins as it likes.
#[test]
fn what_is_no_link_is_neither_made_one_nor_removed() {
    let name = Name::new("no-link-at-all");
    let mut writer = {
        let reader = Reader::builder(&name).payload_capacity(4096).create().unwrap();
        for refused in [&["rm"][..], &["rm", "--force"], &["create"], &["recv", "--create"]] {
            let args = [&["link"], &refused[..1], &[&*name], &refused[1..]].concat();
            let ended = run(&args).expect_code(1);
            assert!(ended.stderr.contains("as a ZeroBuffer has it"), "{refused:?}: {}", ended.stderr);
        }
        (strait::zerobuffer::Writer::connect(&name).unwrap(), reader)
    };
    writer.0.send(b"still there").unwrap();
    assert_eq!(&*writer.1.recv().unwrap(), b"still there");
    drop(writer);

    for bytes in [&b""[..], b"short", &[0; 4096], &[b'x'; 100_000]] {
        std::fs::write(name.segment(), bytes).unwrap();
        for verb in [&["rm"][..], &["rm", "--force"], &["create"], &["recv", "--create"]] {
            let args = [&["link"], &verb[..1], &[&*name], &verb[1..]].concat();
            run(&args).expect_code(1);
            run(&["gc", &name]).expect_code(0);
            assert!(std::fs::read(name.segment()).unwrap() == bytes, "{verb:?}");
        }
        std::fs::remove_file(name.segment()).unwrap();
    }
}

#[test]
fn what_is_no_file_is_neither_made_a_link_nor_removed() {
    let name = Name::new("no-file");
    let elsewhere = std::env::temp_dir().join(&*name);
    std::fs::write(&elsewhere, "somebody's").unwrap();
    std::os::unix::fs::symlink(&elsewhere, name.segment()).unwrap();
    for verb in [&["rm"][..], &["rm", "--force"], &["create"], &["recv", "--create"]] {
        let args = [&["link"], &verb[..1], &[&*name], &verb[1..]].concat();
        run(&args).expect_code(1);
        assert!(name.segment().is_symlink(), "{verb:?}");
    }
    let kept = std::fs::read_to_string(&elsewhere);
    std::fs::remove_file(name.segment()).unwrap();
    std::fs::remove_file(&elsewhere).unwrap();
    assert_eq!(kept.unwrap(), "somebody's");
}

/// Interrupted, `create --hold` takes away the name of its own link and of no other.
#[test]
fn a_holder_leaves_a_link_alone_that_has_its_name_by_now() {
    use std::io::Read as _;
    let name = LinkName::new("heir");
    let mut holder =
        crate::support::start(&["link", "create", &name, "--hold", "--slots", "2", "--slot-len", "8"]);
    let mut output = holder.stdout();
    output.read_exact(&mut [0; 7]).unwrap();
    run(&["link", "rm", "--force", &name]).expect_code(0);
    let heir = Link::builder(&name).slots(4).slot_len(8).create().unwrap();
    let killed = std::process::Command::new("kill").args(["-TERM", &holder.id().to_string()]).status();
    assert!(killed.unwrap().success());
    output.read_to_end(&mut Vec::new()).unwrap();
    holder.end().expect_code(0);
    assert_eq!(listed(&name).unwrap()["slots"], 4);
    drop(heir);
}

#[test]
fn handles_of_killed_processes_are_free_again_where_other_implementations_take_part() {
    let name = LinkName::new("crashes");
    run(&["link", "create", &name, "--foreign-peers", "--slots", "2", "--slot-len", "8"]).expect_code(0);
    // Two handles each: with those of the dead, 128 are too few.
    for _ in 0..66 {
        let mut victim = name.start("recv", &["-v"]);
        let (_, _rest) = victim.first_complaint();
        victim.kill();
    }
    run(&["link", "send", &name, "--message", "hello"]).expect_code(0);
}

#[test]
fn a_side_is_recovered_by_the_word_of_the_user_unless_strait_knows_better() {
    use std::os::unix::fs::FileExt as _;
    let name = LinkName::new("vouched");
    let builder = Link::builder(&name).slots(2).slot_len(64).foreign_peers().keep();
    let mut ours = builder.clone().primary().create().unwrap();
    ours.sender().send(b"held").unwrap();
    // As a process of another implementation leaves it that was killed with the message in its hands.
    let file = std::fs::OpenOptions::new().write(true).open(format!("/dev/shm/{}", &*name)).unwrap();
    let head = u64::try_from(ours.geometry().plan().rings[0]).unwrap() + 24;
    file.write_all_at(&1u64.to_le_bytes(), head).unwrap();

    run(&["link", "recover", &name]).expect_code(4);
    let recover = |side| run(&["link", "recover", &name, "--side", side, "--json-output"]);
    let ended = recover("primary").expect_code(1);
    assert!(ended.stderr.contains("running processes have 2 handles as primary"), "{}", ended.stderr);
    let json = recover("secondary").expect_code(0).json();
    assert_eq!([&json["operation"], &json["side"]], ["link-recover", "secondary"]);
    assert_eq!([&json["handles"], &json["tombstones"], &json["lost"]], [0, 0, 1]);
    let text = run(&["link", "recover", &name, "--side", "secondary"]).expect_code(0);
    assert!(text.text().lines().any(|line| line == "lost       0"), "{}", text.text());
}
