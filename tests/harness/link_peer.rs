//! One process of a link, step by step: each line of its input is answered by one line, `ok …` or `err …`.
//!
//! | command | what it does | answer |
//! |---|---|---|
//! | `create SIDE NAME SLOTS LEN PROFILE` | makes a link; SIDE is `primary`, `secondary` or `auto` | side |
//! | `enter SIDE NAME SLOTS LEN PROFILE` | opens it, or makes it | side |
//! | `open SIDE NAME` | opens it | side |
//! | `send TEXT` · `try_send TEXT` | sends a message | |
//! | `recv` · `try_recv` | receives a message, checks and releases it | text |
//! | `reserve`, `half TEXT`, `fill TEXT`, `commit` or `drop` | the steps of a message | |
//! | `hold`, `read`, `release` | the steps of a received message | text |
//! | `reserve_many N`, `put TEXT`, `end` | the steps of a batch | slots taken |
//! | `recv_many N`, `next`, `end` | the steps of a received batch | slots taken; text |
//! | `clone` | replaces both halves by clones, then drops the first ones | |
//! | `statistics` | what both halves have done | see [`statistics`] |
//! | `pour LABEL FIRST COUNT` | sends messages `LABEL-FIRST` and so on | |
//! | `drain` | receives messages up to one `end-…`, each told in a line of its own | texts, then `end` |
//! | `batches N` | the same in batches, the last one to its end | |
//! | `begin COMMAND` | says that it starts, then carries out the command | begun, then the command's |
//! | `step COMMAND` | stops itself before and after what the command does; Linux only | the command's |
//! | `fork drop` · `fork use` | in a child that it forks, drops copies of both halves, or tries to use them; Linux only | |
//! | `fork session` | gives its halves up, makes a session as the primary, and does the same with that; calls twice | answers |
//! | `fork idle` | forks a child that does nothing until it is killed; Linux only | its number |
//! | `become cat` | becomes another program, which ends with its input; Linux only | none |
//! | `close` | closes both halves | |
//! | `exit` | ends | none |
//!
//! The steps of a message use a handle of their own: between them, every other command works.
#![forbid(unsafe_code)]

use core::fmt::{Debug, Display};
use std::io::{BufRead as _, Stdin, Write as _};
use std::process::ExitCode;

use strait::hqq::{Link, LinkBuilder, Profile, Receiver, RecvError, Sender, Statistics};
use strait_tests::{PATIENCE, message};

type Answer = Result<String, String>;

fn main() -> ExitCode {
    let mut ends = Ends { halves: None, input: std::io::stdin() };
    while let Some(line) = ends.next_line() {
        if line == "exit" {
            return ExitCode::SUCCESS;
        }
        let answer = ends.step(&words(&line));
        say(&answer);
    }
    // The test is gone: so are we, and what we hold is given up in order.
    ExitCode::SUCCESS
}

fn words(line: &str) -> Vec<&str> {
    line.split_ascii_whitespace().collect()
}

fn say(answer: &Answer) {
    let line = match answer {
        Ok(text) => format!("ok {text}\n"),
        Err(text) => format!("err {}\n", text.replace('\n', " ")),
    };
    let mut output = std::io::stdout().lock();
    // In one piece. A test that has ended reads no answers.
    let _ = output.write_all(line.as_bytes()).and_then(|()| output.flush());
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

/// Runs `act` between two stops of this process.
fn between_stops<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    stop()?;
    let outcome = act();
    stop()?;
    Ok(outcome)
}

#[cfg(target_os = "linux")]
fn stop() -> Result<(), String> {
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP).map_err(describe)
}

#[cfg(not(target_os = "linux"))]
fn stop() -> Result<(), String> {
    Err("no steps here".to_owned())
}

struct Ends {
    halves: Option<(Sender, Receiver)>,
    input: Stdin,
}

