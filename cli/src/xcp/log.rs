//! Who hears what the library tells of connections: standard error, line by line, and no reader of it makes anybody wait.
//!
//! Strangers choose much of what is said. So lines are queued, and dropped and counted where nobody reads them; each cause
//! has its share a second; nothing in a line reaches a terminal as a command.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Filter, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

/// Lines that wait to be read.
const QUEUE: usize = 1024;
/// Lines of one cause within a [`WINDOW`].
const SHARE: u64 = 10;
const WINDOW: Duration = Duration::from_secs(1);

/// What a line looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object per line
    Json,
}

/// What is said, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogOptions {
    /// This and what is worse, unless `RUST_LOG` says otherwise.
    pub(super) level: LevelFilter,
    pub(super) format: LogFormat,
    /// Whether a line says when.
    pub(super) timed: bool,
}

/// Has the library say on standard error what happens, as long as the guard lives. Its end waits a second at most for who
/// reads it.
pub(super) fn listen(options: LogOptions) -> WorkerGuard {
    let builder = NonBlockingBuilder::default().buffered_lines_limit(QUEUE).lossy(true);
    let (out, guard) = builder.finish(io::stderr());
    let log = Log {
        dropped: out.error_counter(),
        told: Arc::new(AtomicUsize::new(0)),
        out,
        format: options.format,
    };
    let shares = Shares { seen: Mutex::default(), log: log.clone() };
    let lines = tracing_subscriber::fmt::layer().with_writer(log).with_ansi(false).with_target(false);
    let lines: Box<dyn Layer<_> + Send + Sync> = match (options.format, options.timed) {
        (LogFormat::Json, _) => lines.json().boxed(),
        (LogFormat::Text, true) => lines.boxed(),
        (LogFormat::Text, false) => lines.without_time().boxed(),
    };
    let level = EnvFilter::builder().with_default_directive(options.level.into()).from_env_lossy();
    // Somebody listens already: there is one run in a process.
    let _ = tracing_subscriber::registry().with(lines.with_filter(shares).with_filter(level)).try_init();
    guard
}

/// A queue of lines to standard error.
#[derive(Clone, Debug)]
struct Log {
    out: NonBlocking,
    dropped: ErrorCounter,
    /// Of the dropped ones, those that were told of.
    told: Arc<AtomicUsize>,
    format: LogFormat,
}

impl Log {
    fn say(&self, text: &str) -> io::Result<()> {
        let line = match self.format {
            LogFormat::Text => text.to_owned(),
            LogFormat::Json => serde_json::json!({ "level": "WARN", "message": text }).to_string(),
        };
        self.out.clone().write_all((line + "\n").as_bytes())
    }
}

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Relaxed, both: numbers for people.
        let dropped = self.dropped.dropped_lines();
        let told = self.told.swap(dropped, Ordering::Relaxed);
        if dropped > told {
            self.say(&format!("{} lines were dropped: nobody read them", dropped - told))?;
        }
        self.out.write_all(harmless(line, self.format).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// One line, whatever strangers have put into it: controls, and what turns or hides text, are escaped.
fn harmless(line: &[u8], format: LogFormat) -> String {
    let line = String::from_utf8_lossy(line);
    let mut text = String::with_capacity(line.len() + 1);
    for character in line.strip_suffix('\n').unwrap_or(&line).chars() {
        match (character, format) {
            ('\\' | '"' | '\'', _) => text.push(character),
            (_, LogFormat::Text) => text.extend(character.escape_debug()),
            // JSON has escaped the others itself. Writing to a String cannot fail.
            (_, LogFormat::Json) if character.is_control() => {
                let _ = write!(text, "\\u{:04x}", u32::from(character));
            }
            (_, LogFormat::Json) => text.push(character),
        }
    }
    text.push('\n');
    text
}

/// Where in a program something is said: its module and line.
type Cause = (&'static str, u32);

/// Lets [`SHARE`] lines of each cause through in a [`WINDOW`], and says how many there were besides.
#[derive(Debug)]
struct Shares {
    seen: Mutex<HashMap<Cause, Seen>>,
    log: Log,
}

#[derive(Debug)]
struct Seen {
    since: Instant,
    count: u64,
}

impl Shares {
    /// Whether one more is let through, and how many of the last window were not.
    fn admit(&self, cause: Cause, now: Instant) -> (bool, u64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.entry(cause).or_insert(Seen { since: now, count: 0 });
        let mut left_out = 0;
        if now.saturating_duration_since(seen.since) >= WINDOW {
            left_out = seen.count.saturating_sub(SHARE);
            *seen = Seen { since: now, count: 0 };
        }
        seen.count += 1;
        (seen.count <= SHARE, left_out)
    }
}

impl<S> Filter<S> for Shares {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let metadata = event.metadata();
        // Who asks for more wants all of it.
        if *metadata.level() > Level::INFO {
            return true;
        }
        let cause = (metadata.target(), metadata.line().unwrap_or_default());
        let (is_let_through, left_out) = self.admit(cause, Instant::now());
        if left_out > 0 {
            // Nobody is told if that fails: it is dropped and counted.
            let _ = self.log.say(&format!("{left_out} more lines like the next were left out"));
        }
        is_let_through
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_write_one_line_and_no_commands() {
        let line = "kind a\u{1b}[31m\nFAKE \u{202e}x \"q\" \\ \u{9b}1m é\n".as_bytes();
        let wanted = "kind a\\u{1b}[31m\\nFAKE \\u{202e}x \"q\" \\ \\u{9b}1m é\n";
        assert_eq!(harmless(line, LogFormat::Text), wanted);
        let line = "{\"a\":\"\\n\u{9b}\u{7f}\"}\n";
        assert_eq!(harmless(line.as_bytes(), LogFormat::Json), "{\"a\":\"\\n\\u009b\\u007f\"}\n");
    }

    #[test]
    fn a_cause_has_its_share_and_the_rest_is_counted() {
        let (out, _guard) = NonBlockingBuilder::default().finish(io::sink());
        let log = Log { dropped: out.error_counter(), told: Arc::default(), out, format: LogFormat::Text };
        let shares = Shares { seen: Mutex::default(), log };
        let now = Instant::now();
        let admitted = (0..50).filter(|_| shares.admit(("here", 1), now).0).count() as u64;
        assert_eq!(admitted, SHARE);
        assert_eq!(shares.admit(("there", 1), now), (true, 0), "another cause has its own");
        assert_eq!(shares.admit(("here", 1), now + WINDOW), (true, 50 - SHARE));
        assert_eq!(shares.admit(("here", 1), now + WINDOW), (true, 0));
    }
}
