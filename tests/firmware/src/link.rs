//! Do messages cross a link between an interrupt handler and the main loop, both ways at once?
//!
//! The handler sends numbered samples; the main loop checks each and answers it with a command, which the handler
//! checks. The main loop sends numbered notes through the ring of the samples too, so that the handler interrupts a
//! second sender. A message that is lost, repeated, changed or out of order ends the program with failure.

use core::cell::{Cell, RefCell};

use cortex_m::peripheral::SYST;
use cortex_m_semihosting::hprintln;
use critical_section::Mutex;
use strait_core::hqq::{Geometry, Profile, RecvError, SendError, local};
use strait_core::shm::StaticSegment;

use crate::clock::{self, Ticks};
use crate::pattern;

/// Samples per profile, and as many commands.
const SAMPLES: u64 = 100_000;
/// What the handler does per tick at most: fewer commands than samples, so that both rings fill at times.
const MOST_SAMPLES: u32 = 6;
const MOST_COMMANDS: u32 = 3;
/// The handler gives up a slot that it has reserved, once in so many ticks.
const GIVE_UP_EVERY: u64 = 16;
/// The main loop keeps a slot for some ticks, once in so many messages: one that it reads, and one that it fills.
const HOLD_EVERY: u64 = 1_000;
const HOLD_TICKS: u64 = 3;
/// Messages after which long ticks and short ones take turns. In a long one the main loop empties the ring and sleeps; in a
/// short one it is interrupted wherever it is.
const SPELL: u64 = 500;
/// Ticks without a message after which none will come.
const PATIENCE: u64 = 60_000;
/// In the number of a note.
const NOTE: u64 = 1 << 63;

/// Eight slots of 32 bytes per direction.
const fn geometry(profile: Profile) -> Geometry {
    match Geometry::new(8, 32, 64, profile) {
        Ok(geometry) => geometry,
        Err(_) => panic!("no such link"),
    }
}

/// Enough for the seed profile too, which has no superblock.
const LEN: usize = geometry(Profile::Superblock).plan().layout_len;
static SUPERBLOCK: StaticSegment<LEN> = StaticSegment::new();
static SEED: StaticSegment<LEN> = StaticSegment::new();

type End = local::End<&'static StaticSegment<LEN>>;
type Producer = local::Producer<&'static StaticSegment<LEN>>;

/// The handler's end, put there and taken away by the main loop.
static HANDLER: Mutex<RefCell<Option<Handler>>> = Mutex::new(RefCell::new(None));
/// The command whose slot the main loop has reserved and not committed.
static RESERVED: Mutex<Cell<Option<u64>>> = Mutex::new(Cell::new(None));

#[derive(Debug)]
struct Handler {
    end: End,
    sent: u64,
    /// Commands that came.
    answered: u64,
    /// Times the samples' ring was full.
    refused: u64,
    /// Ticks in which nothing came because the main loop was filling a slot.
    held: u64,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    samples_sent: u64,
    samples_received: u64,
    commands_sent: u64,
    commands_received: u64,
    notes: u64,
    /// Times a ring was full: for the handler, and for the main loop.
    samples_refused: u64,
    commands_refused: u64,
    held: u64,
    /// Slots that the handler gave up, and those that the main loop passed over.
    given_up: u64,
    passed_over: u64,
}

/// Writes sample `number`, 8 to 32 bytes; returns how many.
fn sample(number: u64, slot: &mut [u8]) -> usize {
    let len = 8 + (number * 7 % 25) as usize;
    let (head, rest) = slot[..len].split_at_mut(8);
    head.copy_from_slice(&number.to_le_bytes());
    pattern::fill(number, rest);
    len
}

/// Writes the command that answers a sample, 12 to 16 bytes: its number, and a sum of its bytes; returns how many. A slot's
/// next command has another length than its last one, so that a packet that is seen too early shows.
fn command(number: u64, sample: &[u8], slot: &mut [u8]) -> usize {
    let len = 12 + (number % 5) as usize;
    let sum = sample.iter().fold(0_u32, |sum, byte| sum.rotate_left(5) ^ u32::from(*byte));
    slot[..8].copy_from_slice(&number.to_le_bytes());
    slot[8..12].copy_from_slice(&sum.to_le_bytes());
    slot[12..len].fill(sum as u8);
    len
}

