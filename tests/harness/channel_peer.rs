//! Either end of a duplex channel, step by step: each line of its input is answered by one line, `ok …` or `err …`.
//!
//! | command | what it does | answer |
//! |---|---|---|
//! | `serve NAME PAYLOAD echo` | starts a server that answers each request | |
//! | `serve NAME PAYLOAD change` | the same, in place, shared with a client that asks for it | |
//! | `serve NAME PAYLOAD step` | the same, of which each request is told, `asked`, and then waits | |
//! | `answer` · `fail` | lets the handler that waits answer, or fail | none |
//! | `stop` | stops the server | |
//! | `connect NAME PAYLOAD` · `share NAME PAYLOAD` | connects a client, or one that shares | |
//! | `send LEN` · `send LEN COUNT` | sends one request, or as many | last number |
//! | `reserve LEN`, `fill`, `commit` | the steps of a request | number |
//! | `receive` | receives a response, checks and releases it | number, length, shared or copied |
//! | `hold`, `release` | the steps of a response | as `receive` |
//! | `close` | closes the client | |
//! | `child COMMAND` | forks: the child carries out COMMAND on its copies and drops them; Linux only | the child's |
//! | `exit` | ends | none |
//!
//! Waits end by what the other side does.
#![forbid(unsafe_code)]

use core::fmt::{Debug, Display};
use std::io::{BufRead as _, Stdin, Write as _};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use strait::zerobuffer::duplex::{Client, Request, RequestMut, Response, Server};
use strait_tests::duplex::{channel_of, check_request, fill_response, request, respond};
use strait_tests::pattern;

type Answer = Result<String, String>;

fn main() -> ExitCode {
    let mut ends = Ends { server: None, client: None, outcomes: None };
    let input = std::io::stdin();
    while let Some(line) = next_line(&input) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match (&words[..], &ends.outcomes) {
            (["exit"], _) => return ExitCode::SUCCESS,
            (["answer" | "fail"], Some(outcomes)) => {
                // It goes to a handler that waits for it; the server answers no line of its own.
                let _ = outcomes.send(words == ["answer"]);
            }
            _ => say(ends.step(&words, &input)),
        }
    }
    // The test is gone: so are we, and what we hold is given up in order.
    ExitCode::SUCCESS
}

fn next_line(input: &Stdin) -> Option<String> {
    let mut line = String::new();
    match input.lock().read_line(&mut line) {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(line.trim().to_owned()),
    }
}

fn say(answer: Answer) {
    let line = match answer {
        Ok(text) => format!("ok {text}"),
        Err(text) => format!("err {text}"),
    };
    let mut output = std::io::stdout().lock();
    // A test that has ended reads no answers.
    let _ = writeln!(output, "{}", line.replace('\n', " ")).and_then(|()| output.flush());
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

struct Ends {
    // Declared, and so dropped, before the server: a handler that waits is let go.
    outcomes: Option<Sender<bool>>,
    server: Option<Server>,
    client: Option<Client>,
}

impl Ends {
    fn step(&mut self, words: &[&str], input: &Stdin) -> Answer {
        match words {
            ["serve", name, payload, kind] => self.serve(name, number(payload)?, kind),
            ["stop"] => {
                (self.outcomes, self.server) = (None, None);
                Ok(String::new())
            }
            ["connect", name, payload] => self.connect(name, number(payload)?, false),
            ["share", name, payload] => self.connect(name, number(payload)?, true),
            ["send", len] => self.send(number(len)?, 1),
            ["send", len, count] => self.send(number(len)?, number(count)?),
            ["reserve", len] => self.reserve(number(len)?, input),
            ["receive"] => checked(&self.receive()?),
            ["hold"] => {
                let response = self.receive()?;
                say(checked(&response));
                match next_line(input).as_deref() {
                    Some("release") => checked(&response),
                    other => Err(format!("{other:?} is no step of a response that is held")),
                }
            }
            ["close"] => {
                self.client = None;
                Ok(String::new())
            }
            #[cfg(target_os = "linux")]
            ["child", command @ ..] => strait_tests::forked::answer_of_child(|| {
                let answer = self.step(command, input);
                *self = Self { outcomes: None, server: None, client: None };
                answer
            }),
            _ => Err(format!("unknown command {words:?}")),
        }
    }

    fn serve(&mut self, name: &str, payload: u64, kind: &str) -> Answer {
        let channel = channel_of(name, payload).share_payload(true);
        let server = match kind {
            "echo" => channel.serve(|request| respond(request, request.sequence())),
            "change" => channel.serve_mut(change),
            "step" => {
                let (outcomes, told) = channel_of_outcomes();
                self.outcomes = Some(outcomes);
                channel.serve(move |request| stepwise(request, &told))
            }
            _ => return Err(format!("{kind:?} is no kind of server")),
        };
        self.server = Some(server.map_err(describe)?);
        Ok(String::new())
    }

    fn connect(&mut self, name: &str, payload: u64, share: bool) -> Answer {
        let channel = channel_of(name, payload).share_payload(share);
        self.client = Some(channel.connect().map_err(describe)?);
        Ok(String::new())
    }

    fn client(&self) -> Result<&Client, String> {
        self.client.as_ref().ok_or_else(|| "no client".to_owned())
    }

    fn send(&self, len: usize, count: u64) -> Answer {
        let client = self.client()?;
        let mut last = client.statistics().requests;
        for _ in 0..count {
            last = client.send_request(&request(last + 1, len)).map_err(describe)?;
        }
        Ok(last.to_string())
    }

    fn reserve(&self, len: usize, input: &Stdin) -> Answer {
        let mut frame = self.client()?.reserve_request(len).map_err(describe)?;
        let sequence = frame.sequence();
        say(Ok(sequence.to_string()));
        loop {
            match next_line(input).as_deref() {
                Some("fill") => {
                    pattern::fill(&mut frame, sequence);
                    say(Ok(sequence.to_string()));
                }
                Some("commit") => return frame.commit().map(|last| last.to_string()).map_err(describe),
                other => return Err(format!("{other:?} is no step of a reserved request")),
            }
        }
    }

    fn receive(&self) -> Result<Response, String> {
        self.client()?.receive_response().map_err(describe)
    }
}

fn checked(response: &Response) -> Answer {
    let mut expected = vec![0; response.len()];
    fill_response(&mut expected, response.sequence());
    if **response != expected[..] {
        return Err(format!("response {} is wrong", response.sequence()));
    }
    let how = if response.is_shared() { "shared" } else { "copied" };
    Ok(format!("{} {} {how}", response.sequence(), response.len()))
}

fn change(request: &mut RequestMut) -> Result<(), String> {
    let sequence = request.sequence();
    check_request(request, sequence)?;
    fill_response(request, sequence);
    Ok(())
}

fn channel_of_outcomes() -> (Sender<bool>, Mutex<Receiver<bool>>) {
    let (outcomes, told) = channel();
    (outcomes, Mutex::new(told))
}

fn stepwise(request: &Request, told: &Mutex<Receiver<bool>>) -> Result<Vec<u8>, String> {
    say(Ok(format!("asked {} {}", request.sequence(), request.len())));
    let told = told.lock().map_err(|error| error.to_string())?;
    match told.recv() {
        Ok(true) => respond(request, request.sequence()),
        Ok(false) => Err("told to fail".to_owned()),
        Err(_) => Err("the test has ended".to_owned()),
    }
}
