//! Does `strait demo` show what it promises, and leave nothing behind whatever happens to its processes?
#![expect(clippy::unwrap_used, reason = "the helpers of these tests fail with them")]

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use sha2::Digest as _;

/// Starts `strait demo`.
fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strait"));
    command.arg("demo").args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Runs it to its end; whatever that is, none of its names is left.
fn demo(arguments: &[&str]) -> Output {
    let child = start(arguments);
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    assert_eq!(leftovers(pid), Vec::<String>::new());
    output
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Segments, semaphores and locks of the demo with this process number.
fn leftovers(pid: u32) -> Vec<String> {
    let names = format!("strait-demo-{pid}-");
    let folders =
        ["/dev/shm".into(), "/tmp/zerobuffer".into(), std::env::temp_dir().join("zerobuffer/locks")];
    let files = folders.iter().filter_map(|folder: &PathBuf| fs::read_dir(folder).ok()).flatten();
    let files = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
    files.filter(|file| file.contains(&names)).collect()
}

/// A path for this test alone.
fn temporary(name: &str) -> String {
    let path = std::env::temp_dir().join(format!("strait-demo-test-{}-{name}", std::process::id()));
    path.into_os_string().into_string().unwrap()
}

#[test]
fn the_numbers_are_sane_and_the_content_is_verified() {
    let plot = temporary("out.svg");
    let facts = json(&demo(&["--bytes", "40000000", "--seconds", "0.2", "--json", "--plot", &plot]));

    assert_eq!(facts["verification"]["verified"], true);
    assert_eq!(facts["verification"]["sha256"].as_str().unwrap().len(), 64);
    for phase in ["verification", "throughput"] {
        assert_eq!(facts[phase]["bytes"], 40_000_000);
        assert_eq!(facts[phase]["frames"], 13, "12 of 3 110 400 bytes and a shorter one");
    }
    assert!(facts["throughput"]["bytes_per_second"].as_f64().unwrap() > 0.0);
    assert_eq!(facts["copies_per_byte"], 2.0);
    let copies: Vec<_> = facts["throughput"]["stages"].as_array().unwrap().iter().collect();
    assert_eq!(copies.iter().map(|stage| stage["copies_per_byte"].as_f64().unwrap()).sum::<f64>(), 2.0);
    assert_eq!(copies[2]["copies_per_byte"], 0.0);

    let latency = &facts["latency"];
    assert!(latency["frames"].as_u64().unwrap() >= 1);
    for way in ["end_to_end", "writer_to_relay", "in_relay", "relay_to_reader"] {
        let at = |key: &str| latency[way][key].as_u64().unwrap();
        let (p50, p99, p999, max) = (at("p50_nanos"), at("p99_nanos"), at("p999_nanos"), at("max_nanos"));
        assert!(p50 <= p99 && p99 <= p999 && p999 <= max && max > 0, "{way}: {latency}");
    }
    let max = |way: &str| latency[way]["max_nanos"].as_u64().unwrap();
    assert!(max("end_to_end") >= max("in_relay").max(max("writer_to_relay")).max(max("relay_to_reader")));

    let svg = fs::read_to_string(&plot).unwrap();
    fs::remove_file(&plot).unwrap();
    assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"));
    assert!(svg.contains(">p99.9 ") && svg.contains("class=\"bar\""));
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

#[test]
fn a_file_of_one_byte_is_repeated() {
    let file = temporary("one-byte");
    fs::write(&file, b"x").unwrap();
    let facts = json(&demo(&[&file, "--bytes", "10M", "--seconds", "0.1", "--json"]));
    fs::remove_file(&file).unwrap();
    assert_eq!(facts["file_bytes"], 1);
    let expected = sha2::Sha256::digest(vec![b'x'; 10_000_000]);
    let expected: String = expected.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(facts["verification"]["sha256"], expected);
}

#[test]
fn a_stream_shorter_than_a_frame_and_a_ring_of_one_frame_work() {
    let short = json(&demo(&["--bytes", "1", "--seconds", "0.001", "--json"]));
    assert_eq!((&short["throughput"]["frames"], &short["throughput"]["bytes"]), (&1.into(), &1.into()));
    let arguments =
        ["--bytes", "100000", "--frame-bytes", "1000", "--ring-frames", "1", "--seconds", "0.01", "--json"];
    assert_eq!(json(&demo(&arguments))["throughput"]["frames"], 100);
}

#[test]
fn people_get_a_table() {
    let output = demo(&["--bytes", "4M", "--seconds", "0.05"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{text}");
    for part in ["verification", "throughput", "frames/s", "p99.9", "end to end", "copies per byte", "2.00"] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn a_file_that_cannot_be_streamed_is_a_usage_error_that_names_it() {
    let empty = temporary("empty");
    fs::write(&empty, b"").unwrap();
    for (file, reason) in [
        ("/no/such/file", "No such file"),
        ("/tmp", "directory"),
        ("/dev/null", "device"),
        (&*empty, "empty"),
    ] {
        let output = demo(&[file]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{said}");
        assert!(said.contains(file) && said.contains(reason) && output.stdout.is_empty(), "{said}");
    }
    fs::remove_file(&empty).unwrap();
}

#[test]
fn a_plot_that_cannot_be_written_is_an_error_before_anything_runs() {
    let file = temporary("streamed");
    fs::write(&file, b"keep me").unwrap();
    for plot in ["/no/such/folder/out.svg", &*file] {
        let output = demo(&[&*file, "--plot", plot]);
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("plot"), "{output:?}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"keep me");
    fs::remove_file(&file).unwrap();
}

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
        let rings = ["a", "b"].map(|ring| format!("/dev/shm/strait-demo-{}-{ring}", demo.id()));
        let children = children(demo.id());
        if children.len() == 3 && rings.iter().all(|ring| fs::exists(ring).unwrap_or(false)) {
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
    for how in ["-KILL", "-INT"] {
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
