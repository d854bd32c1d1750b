//! Do ethers, tensors and files arrive as they were, over every transport, compressed and sealed or not?

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::ChildStdout;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::support::{Ended, Running, TempFile, run, start};
use crate::xcp_certificates::Certificates;

/// A server, killed when it goes, and where it can be reached.
pub(crate) struct Served {
    process: Running,
    pub(crate) addresses: Vec<String>,
    lines: BufReader<ChildStdout>,
}

impl Served {
    /// Starts one, and waits until it listens at as many addresses as `args` name.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::of(start(&[&["xcp", "serve"], args].concat()), args)
    }

    /// One that was started with these `args`, among others.
    pub(crate) fn of(mut process: Running, args: &[&str]) -> Self {
        let mut lines = BufReader::new(process.stdout());
        let wanted = args.iter().filter(|arg| **arg == "--listen").count();
        let mut addresses = Vec::new();
        for _ in 0..wanted {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            let address = line.strip_prefix("listening on ").map(|address| address.trim_end().to_owned());
            match address {
                Some(address) => addresses.push(address),
                None => panic!("{line:?}: {}", process.end().stderr),
            }
        }
        Self { process, addresses, lines }
    }

    /// One at a port of TCP.
    pub(crate) fn tcp(args: &[&str]) -> Self {
        Self::start(&[&["--listen", "tcp://127.0.0.1:0"], args].concat())
    }

    pub(crate) fn url(&self) -> &str {
        &self.addresses[0]
    }

    /// What it says of the next message, with `--json-output`.
    pub(crate) fn message(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn process(&self) -> &Running {
        &self.process
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn process_mut(&mut self) -> &mut Running {
        &mut self.process
    }

    /// Waits until it ends by itself; the rest of its lines.
    pub(crate) fn end(mut self) -> (Ended, String) {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        (self.process.end(), rest)
    }
}

pub(crate) fn send(url: &str, args: &[&str]) -> Ended {
    run(&[&["xcp", "send", url], args].concat())
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes in which there is something to compress, and much that is not.
pub(crate) fn bytes(len: u32) -> Vec<u8> {
    (0..len).map(|at| (at.wrapping_mul(2_654_435_761) >> (at % 13)).to_le_bytes()[0]).collect()
}

/// A `.npy` of 32-bit floats in the order of C.
pub(crate) fn npy(shape: &str, numbers: &[f32]) -> Vec<u8> {
    let mut text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + text.len() + 1) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
    file.extend(text.as_bytes());
    file.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    file
}

pub(crate) fn key_file(digit: char) -> TempFile {
    let file = TempFile::with("xcp-key", (digit.to_string().repeat(64) + "\n").as_bytes());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    file
}

/// A folder that goes with its test.
pub(crate) struct TempFolder(pub(crate) TempFile);

impl TempFolder {
    pub(crate) fn new() -> Self {
        Self(TempFile::new("xcp-folder"))
    }

    pub(crate) fn path(&self) -> &str {
        self.0.path()
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.0.path());
    }
}

