//! Runs [`strait_fuzz::zb_answer`] under libFuzzer.
#![no_main]
#![forbid(unsafe_code)]

libfuzzer_sys::fuzz_target!(|data: &[u8]| strait_fuzz::zb_answer(data));
