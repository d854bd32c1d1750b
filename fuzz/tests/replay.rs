//! The checked-in corpus, on any tool chain: what the fuzzer once found stays fixed.
#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut inputs = 0;
    for entry in fs::read_dir(&folder).expect("every target has a corpus") {
        let path = entry.expect("readable").path();
        let data = fs::read(&path).expect("readable");
        println!("{}", path.display());
        run(&data);
        inputs += 1;
    }
    assert!(inputs > 0, "{} is empty", folder.display());
}

#[test]
fn every_target_has_a_replay() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
    let mut targets: Vec<String> = fs::read_dir(folder)
        .expect("the targets are there")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .collect();
    targets.sort();
    let known = [
        "hqq_packet.rs",
        "hqq_segment.rs",
        "hqq_session.rs",
        "xcp_codecs.rs",
        "xcp_control.rs",
        "xcp_decoder.rs",
        "xcp_header.rs",
        "xcp_pair.rs",
        "xcp_unpack.rs",
        "zb_answer.rs",
        "zb_hostile.rs",
        "zb_segment.rs",
    ];
    assert_eq!(targets, known, "add a test below");
}

#[test]
fn hqq_packet() {
    replay("hqq_packet", strait_fuzz::hqq_packet);
}

#[test]
fn hqq_segment() {
    replay("hqq_segment", strait_fuzz::hqq_segment);
}

#[test]
fn hqq_session() {
    replay("hqq_session", strait_fuzz::hqq_session);
}

#[test]
fn xcp_codecs() {
    replay("xcp_codecs", strait_fuzz::xcp_codecs);
}

#[test]
fn xcp_control() {
    replay("xcp_control", strait_fuzz::xcp_control);
}

#[test]
fn xcp_decoder() {
    replay("xcp_decoder", strait_fuzz::xcp_decoder);
}

#[test]
fn xcp_header() {
    replay("xcp_header", strait_fuzz::xcp_header);
}

#[test]
fn xcp_pair() {
    replay("xcp_pair", strait_fuzz::xcp_pair);
}

#[test]
fn xcp_unpack() {
    replay("xcp_unpack", strait_fuzz::xcp_unpack);
}

#[test]
fn zb_answer() {
    replay("zb_answer", strait_fuzz::zb_answer);
}

#[test]
fn zb_hostile() {
    replay("zb_hostile", strait_fuzz::zb_hostile);
}

#[test]
fn zb_segment() {
    replay("zb_segment", strait_fuzz::zb_segment);
}