/// A file of 3 MB and a tensor, with every combination of compression and sealing.
fn everything_arrives(listen: &str, server: &[&str], client: &[&str]) {
    let (file, key) = (TempFile::with("xcp-file", &bytes(3_000_001)), key_file('b'));
    let numbers: Vec<f32> = (0..60_u8).map(|number| f32::from(number) / 3.0).collect();
    let array = TempFile::with("xcp-array", &npy("(3, 4, 5)", &numbers));
    for compress in [&[][..], &["--compress", "3"]] {
        for seal in [&[][..], &["--key", key.path()]] {
            let folder = TempFolder::new();
            let listen = ["--listen", listen, "--json-output", "--output", folder.path(), "--count", "2"];
            let mut served = Served::start(&[&listen[..], server, compress, seal].concat());
            let url = served.url().to_owned();
            let options = [client, compress, seal, &["--json-output"]].concat();

            let sent = [&["--file", file.path(), "--name", "the file.bin"], &options[..]].concat();
            let sent = send(&url, &sent).expect_code(0).json();
            let seen = served.message();
            assert_eq!([&sent["sha256"], &seen["sha256"]], [sha256(&file.bytes()).as_str(); 2]);
            assert_eq!((&sent["equal"], &sent["bytes"]), (&true.into(), &3_000_001.into()));
            assert_eq!(seen["codec"], "OCTETS");
            // Sealed messages are held whole.
            assert_eq!(
                [&sent["streamed"], &seen["streamed"]],
                [&Value::Bool(seal.is_empty()), &seen["streamed"]]
            );
            assert!(seen["path"].as_str().unwrap().ends_with("the_file.bin"), "{seen}");
            assert!(std::fs::read(seen["path"].as_str().unwrap()).unwrap() == file.bytes());

            let sent = [&["--tensor", array.path()], &options[..]].concat();
            let sent = send(&url, &sent).expect_code(0).json();
            let seen = served.message();
            assert_eq!((&sent["equal"], &sent["sha256"]), (&true.into(), &seen["sha256"]));
            assert_eq!((&sent["codec"], &seen["bytes"]), (&"TENSOR_F32".into(), &(32 + 240).into()));
            assert_eq!(seen["tensors"], serde_json::json!([{ "dtype": "float32", "shape": [3, 4, 5] }]));
            // The header may have other spaces.
            let written = std::fs::read(seen["path"].as_str().unwrap()).unwrap();
            assert_eq!(written[written.len() - 240..], array.bytes()[array.bytes().len() - 240..]);

            let (ended, rest) = served.end();
            ended.expect_code(0);
            let report: Value = serde_json::from_str(&rest).unwrap();
            assert_eq!((&report["messages"], &report["refused"]), (&2.into(), &0.into()));
        }
    }
}

#[test]
fn files_and_tensors_arrive_over_tcp() {
    everything_arrives("tcp://127.0.0.1:0", &[], &[]);
}

#[cfg(unix)]
#[test]
fn files_and_tensors_arrive_over_unix_sockets() {
    let socket = TempFile::new("xcp-socket");
    everything_arrives(&format!("unix://{}", socket.path()), &[], &[]);
    assert!(!std::path::Path::new(socket.path()).exists(), "the socket goes with its server");
}

#[test]
fn files_and_tensors_arrive_over_tls() {
    let known = Certificates::new("known");
    everything_arrives("tls://127.0.0.1:0", &known.server(), &known.client());
    everything_arrives("tls://127.0.0.1:0", &known.server_of_known_clients(), &known.known_client());
}

#[test]
fn keys_can_come_from_tls() {
    let known = Certificates::new("exporter");
    let server = [&["--listen", "tls://127.0.0.1:0", "--encrypt-by-tls"], &known.server()[..]].concat();
    let served = Served::start(&server);
    let client =
        [&["--text", "sealed twice", "--encrypt-by-tls", "--json-output"], &known.client()[..]].concat();
    let sent = send(served.url(), &client).expect_code(0).json();
    assert!(sent["features"].as_array().unwrap().contains(&"CRYPT".into()), "{sent}");
    assert_eq!(sent["equal"], true);
}

#[test]
fn an_echo_comes_back_as_it_was_in_every_codec() {
    let served = Served::tcp(&["--echo"]);
    let file = TempFile::with("xcp-echo", &bytes(2_500_000));
    let array = TempFile::with("xcp-echo-npy", &npy("(2, 3)", &[1.0, -2.5, 3.0, 0.1, 0.0, -0.0]));
    let (text, file, array) = (["--text", "hällo"], ["--file", file.path()], ["--tensor", array.path()]);
    for (what, codecs) in [
        (&text, &["json", "protobuf", "octets"][..]),
        (&file, &["octets", "protobuf"]),
        (&array, &["f32", "f16", "qnt8", "qnt8-rows", "json", "protobuf"]),
    ] {
        for codec in codecs {
            let options = ["--as-codec", codec, "--expect-echo", "--json-output"];
            let sent = send(served.url(), &[&what[..], &options].concat()).expect_code(0).json();
            assert_eq!((&sent["equal"], &sent["bytes"]), (&true.into(), &sent["answer"]["bytes"]), "{codec}");
        }
    }
}

