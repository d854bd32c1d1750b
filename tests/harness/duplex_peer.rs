//! One end of a duplex channel, which does what it is told line by line and answers `ok …` or `err Kind: sentence`.
//!
//! | command | what it does | answer |
//! |---|---|---|
//! | `serve NAME PAYLOAD THREADS` | starts a server | |
//! | `seen` | what the server was told: first requests, requests held, errors | entries, `\|` between them |
//! | `counts` | what the server has done | clients, requests, failures |
//! | `let_go` | lets the requests go that are held, and those that come | |
//! | `connect NAME PAYLOAD` · `await NAME PAYLOAD` | connects a client, at once or when its server comes | |
//! | `describe TEXT` | sets the client's metadata | |
//! | `connected` | whether the client's server is there | `true` or `false` |
//! | `send HEX` | sends a request | number |
//! | `receive MILLISECONDS` | receives a response | number, bytes |
//! | `call MILLISECONDS HEX` | sends a request and receives its response | number, bytes |
//! | `close` | closes both ends | |
//!
//! The handler turns every bit over. A request that begins with `fail` fails with its own text, one that begins with
//! `hold` is held until it is let go.
#![forbid(unsafe_code)]

use core::fmt::{Debug, Display};
use core::time::Duration;
use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex};

use strait::zerobuffer::duplex::{Channel, Client, Request, Response, Server};
use strait_tests::PATIENCE;

type Answer = Result<String, String>;

fn main() -> ExitCode {
    let mut ends = Ends::default();
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let line = match ends.step(&words) {
            Ok(text) => format!("ok {text}"),
            Err(text) => format!("err {text}"),
        };
        let mut output = std::io::stdout().lock();
        // A test that has ended reads no answers.
        let _ = writeln!(output, "{}", line.replace('\n', " ")).and_then(|()| output.flush());
    }
    // The test is gone: so are we, and what we hold is given up in order.
    ends.handling.let_go();
    ExitCode::SUCCESS
}

/// The variant's name, a colon, the message.
fn describe(error: impl Debug + Display) -> String {
    let debug = format!("{error:?}");
    let variant = debug.split([' ', '(', '{']).next().unwrap_or_default();
    format!("{variant}: {error}")
}

fn number<T: core::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

fn bytes(hex: &str) -> Result<Vec<u8>, String> {
    let digits = |at: usize| hex.get(at..at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    let bytes: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(digits).collect();
    bytes.ok_or_else(|| "no hexadecimal digits".to_owned())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the handlers share with the commands.
#[derive(Default)]
struct Handling {
    seen: Mutex<Vec<String>>,
    goes_on: Mutex<bool>,
    changed: Condvar,
}

impl Handling {
    fn note(&self, text: String) {
        self.seen.lock().expect("nobody panics").push(text);
    }

    fn let_go(&self) {
        *self.goes_on.lock().expect("nobody panics") = true;
        self.changed.notify_all();
    }

    fn handle(&self, request: &Request) -> Result<Vec<u8>, String> {
        if request.starts_with(b"fail") {
            return Err(String::from_utf8_lossy(request).into_owned());
        }
        if request.starts_with(b"hold") {
            self.note(format!("held {}", request.sequence()));
            let held = self.goes_on.lock().expect("nobody panics");
            drop(self.changed.wait_while(held, |goes_on| !*goes_on));
        }
        Ok(request.iter().map(|byte| !byte).collect())
    }
}

#[derive(Default)]
struct Ends {
    server: Option<Server>,
    client: Option<Client>,
    handling: Arc<Handling>,
}

impl Ends {
    fn step(&mut self, words: &[&str]) -> Answer {
        match words {
            ["serve", name, payload, threads] => self.serve(name, number(payload)?, number(threads)?),
            ["seen"] => Ok(self.handling.seen.lock().expect("nobody panics").join("|")),
            ["counts"] => {
                let counts = self.server.as_ref().ok_or("no server")?.statistics();
                Ok(format!("{} {} {}", counts.clients, counts.requests, counts.failed))
            }
            ["let_go"] => {
                self.handling.let_go();
                Ok(String::new())
            }
            ["connect", name, payload] => self.connect(name, number(payload)?, Duration::ZERO),
            ["await", name, payload] => self.connect(name, number(payload)?, PATIENCE),
            ["describe", text] => {
                self.client()?.set_metadata(text.as_bytes()).map_err(describe)?;
                Ok(String::new())
            }
            ["connected"] => Ok(self.client()?.is_server_connected().to_string()),
            ["send", data] => {
                let sequence = self.client()?.send_request(&bytes(data)?).map_err(describe)?;
                Ok(sequence.to_string())
            }
            ["receive", millis] => {
                let timeout = Duration::from_millis(number(millis)?);
                response(&self.client()?.receive_response_timeout(timeout).map_err(describe)?)
            }
            ["call", millis, data] => {
                let timeout = Duration::from_millis(number(millis)?);
                response(&self.client()?.call_timeout(&bytes(data)?, timeout).map_err(describe)?)
            }
            ["close"] => {
                (self.server, self.client) = (None, None);
                Ok(String::new())
            }
            _ => Err(format!("unknown command {words:?}")),
        }
    }

    fn client(&self) -> Result<&Client, String> {
        self.client.as_ref().ok_or_else(|| "no client".to_owned())
    }

    fn serve(&mut self, name: &str, payload: u64, threads: usize) -> Answer {
        let (init, errors, handling) =
            (Arc::clone(&self.handling), Arc::clone(&self.handling), Arc::clone(&self.handling));
        let channel = Channel::new(name)
            .payload_capacity(payload)
            .threads(threads)
            .on_init(move |metadata| {
                let text = metadata.map(|text| format!(" {}", String::from_utf8_lossy(text)));
                init.note(format!("init{}", text.unwrap_or_default()));
            })
            .on_error(move |error| errors.note(describe(error)));
        self.server = Some(channel.serve(move |request| handling.handle(request)).map_err(describe)?);
        Ok(String::new())
    }

    fn connect(&mut self, name: &str, payload: u64, patience: Duration) -> Answer {
        let channel = Channel::new(name).payload_capacity(payload).wait_for_server(patience);
        self.client = Some(channel.connect().map_err(describe)?);
        Ok(String::new())
    }
}

fn response(response: &Response) -> Answer {
    Ok(format!("{} {}", response.sequence(), hex(response)))
}
