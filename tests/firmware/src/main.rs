//! Do frames and messages cross between an interrupt handler and the main loop, on bare metal and without an allocator?
//!
//! First a ring, then a link (`link`).
//!
//! The SysTick handler writes frames of every length until the ring refuses one; the main loop sleeps until they come,
//! checks every byte, and prints what was counted. It exits with success only if everything agrees.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

mod clock;
mod link;
mod pattern;
mod permits;

use core::cell::{Cell, RefCell};
use core::time::Duration;

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::{debug, hprintln};
use critical_section::Mutex;
use panic_semihosting as _;
use strait_core::platform::Clock as _;
use strait_core::shm::StaticSegment;
use strait_core::time::Deadline;
use strait_core::zerobuffer::local::{self, ReserveError};

use clock::Ticks;
use permits::Permits;

/// Frames to send: some 23 000 laps of the ring. A lock that a handler must not wait for was found in so many, not in a
/// tenth of them.
const FRAMES: u64 = 200_000;
/// Frames that the handler sends per tick at most. The ring holds fewer of average length.
const BURST: u32 = 12;
/// The main loop is busy for some ticks after so many frames, so that the ring fills.
const BUSY_EVERY: u64 = 250;
const BUSY_TICKS: u64 = 3;
/// Longest wait for a frame. The handler sends some with every tick.
const PATIENCE: Duration = Duration::from_secs(10);

/// 128 bytes of control words and a ring of 1 KiB.
static MEMORY: StaticSegment<1152> = StaticSegment::new();
static DATA_READY: Permits = Permits::new();
static SPACE_FREE: Permits = Permits::new();

type Writer = local::Writer<&'static StaticSegment<1152>, &'static Permits>;

/// The handler's end, put there by `main` before the first tick.
static WRITER: Mutex<RefCell<Option<Writer>>> = Mutex::new(RefCell::new(None));
/// What the handler counted.
static SENT: Mutex<Cell<Sent>> = Mutex::new(Cell::new(Sent { frames: 0, bytes: 0, refused: 0, wraps: 0 }));

/// What the handler counted.
#[derive(Clone, Copy, Debug)]
struct Sent {
    frames: u64,
    bytes: u64,
    /// Times the ring was full.
    refused: u64,
    wraps: u64,
}

#[exception]
fn SysTick() {
    Ticks::advance();
    critical_section::with(|cs| {
        if let Some(writer) = WRITER.borrow_ref_mut(cs).as_mut() {
            SENT.borrow(cs).set(produce(writer, SENT.borrow(cs).get()));
        }
    });
    link::tick();
}

/// Sends frames until the burst is over, the ring is full, or all are sent. What was refused is sent by a later tick.
fn produce(writer: &mut Writer, mut sent: Sent) -> Sent {
    for _ in 0..BURST {
        let sequence = sent.frames + 1;
        if sequence > FRAMES {
            break;
        }
        match writer.try_reserve(pattern::len(sequence)) {
            Ok(mut frame) => {
                pattern::fill(sequence, &mut frame);
                sent.bytes += frame.len() as u64;
                match frame.commit() {
                    Ok(number) => assert_eq!(number, sequence),
                    Err(error) => panic!("commit: {error}"),
                }
                sent.frames = sequence;
            }
            Err(ReserveError::Full { .. }) => {
                sent.refused += 1;
                break;
            }
            Err(error) => panic!("reserve: {error}"),
        }
    }
    Sent { wraps: writer.counters().wraps, ..sent }
}

#[entry]
fn main() -> ! {
    let (writer, mut reader) =
        local::split(&MEMORY, &DATA_READY, &SPACE_FREE).expect("split for the first time");
    let again = local::split(&MEMORY, &DATA_READY, &SPACE_FREE).map(drop);
    assert_eq!(again, Err(local::SplitError::Locked), "a static is a ring once");
    critical_section::with(|cs| WRITER.replace(cs, Some(writer)));

    let mut syst = cortex_m::Peripherals::take().expect("taken for the first time").SYST;
    syst.set_clock_source(SystClkSource::Core);
    syst.set_reload(clock::CYCLES_PER_TICK - 1);
    syst.clear_current();
    syst.enable_counter();
    syst.enable_interrupt();

    let (mut received, mut bytes) = (0, 0);
    while received < FRAMES {
        let deadline = Deadline::At(Ticks.now().saturating_add(PATIENCE));
        let frame = match reader.recv(&Ticks, deadline) {
            Ok(Some(frame)) => frame,
            Ok(None) => panic!("no frame came in {PATIENCE:?} after {received}"),
            Err(error) => panic!("receive: {error}"),
        };
        received += 1;
        assert_eq!(frame.sequence(), received, "frames come in order");
        assert!(pattern::is(received, &frame), "frame {received} has bytes of its own");
        bytes += frame.len() as u64;
        drop(frame);
        if received.is_multiple_of(BUSY_EVERY) {
            Ticks::sleep(BUSY_TICKS);
        }
    }
    // Nothing is left: this wait ends by the clock.
    let deadline = Ticks.now().saturating_add(Duration::from_millis(20));
    let left = reader.recv(&Ticks, Deadline::At(deadline)).expect("an empty ring is sound").is_some();
    let on_time = Ticks.now() >= deadline;
    critical_section::with(|cs| WRITER.take(cs));

    let (sent, read) = (critical_section::with(|cs| SENT.borrow(cs).get()), reader.counters());
    hprintln!("sent {}", sent.frames);
    hprintln!("received {}", received);
    hprintln!("bytes sent {}", sent.bytes);
    hprintln!("bytes received {}", bytes);
    hprintln!("refused {}", sent.refused);
    hprintln!("wraps {}", read.wraps);
    hprintln!("waits {}", read.waits);
    hprintln!("sleeps {}", read.sleeps);
    let crossed = link::run(&mut syst);
    hprintln!("ticks {}", Ticks::count());
    let agreed = sent.frames == received && sent.bytes == bytes && sent.wraps == read.wraps;
    let exercised = sent.refused > 0 && read.wraps > 0 && read.sleeps > 0;
    let counted = read.frames == received && read.bytes == bytes;
    debug::exit(match agreed && exercised && counted && crossed && !left && on_time {
        true => debug::EXIT_SUCCESS,
        false => debug::EXIT_FAILURE,
    });
    panic!("the debugger lets the program go on");
}