#[test]
fn every_dialect_is_spoken() {
    for dialect in ["auto", "spec", "python", "header=json", "header=json,crc=be,numbering=spec"] {
        let served = Served::tcp(&["--dialect", dialect]);
        let options = ["--text", "a", "--dialect", dialect, "--json-output"];
        let sent = send(served.url(), &options).expect_code(0).json();
        assert_eq!(sent["equal"], true, "{dialect}");
        let ping = run(&["xcp", "ping", served.url(), "--dialect", dialect, "--json-output"]);
        let ping = ping.expect_code(0).json();
        assert_eq!((&ping["count"], &ping["dialect"]), (&4.into(), &sent["dialect"]));
    }
    // A server that speaks one, and a client that finds out which.
    let served = Served::tcp(&["--dialect", "python"]);
    let sent = send(served.url(), &["--text", "a", "--json-output"]).expect_code(0).json();
    assert_eq!(sent["dialect"], "python");
}

#[test]
fn a_raw_echo_sends_back_what_an_echo_cannot_read() {
    use strait::xcp::{CodecId, blocking};
    for (echo, comes_back) in [("--echo", false), ("--raw-echo", true)] {
        let served = Served::tcp(&[echo]);
        let mut client = blocking::connect(served.url()).unwrap();
        let answer = client.request_body(CodecId::JSON, "no JSON at all");
        assert_eq!(answer.is_ok_and(|answer| answer.body() == "no JSON at all"), comes_back, "{echo}");
    }
}

#[test]
fn messages_carry_tags_channels_and_acknowledgements() {
    let mut served = Served::tcp(&["--json-output", "--count", "2"]);
    let options = ["--text", "a", "--channel", "7", "--tag", "k=v", "--acknowledged", "--timeout", "20s"];
    send(served.url(), &options).expect_code(0);
    assert_eq!(served.message()["channel"], 7);
    send(served.url(), &["--text", "b", "--no-answer", "--acknowledged"]).expect_code(0);
    assert_eq!(served.message()["kind"], "text");
    served.end().0.expect_code(0);
}

#[test]
fn a_file_for_who_takes_no_plain_bytes_goes_as_an_attachment() {
    let file = TempFile::with("xcp-attached", &bytes(10_000));
    for (codecs, used) in [("json,protobuf", "PROTOBUF"), ("json", "JSON")] {
        let mut served = Served::tcp(&["--codecs", codecs, "--json-output"]);
        let sent = send(served.url(), &["--file", file.path(), "--json-output"]).expect_code(0).json();
        assert_eq!(
            (&sent["codec"], &sent["streamed"], &sent["equal"]),
            (&used.into(), &false.into(), &true.into())
        );
        assert_eq!(served.message()["kind"], "file");
    }
    // And whole where there are no chunks.
    let served = Served::tcp(&["--features", "none"]);
    let sent = send(served.url(), &["--file", file.path(), "--json-output"]).expect_code(0).json();
    assert_eq!((&sent["codec"], &sent["streamed"]), (&"OCTETS".into(), &false.into()));
}

#[test]
fn a_measurement_says_how_long_it_took() {
    for options in [&["--size", "100"][..], &["--codec", "f32", "--concurrency", "2"], &["--codec", "json"]] {
        let report =
            run(&[&["xcp", "bench", "--count", "20", "--warm-up", "1", "--json-output"], options].concat());
        let report = report.expect_code(0).json();
        assert!(report["round_trip_us"]["p99"].as_f64().unwrap() > 0.0, "{report}");
        assert!(report["requests"].as_u64().unwrap() >= 20);
    }
}