/// The handler's part: takes commands, then sends samples. What a full ring refuses is sent by a later tick.
pub(crate) fn tick() {
    critical_section::with(|cs| {
        if let Some(handler) = HANDLER.borrow_ref_mut(cs).as_mut() {
            handler.take_commands(RESERVED.borrow(cs).get());
            handler.send_samples();
        }
    });
}

impl Handler {
    fn take_commands(&mut self, reserved: Option<u64>) {
        for _ in 0..MOST_COMMANDS {
            match self.end.consumer.try_recv() {
                Ok(slot) => {
                    let number = self.answered + 1;
                    assert!(number <= self.sent, "command {number} answers no sample");
                    let (mut answered, mut expected) = ([0; 32], [0; 32]);
                    let len = sample(number, &mut answered);
                    let len = command(number, &answered[..len], &mut expected);
                    assert_eq!(*slot, expected[..len], "command {number}");
                    self.answered = number;
                }
                Err(RecvError::Empty) => {
                    if let Some(number) = reserved {
                        // We have interrupted a producer: all before its slot was there, and it is not yet.
                        assert_eq!(self.answered + 1, number, "commands before one that is not committed");
                        self.held += 1;
                    }
                    break;
                }
                Err(error) => panic!("command: {error}"),
            }
        }
    }

    fn send_samples(&mut self) {
        if Ticks::count().is_multiple_of(GIVE_UP_EVERY) {
            drop(self.end.producer.try_reserve());
        }
        for _ in 0..MOST_SAMPLES {
            let number = self.sent + 1;
            if number > SAMPLES {
                break;
            }
            match self.end.producer.try_reserve() {
                Ok(mut slot) => {
                    let len = sample(number, &mut slot);
                    slot.commit(len).expect("8 to 32 bytes fit");
                    self.sent = number;
                }
                Err(SendError::Full) => {
                    self.refused += 1;
                    break;
                }
                Err(error) => panic!("sample: {error}"),
            }
        }
    }
}

/// The main loop's part, for both profiles. Prints what was counted for both; whether it agrees.
pub(crate) fn run(timer: &mut SYST) -> bool {
    let mut counts = Counts::default();
    for (memory, profile) in [(&SUPERBLOCK, Profile::Superblock), (&SEED, Profile::Seed)] {
        let [primary, secondary] = local::split(memory, geometry(profile)).expect("split for the first time");
        let again = local::split(memory, geometry(profile)).err();
        assert_eq!(again, Some(local::SplitError::Locked), "a static is a link once");
        let notes = Notes { producer: primary.producer.another(), sent: 0, received: 0 };
        let handler = Handler { end: primary, sent: 0, answered: 0, refused: 0, held: 0 };
        critical_section::with(|cs| HANDLER.replace(cs, Some(handler)));
        answer(secondary, notes, timer, &mut counts);
    }
    hprintln!("samples sent {}", counts.samples_sent);
    hprintln!("samples received {}", counts.samples_received);
    hprintln!("samples refused {}", counts.samples_refused);
    hprintln!("commands sent {}", counts.commands_sent);
    hprintln!("commands received {}", counts.commands_received);
    hprintln!("commands refused {}", counts.commands_refused);
    hprintln!("notes {}", counts.notes);
    hprintln!("slots given up {}", counts.given_up);
    hprintln!("slots passed over {}", counts.passed_over);
    hprintln!("slots held {}", counts.held);
    let crossed =
        [counts.samples_sent, counts.samples_received, counts.commands_sent, counts.commands_received];
    let exercised = counts.samples_refused > 0 && counts.commands_refused > 0;
    let interrupted = counts.notes > 0 && counts.held > 0;
    crossed == [2 * SAMPLES; 4] && counts.given_up == counts.passed_over && exercised && interrupted
}

/// What the main loop sends to itself.
struct Notes {
    producer: Producer,
    sent: u64,
    received: u64,
}

impl Notes {
    /// Sends the next one, if there is room.
    fn send(&mut self) {
        match self.producer.try_send(&(NOTE | (self.sent + 1)).to_le_bytes()) {
            Ok(()) => self.sent += 1,
            Err(SendError::Full) => {}
            Err(error) => panic!("note: {error}"),
        }
    }

