//! Runs [`strait_fuzz::hqq_segment`] under libFuzzer.
#![no_main]
#![forbid(unsafe_code)]

libfuzzer_sys::fuzz_target!(|data: &[u8]| strait_fuzz::hqq_segment(data));
