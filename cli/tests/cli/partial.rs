//! A file has its name only once it is whole.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use crate::support::{Ended, LONG, Name, Running, TempFolder, run, start};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A writer that is there, has sent `bytes`, and lives as long as its input is open.
fn silent_after(name: &Name, bytes: &[u8]) -> (Running, std::process::ChildStdin) {
    let mut writer = start(&["writer", &**name, "--file", "-", "-s", "4", "--wait-ms", LONG]);
    let mut input = writer.stdin();
    input.write_all(bytes).unwrap();
    (writer, input)
}

/// What a reader says whose writer falls silent in the middle.
fn read_half(folder: &TempFolder, options: &[&str]) -> Ended {
    let (name, out) = (Name::new("half"), folder.path("copy"));
    let (writer, input) = silent_after(&name, b"twotimes");
    let read = ["reader", &*name, "--out", text(&out), "--timeout-ms", "2000"];
    let ended = start(&[&read[..], options].concat()).end().expect_code(3);
    drop(input);
    writer.end().expect_code(0);
    ended
}

#[test]
fn what_came_of_a_file_keeps_another_name_when_the_writer_falls_silent() {
    let folder = TempFolder::new("half");
    let ended = read_half(&folder, &[]);
    assert_eq!(folder.names(), ["copy.part"]);
    assert_eq!(fs::read(folder.path("copy.part")).unwrap(), b"twotimes");
    let said = format!("copy is not whole: its first 8 bytes are in {}", text(&folder.path("copy.part")));
    assert!(ended.stderr.contains(&said), "{}", ended.stderr);
    // A second run leaves the first one's alone, and says where its own is.
    let report = read_half(&folder, &["--json-output"]).json();
    assert_eq!(folder.names(), ["copy.part", "copy.part-2"]);
    assert_eq!(report["partial_files"], serde_json::json!([text(&folder.path("copy.part-2"))]));
}

#[test]
fn a_file_that_is_there_stays_until_the_new_one_is_whole() {
    let (folder, name) = (TempFolder::new("old"), Name::new("old"));
    let out = folder.path("copy");
    fs::write(&out, "old").unwrap();
    read_half(&folder, &[]);
    assert_eq!(fs::read(&out).unwrap(), b"old");
    fs::remove_file(folder.path("copy.part")).unwrap();

    let reader = start(&["reader", &*name, "--out", text(&out), "--timeout-ms", LONG]);
    run(&["writer", &*name, "-m", "x", "-n", "2", "-s", "5", "--wait-ms", LONG]).expect_code(0);
    reader.end().expect_code(0);
    assert_eq!(fs::read(&out).unwrap(), [0, 1, 2, 3, 4, 1, 2, 3, 4, 5]);
    assert_eq!(folder.names(), ["copy"]);
}

#[test]
fn a_run_that_brings_nothing_leaves_nothing() {
    let (folder, name) = (TempFolder::new("nothing"), Name::new("nothing"));
    let (out, metadata) = (folder.path("copy"), folder.path("metadata"));
    let read = ["reader", &*name, "--out", text(&out), "--metadata-out", text(&metadata)];
    run(&[&read[..], &["--timeout-ms", "5"]].concat()).expect_code(3);
    run(&[&read[..], &["--buffer-size", "0"]].concat()).expect_code(4);
    run(&["reader", &*name, "--out", text(&out), "--metadata-out", text(&out)]).expect_code(4);
    assert!(folder.names().is_empty(), "{:?}", folder.names());
}

