//! The two ends of a link at work, and between any two of their steps a peer that keeps no rule; or any bytes as a link.
//!
//! As long as that peer has done nothing, every message must arrive as it was sent, whoever is killed.

use std::collections::VecDeque;

use strait_core::hqq::packet::{Operation, Packet};
use strait_core::hqq::{
    Creation, ErrorCode, Expected, Geometry, Inspection, Link, Profile, RecvError, Role, Side,
};
use strait_core::name::Name;
use strait_core::platform::{Access, Platform as _, Segment as _};
use strait_core::testing::{FakePlatform, HeapSegment};
use strait_core::time::{Deadline, Instant};

use crate::bytes::Bytes;

const NAME: &str = "hostile";
/// Most steps of one input.
const STEPS: usize = 400;
/// Processes of the fake system have numbers below 1000.
const LAST_PID: u64 = 900;
/// A deadline that is over: nothing waits.
const AT_ONCE: Deadline = Deadline::At(Instant::from_nanos(0));

type Ends = Link<FakePlatform>;

/// The first byte says what the link looks like; the rest are steps, or the bytes of a whole segment.
pub fn hqq_segment(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let look = bytes.u8();
    if look >= 0xf0 {
        return any_bytes(data.get(1..).unwrap_or_default());
    }
    let profile = if look.is_multiple_of(2) { Profile::Superblock } else { Profile::Seed };
    let (slots, slot_len) = (2 << (look >> 1 & 3), 8 << (look >> 3 & 3));
    let mut play = Play::new(Geometry::new(slots, slot_len, 64, profile).expect("possible"));
    for _ in 0..STEPS {
        if bytes.is_empty() {
            break;
        }
        play.step(&mut bytes);
    }
    play.end();
}

/// `data` are a segment that nobody of us has made.
fn any_bytes(data: &[u8]) {
    let system = FakePlatform::new();
    let segment = system.create_segment(&name(), data.len().max(64), Access::default()).expect("created");
    segment.scribble(0, data);
    for slot_len in [None, Some(8), Some(64)] {
        let expected = Expected { slot_len, ..Expected::default() };
        for role in [Role::Auto, Role::Primary, Role::Secondary] {
            let Some(mut link) = open(&system, 2, expected, role) else { continue };
            let mut messages = [const { VecDeque::new() }; 2];
            for _ in 0..3 {
                send(&mut link, b"x", &mut messages[0], true);
                receive(&mut link, &segment, &mut messages[1], true);
            }
            let _ = link.producer.recover_side(Side::Primary);
        }
    }
}

/// Opens the link if it is one: `Link::open` would wait a second for its creator.
fn open(system: &FakePlatform, pid: u64, expected: Expected, role: Role) -> Option<Ends> {
    let inspection = Inspection::of(&system.open_segment(&name()).ok()?, expected).ok()?;
    for side in [Side::Primary, Side::Secondary] {
        let _ = inspection.ring(side);
    }
    let _ = (inspection.participants().count(), inspection.is_kept(), inspection.has_strangers());
    Link::open(system.process(pid), &name(), expected, role).ok()
}

fn name() -> Name {
    Name::new(NAME).expect("valid")
}

/// Messages sent and not yet received, in the order of a direction.
type Messages = VecDeque<Vec<u8>>;

fn send(link: &mut Ends, message: &[u8], messages: &mut Messages, is_hostile: bool) {
    let outcome = link.producer.send(message, AT_ONCE);
    if outcome.is_ok() {
        messages.push_back(message.to_vec());
    }
    if !is_hostile {
        use strait_core::hqq::SendError::{Empty, Timeout, TooLong};
        assert!(matches!(outcome, Ok(()) | Err(Timeout | Empty | TooLong { .. })), "{outcome:?}");
    }
}

/// What is lent lies inside the segment.
fn check_inside(segment: &HeapSegment, bytes: &[u8]) {
    let start = bytes.as_ptr().addr() - segment.base().as_ptr().addr();
    assert!(start + bytes.len() <= segment.len());
}

