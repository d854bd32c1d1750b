//! Which features shall a session have, and how does it come about?

use core::time::Duration;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use strait::hqq::session::{Counters, Session, SessionBuilder, SessionError, SessionStatistics};
use strait::hqq::{Capabilities, Features, Link, inspect};

use super::command::Entry;
use super::inlet::read;
use crate::exit::Failure;
use crate::interrupt::{Interrupt, Patience};
use crate::report;

/// Between two looks whether anybody is there to agree with.
const STEP: Duration = Duration::from_millis(2);

/// What the two ends of a session shall agree on. An option that the other end does not have ends the program.
#[derive(Clone, Debug, Args)]
pub(super) struct Agreement {
    /// Compresses messages where that makes them smaller
    #[arg(long)]
    compress: bool,

    /// Level of compression
    #[arg(long, value_name = "1..19", default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=19), requires = "compress")]
    level: i32,

    /// Encrypts messages, by --key-file
    #[arg(long, requires = "key_file")]
    encrypt: bool,

    /// Where the secret of both ends is: 32 bytes, or 64 hexadecimal digits
    #[arg(long, value_name = "FILE", requires = "encrypt")]
    key_file: Option<PathBuf>,

    /// Stops the sender, and not the link, when the receiver is slow
    #[arg(long)]
    flow_control: bool,

    /// Lets urgent messages pass others; see --priority of `send`
    #[arg(long)]
    qos: bool,

    /// Acknowledges messages; those that a dead receiver has not acknowledged go to the next
    #[arg(long)]
    reliable: bool,

    /// Reports what the other end has counted as well
    #[arg(long)]
    statistics: bool,

    /// Longest message either way, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30)]
    max_message: u64,

    /// Bytes that may wait unread; a receiver that has more to read takes no more
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    window: u64,
}

impl Agreement {
    /// Refuses features where no session was asked for.
    pub(super) fn check(&self, session: bool) -> Result<(), Failure> {
        let Self { compress, encrypt, flow_control, qos, reliable, statistics, .. } = *self;
        match compress || encrypt || flow_control || qos || reliable || statistics {
            true if !session => Err(Failure::usage("features are a session's: say --session")),
            _ => Ok(()),
        }
    }

    /// Whether messages shall be acknowledged.
    pub(super) fn is_reliable(&self) -> bool {
        self.reliable
    }

    /// Whether the other end's counters are asked for.
    pub(super) fn has_statistics(&self) -> bool {
        self.statistics
    }

    /// Features that both ends must have.
    fn features(&self) -> Features {
        let asked = [
            (self.compress, Features::COMPRESSION),
            (self.encrypt, Features::ENCRYPTION),
            (self.flow_control, Features::FLOW_CONTROL),
            (self.qos, Features::QOS),
            (self.statistics, Features::STATISTICS),
        ];
        let asked = asked.into_iter().filter(|(asked, _)| *asked);
        asked.fold(Features::KNOWN_TO_ALL, |all, (_, feature)| all.union(feature))
    }

    /// The options of a session. To be called before the link is joined: it reads the key.
    pub(super) fn prepare(&self, entry: &Entry) -> Result<Prepared, Failure> {
        let key = self.key_file.as_deref().map(key).transpose()?;
        Ok(Prepared { agreement: self.clone(), key, timeout: entry.timeout() })
    }
}

/// What a session is made of besides a link.
pub(super) struct Prepared {
    agreement: Agreement,
    key: Option<[u8; 32]>,
    timeout: Duration,
}

impl Prepared {
    fn builder(&self, link: Link) -> SessionBuilder {
        let Agreement { level, reliable, max_message, window, .. } = self.agreement;
        let features = self.agreement.features();
        let mut builder = link
            .session()
            .offer(features)
            .require(features)
            .capabilities(Capabilities::ALL.without(Capabilities::RELIABLE_DELIVERY))
            .compression_level(level)
            .max_message(max_message)
            .window(window)
            .timeout(self.timeout);
        if reliable {
            builder = builder.reliable();
        }
        if let Some(key) = self.key {
            builder = builder.key(key);
        }
        builder
    }

    /// Agrees with the other end, waiting until it is there.
    pub(super) fn agree(&self, link: Link, entry: &Entry, interrupt: &Interrupt) -> Result<Session, Failure> {
        wait_for_other(&link, entry, self.timeout, interrupt)?;
        let session = self.builder(link).negotiate().map_err(|error| self.failure(entry, error))?;
        match session.agreed() {
            Ok(agreed) if self.agreement.reliable && !agreed.is_reliable() => {
                return Err(refused(entry, "the peer does not agree to RELIABLE_DELIVERY"));
            }
            // One that has sent its messages and gone has agreed as well.
            Ok(_) | Err(SessionError::PeerGone) => {}
            Err(error) => return Err(self.failure(entry, error)),
        }
        entry.say(|| format!("agreed on {}", names(&session).join(", ")));
        Ok(session)
    }

