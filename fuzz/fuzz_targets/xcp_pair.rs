//! Runs [`strait_fuzz::xcp_pair`] under libFuzzer.
#![no_main]
#![forbid(unsafe_code)]

libfuzzer_sys::fuzz_target!(|data: &[u8]| strait_fuzz::xcp_pair(data));
