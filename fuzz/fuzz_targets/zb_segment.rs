//! Runs [`strait_fuzz::zb_segment`] under libFuzzer.
#![no_main]
#![forbid(unsafe_code)]

libfuzzer_sys::fuzz_target!(|data: &[u8]| strait_fuzz::zb_segment(data));