    /// Whether `message` is a note; then it is the next one.
    fn take(&mut self, message: &[u8]) -> bool {
        let number = message.first_chunk().map_or(0, |head| u64::from_le_bytes(*head));
        if number & NOTE == 0 {
            return false;
        }
        self.received += 1;
        assert_eq!((number ^ NOTE, message.len()), (self.received, 8), "note");
        true
    }
}

/// Processor cycles per tick around message `number`. Short ones are of every length: a fixed one might fall on the same
/// instructions again and again.
fn cycles(number: u64) -> u32 {
    match (number / SPELL).is_multiple_of(2) {
        true => clock::CYCLES_PER_TICK,
        false => 50 + (number as u32).wrapping_mul(0x9e37_79b9) % 256,
    }
}

fn answer(mut end: End, mut notes: Notes, timer: &mut SYST, counts: &mut Counts) {
    let mut idle = 0;
    let mut number = 1;
    while number <= SAMPLES {
        let slot = match end.consumer.try_recv() {
            Ok(slot) => slot,
            Err(RecvError::Empty) => {
                idle += 1;
                assert!(idle < PATIENCE, "sample {number} does not come");
                Ticks::sleep(1);
                continue;
            }
            Err(error) => panic!("sample: {error}"),
        };
        if notes.take(&slot) {
            continue;
        }
        let mut expected = [0; 32];
        let len = sample(number, &mut expected);
        assert_eq!(*slot, expected[..len], "sample {number}");
        if number.is_multiple_of(HOLD_EVERY) {
            // The handler comes round to this slot, and must leave it alone.
            Ticks::sleep(HOLD_TICKS);
            assert_eq!(*slot, expected[..len], "sample {number} while it is read");
        }
        let len = command(number, &slot, &mut expected);
        drop(slot);
        send(&mut end, number, &expected[..len], counts);
        notes.send();
        timer.set_reload(cycles(number) - 1);
        (number, idle) = (number + 1, 0);
    }
    // The handler takes the last commands.
    let until = Ticks::count() + PATIENCE;
    let is_done = || {
        critical_section::with(|cs| {
            HANDLER.borrow_ref(cs).as_ref().is_none_or(|handler| handler.answered == SAMPLES)
        })
    };
    while !is_done() {
        assert!(Ticks::count() < until, "the last commands do not come");
        Ticks::sleep(1);
    }
    let mut handler = critical_section::with(|cs| HANDLER.take(cs)).expect("put there by `run`");
    while notes.received < notes.sent {
        let slot = end.consumer.try_recv().expect("a note was sent");
        assert!(notes.take(&slot), "one sample too many");
    }
    for consumer in [&mut end.consumer, &mut handler.end.consumer] {
        assert_eq!(consumer.try_recv().err(), Some(RecvError::Empty), "one message too many");
    }
    counts.samples_sent += handler.end.producer.counts().messages;
    counts.samples_received += end.consumer.counts().messages - notes.received;
    counts.notes += notes.received;
    counts.commands_sent += end.producer.counts().messages;
    counts.commands_received += handler.end.consumer.counts().messages;
    counts.samples_refused += handler.refused;
    counts.held += handler.held;
    counts.given_up += handler.end.producer.counts().tombstones;
    counts.passed_over += end.consumer.counts().tombstones;
}

/// Sends a command, sleeping while the ring is full.
fn send(end: &mut End, number: u64, command: &[u8], counts: &mut Counts) {
    for _ in 0..PATIENCE {
        match end.producer.try_reserve() {
            Ok(mut slot) => {
                slot[..command.len()].copy_from_slice(command);
                if number.is_multiple_of(HOLD_EVERY) {
                    critical_section::with(|cs| RESERVED.borrow(cs).set(Some(number)));
                    Ticks::sleep(HOLD_TICKS);
                    critical_section::with(|cs| RESERVED.borrow(cs).set(None));
                }
                return slot.commit(command.len()).expect("12 to 16 bytes fit");
            }
            Err(SendError::Full) => {
                counts.commands_refused += 1;
                Ticks::sleep(1);
            }
            Err(error) => panic!("command: {error}"),
        }
    }
    panic!("no room for command {number}");
}