    /// Waits for an end that asks; `None` if the one that is there did not, or was refused.
    pub(super) fn accept(&self, link: Link, entry: &Entry) -> Result<Option<Session>, Failure> {
        match self.builder(link).accept() {
            Ok(session) => Ok(Some(session)),
            Err(SessionError::Timeout | SessionError::PeerGone) => Ok(None),
            Err(error @ (SessionError::Missing { .. } | SessionError::Refused { .. })) => {
                report::complain(format_args!("a client was refused: {error}"));
                Ok(None)
            }
            Err(error) => Err(self.failure(entry, error)),
        }
    }

    fn failure(&self, entry: &Entry, error: SessionError) -> Failure {
        match error {
            SessionError::Timeout => refused(
                entry,
                format_args!(
                    "the other end did not negotiate within {} ms: it must say --session too",
                    entry.timeout_ms
                ),
            ),
            // Agreed, and then broken by the first message.
            SessionError::Sealed => read(entry, error),
            error => refused(entry, error),
        }
    }
}

fn refused(entry: &Entry, error: impl core::fmt::Display) -> Failure {
    Failure::connect(format_args!("link {:?}: {error}", entry.name))
}

/// Waits until somebody is at the other side. Who is not Strait cannot be seen there.
pub(super) fn wait_for_other(
    link: &Link,
    entry: &Entry,
    timeout: Duration,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let other = link.side().other();
    let patience = Patience::new(timeout);
    loop {
        let info = inspect(&entry.name).map_err(Failure::connect)?;
        if info.has_strangers || info.living(other) > 0 {
            return Ok(());
        }
        if interrupt.is_set() {
            return Err(interrupt.failure());
        }
        let Some(slice) = patience.slice() else {
            let ms = entry.timeout_ms;
            return Err(refused(entry, format_args!("nobody came as {other} within {ms} ms")));
        };
        std::thread::sleep(slice.min(STEP));
    }
}

/// The secret in a file.
fn key(path: &Path) -> Result<[u8; 32], Failure> {
    let file = path.display();
    let bytes = std::fs::read(path).map_err(|error| Failure::usage(format_args!("{file}: {error}")))?;
    if let Ok(key) = <[u8; 32]>::try_from(bytes.as_slice()) {
        return Ok(key);
    }
    let text = core::str::from_utf8(&bytes).unwrap_or_default();
    super::digest::bytes(text.trim_ascii())
        .ok_or_else(|| Failure::usage(format_args!("{file}: a key is 32 bytes, or 64 hexadecimal digits")))
}

/// Features and capabilities that both ends have, as the protocol calls them.
pub(super) fn names(session: &Session) -> Vec<&'static str> {
    session.agreed().map_or_else(
        |_| Vec::new(),
        |agreed| agreed.features.names().chain(agreed.capabilities.names()).collect(),
    )
}

/// A session's own numbers.
pub(super) fn as_json(statistics: &SessionStatistics) -> Value {
    json!({
        "counters": counters(&statistics.counters),
        "negotiation_seconds": statistics.negotiation_time.as_secs_f64(),
        "large_messages": statistics.large_messages,
        "uncompressed_bytes": statistics.uncompressed_bytes,
        "compressed_bytes": statistics.compressed_bytes,
        "compression_ratio": statistics.compression_ratio(),
        "sealed_bytes": statistics.sealed_bytes,
        "sealing_overhead": statistics.sealing_overhead,
        "credits_sent": statistics.credits_sent,
        "credits_received": statistics.credits_received,
        "credit_waits": statistics.credit_waits,
        "reading_pauses": statistics.reading_pauses,
        "aborted": statistics.aborted,
        "cut_off": statistics.cut_off,
        "refused": statistics.refused,
        "acknowledged": statistics.acknowledged,
        "redelivered": statistics.redelivered,
        "undelivered": statistics.undelivered,
        "peer_errors": statistics.peer_errors,
        "peers_lost": statistics.peers_lost,
    })
}

/// What one end has counted.
pub(super) fn counters(counters: &Counters) -> Value {
    json!({
        "messages_sent": counters.messages_sent,
        "bytes_sent": counters.bytes_sent,
        "messages_received": counters.messages_received,
        "bytes_received": counters.bytes_received,
        "calls": counters.calls,
        "errors": counters.errors,
    })
}
