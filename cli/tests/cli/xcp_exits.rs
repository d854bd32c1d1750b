//! Does every way in which XCP can fail have its number and a sentence?

use crate::support::{TempFile, run};
use crate::xcp::{Served, TempFolder, bytes, key_file, npy, send};
use crate::xcp_certificates::Certificates;

#[test]
fn bad_arguments_end_with_4() {
    let folder = std::env::temp_dir();
    let folder = folder.to_str().unwrap();
    let (array, file) = (TempFile::with("xcp-no-npy", b"{}"), TempFile::with("xcp-file", b"x"));
    let integers = npy("(1,)", &[1.0]).escape_ascii().to_string().replace("<f4", "<i4");
    let integers = TempFile::with("xcp-integers", integers.as_bytes());
    let bad: &[&[&str]] = &[
        &[],
        &["bogus"],
        &["serve"],
        &["serve", "--listen", "udp://a:1"],
        &["serve", "--listen", "tls://127.0.0.1:0"],
        &["serve", "--listen", "tcp://127.0.0.1:0", "--dialect", "xml"],
        &["serve", "--listen", "tcp://127.0.0.1:0", "--codecs", "xml"],
        &["serve", "--listen", "tcp://127.0.0.1:0", "--features", "all"],
        &["serve", "--listen", "tcp://127.0.0.1:0", "--max-frame", "5"],
        &["serve", "--listen", "tcp://127.0.0.1:0", "--max-frame", "5G"],
        &[
            "serve",
            "--listen",
            "tcp://127.0.0.1:0",
            "--key",
            concat!(env!("CARGO_TARGET_TMPDIR"), "/missing"),
        ],
        &["serve", "--listen", "tcp://127.0.0.1:0", "--output", file.path()],
        &["serve", "--listen", "tcp://127.0.0.1:0", "--tls-cert", file.path()],
        &["serve", "--listen", "tls://127.0.0.1:0", "--tls-cert", file.path(), "--tls-key", file.path()],
        &["serve", "--listen", "tcp://127.0.0.1:0", "--tls-cert", file.path(), "--tls-key", file.path()],
        &["send", "tcp://127.0.0.1:1"],
        &["send", "tcp://127.0.0.1:1", "--text", "a", "--file", file.path()],
        &["send", "http://127.0.0.1:1", "--text", "a"],
        &["send", "tls://127.0.0.1:1", "--text", "a"],
        &["send", "tcp://127.0.0.1:1", "--text", "a", "--tls-ca", file.path()],
        &["send", "tls://127.0.0.1:1", "--text", "a", "--tls-ca", file.path()],
        &["send", "tcp://127.0.0.1:1", "--text", "a", "--tag", "k"],
        &["send", "tcp://127.0.0.1:1", "--text", "a", "--channel", "0"],
        &["send", "tcp://127.0.0.1:1", "--text", "a", "--compress", "99"],
        &["send", "tcp://127.0.0.1:1", "--text", "a", "--timeout", "5"],
        &["send", "tcp://127.0.0.1:1", "--text", "a", "--expect-echo", "--no-answer"],
        &["send", "tcp://127.0.0.1:1", "--json", array.path()],
        &["send", "tcp://127.0.0.1:1", "--json", concat!(env!("CARGO_TARGET_TMPDIR"), "/missing")],
        &["send", "tcp://127.0.0.1:1", "--tensor", array.path()],
        &["send", "tcp://127.0.0.1:1", "--tensor", integers.path()],
        &["send", "tcp://127.0.0.1:1", "--tensor", concat!(env!("CARGO_TARGET_TMPDIR"), "/missing")],
        &["send", "tcp://127.0.0.1:1", "--file", folder],
        &["send", "tcp://127.0.0.1:1", "--text", "a", "--encrypt-by-tls", "--key", file.path()],
        &["ping"],
        &["ping", "tcp://127.0.0.1:1", "--count", "0"],
        &["decode"],
        &["bench", "--codec", "qnt8"],
        &["bench", "--size", "many"],
    ];
    for args in bad {
        let ended = run(&[&["xcp"], *args].concat());
        assert_eq!(ended.code, Some(4), "{args:?}: {}", ended.stderr);
        assert!(ended.stderr.starts_with("strait: "), "{args:?}: {}", ended.stderr);
        assert!(ended.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn nobody_there_ends_with_1() {
    // A port that nobody listens on any more.
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("tcp://{}", listener.local_addr().unwrap())
    };
    for verb in [&["ping", &*gone][..], &["send", &gone, "--text", "a"], &["bench", &gone, "-n", "1"]] {
        let ended = run(&[&["xcp"], verb].concat()).expect_code(1);
        assert!(ended.stderr.contains(&gone), "{}", ended.stderr);
        let report = run(&[&["xcp"], verb, &["--json-output"]].concat()).expect_code(1).json();
        assert!(report["errors"][0].as_str().unwrap().contains(&gone), "{report}");
    }
    let served = Served::tcp(&[]);
    let ended = run(&["xcp", "serve", "--listen", served.url()]).expect_code(1);
    assert!(ended.stdout.is_empty() && ended.stderr.contains(served.url()), "{}", ended.stderr);
}

#[cfg(unix)]
#[test]
fn no_socket_there_ends_with_1() {
    let socket = TempFile::new("xcp-nobody");
    run(&["xcp", "ping", &format!("unix://{}", socket.path())]).expect_code(1);
    let listen = format!("unix://{}/no/such/folder", socket.path());
    run(&["xcp", "serve", "--listen", &listen]).expect_code(1);
}

#[test]
fn another_dialect_than_the_servers_ends_with_1() {
    let served = Served::tcp(&["--dialect", "python"]);
    run(&["xcp", "ping", served.url(), "--dialect", "spec"]).expect_code(1);
    run(&["xcp", "ping", served.url()]).expect_code(0);
}

#[test]
fn other_secrets_end_without_an_answer() {
    let (right, wrong) = (key_file('1'), key_file('2'));
    let served = Served::tcp(&["--key", right.path()]);
    let ended = send(served.url(), &["--text", "a"]);
    assert!(matches!(ended.code, Some(1 | 3)), "{ended:?}");
    let ended = send(served.url(), &["--text", "a", "--key", wrong.path(), "--timeout", "20s"]);
    assert!(matches!(ended.code, Some(1 | 3)), "{ended:?}");
    send(served.url(), &["--text", "a", "--key", right.path()]).expect_code(0);
    // A client that seals does not speak to a server that cannot.
    let open = Served::tcp(&[]);
    send(open.url(), &["--text", "a", "--key", right.path()]).expect_code(1);
    // Nor with keys from a connection that has none.
    send(open.url(), &["--text", "a", "--encrypt-by-tls"]).expect_code(4);
}

#[test]
fn another_authority_or_name_ends_with_1() {
    let (known, other) = (Certificates::new("known"), Certificates::new("other"));
    let listen = ["--listen", "tls://127.0.0.1:0"];
    let served = Served::start(&[&listen[..], &known.server_of_known_clients()].concat());
    let says = |args: &[&str]| send(served.url(), &[&["--text", "a", "--timeout", "20s"], args].concat());
    says(&known.known_client()).expect_code(0);
    let ended = says(&other.known_client()).expect_code(1);
    assert!(ended.stderr.contains("certificate"), "{}", ended.stderr);
    says(&[&known.known_client()[..], &["--tls-name", "elsewhere"]].concat()).expect_code(1);
    // Without a certificate of its own, where one is asked for.
    let ended = says(&known.client());
    assert!(matches!(ended.code, Some(1 | 3)), "{ended:?}");
    // Not spoken there at all.
    let plain = Served::tcp(&[]);
    let url = plain.url().replace("tcp://", "tls://");
    send(&url, &[&["--text", "a"], &known.client()[..]].concat()).expect_code(1);
}

#[test]
fn a_codec_that_the_peer_does_not_read_ends_with_2() {
    let array = TempFile::with("xcp-array", &npy("(1,)", &[1.0]));
    let served = Served::tcp(&["--codecs", "json"]);
    let ended = send(served.url(), &["--tensor", array.path()]).expect_code(2);
    assert!(ended.stderr.contains("it reads JSON; --as-codec chooses another"), "{}", ended.stderr);
    send(served.url(), &["--tensor", array.path(), "--as-codec", "json"]).expect_code(0);
}

#[test]
fn a_message_that_is_too_long_is_refused_and_ends_with_3() {
    let file = TempFile::with("xcp-long", &bytes(3_000_000));
    let served = Served::tcp(&["--max-message", "2M"]);
    // Plain bytes are read as they come; an ether is held whole.
    send(served.url(), &["--file", file.path()]).expect_code(0);
    let ended = send(served.url(), &["--file", file.path(), "--as-codec", "protobuf"]).expect_code(3);
    assert!(ended.stderr.contains("ERR_MESSAGE_TOO_LARGE"), "{}", ended.stderr);
    let without = Served::tcp(&["--features", "none", "--max-frame", "64K"]);
    send(without.url(), &["--file", file.path()]).expect_code(2);
}

#[test]
fn no_echo_where_one_is_expected_ends_with_5() {
    let served = Served::tcp(&[]);
    let ended = send(served.url(), &["--text", "a", "--expect-echo", "--json-output"]).expect_code(5);
    assert_eq!(ended.json()["answer"]["kind"], "receipt");
    let ended = run(&["xcp", "bench", served.url(), "-n", "1"]).expect_code(5);
    assert!(ended.stderr.contains("--echo"), "{}", ended.stderr);
}

#[test]
fn names_of_a_peer_stay_in_the_folder() {
    let (folder, file) = (TempFolder::new(), TempFile::with("xcp-name", b"x"));
    let mut served = Served::tcp(&["--output", folder.path(), "--json-output"]);
    // A file is called as its sender calls it, whether it has an extension or not.
    for (name, wanted) in
        [("../../escape", "_.._escape"), (".hidden", "hidden"), ("a.txt", "a.txt"), ("sh", "sh")]
    {
        send(served.url(), &["--file", file.path(), "--name", name]).expect_code(0);
        let path = served.message()["path"].as_str().unwrap().to_owned();
        assert_eq!(std::path::Path::new(&path), std::path::Path::new(folder.path()).join(wanted));
    }
    // Nothing is replaced.
    send(served.url(), &["--file", file.path(), "--name", "a.txt"]).expect_code(0);
    assert!(served.message()["path"].as_str().unwrap().ends_with("a-2.txt"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_body_that_cannot_be_written_is_refused() {
    let folder = TempFolder::new();
    let served = Served::tcp(&["--output", folder.path()]);
    std::fs::remove_dir(folder.path()).unwrap();
    let ended = send(served.url(), &["--text", "a"]).expect_code(3);
    assert!(ended.stderr.contains("ERR_BUSY"), "{}", ended.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_that_is_told_to_stop_ends_well() {
    for signal in ["-TERM", "-INT", "-HUP", "-QUIT"] {
        let served = Served::tcp(&["--json-output"]);
        send(served.url(), &["--text", "a"]).expect_code(0);
        crate::linux::signal(served.process(), signal);
        let (ended, rest) = served.end();
        ended.expect_code(0);
        let report: serde_json::Value = serde_json::from_str(rest.lines().last().unwrap()).unwrap();
        assert_eq!((&report["operation"], &report["messages"]), (&"xcp-serve".into(), &1.into()));
    }
}
