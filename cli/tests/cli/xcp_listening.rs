//! What a server does with a path that is taken, with its own when it ends, and without descriptors.

use std::io::{BufRead as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use strait::xcp::{Ether, Options};

use crate::linux::signal;
use crate::support::{TempFile, run, start_by};
use crate::xcp::{Served, TempFolder, send};

/// A path in a folder of its own.
fn socket(folder: &TempFolder) -> String {
    std::fs::create_dir(folder.path()).unwrap();
    format!("{}/s", folder.path())
}

fn names(folder: &TempFolder) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_stands_at_a_path_is_said_and_left_alone() {
    let folder = TempFolder::new();
    let path = socket(&folder);
    let url = format!("unix://{path}");
    let refused = |why: &str| {
        let ended = run(&["xcp", "serve", "--listen", &url]).expect_code(1);
        assert!(
            ended.stderr.contains("address already in use") && ended.stderr.contains(why),
            "{}",
            ended.stderr
        );
    };
    std::fs::write(&path, "precious\n").unwrap();
    refused("a regular file of 9 bytes; remove it yourself");
    assert_eq!(std::fs::read(&path).unwrap(), b"precious\n");
    std::fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    refused("a fifo; remove it yourself");
    std::fs::remove_file(&path).unwrap();
    // A server of another program, alive and dead.
    let listener = UnixListener::bind(&path).unwrap();
    refused("another program may hold it");
    UnixStream::connect(&path).unwrap();
    drop(listener);
    refused("another program may hold it");
    assert_eq!(names(&folder), ["s"]);
    std::fs::remove_file(&path).unwrap();
    let long = format!("unix:///tmp/{}", "x".repeat(103));
    for args in [&["serve", "--listen", &long][..], &["ping", &long]] {
        let ended = run(&[&["xcp"], args].concat()).expect_code(4);
        assert!(ended.stderr.contains("108 bytes") && ended.stderr.contains("107"), "{}", ended.stderr);
    }
}

#[test]
fn who_does_not_read_what_is_said_stops_nobody() {
    // Its standard error is a pipe, read at the end alone: full after some hundred lines.
    let mut served = Served::tcp(&["-v"]);
    let address = served.url().strip_prefix("tcp://").unwrap().to_owned();
    for _ in 0..1000 {
        let mut stranger = TcpStream::connect(&address).unwrap();
        stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    }
    send(served.url(), &["--text", "a"]).expect_code(0);
    signal(served.process(), "-TERM");
    assert_eq!(served.process_mut().wait(), Some(0));
}

#[test]
fn a_unix_socket_is_its_users_alone_unless_it_was_asked_for() {
    use std::os::unix::fs::PermissionsExt as _;
    for (options, wanted) in [(&[][..], 0o600), (&["--socket-mode", "660"], 0o660)] {
        let folder = TempFolder::new();
        let path = socket(&folder);
        let served = Served::start(&[&["--listen", &*format!("unix://{path}")], options].concat());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, wanted);
        signal(served.process(), "-TERM");
        served.end().0.expect_code(0);
    }
}

#[test]
fn a_killed_servers_socket_is_replaced_and_a_living_ones_is_not() {
    let folder = TempFolder::new();
    let path = socket(&folder);
    let listen = ["--listen", &*format!("unix://{path}")];
    let mut killed = Served::start(&listen);
    let ended = run(&[&["xcp", "serve"], &listen[..]].concat()).expect_code(1);
    assert!(ended.stderr.contains("is held: that server lives"), "{}", ended.stderr);
    send(killed.url(), &["--text", "a"]).expect_code(0);
    killed.process_mut().kill();
    assert_eq!(names(&folder), ["s", "s.xcp-lock"]);

    let served = Served::start(&listen);
    send(served.url(), &["--text", "a"]).expect_code(0);
    signal(served.process(), "-TERM");
    served.end().0.expect_code(0);
    assert!(names(&folder).is_empty(), "{:?}", names(&folder));
}

#[test]
fn a_server_that_ends_leaves_the_socket_that_took_its_place() {
    let folder = TempFolder::new();
    let path = socket(&folder);
    let served = Served::start(&["--listen", &format!("unix://{path}")]);
    std::fs::remove_file(&path).unwrap();
    let _listener = UnixListener::bind(&path).unwrap();
    signal(served.process(), "-TERM");
    served.end().0.expect_code(0);
    assert_eq!(names(&folder), ["s"]);
    assert!(UnixStream::connect(Path::new(&path)).is_ok());
}

#[test]
fn a_server_without_descriptors_says_so_once_and_serves_those_who_are_connected() {
    let listen = ["--listen", "tcp://127.0.0.1:0"];
    let mut limited = Command::new("sh");
    let exec = "ulimit -n 40; exec \"$0\" xcp serve \"$@\"";
    limited.args(["-c", exec, env!("CARGO_BIN_EXE_strait")]).args(listen);
    let mut served = Served::of(start_by(&mut limited), &listen);
    let options = Options::new().handshake_timeout(Duration::from_secs(60));
    let mut client = options.connect_blocking(served.url()).unwrap();
    let address = served.url().strip_prefix("tcp://").unwrap().to_owned();
    let crowd: Vec<TcpStream> = (0..80).map(|_| TcpStream::connect(&address).unwrap()).collect();

    let (first, mut stderr) = served.process_mut().first_complaint();
    let mut lines = vec![first];
    let mut read_until = |lines: &mut Vec<String>, words: &str| {
        while !lines.last().is_some_and(|line| line.contains(words)) {
            let mut line = String::new();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "{lines:?}");
            lines.push(line);
        }
    };
    read_until(&mut lines, "no connections can be taken");
    // Who is connected notices nothing.
    let answer = client.request(&Ether::text("a")).unwrap();
    assert_eq!(answer.ether().unwrap().kind, "receipt");
    drop(crowd);
    // And those who waited have their turn.
    let mut second = options.connect_blocking(served.url()).unwrap();
    second.request(&Ether::text("b")).unwrap();
    read_until(&mut lines, "connections can be taken again");
    let said = lines.iter().filter(|line| line.contains("Too many open files")).count();
    assert_eq!(said, 1, "{lines:?}");
    assert!(lines.last().unwrap().contains("attempts="), "{lines:?}");
}

#[test]
fn what_is_no_address_is_never_half_of_one() {
    let file = TempFile::with("xcp-half", b"x");
    for url in ["[::1]19945", "tcp://a:65536", "tcp://user@a:1", "tcp://a:1?x", "tcp://:1", "unix://"] {
        run(&["xcp", "ping", url]).expect_code(4);
        run(&["xcp", "serve", "--listen", url]).expect_code(4);
        send(url, &["--file", file.path()]).expect_code(4);
    }
}
