//! A process that does one step per line of its input and answers each with one line: `ok …` or `err …`.
//!
//! | command | what it does | answer |
//! |---|---|---|
//! | `umask OCTAL` | sets the umask; Linux only | |
//! | `create NAME META PAYLOAD [mode OCTAL] [group GID]` | creates a reader | |
//! | `connect NAME` · `await NAME` | connects a writer, at once or when its reader comes | |
//! | `metadata TEXT` | sets the metadata | |
//! | `send LEN` · `send LEN COUNT` | sends one frame, or as many | last number |
//! | `pour COUNT MAX SEED` | sends frames of 1 to MAX bytes | last number |
//! | `reserve LEN`, `fill`, `commit` or `abort` | the steps of a frame | number |
//! | `recv` · `try_recv` | receives a frame, checks and releases it | number, length |
//! | `hold`, `release` | the steps of a frame | number, length |
//! | `close` | closes both ends | |
//! | `abort` | the writer gives up | |
//! | `unwind` | a panic unwinds over the writer, and is caught | |
//! | `panic` | a panic ends the process while another thread has the writer | none |
//! | `leave` · `fault` | calls `exit` or `abort` with the writer in hand | none |
//! | `child COMMAND` | forks: the child carries out COMMAND on its copies and drops them; Linux only | the child's |
//! | `keep` | forks a child that keeps its copies until the test is gone; Linux only | its number |
//! | `exec` | becomes a new program, this one, which answers; Linux only | |
//! | `list TEXT` | names in `/dev/shm` that contain TEXT; elsewhere, of buffers | names |
//! | `begin COMMAND` | says that it starts, then carries out the command | begun, then the command's |
//! | `exit` | ends | none |
//!
//! Waits end by what the other side does.
#![forbid(unsafe_code)]

use core::fmt::{Debug, Display};
use core::time::Duration;
use std::io::{BufRead as _, Stdin, Write as _};
use std::process::ExitCode;

use strait::zerobuffer::{Reader, Writer};
use strait_tests::PATIENCE;
use strait_tests::pattern::{self, Numbers};

type Answer = Result<String, String>;

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some() {
        say(Ok("again".to_owned()));
    }
    let mut ends = Ends { reader: None, writer: None };
    let input = std::io::stdin();
    while let Some(line) = next_line(&input) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        if words == ["exit"] {
            return ExitCode::SUCCESS;
        }
        let answer = ends.step(&words, &input);
        say(answer);
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

fn octal(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8).map_err(|_| format!("{text:?} is not octal"))
}

struct Ends {
    reader: Option<Reader>,
    writer: Option<Writer>,
}

