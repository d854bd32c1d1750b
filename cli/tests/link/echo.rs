//! Does an echo send back what it got?

use crate::files::{real_file, sha256};
use crate::link_name::LinkName;
use crate::support::TempFile;

#[test]
fn a_file_comes_back_as_it_went() {
    let file = real_file(500_001);
    let (name, copy) = (LinkName::new("echo"), TempFile::new("back"));
    let echo = ["--create", "--slots", "8", "--slot-len", "1024", "-n", "489", "--json-output", "-v"];
    let mut echo = name.start("echo", &echo);
    let (joined, _rest) = echo.first_complaint();
    assert!(joined.contains("as secondary, 8 slots of 1024 bytes"), "{joined}");
    let back = name.start("recv", &["--role", "primary", "--file", copy.path(), "-n", "489"]);
    name.start("send", &["--file", file.path()]).end().expect_code(0);
    back.end().expect_code(0);
    let report = echo.end().expect_code(0).json();
    assert_eq!([&report["messages"], &report["bytes"]], [489, 500_001]);
    assert_eq!(sha256(&copy.bytes()), sha256(&file.bytes()));
}
