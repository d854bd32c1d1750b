//! Clients that block: the same engine over the sockets of `std`, without an async runtime.
//!
//! ```no_run
//! use strait::xcp::{Ether, blocking};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = blocking::connect("tcp://127.0.0.1:9944")?;
//! let answer = client.request(&Ether::text("hello"))?;
//! println!("{}", answer.ether()?.as_text()?);
//! # Ok(())
//! # }
//! ```
//!
//! Connecting takes a second thread for as long as it lasts: all addresses of a host are tried, and its name is waited for
//! no longer than they are. Afterwards one thread at a time drives a connection, whenever it waits. While nobody does,
//! nothing is read or written: pings of the peer are answered late. Use [`super::Connection`] for many requests at once, for
//! streams, and to serve.

mod socket;

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::time::{Duration, Instant};

use bytes::Bytes;
use strait_core::time::Instant as CoreInstant;
use strait_core::xcp::connection::{ANSWERS, Agreed, CloseReason, Knobs, Side};
use strait_core::xcp::{CodecId, Dialect, ErrorCode};

use super::Ether;
use super::address::Address;
use super::draft::Draft;
use super::engine::{Delivery, Engine, Outgoing, SLICES, Submitted, WriteQueue};
use super::error::{BadOption, ConnectError, NotSent, RequestError, SendError};
use super::message::Message;
use super::options::Options;
use socket::{Socket, is_slice_over};

/// Bytes read at once.
const BUFFER: usize = 64 << 10;

/// Connects to a server with the default [`Options`].
///
/// # Errors
/// [`ConnectError`].
pub fn connect(address: &str) -> Result<Client, ConnectError> {
    Options::new().connect_blocking(address)
}

impl Options {
    /// Connects to a server as [`connect`](Self::connect) does, and blocks meanwhile.
    ///
    /// # Errors
    /// [`ConnectError`]; [`BadOption::BlockingStream`] with [`stream_over`](Self::stream_over).
    pub fn connect_blocking(&self, address: &str) -> Result<Client, ConnectError> {
        let parsed: Address = address.parse()?;
        if self.stream_over.is_some() {
            return Err(BadOption::BlockingStream.into());
        }
        if let Some(knobs) = self.knobs {
            return Client::establish(self, &parsed, knobs);
        }
        match Client::establish(self, &parsed, Knobs::AUTO) {
            Err(ConnectError::Handshake { reason: CloseReason::NotAnswered, .. }) if !self.seals() => {
                Client::establish(self, &parsed, Dialect::PYTHON.into())
            }
            outcome => outcome,
        }
    }
}

/// A connection that blocks whoever uses it.
#[derive(Debug)]
pub struct Client {
    socket: Socket,
    /// Of the server, for the log.
    address: String,
    engine: Engine,
    queue: WriteQueue,
    buffer: Box<[u8]>,
    filled: std::ops::Range<usize>,
    epoch: Instant,
    /// What became of the request that is under way.
    settled: Vec<Delivery>,
    inbound: VecDeque<Message>,
    /// Bytes of those.
    queued: usize,
    connected: bool,
    reason: Option<CloseReason>,
    /// When the socket last took bytes.
    written: Instant,
    /// When bytes were last moved.
    pumped: CoreInstant,
}

impl Client {
    fn establish(options: &Options, address: &Address, knobs: Knobs) -> Result<Self, ConnectError> {
        let (socket, exported) = Socket::dial(options, address)?;
        let engine = Engine::new(options, Side::Client, knobs, exported, CoreInstant::from_nanos(0))?;
        let mut client = Self {
            socket,
            address: address.to_string(),
            engine,
            queue: WriteQueue::default(),
            buffer: vec![0; BUFFER].into(),
            filled: 0..0,
            epoch: Instant::now(),
            settled: Vec::new(),
            inbound: VecDeque::new(),
            queued: 0,
            connected: false,
            reason: None,
            written: Instant::now(),
            pumped: CoreInstant::from_nanos(0),
        };
        // The handshake has a time-out of its own.
        while !client.connected && client.reason.is_none() {
            client.pump(true);
        }
        match client.reason {
            Some(reason) => Err(ConnectError::Handshake { address: address.to_string(), reason }),
            None => Ok(client),
        }
    }

    /// What both ends agreed on.
    pub fn agreed(&self) -> &Agreed {
        self.engine.agreed().expect("a client is given out once it is agreed on")
    }

    /// What is spoken.
    pub fn dialect(&self) -> Dialect {
        self.engine.dialect()
    }