impl Ends {
    fn step(&mut self, words: &[&str], input: &Stdin) -> Answer {
        match words {
            #[cfg(target_os = "linux")]
            ["umask", mask] => {
                rustix::process::umask(rustix::fs::Mode::from_raw_mode(octal(mask)?));
                Ok(String::new())
            }
            ["create", name, metadata, payload, options @ ..] => {
                self.create(name, number(metadata)?, number(payload)?, options)
            }
            ["connect", name] => self.connect(name, false, Duration::ZERO),
            ["connect", name, "trusting"] => self.connect(name, true, Duration::ZERO),
            ["await", name] => self.connect(name, false, PATIENCE),
            ["metadata", text] => {
                self.writer()?.set_metadata(text.as_bytes()).map_err(describe)?;
                Ok(String::new())
            }
            ["send", len] => self.send(number(len)?, 1),
            ["send", len, count] => self.send(number(len)?, number(count)?),
            ["pour", count, max, seed] => self.pour(number(count)?, number(max)?, number(seed)?),
            ["reserve", len] => self.reserve(number(len)?, input),
            ["recv"] => self.receive(PATIENCE),
            ["try_recv"] => self.receive(Duration::ZERO),
            ["hold"] => self.hold(input),
            ["close"] => {
                *self = Self { reader: None, writer: None };
                Ok(String::new())
            }
            ["abort"] => {
                self.writer.take().ok_or_else(|| "no writer".to_owned())?.abort();
                Ok(String::new())
            }
            ["unwind"] => {
                let writer = self.writer.take();
                let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
                    let _writer = writer;
                    std::panic::resume_unwind(Box::new(()));
                }));
                unwound.map_or(Ok(String::new()), |()| Err("it did not unwind".to_owned()))
            }
            ["panic"] => {
                let writer = self.writer.take();
                std::thread::spawn(move || {
                    let _writer = writer;
                    std::thread::park();
                });
                panic!("as the test asked");
            }
            #[cfg(target_os = "linux")]
            ["child", command @ ..] => strait_tests::forked::answer_of_child(|| {
                let answer = self.step(command, input);
                *self = Self { reader: None, writer: None };
                answer
            }),
            #[cfg(target_os = "linux")]
            ["keep"] => strait_tests::forked::keeping_child()
                .map(|pid| pid.to_string())
                .map_err(|error| error.to_string()),
            #[cfg(target_os = "linux")]
            ["exec"] => {
                use std::os::unix::process::CommandExt as _;
                let program = std::env::current_exe().map_err(|error| error.to_string())?;
                Err(std::process::Command::new(program).arg("again").exec().to_string())
            }
            ["leave"] => std::process::exit(0),
            ["fault"] => std::process::abort(),
            ["list", text] => list(text),
            ["begin", command @ ..] => {
                say(Ok("begun".to_owned()));
                self.step(command, input)
            }
            _ => Err(format!("unknown command {words:?}")),
        }
    }

    fn writer(&mut self) -> Result<&mut Writer, String> {
        self.writer.as_mut().ok_or_else(|| "no writer".to_owned())
    }

    fn reader(&mut self) -> Result<&mut Reader, String> {
        self.reader.as_mut().ok_or_else(|| "no reader".to_owned())
    }

    fn create(&mut self, name: &str, metadata: u64, payload: u64, options: &[&str]) -> Answer {
        let mut builder =
            Reader::builder(name).metadata_capacity(metadata).payload_capacity(payload).timeout(PATIENCE);
        for option in options.chunks(2) {
            builder = match option {
                ["mode", mode] => builder.mode(octal(mode)?),
                ["group", group] => builder.group(number(group)?),
                _ => return Err(format!("unknown option {option:?}")),
            };
        }
        self.reader = Some(builder.create().map_err(describe)?);
        Ok(String::new())
    }

    fn connect(&mut self, name: &str, trust: bool, patience: Duration) -> Answer {
        let builder = Writer::builder(name).timeout(PATIENCE).wait_for_reader(patience);
        self.writer = Some(builder.trust_others(trust).connect().map_err(describe)?);
        Ok(String::new())
    }

    fn send(&mut self, len: usize, count: u64) -> Answer {
        let writer = self.writer()?;
        let mut last = 0;
        for _ in 0..count {
            last = send(writer, len)?;
        }
        Ok(last.to_string())
    }

    fn pour(&mut self, count: u64, max: usize, seed: u64) -> Answer {
        let writer = self.writer()?;
        let mut numbers = Numbers::new(seed);
        let mut last = 0;
        for _ in 0..count {
            last = send(writer, 1 + numbers.below(max))?;
        }
        Ok(last.to_string())
    }

    fn reserve(&mut self, len: usize, input: &Stdin) -> Answer {
        let mut frame = self.writer()?.reserve(len).map_err(describe)?;
        let sequence = frame.sequence();
        say(Ok(sequence.to_string()));
        loop {
            match next_line(input).as_deref() {
                Some("fill") => {
                    pattern::fill(&mut frame, sequence);
                    say(Ok(sequence.to_string()));
                }
                Some("commit") => return frame.commit().map(|last| last.to_string()).map_err(describe),
                Some("abort") => return Ok(String::new()),
                other => return Err(format!("{other:?} is no step of a reserved frame")),
            }
        }
    }

    fn receive(&mut self, timeout: Duration) -> Answer {
        let frame = self.reader()?.recv_timeout(timeout).map_err(describe)?;
        checked(&frame, frame.sequence())
    }

    fn hold(&mut self, input: &Stdin) -> Answer {
        let frame = self.reader()?.recv().map_err(describe)?;
        say(checked(&frame, frame.sequence()));
        match next_line(input).as_deref() {
            Some("release") => checked(&frame, frame.sequence()),
            other => Err(format!("{other:?} is no step of a held frame")),
        }
    }
}

fn send(writer: &mut Writer, len: usize) -> Result<u64, String> {
    let mut frame = writer.reserve(len).map_err(describe)?;
    let sequence = frame.sequence();
    pattern::fill(&mut frame, sequence);
    frame.commit().map_err(describe)
}

fn checked(frame: &[u8], sequence: u64) -> Answer {
    match pattern::first_wrong(frame, sequence) {
        None => Ok(format!("{sequence} {}", frame.len())),
        Some(at) => Err(format!("frame {sequence} of {} bytes is wrong at byte {at}", frame.len())),
    }
}

fn list(text: &str) -> Answer {
    let names: Vec<String> = names()?.into_iter().filter(|name| name.contains(text)).collect();
    Ok(names.join(" "))
}

/// Everything in `/dev/shm`, whatever it is.
#[cfg(target_os = "linux")]
fn names() -> Result<Vec<String>, String> {
    let entries = std::fs::read_dir("/dev/shm").map_err(|error| error.to_string())?;
    Ok(entries.filter_map(Result::ok).map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

/// Every buffer: other objects cannot be listed.
#[cfg(not(target_os = "linux"))]
fn names() -> Result<Vec<String>, String> {
    let buffers = strait::zerobuffer::list().map_err(describe)?;
    Ok(buffers.into_iter().map(|buffer| buffer.name).collect())
}