fn receive(link: &mut Ends, segment: &HeapSegment, messages: &mut Messages, is_hostile: bool) {
    match link.consumer.recv(AT_ONCE) {
        Ok(slot) => {
            check_inside(segment, &slot);
            let wanted = messages.pop_front();
            assert!(is_hostile || wanted.as_deref() == Some(&*slot), "{wanted:?}");
        }
        Err(error) => {
            assert!(is_hostile || error == RecvError::Timeout, "{error}");
            assert!(is_hostile || messages.is_empty(), "{messages:?}");
        }
    }
}

/// One end and the process that has it.
struct End {
    link: Option<Ends>,
    pid: u64,
    /// Whether a message was claimed by `keep`.
    keeps: bool,
}

struct Play {
    system: FakePlatform,
    segment: HeapSegment,
    geometry: Geometry,
    /// The primary and the secondary.
    ends: [End; 2],
    next_pid: u64,
    /// Killed ones: they leave nothing in order while anybody looks.
    killed: Vec<Ends>,
    /// From the primary, and from the secondary.
    messages: [Messages; 2],
    /// Numbers the messages.
    sent: u8,
    /// The peer has touched something.
    is_hostile: bool,
}

impl Play {
    fn new(geometry: Geometry) -> Self {
        let system = FakePlatform::new();
        let creation = Creation {
            geometry,
            access: Access::default(),
            role: Role::Primary,
            strangers: false,
            keep: false,
        };
        let primary = Link::create(system.clone(), &name(), creation).expect("the system is empty");
        let secondary = open(&system, 2, Expected::default(), Role::Secondary);
        assert!(secondary.is_some());
        let end = |link, pid| End { link, pid, keeps: false };
        Self {
            segment: system.segment(NAME),
            system,
            geometry,
            ends: [end(Some(primary), 1), end(secondary, 2)],
            next_pid: 3,
            killed: Vec::new(),
            messages: [const { VecDeque::new() }; 2],
            sent: 0,
            is_hostile: false,
        }
    }

    fn step(&mut self, bytes: &mut Bytes<'_>) {
        let step = bytes.u8();
        let end = usize::from(step >> 7);
        match step % 22 {
            0..=2 => self.send(end, usize::from(bytes.u8())),
            3..=5 => self.receive(end),
            6 => self.send_batch(end, bytes),
            7 => self.receive_batch(end, usize::from(bytes.u8())),
            8 => self.give_up(end, bytes.u8()),
            9 => self.keep(end),
            10 => self.receive_packet(end),
            11 => self.another(end),
            12 => self.leave(end, false, bytes.u8()),
            13 | 14 => self.leave(end, true, bytes.u8()),
            15 => self.look(end),
            16 => self.send_packet(end, bytes),
            17 => self.visit(),
            18 => self.scribble_bytes(bytes),
            19 => self.recover_side(end),
            _ => self.scribble_word(bytes),
        }
    }

    fn slot_len(&self) -> usize {
        usize::try_from(self.geometry.slot_len()).expect("small")
    }

    /// The next message, of another content than the one before.
    fn message(&mut self, len: usize) -> Vec<u8> {
        self.sent = self.sent.wrapping_add(1);
        vec![self.sent; len]
    }

    fn send(&mut self, end: usize, len: usize) {
        // One byte too long as well.
        let message = self.message(len % (self.slot_len() + 2));
        let Some(link) = &mut self.ends[end].link else { return };
        send(link, &message, &mut self.messages[end], self.is_hostile);
    }

    fn receive(&mut self, end: usize) {
        self.ends[end].keeps = false;
        let Some(link) = &mut self.ends[end].link else { return };
        receive(link, &self.segment, &mut self.messages[1 - end], self.is_hostile);
    }

