//! Does each report have the keys that the ZeroBuffer tools agreed on, and no others?

use serde_json::Value;

use crate::support::{LONG, Name, run, start};

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    // Whether maps are sorted depends on what else is built in.
    keys.sort_unstable();
    keys
}

fn sorted<const N: usize>(mut keys: [&str; N]) -> [&str; N] {
    keys.sort_unstable();
    keys
}

#[test]
fn reports_have_exactly_the_agreed_keys() {
    let (input, output) = (Name::new("in"), Name::new("out"));
    let timeout = ["--timeout-ms", LONG, "--json-output"];
    let reader = start(&[&["reader", &*output][..], &timeout].concat());
    let relay = start(&[&["relay", &*input, &output][..], &timeout].concat());
    let written =
        run(&[&["writer", &*input, "-n", "3", "--wait-ms", LONG][..], &timeout].concat()).expect_code(0);
    assert!(
        written.text().starts_with("{\n  \"operation\": \"write\",\n  \"buffer_name\""),
        "{}",
        written.text()
    );
    let (written, relayed) = (written.json(), relay.end().expect_code(0).json());
    let read = reader.end().expect_code(0).json();

    assert_eq!(
        keys(&written),
        sorted([
            "operation",
            "buffer_name",
            "frames_written",
            "frame_size",
            "metadata_size",
            "duration_seconds",
            "throughput_mbps",
            "errors",
        ])
    );
    assert_eq!(
        keys(&read),
        sorted([
            "operation",
            "buffer_name",
            "frames_read",
            "frame_size",
            "metadata_size",
            "duration_seconds",
            "throughput_mbps",
            "verification_errors",
            "checksums",
            "errors",
        ])
    );
    assert_eq!(
        keys(&relayed),
        sorted([
            "operation",
            "input_buffer",
            "output_buffer",
            "frames_relayed",
            "metadata_relayed",
            "metadata_size",
            "total_bytes",
            "duration_seconds",
            "throughput_mbps",
            "transform",
            "errors",
        ])
    );
    assert_eq!(
        [&written["operation"], &read["operation"], &relayed["operation"]],
        ["write", "read", "relay"]
    );
    assert_eq!(relayed["total_bytes"], 3 * 1024);
    assert_eq!(relayed["metadata_relayed"], false);
}

#[test]
fn digests_are_a_key_of_writer_and_relay_if_asked_for() {
    let (input, output) = (Name::new("in"), Name::new("out"));
    let options = ["--timeout-ms", LONG, "--json-output", "--checksum"];
    let reader = start(&[&["reader", &*output][..], &options].concat());
    let relay = start(&[&["relay", &*input, &output][..], &options].concat());
    let write = ["writer", &*input, "-n", "3", "--wait-ms", LONG];
    let written = run(&[&write[..], &options].concat()).expect_code(0).json();
    let relayed = relay.end().expect_code(0).json();
    let read = reader.end().expect_code(0).json();
    assert_eq!(written["checksums"].as_array().unwrap().len(), 3);
    assert_eq!(written["checksums"], relayed["checksums"]);
    assert_eq!(relayed["checksums"], read["checksums"]);
}
