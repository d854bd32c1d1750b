//! The options of the ZeroBuffer tools mean here what they mean there.

use crate::support::{ChannelName, LONG, Name, TempFile, run, start};

#[test]
fn minus_one_frames_is_no_limit_as_zero_is() {
    for unlimited in ["-1", "0"] {
        let name = Name::new("unlimited");
        let reader = start(&["reader", &*name, "-n", unlimited, "--timeout-ms", LONG, "--json-output"]);
        run(&["writer", &*name, "-n", "7", "--wait-ms", LONG]).expect_code(0);
        assert_eq!(reader.end().expect_code(0).json()["frames_read"], 7);
    }
}

#[test]
fn a_size_that_was_not_asked_for_is_1024_and_other_ones_are_counted() {
    assert!(run(&["reader", "--help"]).expect_code(0).text().contains("[default: 1024]"));
    for (size, options, code, others, first) in [
        ("1024", &[][..], 0, 0, 1024),
        ("64", &[], 0, 3, 64),
        ("64", &["-s", "64"], 0, 0, 64),
        ("64", &["-s", "65"], 5, 3, 65),
    ] {
        let name = Name::new("sizes");
        let read = ["reader", &*name, "--timeout-ms", LONG, "--json-output"];
        let reader = start(&[&read[..], options].concat());
        run(&["writer", &*name, "-n", "3", "-s", size, "--wait-ms", LONG]).expect_code(0);
        let read = reader.end().expect_code(code).json();
        assert_eq!(
            [read["other_sizes"].as_u64().unwrap_or(0), read["frame_size"].as_u64().unwrap()],
            [others, first],
            "{size} {options:?}"
        );
    }
}

#[test]
fn a_caller_describes_itself_to_the_server() {
    let file = TempFile::with("metadata", b"from a file");
    for (option, value, said) in
        [("-m", "from a text", "from a text"), ("--metadata-file", file.path(), "from a file")]
    {
        let name = ChannelName::new("described");
        let server = start(&["duplex", "serve", &*name, "-n", "1", "-v"]);
        let called =
            run(&["duplex", "call", &*name, "x", option, value, "--wait-ms", LONG, "--timeout-ms", LONG]);
        assert_eq!(called.expect_code(0).stdout, b"x");
        let served = server.end().expect_code(0).stderr;
        assert!(served.contains(&format!("a client, metadata {said}")), "{served}");
    }
    run(&["duplex", "call", "b", "x", "-m", ""]).expect_code(4);
}