    fn send_batch(&mut self, end: usize, bytes: &mut Bytes<'_>) {
        let (most, commits) = (usize::from(bytes.u8()), usize::from(bytes.u8() % 8));
        let sent = self.sent;
        self.sent = sent.wrapping_add(8);
        let Some(link) = &mut self.ends[end].link else { return };
        // What the peer has written, for an end that has come since.
        let geometry = link.geometry();
        let slot_len = usize::try_from(geometry.slot_len()).expect("inside the segment");
        let Ok(mut batch) = link.producer.reserve_many(most, AT_ONCE) else { return };
        let count = batch.len();
        assert!(count <= most.max(1) && count as u64 <= geometry.slots());
        for (at, mark) in (0..commits.min(count)).zip(sent..=u8::MAX) {
            let len = 1 + at % slot_len;
            assert_eq!(batch.buffer().len(), slot_len);
            batch.buffer()[..len].fill(mark);
            batch.commit(len).expect("a slot is left");
            self.messages[end].push_back(vec![mark; len]);
        }
    }

    fn receive_batch(&mut self, end: usize, most: usize) {
        self.ends[end].keeps = false;
        let Some(link) = &mut self.ends[end].link else { return };
        let Ok(mut batch) = link.consumer.recv_many(most, AT_ONCE) else { return };
        assert!(batch.len() <= most.max(1));
        while let Some(message) = batch.next() {
            match message {
                Ok(bytes) => {
                    check_inside(&self.segment, bytes);
                    let wanted = self.messages[1 - end].pop_front();
                    assert!(self.is_hostile || wanted.as_deref() == Some(bytes), "{wanted:?}");
                }
                Err(error) => assert!(self.is_hostile, "{error}"),
            }
        }
    }

    fn give_up(&mut self, end: usize, how: u8) {
        let Some(link) = &mut self.ends[end].link else { return };
        let Ok(mut slot) = link.producer.try_reserve() else { return };
        check_inside(&self.segment, &slot);
        slot.fill(how);
        match how % 4 {
            0 => drop(slot),
            1 => slot.abort(ErrorCode(u64::from(how))),
            2 => drop(slot.commit(0)),
            _ => {
                let len = slot.len() + 1;
                assert!(slot.commit(len).is_err());
            }
        }
    }

    fn keep(&mut self, end: usize) {
        let Some(link) = &mut self.ends[end].link else { return };
        let _ = link.producer.keep();
        // What it takes is the next message, and stays so.
        self.ends[end].keeps = link.consumer.keep().is_ok();
    }

    fn receive_packet(&mut self, end: usize) {
        self.ends[end].keeps = false;
        let profile = self.geometry.profile();
        let Some(link) = &mut self.ends[end].link else { return };
        let Ok((packet, slot)) = link.consumer.recv_packet(AT_ONCE) else { return };
        check_inside(&self.segment, &slot);
        let message = match packet.parse(profile) {
            Ok(Operation::Copy { len: 1.., .. }) => self.messages[1 - end].pop_front(),
            _ => None,
        };
        let wanted = message.unwrap_or_default();
        assert!(self.is_hostile || slot.starts_with(&wanted), "{wanted:?}");
    }

    fn another(&mut self, end: usize) {
        let message = self.message(3);
        let Some(link) = &mut self.ends[end].link else { return };
        // A slot taken by `keep` comes before those of another handle, whenever it is filled.
        drop(link.producer.try_reserve());
        let mut producer = link.producer.another();
        if producer.send(&message, AT_ONCE).is_ok() {
            self.messages[end].push_back(message);
        }
        drop(link.consumer.another());
    }

    /// Leaves in order, or is killed, perhaps with slots in its hands; another process takes its place.
    fn leave(&mut self, end: usize, killed: bool, held: u8) {
        let Some(mut link) = self.ends[end].link.take() else { return self.enter(end) };
        let killed = killed && self.next_pid < LAST_PID;
        if killed {
            let mut lost = self.ends[end].keeps;
            if held & 1 == 1 {
                let _ = link.producer.reserve_many(usize::from(held >> 4), AT_ONCE).map(core::mem::forget);
            }
            if held & 2 == 2 {
                lost = link.consumer.try_recv().map(core::mem::forget).is_ok();
            }
            if lost {
                self.messages[1 - end].pop_front();
            }
            self.system.kill(self.ends[end].pid);
            self.killed.push(link);
            self.ends[end].pid = self.next_pid;
            self.next_pid += 1;
        } else {
            if self.ends[end].keeps {
                self.messages[1 - end].pop_front();
            }
            drop(link);
        }
        self.ends[end].keeps = false;
        self.enter(end);
    }

