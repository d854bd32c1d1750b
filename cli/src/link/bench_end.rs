//! How does one end of a measured link send and receive?

use clap::Args;
use strait::hqq::{Link, Receiver, RecvError, SendError, Sender};

use crate::exit::Failure;
use crate::interrupt::SLICE;

/// Round trips before anything is measured: both ends run, and every slot has been touched.
pub(super) const WARM_UP: u64 = 2000;

/// What is measured. Both processes know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(super) struct Plan {
    /// Messages one way, one at a time and in batches
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 2_000_000,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) count: u64,

    /// Round trips
    #[arg(long, value_name = "COUNT", default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) round_trips: u64,

    /// Bytes of a message, at least 8
    #[arg(short, long, value_name = "BYTES", default_value_t = 64, value_parser = at_least_8)]
    pub(super) size: usize,

    /// Most messages in a batch, at most 255
    #[arg(long, value_name = "COUNT", default_value_t = 64, value_parser = clap::value_parser!(u8).range(1..))]
    pub(super) batch: u8,
}

fn at_least_8(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(bytes @ 8..) => Ok(bytes),
        _ => Err("a measured message has at least 8 bytes".to_owned()),
    }
}

impl Plan {
    /// The options by which another process gets it.
    pub(super) fn arguments(&self) -> [String; 4] {
        [
            format!("--count={}", self.count),
            format!("--round-trips={}", self.round_trips),
            format!("--size={}", self.size),
            format!("--batch={}", self.batch),
        ]
    }
}

/// One end, and whether it shall go on.
pub(super) struct End<'a> {
    sender: Sender,
    receiver: Receiver,
    plan: Plan,
    go_on: &'a dyn Fn() -> Result<(), Failure>,
    payload: Vec<u8>,
}

impl<'a> End<'a> {
    /// The waits of `link` become slices, after each of which `go_on` is asked.
    pub(super) fn new(link: Link, plan: Plan, go_on: &'a dyn Fn() -> Result<(), Failure>) -> Self {
        let (mut sender, mut receiver) = link.split();
        sender.set_timeout(SLICE);
        receiver.set_timeout(SLICE);
        Self { sender, receiver, plan, go_on, payload: vec![0x5a; plan.size] }
    }

    /// Sends message `number`.
    pub(super) fn send(&mut self, number: u64) -> Result<(), Failure> {
        self.payload[..8].copy_from_slice(&number.to_le_bytes());
        loop {
            match self.sender.send(&self.payload) {
                Err(SendError::Timeout) => (self.go_on)()?,
                outcome => return outcome.map_err(Failure::write),
            }
        }
    }

    /// Receives message `number`.
    pub(super) fn receive(&mut self, number: u64) -> Result<(), Failure> {
        loop {
            match self.receiver.recv() {
                Ok(message) => return check(&message, number, self.plan.size),
                Err(RecvError::Timeout) => (self.go_on)()?,
                Err(error) => return Err(Failure::read(error)),
            }
        }
    }

    /// Sends all messages of the plan, in batches.
    pub(super) fn send_batches(&mut self) -> Result<(), Failure> {
        let (Plan { count, size, batch: most, .. }, mut next) = (self.plan, 0);
        while next < count {
            let most = usize::try_from((count - next).min(most.into())).unwrap_or(1);
            let mut batch = match self.sender.reserve_many(most) {
                Err(SendError::Timeout) => {
                    (self.go_on)()?;
                    continue;
                }
                batch => batch.map_err(Failure::write)?,
            };
            while !batch.is_empty() {
                self.payload[..8].copy_from_slice(&next.to_le_bytes());
                batch.buffer()[..size].copy_from_slice(&self.payload);
                batch.commit(size).map_err(Failure::write)?;
                next += 1;
            }
        }
        Ok(())
    }

    /// Receives all messages of the plan, in batches.
    pub(super) fn receive_batches(&mut self) -> Result<(), Failure> {
        let (Plan { count, size, batch: most, .. }, mut next) = (self.plan, 0);
        while next < count {
            let mut batch = match self.receiver.recv_many(most.into()) {
                Err(RecvError::Timeout) => {
                    (self.go_on)()?;
                    continue;
                }
                batch => batch.map_err(Failure::read)?,
            };
            while let Some(message) = batch.next() {
                check(message.map_err(Failure::read)?, next, size)?;
                next += 1;
            }
        }
        Ok(())
    }
}

fn check(message: &[u8], number: u64, size: usize) -> Result<(), Failure> {
    if message.len() == size && message.starts_with(&number.to_le_bytes()) {
        return Ok(());
    }
    Err(Failure::verify(format_args!("message {number} is another one, of {} bytes", message.len())))
}
