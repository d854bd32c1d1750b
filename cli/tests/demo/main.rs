//! Does `strait demo` show what it promises, and leave nothing behind whatever happens to its processes?
#![expect(clippy::unwrap_used, reason = "the helpers of these tests fail with them")]

use std::fs;
#[cfg(target_os = "linux")]
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use sha2::Digest as _;
use strait::zerobuffer::{ConnectError, inspect};

// Finds the stages by /proc, and ends them by signals.
#[cfg(target_os = "linux")]
mod killed;

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
#[cfg(target_os = "linux")]
fn leftovers(pid: u32) -> Vec<String> {
    let names = format!("strait-demo-{pid}-");
    let folders =
        ["/dev/shm".into(), "/tmp/zerobuffer".into(), std::env::temp_dir().join("zerobuffer/locks")];
    let files = folders.iter().filter_map(|folder: &PathBuf| fs::read_dir(folder).ok()).flatten();
    let files = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
    files.filter(|file| file.contains(&names)).collect()
}

/// Buffers and locks of the demo with this process number.
#[cfg(not(target_os = "linux"))]
fn leftovers(pid: u32) -> Vec<String> {
    let buffers = rings(pid).into_iter().filter(|ring| exists(ring));
    let locks = fs::read_dir(std::env::temp_dir().join("zerobuffer").join("locks")).into_iter().flatten();
    let locks = locks.filter_map(|file| file.ok()?.file_name().into_string().ok());
    buffers.chain(locks.filter(|lock| lock.contains(&format!("strait-demo-{pid}-")))).collect()
}

/// The buffers of the demo with this process number.
fn rings(pid: u32) -> [String; 2] {
    ["a", "b"].map(|ring| format!("strait-demo-{pid}-{ring}"))
}

fn exists(buffer: &str) -> bool {
    !matches!(inspect(buffer, 0), Err(ConnectError::BufferNotFound { .. }))
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
    let (empty, missing) = (temporary("empty"), temporary("missing"));
    fs::write(&empty, b"").unwrap();
    let folder = std::env::temp_dir().into_os_string().into_string().unwrap();
    let not_found = fs::metadata(&missing).unwrap_err().to_string();
    let mut cases = vec![(&*missing, &*not_found), (&folder, "directory"), (&empty, "empty")];
    if cfg!(unix) {
        cases.push(("/dev/null", "device"));
    }
    for (file, reason) in cases {
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

#[test]
fn when_the_demo_is_killed_its_rings_go() {
    let mut demo = start(&["--bytes", "100G", "--seconds", "1"]);
    let pid = demo.id();
    // Once both rings have a writer all three stages run. Killed while it starts one, the demo could leave it suspended.
    let has_writer = |ring: &String| inspect(ring, 0).is_ok_and(|ring| ring.words.writer_pid.0 != 0);
    while !rings(pid).iter().all(has_writer) {
        assert!(demo.try_wait().unwrap().is_none(), "the demo ended early");
        std::thread::yield_now();
    }
    demo.kill().unwrap();
    demo.wait().unwrap();
    // The stages see that it is gone, end, and remove all they have.
    while !leftovers(pid).is_empty() {
        std::thread::yield_now();
    }
}