    /// What dead ones held is given back.
    fn enter(&mut self, end: usize) {
        let role = [Role::Primary, Role::Secondary][end];
        self.ends[end].link = open(&self.system, self.ends[end].pid, Expected::default(), role);
        assert!(self.is_hostile || self.ends[end].link.is_some());
    }

    fn look(&mut self, end: usize) {
        let Some(link) = &mut self.ends[end].link else { return };
        let settled = (link.producer.recover(), link.consumer.recover());
        assert!(self.is_hostile || settled == (true, true));
        link.consumer.recover_if_stuck();
        let _ = (link.producer.counts(), link.consumer.counts(), link.producer.recovered_in_all());
        let living = link.producer.living(Side::Primary) + link.producer.living(Side::Secondary);
        assert!(self.is_hostile || living == 4);
        if let Ok(inspection) = Inspection::of(&self.segment, Expected::default()) {
            for side in [Side::Primary, Side::Secondary] {
                let state = inspection.ring(side);
                assert!(self.is_hostile || state.odd == 0, "{state:?}");
            }
        }
    }

    /// Publishes a packet of any words: wrong ones are the peer's work.
    fn send_packet(&mut self, end: usize, bytes: &mut Bytes<'_>) {
        let slots = self.geometry.slots();
        let packet = Packet([
            u64::from(bytes.u8()),
            bytes.value(slots),
            bytes.value(slots),
            bytes.value(64),
            0,
            0,
            0,
            0,
        ]);
        let Some(link) = &mut self.ends[end].link else { return };
        if let Ok(slot) = link.producer.try_reserve() {
            self.is_hostile = true;
            slot.commit_packet(packet);
        }
    }

    /// A third one comes and goes.
    fn visit(&mut self) {
        let link = open(&self.system, LAST_PID + 1, Expected::default(), Role::Auto);
        let side = link.as_ref().map(Ends::side);
        assert!(self.is_hostile || side == Some(Side::Secondary), "{side:?}");
    }

    /// As for a side that is vouched to be dead; it is not.
    fn recover_side(&mut self, end: usize) {
        self.is_hostile = true;
        let Some(link) = &mut self.ends[end].link else { return };
        let _ = link.producer.recover_side(link.side().other());
    }

    fn scribble_word(&mut self, bytes: &mut Bytes<'_>) {
        self.is_hostile = true;
        let words = self.segment.len() / 8;
        let plan = self.geometry.plan();
        let at = usize::from(bytes.u8());
        // Control words more often than all the rest.
        let word = match at % 8 {
            0 => at >> 3 & 7,
            1 => plan.rings[0] / 8 + [0, 1, 2, 3, 16][(at >> 3) % 5],
            2 => plan.rings[1] / 8 + [0, 1, 2, 3, 16][(at >> 3) % 5],
            3 => plan.rings[0] / 8 + 32 + usize::from(bytes.u8()) % 144,
            4 => plan.rings[1] / 8 + 32 + usize::from(bytes.u8()) % 144,
            5 => plan.layout_len / 8 + usize::from(bytes.u8()) % 96,
            _ => usize::from(bytes.u16()),
        };
        let value = bytes.value(self.geometry.slots());
        self.segment.scribble_u64(word % words * 8, value);
    }

    fn scribble_bytes(&mut self, bytes: &mut Bytes<'_>) {
        self.is_hostile = true;
        let at = usize::from(bytes.u16()) % (self.segment.len() - 8);
        let value = bytes.value(self.geometry.slot_len());
        self.segment.scribble(at, &value.to_le_bytes());
    }

    /// Everything that was sent comes, and nothing is left.
    fn end(mut self) {
        for end in 0..2 {
            // Bounded: nobody sends any more. In a hostile ring there are at most as many messages, or errors.
            for _ in 0..2 * self.geometry.slots() {
                self.receive(end);
            }
        }
        assert!(self.is_hostile || self.messages.iter().all(VecDeque::is_empty), "{:?}", self.messages);
        drop(self.ends);
        assert!(self.is_hostile || self.system.leftovers().is_empty());
    }
}