impl Ends {
    fn next_line(&self) -> Option<String> {
        let mut line = String::new();
        match self.input.lock().read_line(&mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.trim().to_owned()),
        }
    }

    fn step(&mut self, words: &[&str]) -> Answer {
        match words {
            ["create", side, name, geometry @ ..] => {
                self.take_in(geometry_of(side, name, geometry)?.create())
            }
            ["enter", side, name, geometry @ ..] => {
                self.take_in(geometry_of(side, name, geometry)?.open_or_create())
            }
            ["open", side, name] => self.take_in(builder(side, name)?.open()),
            ["send", text] => done(self.sender()?.send(&message::bytes(text))),
            ["try_send", text] => done(self.sender()?.try_send(&message::bytes(text))),
            ["recv"] => received(&self.receiver()?.recv().map_err(describe)?),
            ["try_recv"] => received(&self.receiver()?.try_recv().map_err(describe)?),
            ["reserve"] => self.reserve(),
            ["hold"] => self.hold(),
            ["reserve_many", most] => self.reserve_many(number(most)?),
            ["recv_many", most] => self.receive_many(number(most)?),
            ["clone"] => {
                self.halves = self.halves.clone();
                Ok(String::new())
            }
            ["statistics"] => Ok(statistics(self.sender()?.statistics() + self.receiver()?.statistics())),
            ["pour", label, first, count] => self.pour(label, number(first)?, number(count)?),
            ["drain"] => self.drain(),
            ["batches", most] => self.drain_batches(number(most)?),
            ["begin", command @ ..] => {
                say(&Ok("begun".to_owned()));
                self.step(command)
            }
            ["step", command @ ..] => self.stepped(command),
            #[cfg(target_os = "linux")]
            ["fork", what] => self.fork(what),
            #[cfg(target_os = "linux")]
            ["become", program] => {
                use std::os::unix::process::CommandExt as _;
                say(&Ok("begun".to_owned()));
                Err(describe(std::process::Command::new(program).exec()))
            }
            ["close"] => {
                self.halves = None;
                Ok(String::new())
            }
            _ => Err(format!("unknown command {words:?}")),
        }
    }

    /// What shall be counted in instructions stands between the stops and nothing else, as far as that can be.
    fn stepped(&mut self, words: &[&str]) -> Answer {
        match words {
            ["send", text] => {
                let (bytes, sender) = (message::bytes(text), self.sender()?);
                done(between_stops(|| sender.send(&bytes))?)
            }
            ["recv"] => {
                let (receiver, mut bytes) = (self.receiver()?, Vec::with_capacity(message::LONGEST));
                let outcome = between_stops(|| receiver.recv().map(|slot| bytes.extend_from_slice(&slot)))?;
                outcome.map_err(describe)?;
                message::text(&bytes)
            }
            ["send_many", texts @ ..] => {
                let messages: Vec<_> = texts.iter().map(|text| message::bytes(text)).collect();
                let sender = self.sender()?;
                done(between_stops(|| {
                    let mut batch = sender.reserve_many(messages.len())?;
                    for message in &messages {
                        batch.buffer()[..message.len()].copy_from_slice(message);
                        batch.commit(message.len())?;
                    }
                    Ok::<_, strait::hqq::SendError>(())
                })?)
            }
            ["recv_many", most] => {
                let (most, receiver) = (number(most)?, self.receiver()?);
                let outcome = between_stops(|| {
                    let mut batch = receiver.recv_many(most)?;
                    let mut bytes = 0;
                    while let Some(message) = batch.next() {
                        bytes += message?.len();
                    }
                    Ok::<_, RecvError>(bytes)
                })?;
                outcome.map(|bytes| bytes.to_string()).map_err(describe)
            }
            other => between_stops(|| self.step(other))?,
        }
    }

    fn take_in(&mut self, outcome: Result<Link, strait::hqq::OpenError>) -> Answer {
        let link = outcome.map_err(describe)?;
        let side = link.side().to_string();
        self.halves = Some(link.split());
        Ok(side)
    }

    /// Uses and drops copies of a session in a child, then has its calls answered once more.
    #[cfg(target_os = "linux")]
    fn fork_session(&mut self) -> Answer {
        use strait::hqq::session::{CallError, SessionError};
        let name = self.sender()?.name().to_string();
        self.halves = None;
        let link = Link::builder(&name).primary().open().map_err(describe)?;
        let session = link.session().timeout(PATIENCE).negotiate().map_err(describe)?;
        let call = session.request(1, b"asked").map_err(describe)?;
        let mut call = Some(call);
        let mut ours = Some(session);
        let code = strait_tests::forked::in_child_beside_threads(|| {
            let (Some(session), Some(call)) = (ours.take(), call.take()) else { return 1 };
            let forked = |error: &SessionError| matches!(error, SessionError::Forked { .. });
            let sent = session.send(b"x").is_err_and(|error| forked(&error));
            let received = session.recv().is_err_and(|error| forked(&error));
            let called = session
                .call(1, b"x")
                .is_err_and(|error| matches!(error, CallError::Session(error) if forked(&error)));
            drop((call, session));
            if sent && received && called { 0 } else { 2 }
        });
        match code.map_err(describe)? {
            0 => {}
            code => return Err(format!("the child ended with {code}")),
        }
        let (Some(session), Some(call)) = (ours, call) else { return Err("no session".to_owned()) };
        let first = call.wait().map_err(describe)?;
        let second = session.call(1, b"again").map_err(describe)?;
        Ok(format!("{} {}", String::from_utf8_lossy(&first), String::from_utf8_lossy(&second)))
    }

    #[cfg(target_os = "linux")]
    fn fork(&mut self, what: &str) -> Answer {
        use strait::hqq::SendError;
        use strait_tests::forked::{idle_child, in_child};
        match what {
            "idle" => return idle_child().map(|child| child.to_string()).map_err(describe),
            "session" => return self.fork_session(),
            _ => {}
        }
        let code = in_child(|| match what {
            "drop" => {
                self.halves = None;
                0
            }
            "use" => {
                let Some((sender, receiver)) = &mut self.halves else { return 1 };
                let sent = [sender.send(b"x"), sender.clone().send(b"x"), sender.reserve().map(|_| ())];
                if !sent.iter().all(|sent| matches!(sent, Err(SendError::Forked { .. }))) {
                    return 2;
                }
                let received = [receiver.recv().map(|_| ()), receiver.clone().recv().map(|_| ())];
                if !received.iter().all(|received| matches!(received, Err(RecvError::Forked { .. }))) {
                    return 3;
                }
                0
            }
            _ => 4,
        });
        match code.map_err(describe)? {
            0 => Ok(String::new()),
            code => Err(format!("the child ended with {code}")),
        }
    }

    fn sender(&mut self) -> Result<&mut Sender, String> {
        self.halves.as_mut().map(|(sender, _)| sender).ok_or_else(|| "no link".to_owned())
    }

    fn receiver(&mut self) -> Result<&mut Receiver, String> {
        self.halves.as_mut().map(|(_, receiver)| receiver).ok_or_else(|| "no link".to_owned())
    }

    fn reserve(&mut self) -> Answer {
        let mut sender = self.sender()?.clone();
        let mut slot = sender.reserve().map_err(describe)?;
        let mut len = 0;
        say(&Ok(String::new()));
        loop {
            let line = self.next_line().ok_or_else(|| "the test has ended".to_owned())?;
            let answer = match words(&line)[..] {
                ["half", text] => {
                    let bytes = message::bytes(text);
                    let half = bytes.len() / 2;
                    slot[..half].copy_from_slice(&bytes[..half]);
                    Ok(String::new())
                }
                ["fill", text] => {
                    let bytes = message::bytes(text);
                    len = bytes.len();
                    slot[..len].copy_from_slice(&bytes);
                    Ok(String::new())
                }
                ["commit"] => return done(slot.commit(len)),
                ["drop"] => return Ok(String::new()),
                ref other => self.step(other),
            };
            say(&answer);
        }
    }

    fn hold(&mut self) -> Answer {
        let mut receiver = self.receiver()?.clone();
        let slot = receiver.recv().map_err(describe)?;
        say(&received(&slot));
        loop {
            let line = self.next_line().ok_or_else(|| "the test has ended".to_owned())?;
            let answer = match words(&line)[..] {
                ["read"] => received(&slot),
                ["release"] => return received(&slot),
                ref other => self.step(other),
            };
            say(&answer);
        }
    }

    fn reserve_many(&mut self, most: usize) -> Answer {
        let mut sender = self.sender()?.clone();
        let mut batch = sender.reserve_many(most).map_err(describe)?;
        say(&Ok(batch.len().to_string()));
        loop {
            let line = self.next_line().ok_or_else(|| "the test has ended".to_owned())?;
            let answer = match words(&line)[..] {
                ["put", text] => {
                    let bytes = message::bytes(text);
                    match batch.buffer().get_mut(..bytes.len()) {
                        Some(to) => {
                            to.copy_from_slice(&bytes);
                            done(batch.commit(bytes.len()))
                        }
                        None => Err("no slot is left".to_owned()),
                    }
                }
                ["end"] => return Ok(batch.len().to_string()),
                ref other => self.step(other),
            };
            say(&answer);
        }
    }

    fn receive_many(&mut self, most: usize) -> Answer {
        let mut receiver = self.receiver()?.clone();
        let mut batch = receiver.recv_many(most).map_err(describe)?;
        say(&Ok(batch.len().to_string()));
        loop {
            let line = self.next_line().ok_or_else(|| "the test has ended".to_owned())?;
            let answer = match words(&line)[..] {
                ["next"] => match batch.next() {
                    Some(message) => received(message.map_err(describe)?),
                    None => Err("no message is left".to_owned()),
                },
                ["end"] => return Ok(batch.len().to_string()),
                ref other => self.step(other),
            };
            say(&answer);
        }
    }

    fn pour(&mut self, label: &str, first: u64, count: u64) -> Answer {
        let sender = self.sender()?;
        for number in first..first + count {
            sender.send(&message::bytes(&format!("{label}-{number}"))).map_err(describe)?;
        }
        Ok(String::new())
    }

    fn drain(&mut self) -> Answer {
        let receiver = self.receiver()?;
        loop {
            // Told while it is held: at most this one is taken and not told of.
            let slot = receiver.recv().map_err(describe)?;
            let text = received(&slot)?;
            if text.starts_with("end-") {
                return Ok("end".to_owned());
            }
            say(&Ok(text));
        }
    }

    fn drain_batches(&mut self, most: usize) -> Answer {
        let receiver = self.receiver()?;
        let mut is_over = false;
        while !is_over {
            let mut batch = receiver.recv_many(most).map_err(describe)?;
            while let Some(message) = batch.next() {
                let text = received(message.map_err(describe)?)?;
                if text.starts_with("end-") {
                    is_over = true;
                } else {
                    say(&Ok(text));
                }
            }
        }
        Ok("end".to_owned())
    }
}

