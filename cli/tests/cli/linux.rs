//! What does the tool do with signals, permission bits, devices, and what a killed reader leaves behind?

use std::io::Read as _;
use std::process::Command;

use crate::support::{LONG, Name, Running, run, start};

pub(crate) fn signal(child: &Running, signal: &str) {
    let kill = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
}

#[test]
fn an_interrupted_reader_or_relay_removes_its_buffer_and_reports() {
    let (name, output) = (Name::new("stopped"), Name::new("never"));
    let reader = ["reader", &name, "--timeout-ms", "0", "--json-output", "-v"];
    let relay = ["relay", &name, &output, "--create-output", "--json-output", "-v"];
    for (args, sign, code, said) in
        [(&reader[..], "-INT", 130, "interrupted"), (&relay[..], "-TERM", 143, "interrupted by SIGTERM")]
    {
        let mut child = start(args);
        let (created, _rest) = child.first_complaint();
        assert!(created.starts_with("strait: created "), "{created}");
        assert!(name.segment().exists());
        signal(&child, sign);
        let ended = child.end().expect_code(code);
        assert_eq!(ended.json()["errors"], serde_json::json!([said]));
        assert!(!name.segment().exists());
    }
}

#[test]
fn a_stream_that_is_interrupted_is_no_whole_one() {
    for (interrupts, sign, code) in
        [("writer", "-INT", 130), ("writer", "-TERM", 143), ("relay", "-INT", 130), ("relay", "-TERM", 143)]
    {
        let (first, second) = (Name::new("cut"), Name::new("short"));
        let mut reader = start(&["reader", &second, "--out", "-", "--timeout-ms", LONG]);
        let relay = start(&["relay", &first, &second, "--timeout-ms", LONG, "--create-output"]);
        let writer = start(&["writer", &first, "-n", "0", "-s", "8", "--delay-ms", "1", "--wait-ms", LONG]);
        // Once a frame has gone through both.
        let mut output = reader.stdout();
        output.read_exact(&mut [0; 8]).unwrap();
        signal(if interrupts == "writer" { &writer } else { &relay }, sign);
        output.read_to_end(&mut Vec::new()).unwrap();
        // The relay's reader goes with it, and its writer says so.
        writer.end().expect_code(if interrupts == "writer" { code } else { 2 });
        relay.end().expect_code(if interrupts == "writer" { 3 } else { code });
        let read = reader.end().expect_code(3);
        assert!(read.stderr.contains("gave up"), "{}", read.stderr);
    }
}

#[test]
fn a_killed_reader_is_listed_as_dead_and_the_next_one_replaces_it() {
    let name = Name::new("killed");
    let mut reader = start(&["reader", &name, "--buffer-size", "4096", "--timeout-ms", "0", "-v"]);
    reader.first_complaint();
    reader.kill();
    let listed = run(&["ls", "--json"]).expect_code(0).json();
    let state = |list: &serde_json::Value| {
        let entry = list.as_array().unwrap().iter().find(|entry| entry["name"] == *name).cloned();
        entry.map(|entry| entry["state"].clone())
    };
    assert_eq!(state(&listed), Some("dead".into()));
    let gone = run(&["gc", "--dry-run", "--json"]).expect_code(0).json();
    let entry =
        gone["buffers"].as_array().unwrap().iter().find(|entry| entry["name"] == *name).unwrap().clone();
    assert_eq!(entry["removed"], false);
    assert_eq!(entry["bytes"], 128 + 4096 + 4096 + 128);
    assert!(name.segment().exists());
    let ended = run(&["writer", &name, "--wait-ms", "0"]).expect_code(1);
    assert!(ended.stderr.contains("is gone"), "{}", ended.stderr);
    run(&["reader", &name, "--timeout-ms", "1"]).expect_code(3);
}

/// Only the named one: other tests have dead buffers of their own.
#[test]
fn gc_removes_a_killed_readers_buffer() {
    let name = Name::new("garbage");
    let mut reader = start(&["reader", &name, "--buffer-size", "4096", "--timeout-ms", "0", "-v"]);
    reader.first_complaint();
    reader.kill();
    let ended = run(&["gc", &name]).expect_code(0);
    assert!(ended.text().contains(&format!("removed {}: 8448 bytes", &*name)), "{}", ended.text());
    // As a closed Python reader leaves them.
    let mut semaphore = [0; 32];
    semaphore[8] = 0x80;
    std::fs::write(format!("/dev/shm/sem.sem-w-{}", &*name), semaphore).unwrap();
    let ended = run(&["gc", &name]).expect_code(0);
    assert!(ended.text().contains(&format!("removed {}: 0 bytes", &*name)), "{}", ended.text());
    // Another program's is kept, and said what it is.
    std::fs::write(name.segment(), b"another program's memory").unwrap();
    let ended = run(&["gc", &name]).expect_code(0);
    assert!(ended.text().contains(&format!("kept {}", &*name)), "{}", ended.text());
    assert!(ended.text().contains("24 bytes of something else"), "{}", ended.text());
    assert_eq!(std::fs::read(name.segment()).unwrap(), b"another program's memory");
    std::fs::remove_file(name.segment()).unwrap();
}

#[test]
fn a_mode_opens_the_buffer_to_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let name = Name::new("mode");
    for (option, mode) in [(&[][..], 0o600), (&["--mode", "664"], 0o664)] {
        let group =
            std::os::unix::fs::MetadataExt::gid(&std::fs::metadata("/proc/self").unwrap()).to_string();
        let args = ["reader", &*name, "--timeout-ms", LONG, "--group", &group, "-v"];
        let mut reader = start(&[&args[..], option].concat());
        let (_, _rest) = reader.first_complaint();
        let found = std::fs::metadata(name.segment()).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode);
        if mode == 0o664 {
            let refused = run(&["writer", &name, "-n", "1"]).expect_code(1);
            assert!(refused.stderr.contains("--trust-others"), "{}", refused.stderr);
        }
        run(&["writer", &name, "-n", "1", "--trust-others"]).expect_code(0);
        reader.end().expect_code(0);
    }
}

#[test]
fn a_full_disk_under_the_output_ends_with_3() {
    let name = Name::new("disk");
    let reader = start(&["reader", &name, "--out", "/dev/full", "--timeout-ms", LONG]);
    let ended = run(&["writer", &name, "-n", "1", "--wait-ms", LONG]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(reader.end().expect_code(3).stderr.contains("/dev/full"));
}
