//! Runs [`strait_fuzz::hqq_packet`] under libFuzzer.
#![no_main]
#![forbid(unsafe_code)]

libfuzzer_sys::fuzz_target!(|data: &[u8]| strait_fuzz::hqq_packet(data));