#[test]
fn frames_that_are_not_what_they_should_be_have_not_the_name() {
    let (folder, name) = (TempFolder::new("wrong"), Name::new("wrong"));
    let out = folder.path("copy");
    let read = ["reader", &*name, "--out", text(&out), "--verify", "ones", "--timeout-ms", LONG];
    let reader = start(&read);
    run(&["writer", &*name, "--pattern", "zero", "-n", "1", "-s", "3", "--wait-ms", LONG]).expect_code(0);
    reader.end().expect_code(5);
    assert_eq!(folder.names(), ["copy.part"]);
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsStr;
    use std::io::Read as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;
    use crate::linux::signal;

    #[test]
    fn an_interrupted_run_leaves_nothing_under_the_name() {
        for (sign, code) in [("-INT", 130), ("-TERM", 143)] {
            let (folder, name) = (TempFolder::new("stopped"), Name::new("stopped"));
            let out = folder.path("copy");
            let mut writer = start(&["writer", &*name, "--file", "-", "-s", "4", "--wait-ms", LONG]);
            let mut input = writer.stdin();
            let reader = start(&["reader", &*name, "--out", text(&out), "--timeout-ms", LONG]);
            input.write_all(b"half").unwrap();
            while !fs::read(folder.path("copy.part")).is_ok_and(|bytes| bytes == b"half") {
                std::thread::yield_now();
            }
            signal(&reader, sign);
            let said = reader.end().expect_code(code).stderr;
            assert!(said.contains("copy is not whole: its first 4 bytes"), "{said}");
            assert_eq!(folder.names(), ["copy.part"]);
        }
    }

    fn copy(name: &Name, out: &Path) {
        let reader = start(&["reader", &**name, "--out", text(out), "--timeout-ms", LONG]);
        run(&["writer", &**name, "--pattern", "ones", "-n", "1", "-s", "1", "--wait-ms", LONG])
            .expect_code(0);
        reader.end().expect_code(0);
    }

    #[test]
    fn a_new_file_has_the_access_of_the_old_one_and_a_link_goes_on_leading_to_it() {
        let (folder, name) = (TempFolder::new("access"), Name::new("access"));
        let (file, link) = (folder.path("file"), folder.path("link"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("file", &link).unwrap();
        copy(&name, &link);
        assert_eq!(fs::read(&file).unwrap(), b"\xff");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        // A link to nothing says where the file shall be.
        fs::remove_file(&file).unwrap();
        copy(&name, &link);
        assert_eq!(folder.names(), ["file", "link"]);
        // As any other file that is made here.
        fs::write(folder.path("other"), "").unwrap();
        let mode = |name| fs::metadata(folder.path(name)).unwrap().mode();
        assert_eq!(mode("file"), mode("other"));
        // Links that lead nowhere have an end.
        symlink("circle", folder.path("circle")).unwrap();
        let circle = folder.path("circle");
        let ended = run(&["reader", &*name, "--out", text(&circle)]).expect_code(4);
        assert!(ended.stderr.contains("links lead to it"), "{}", ended.stderr);
    }

    #[test]
    fn a_pipe_is_written_as_it_is() {
        let (folder, name) = (TempFolder::new("pipe"), Name::new("pipe"));
        let pipe = folder.path("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = start(&["reader", &*name, "--out", text(&pipe), "--timeout-ms", "2000"]);
        let mut output = fs::File::open(&pipe).unwrap();
        let (writer, input) = silent_after(&name, b"once");
        let mut bytes = [0; 4];
        output.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"once");
        reader.end().expect_code(3);
        assert_eq!(folder.names(), ["pipe"]);
        drop(input);
        writer.end().expect_code(0);
    }

    #[test]
    fn a_path_that_stands_for_an_open_file_is_written_as_it_is() {
        let name = Name::new("open");
        let reader = start(&["reader", &*name, "--out", "/dev/stdout", "--timeout-ms", LONG]);
        run(&["writer", &*name, "--pattern", "ones", "-n", "1", "-s", "2", "--wait-ms", LONG]).expect_code(0);
        let ended = reader.end().expect_code(0);
        assert!(ended.stdout.starts_with(b"\xff\xff"), "{:?}", ended.stdout);
    }

    fn os(text: &str) -> &OsStr {
        text.as_ref()
    }

    #[test]
    fn paths_need_not_be_utf_8() {
        let (folder, name) = (TempFolder::new("bytes"), Name::new("bytes"));
        let path = |bytes: &[u8]| folder.path(OsStr::from_bytes(bytes));
        let (from, to, metadata) = (path(b"from\xff"), path(b"to\xff"), path(b"metadata\xff"));
        fs::write(&from, "bytes").unwrap();
        fs::write(&metadata, "what").unwrap();
        let described = path(b"described\xff");
        let read = [
            os("reader"),
            os(&name),
            os("--out"),
            to.as_os_str(),
            os("--metadata-out"),
            described.as_os_str(),
        ];
        let reader = start(&[&read[..], &[os("--timeout-ms"), os(LONG)]].concat());
        let write = [os("writer"), os(&name), os("--file"), from.as_os_str()];
        let rest = [os("--metadata-file"), metadata.as_os_str(), os("--wait-ms"), os(LONG)];
        run(&[write, rest].concat()).expect_code(0);
        reader.end().expect_code(0);
        assert_eq!(
            (fs::read(&to).unwrap(), fs::read(&described).unwrap()),
            (b"bytes".to_vec(), b"what".to_vec())
        );
        // And is said, as far as it can be.
        let missing = path(b"missing\xff");
        let ended = run(&[os("writer"), os("b"), os("--file"), missing.as_os_str()]).expect_code(4);
        assert!(ended.stderr.contains("missing\u{fffd}: No such file"), "{}", ended.stderr);
        // Wherever a path is asked for.
        for verb in [
            &["duplex", "call", "b", "--file"][..],
            &["link", "send", "b", "--session", "--encrypt", "--key-file"],
            &["link", "call", "b", "--file"],
            &["xcp", "send", "tcp://127.0.0.1:1", "--json"],
            &["xcp", "send", "tcp://127.0.0.1:1", "--file"],
            &["xcp", "decode"],
        ] {
            let args: Vec<&OsStr> = verb.iter().map(|arg| os(arg)).chain([missing.as_os_str()]).collect();
            let ended = run(&args).expect_code(4);
            assert!(ended.stderr.contains("missing\u{fffd}: No such file"), "{verb:?}: {}", ended.stderr);
        }
    }
}