fn done<E: Debug + Display>(outcome: Result<(), E>) -> Answer {
    outcome.map(|()| String::new()).map_err(describe)
}

fn received(bytes: &[u8]) -> Answer {
    message::text(bytes)
}

fn builder(side: &str, name: &str) -> Result<LinkBuilder, String> {
    let builder = Link::builder(name).timeout(PATIENCE);
    match side {
        "auto" => Ok(builder),
        "primary" => Ok(builder.primary()),
        "secondary" => Ok(builder.secondary()),
        _ => Err(format!("{side:?} is no side")),
    }
}

fn geometry_of(side: &str, name: &str, geometry: &[&str]) -> Result<LinkBuilder, String> {
    let [slots, len, profile] = geometry else { return Err(format!("{geometry:?} is no geometry")) };
    let profile = match *profile {
        "superblock" => Profile::Superblock,
        "seed" => Profile::Seed,
        _ => return Err(format!("{profile:?} is no profile")),
    };
    Ok(builder(side, name)?.slots(number(slots)?).slot_len(number(len)?).profile(profile))
}

/// `PACKETS TOMBSTONES ERRORS WAITS HANDLES LOST GIVEN-UP`: messages both ways, slots given up and found given up, errors,
/// waits, and what was recovered of the dead.
fn statistics(of: Statistics) -> String {
    let Statistics { packets, tombstones, errors, full_waits, empty_waits, recovered, .. } = of;
    let waits = full_waits + empty_waits;
    let (handles, lost, given_up) = (recovered.handles, recovered.lost, recovered.tombstones);
    format!("{packets} {tombstones} {errors} {waits} {handles} {lost} {given_up}")
}
