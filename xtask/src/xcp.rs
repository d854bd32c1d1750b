//! Do a 100 MiB file and a tensor arrive as they were, over every transport, compressed and sealed or not?

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::packages;
use crate::shell::{self, Failure, cargo, program, target};

/// Bytes of the file.
const FILE: usize = 100 << 20;
/// Numbers of the tensor: 10 MiB.
const NUMBERS: usize = 1280 * 2048;

/// Builds the tool and sends everything in every way.
pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = args.first() {
        return Err(Failure::new(format!("xcp takes no argument, got {unknown:?}")));
    }
    shell::run(cargo().args(["build", "--release", "--package", "strait-cli"]))?;
    let things =
        Things { folder: target().join("xcp-matrix"), strait: target().join("release").join("strait") };
    // What an interrupted run left.
    let _ = fs::remove_dir_all(&things.folder);
    let made = make(&things).and_then(|()| everywhere(&things));
    let removed = fs::remove_dir_all(&things.folder).map_err(|error| failed(&things.folder, &error));
    made.and(removed)
}

/// What is sent, and with which secrets.
struct Things {
    folder: PathBuf,
    strait: PathBuf,
}

impl Things {
    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }
}

fn everywhere(things: &Things) -> Result<(), Failure> {
    let socket = format!("unix://{}", things.path("socket"));
    for listen in ["tcp://127.0.0.1:0", &*socket, "tls://127.0.0.1:0"] {
        for compress in [false, true] {
            for seal in [false, true] {
                once(things, listen, compress, seal)?;
            }
        }
    }
    Ok(())
}