    /// Sends an ether and waits for the answer, as long as the options say.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn request(&mut self, ether: &Ether) -> Result<Message, RequestError> {
        self.ask(Draft::ether(ether))
    }

    /// The same with a body as it is.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn request_body(&mut self, codec: CodecId, body: impl Into<Bytes>) -> Result<Message, RequestError> {
        self.ask(Draft::body(codec, body))
    }

    /// Sends an ether, and waits until the socket took it. Its number for the peer.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send(&mut self, ether: &Ether) -> Result<u64, SendError> {
        self.tell(Draft::ether(ether))
    }

    /// The same with a body as it is.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send_body(&mut self, codec: CodecId, body: impl Into<Bytes>) -> Result<u64, SendError> {
        self.tell(Draft::body(codec, body))
    }

    /// Answers a message.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn reply(&mut self, to: &Message, ether: &Ether) -> Result<u64, SendError> {
        self.tell(Draft::ether(ether).answering(to))
    }

    /// Refuses a message.
    ///
    /// # Errors
    /// [`SendError::Closed`].
    pub fn refuse(&mut self, message: &Message, code: ErrorCode) -> Result<(), SendError> {
        self.engine.refuse_delivered(message.key(), code);
        self.flush()
    }

    /// The next message that the server started; `None` if none came in time, or the connection is over.
    pub fn recv(&mut self, timeout: Duration) -> Option<Message> {
        self.resume();
        let since = Instant::now();
        loop {
            if let Some(message) = self.inbound.pop_front() {
                self.queued = self.queued.saturating_sub(message.held());
                return Some(message);
            }
            if self.reason.is_some() || since.elapsed() >= timeout {
                return None;
            }
            self.pump(true);
            // Nobody waits for answers meanwhile.
            self.settled.clear();
        }
    }

    /// Asks the server whether it is there; how long it took.
    ///
    /// # Errors
    /// [`RequestError::Closed`], [`RequestError::Timeout`].
    pub fn ping(&mut self) -> Result<Duration, RequestError> {
        self.resume();
        let since = Instant::now();
        let Some(asked) = self.engine.ping() else {
            return Err(match self.reason {
                Some(reason) => RequestError::Closed { reason },
                None => RequestError::Send(NotSent::Busy { limit: ANSWERS }.into()),
            });
        };
        self.settle(|delivery| matches!(delivery, Delivery::Pong { nonce } if *nonce == asked))?;
        Ok(since.elapsed())
    }

    /// Sends what waits, and closes once the server has read it and says so by closing too; at most the write timeout of
    /// the options is waited for that.
    ///
    /// # Errors
    /// [`SendError::Closed`] if the peer was gone before.
    pub fn close(mut self) -> Result<(), SendError> {
        self.flush()?;
        let (since, limit) = (Instant::now(), self.engine.options().write_timeout);
        self.engine.close();
        self.reason = Some(CloseReason::Local);
        // A socket that is closed with bytes unread takes back what the peer has not read.
        while !self.socket.end() && since.elapsed() < limit {}
        loop {
            match self.socket.read(&mut self.buffer) {
                Ok(0) => break,
                Err(error) if !is_slice_over(&error) => break,
                _ if since.elapsed() >= limit => break,
                _ => {}
            }
        }
        Ok(())
    }

    fn now(&self) -> CoreInstant {
        CoreInstant::from_nanos(u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn submit(&mut self, mut draft: Draft) -> Result<Submitted, SendError> {
        if let Some(reason) = self.reason {
            return Err(SendError::Closed { reason });
        }
        let options = self.engine.options().clone();
        let body = draft.encode(|| self.engine.peer(), &options)?;
        let (body, compressed) = self.engine.pack(body, options.compress)?;
        self.engine.submit(&mut draft.header, Outgoing { body: Some(body), compressed, room: None })
    }

    fn tell(&mut self, draft: Draft) -> Result<u64, SendError> {
        let submitted = self.submit(draft)?;
        self.flush()?;
        Ok(submitted.msg_id)
    }

    /// Sends all that waits.
    fn flush(&mut self) -> Result<(), SendError> {
        self.resume();
        loop {
            self.pump(false);
            // Nobody waits for answers meanwhile.
            self.settled.clear();
            if let Some(reason) = self.reason {
                return Err(SendError::Closed { reason });
            }
            if self.queue.is_empty() && self.engine.is_sent() {
                return Ok(());
            }
        }
    }

    fn ask(&mut self, draft: Draft) -> Result<Message, RequestError> {
        // Answers to earlier requests that came too late are nobody's.
        self.settled.clear();
        self.resume();
        let Submitted { msg_id, .. } = self.submit(draft)?;
        // A server of Python's dialect answers in order, and its refusals may not say of what.
        let strict = self.dialect().is_strict();
        let ours = |id: u64| id == msg_id || (strict && id == 0);
        let outcome = self.settle(|delivery| match delivery {
            Delivery::Message(message) => ours(message.in_reply_to()),
            Delivery::Nacked { msg_id, .. } => ours(*msg_id),
            _ => false,
        })?;
        match outcome {
            Delivery::Message(message) => Ok(message),
            Delivery::Nacked { code, retry_after, .. } => Err(RequestError::Nack { code, retry_after }),
            _ => Err(RequestError::Send(SendError::Unacknowledged)),
        }
    }

    /// Waits for what `is_it` says, as long as a request may take.
    fn settle(&mut self, is_it: impl Fn(&Delivery) -> bool) -> Result<Delivery, RequestError> {
        let after = self.engine.options().request_timeout;
        let since = Instant::now();
        loop {
            if let Some(at) = self.settled.iter().position(&is_it) {
                return Ok(self.settled.swap_remove(at));
            }
            if let Some(reason) = self.reason {
                return Err(RequestError::Closed { reason });
            }
            if since.elapsed() >= after {
                return Err(RequestError::Timeout { after });
            }
            // One thing is waited for at a time.
            self.settled.clear();
            self.pump(true);
        }
    }

    /// Nothing was read since the last call: that is not the peer's silence.
    fn resume(&mut self) {
        let now = self.now();
        self.engine.paused(now.saturating_since(self.pumped));
        self.pumped = now;
    }

    /// Moves bytes both ways for a short while; `wait` for some of the peer's.
    fn pump(&mut self, wait: bool) {
        let _span = tracing::debug_span!("xcp", server = %self.address).entered();
        if let Err(error) = self.exchange(wait) {
            tracing::debug!(%error, "connection lost");
            let now = self.now();
            self.engine.handle_eof(now);
        }
        self.pumped = self.now();
        while let Some(delivery) = self.engine.poll_delivery() {
            match delivery {
                Delivery::Connected => self.connected = true,
                Delivery::Closed(reason) => {
                    self.reason.get_or_insert(reason);
                }
                Delivery::Message(message) if message.in_reply_to() == 0 && !self.dialect().is_strict() => {
                    self.queued = self.queued.saturating_add(message.held());
                    self.inbound.push_back(message);
                }
                other => self.settled.push(other),
            }
        }
    }

    fn exchange(&mut self, wait: bool) -> io::Result<()> {
        let now = self.now();
        self.take_in(now);
        if self.engine.poll_timeout().is_some_and(|at| at <= now) {
            self.engine.handle_timeout(now);
        }
        loop {
            self.engine.fill(now, &mut self.queue);
            if self.queue.is_empty() || !self.write()? {
                break;
            }
        }
        // A peer that takes nothing may be waiting for its own bytes to be taken.
        if self.filled.is_empty() && !self.engine.is_closed() && (wait || !self.queue.is_empty()) {
            match self.socket.read(&mut self.buffer) {
                Ok(0) => self.engine.handle_eof(now),
                Ok(len) => self.filled = 0..len,
                Err(error) if is_slice_over(&error) => {}
                Err(error) => return Err(error),
            }
            self.take_in(now);
            self.engine.fill(now, &mut self.queue);
        }
        Ok(())
    }

    fn take_in(&mut self, now: CoreInstant) {
        // Nothing is read only to make room: what the server starts while nobody takes it is refused.
        self.engine.set_busy(self.queued >= self.engine.options().max_queued);
        while !self.filled.is_empty() && !self.engine.has_delivered_much() {
            let taken = self.engine.handle_input(now, &self.buffer[self.filled.clone()]);
            self.filled.start += taken;
            if taken == 0 {
                break;
            }
        }
    }

    /// Writes once; whether the socket took any.
    fn write(&mut self) -> io::Result<bool> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = self.queue.slices(&mut slices);
        match self.socket.write(&slices[..count]) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(len) => {
                self.queue.advance(len);
                self.written = Instant::now();
                // TLS keeps what the socket did not take, and sends it with the next bytes.
                match self.socket.flush() {
                    Err(error) if !is_slice_over(&error) => Err(error),
                    _ => Ok(true),
                }
            }
            Err(error) if is_slice_over(&error) => {
                let limit = self.engine.options().write_timeout;
                if self.written.elapsed() > limit {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // What the socket takes at once; whoever must know that all was sent closes the client.
        if self.reason.is_none() {
            self.pump(false);
        }
    }
}
