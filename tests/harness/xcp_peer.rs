//! An XCP server in a process of its own: answers every ether with itself, and says how much memory it took, when asked.
//!
//! It prints `ok`, its address, and another one where all must be sealed with the secret of 32 bytes 7. Then each line of its input is answered with `ok` and the most memory that it ever
//! took and what it takes now, in KiB. It ends with `exit`, or its input.
#![forbid(unsafe_code)]

use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use strait::xcp::{Options, Psk};

/// Longest message, and what may wait: what the test of its memory counts with.
const MAX_MESSAGE: u64 = 1 << 20;
const MAX_QUEUED: usize = 512 << 10;

fn main() -> ExitCode {
    let options = Options::new()
        .max_message_len(MAX_MESSAGE)
        .max_queued(MAX_QUEUED)
        .max_in_flight(2 * MAX_MESSAGE)
        .max_connections(32)
        .handshake_timeout(Duration::from_secs(2))
        .write_timeout(Duration::from_millis(500));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let sealed = options.clone().encrypt(Psk::new([7; 32]));
    let servers = [&options, &sealed].map(|options| {
        let server = runtime.block_on(options.listen("tcp://127.0.0.1:0")).expect("listens");
        let address = server.address().to_string();
        runtime.spawn(server.serve(|ether| async move { Ok(Some(ether)) }));
        address
    });
    say(&servers.join(" "));
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        if line == "exit" {
            break;
        }
        say(&memory());
    }
    ExitCode::SUCCESS
}

fn say(text: &str) {
    let mut output = std::io::stdout().lock();
    // A test that has ended reads no answers.
    let _ = writeln!(output, "ok {text}").and_then(|()| output.flush());
}

/// The most that was resident, and what is now; 0 where the system does not say.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_ascii_whitespace().next().unwrap_or("0").to_owned()
    };
    format!("{} {}", kib("VmHWM:"), kib("VmRSS:"))
}