/// Sends the file and the tensor to a server; both reports must name the digest that `sha256sum` finds.
fn once(things: &Things, listen: &str, compress: bool, seal: bool) -> Result<(), Failure> {
    let (ca, certificate, key) =
        (things.path("ca.pem"), things.path("server.pem"), things.path("server.key"));
    let (secret, received) = (things.path("secret"), things.path("received"));
    let mut both = vec!["--max-message", "256M", "--json-output"];
    if compress {
        both.extend(["--compress", "1"]);
    }
    if seal {
        both.extend(["--key", &secret]);
    }
    let mut server = vec!["xcp", "serve", "--listen", listen, "--output", &received, "--count", "2"];
    let mut client = Vec::new();
    if listen.starts_with("tls") {
        server.extend(["--tls-cert", &certificate, "--tls-key", &key]);
        client.extend(["--tls-ca", &*ca]);
    }
    server.extend(&both);
    client.extend(&both);
    let started = Instant::now();
    let mut server = Server::start(&things.strait, &server)?;
    for (option, name, written) in [("--file", "file.bin", Some("file.bin")), ("--tensor", "array.npy", None)]
    {
        let source = things.path(name);
        let mut send = Command::new(&things.strait);
        send.args(["xcp", "send", &server.address, option, &source]).args(&client);
        let output = send.stdin(Stdio::null()).output().map_err(|error| failed(&things.strait, &error))?;
        let report = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() || !report.contains("\"equal\": true") {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::new(format!("{name} over {listen}: {}: {report}{said}", output.status)));
        }
        if report.contains("\"CRYPT\"") != seal {
            return Err(Failure::new(format!("{name} over {listen}: sealed is to be {seal}: {report}")));
        }
        let digest = text_after(&report, "\"sha256\": \"")?;
        let seen = server.line()?;
        if !seen.contains(&format!("\"sha256\":\"{digest}\"")) {
            return Err(Failure::new(format!("{name} over {listen}: sent {digest}, the server saw {seen}")));
        }
        if let Some(written) = written {
            let sums = [source, format!("{received}/{written}")].map(|path| sha256sum(&path));
            let [source, written] = sums;
            if source? != digest || written? != digest {
                return Err(Failure::new(format!("{name} over {listen}: the file is not what was sent")));
            }
        }
    }
    server.end()?;
    fs::remove_dir_all(&received).map_err(|error| failed(Path::new(&received), &error))?;
    let scheme = listen.split(':').next().unwrap_or_default();
    println!(
        "  {scheme:4} {:10} {:6}  100 MiB and a tensor of 10 MiB in {:.1} s, SHA-256 equal",
        if compress { "compressed" } else { "" },
        if seal { "sealed" } else { "" },
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

/// A server, killed when it goes.
struct Server {
    child: Child,
    address: String,
    lines: BufReader<std::process::ChildStdout>,
}

impl Server {
    fn start(strait: &Path, args: &[&str]) -> Result<Self, Failure> {
        let child = Command::new(strait).args(args).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| failed(strait, &error))?;
        let stdout = child.stdout.take().expect("standard output is piped: asked for above");
        let mut server = Self { child, address: String::new(), lines: BufReader::new(stdout) };
        let line = server.line()?;
        server.address = text_after(&line, "listening on ")?;
        Ok(server)
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line);
        read.map_err(|error| Failure::new(format!("the server's output: {error}")))?;
        Ok(line)
    }

    /// It has taken what it should, and ends by itself.
    fn end(mut self) -> Result<(), Failure> {
        let mut rest = String::new();
        let read = self.lines.read_to_string(&mut rest);
        read.map_err(|error| Failure::new(format!("the server's output: {error}")))?;
        let status = self.child.wait().map_err(|error| Failure::new(format!("the server: {error}")))?;
        if status.success() { Ok(()) } else { Err(Failure::new(format!("the server: {status}: {rest}"))) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes what is sent, a secret, and a certificate.
fn make(things: &Things) -> Result<(), Failure> {
    packages::ensure(&["openssl"])?;
    fs::create_dir_all(&things.folder).map_err(|error| failed(&things.folder, &error))?;
    let write = |name: &str, bytes: &[u8]| {
        let path = things.folder.join(name);
        fs::write(&path, bytes).map_err(|error| failed(&path, &error))
    };
    write("file.bin", &mixed(FILE))?;
    write("array.npy", &array())?;
    write("secret", format!("{}\n", "5a".repeat(32)).as_bytes())?;
    write("name", b"subjectAltName=IP:127.0.0.1\n")?;
    shell::run(program("chmod").args(["600", &things.path("secret")]))?;
    let elliptic = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let [ca, ca_key, request, key, certificate, name] =
        ["ca.pem", "ca.key", "server.csr", "server.key", "server.pem", "name"].map(|name| things.path(name));
    let authority = ["-x509", "-subj", "/CN=an authority", "-days", "2", "-keyout", &ca_key, "-out", &ca];
    quiet(program("openssl").arg("req").args(elliptic).args(authority))?;
    let server = ["-subj", "/CN=a server", "-keyout", &key, "-out", &request];
    quiet(program("openssl").arg("req").args(elliptic).args(server))?;
    let signed = ["-in", &request, "-CA", &ca, "-CAkey", &ca_key, "-days", "2", "-out", &certificate];
    quiet(program("openssl").args(["x509", "-req", "-CAcreateserial", "-extfile", &name]).args(signed))
}

/// Runs a program that talks about its progress.
fn quiet(command: &mut Command) -> Result<(), Failure> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| Failure::new(format!("{command:?}: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))))
}

/// Bytes of which half can be compressed.
fn mixed(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
        bytes.extend(*b"the same");
    }
    bytes.truncate(len);
    bytes
}

/// A `.npy` of 1280 rows of 2048 32-bit floats.
fn array() -> Vec<u8> {
    let mut text = "{'descr': '<f4', 'fortran_order': False, 'shape': (1280, 2048), }".to_owned();
    while !(10 + text.len() + 1).is_multiple_of(64) {
        text.push(' ');
    }
    text.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    let len = u16::try_from(text.len()).expect("some dozens of bytes");
    file.extend(len.to_le_bytes());
    file.write_all(text.as_bytes()).expect("a Vec takes everything");
    let noise = mixed(4 * NUMBERS);
    for four in noise.chunks_exact(4) {
        file.extend((f32::from(i16::from_le_bytes([four[0], four[1]])) / 256.0).to_le_bytes());
    }
    file
}

fn sha256sum(path: &str) -> Result<String, Failure> {
    let sum = shell::ask(program("sha256sum").arg(path));
    let sum = sum.ok_or_else(|| Failure::new(format!("sha256sum {path} failed")))?;
    Ok(sum.split_whitespace().next().unwrap_or_default().to_owned())
}

/// What stands behind `before`, up to a quotation mark or the end of the line.
fn text_after(text: &str, before: &str) -> Result<String, Failure> {
    let found = text.split_once(before).and_then(|(_, rest)| rest.split(['"', '\n']).next());
    let found = found.ok_or_else(|| Failure::new(format!("no {before:?} in {text:?}")))?;
    Ok(found.to_owned())
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}
