//! Does nothing run on, and is nothing left, when the demo or one of its stages is killed?

use std::fs;
use std::io::Read as _;
use std::process::{Child, Command};

use crate::{exists, leftovers, rings, start};

/// The processes that `parent` started, and what they are.
fn children(parent: u32) -> Vec<(u32, String)> {
    let processes =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let child = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, rest) = stat.rsplit_once(')')?;
        let started_by: u32 = rest.split_ascii_whitespace().nth(1)?.parse().ok()?;
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        (started_by == parent && line.contains("demo-stage")).then_some((pid, line))
    };
    processes.filter_map(|pid| child(pid.parse().ok()?)).collect()
}

/// Waits until the three stages run and both rings exist, so that there is something to leave behind.
fn running(demo: &mut Child) -> Vec<(u32, String)> {
    loop {
        let children = children(demo.id());
        if children.len() == 3 && rings(demo.id()).iter().all(|ring| exists(ring)) {
            return children;
        }
        assert!(demo.try_wait().unwrap().is_none(), "the demo ended early");
        std::thread::yield_now();
    }
}

fn signal(signal: &str, pid: u32) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

#[test]
fn a_killed_stage_is_named_the_others_end_and_nothing_is_left() {
    for role in ["writer", "relay", "reader"] {
        let mut demo = start(&["--bytes", "100G", "--seconds", "1"]);
        let (demo_pid, stages) = (demo.id(), running(&mut demo));
        let (pid, _) = stages.iter().find(|(_, line)| line.split('\0').any(|word| word == role)).unwrap();
        signal("-KILL", *pid);
        let output = demo.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = if role == "writer" { 2 } else { 3 };
        assert_eq!(output.status.code(), Some(expected), "{said}");
        assert!(
            said.contains(role) && said.contains("SIGKILL") && output.stdout.is_empty(),
            "{role}: {said}"
        );
        assert_eq!(leftovers(demo_pid), Vec::<String>::new());
        assert!(stages.iter().all(|(pid, _)| !fs::exists(format!("/proc/{pid}")).unwrap()), "{role}");
    }
}

#[test]
fn when_the_demo_is_killed_its_stages_end_and_remove_their_buffers() {
    // Not SIGINT: a shell that runs the tests in the background has them ignore it.
    for how in ["-KILL", "-TERM", "-HUP"] {
        let mut demo = start(&["--bytes", "100G", "--seconds", "1"]);
        let (demo_pid, stages) = (demo.id(), running(&mut demo));
        signal(how, demo_pid);
        assert!(!demo.wait().unwrap().success());
        // Their new parent may take its time to reap them: a dead one has no command line.
        for (pid, _) in stages {
            while fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty()) {
                std::thread::yield_now();
            }
        }
        assert_eq!(leftovers(demo_pid), Vec::<String>::new(), "{how}");
        let mut said = String::new();
        demo.stdout.unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "");
    }
}
