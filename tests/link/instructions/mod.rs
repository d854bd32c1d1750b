//! A process killed after any of its instructions: does the link go on as if it had not begun, or as if it had ended?
//!
//! All that survivors find of a process is what it left in the shared memory, and what the kernel did for it. So each
//! operation is run to its end twice: from system call to system call, and instruction by instruction where the memory
//! changed between two of them. That gives every state in which it can leave them. In each, processes are killed, and not
//! always right at the change.
//!
//! To kill at further instructions, say how many per case in `STRAIT_TEST_KILLS`; a number larger than an operation has
//! instructions takes each of them.

mod batches;
mod joining;
mod messages;

use core::ops::Range;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

use strait::hqq::{RecvError, SendError};
use strait_tests::objects;
use strait_tests::traced::Traced;

use super::*;

/// A link with a victim to be: its other side, and perhaps its own, are in this process.
struct Scene {
    case: Case,
    mate: Option<Link>,
    other: Option<Link>,
    name: TestName,
}

/// What is told to the victim, and what must be true after it was killed in the middle of it.
struct Operation {
    test: &'static str,
    prepare: fn(&mut Scene) -> Peer,
    command: fn(&Scene) -> String,
    check: fn(&mut Scene, Instant, &mut Times),
    /// Slots of each direction.
    slots: u64,
    /// In how many of the cases it is played: 2, 4 or 8.
    cases: usize,
    /// In how many of those a process is killed in one and the same state.
    often: usize,
}

/// Where a process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    /// System calls that it has made.
    calls: u64,
    /// Changes of the memory since the last of them.
    changes: u64,
    /// Instructions since the last of those.
    steps: u64,
}

/// What a process does to the memory between two system calls.
#[derive(Debug)]
struct Stretch {
    /// System calls before.
    calls: u64,
    /// The bytes that it changes lie within.
    range: Range<usize>,
    /// Instructions before each change, from the one before, or the system call; the last one's state lasts at least 1.
    steps: Vec<u64>,
}

/// What an operation does when it is not disturbed.
#[derive(Debug, Default)]
struct Course {
    /// System calls.
    calls: u64,
    stretches: Vec<Stretch>,
}

impl Scene {
    fn new(test: &str, case: Case, slots: u64) -> Self {
        let name = TestName::new(test);
        let other = Some(create(&name, case.side.other(), case.profile, slots));
        let mate = case.company.then(|| open(&name, case.side));
        Self { case, mate, other, name }
    }

    /// A process on the victim's side.
    fn victim(&self) -> Peer {
        let mut victim = peer();
        victim.ok(&format!("open {} {}", self.case.side, &*self.name));
        victim
    }

    /// A survivor on the victim's side, which comes now if it was not there, and one on the other.
    fn survivors(&mut self) -> (&mut Link, &mut Link) {
        let mate = self.mate.get_or_insert_with(|| open(&self.name, self.case.side));
        (mate, self.other.as_mut().expect("there from the start"))
    }

    fn other(&mut self) -> &mut Link {
        self.other.as_mut().expect("there from the start")
    }

    /// Survivors use the victim's ring to its end and further; the messages of the victim that arrive first.
    fn send_on(&mut self, killed: Instant, times: &mut Times) -> Vec<String> {
        let (mate, other) = self.survivors();
        let mut victims = Vec::new();
        for number in 1..=2 * SLOTS + 1 {
            let text = format!("mate-{number}");
            send(mate, &text);
            loop {
                let found = receive(other);
                if found == text {
                    break;
                }
                assert_eq!(number, 1, "what the victim sent comes first, not {found:?}");
                victims.push(found);
            }
            if number == 1 {
                times.since(killed);
            }
        }
        expect_empty(other);
        victims
    }

    /// Survivors use the ring that the victim received from to its end and further: of `unread`, which stand in it, the
    /// first may be lost, up to `lost`.
    fn receive_on(&mut self, unread: &[&str], lost: usize, killed: Instant, times: &mut Times) {
        let (mate, other) = self.survivors();
        let mut received = Vec::new();
        if unread.len() as u64 == SLOTS {
            // There may be no room for another.
            received.push(receive(mate));
            times.since(killed);
        }
        let news: Vec<String> = (1..=2 * SLOTS + 1).map(|number| format!("other-{number}")).collect();
        for text in &news {
            send(other, text);
            received.push(receive(mate));
            if received.len() == 1 {
                times.since(killed);
            }
        }
        // At most what stood there before.
        while received.last() != news.last() {
            received.push(receive(mate));
        }
        let sent: Vec<String> = unread.iter().map(|text| (*text).to_owned()).chain(news).collect();
        let missing = sent.len().saturating_sub(received.len());
        assert!(missing <= lost, "{received:?}");
        assert_eq!(received, sent[missing..], "the rest in order, each once");
        expect_empty(mate);
    }
}

#[track_caller]
fn expect_empty(link: &mut Link) {
    let outcome = link.receiver().try_recv();
    assert!(matches!(outcome, Err(RecvError::Empty)), "{outcome:?}");
}

/// Has somebody announce to sleep until there is something to receive, and give up.
fn give_up_receiving(link: &mut Link) {
    while !is_awaited(link, link.side().other(), Awaited::Data) {
        let outcome = link.receiver().recv_timeout(Duration::from_millis(1));
        assert!(matches!(outcome, Err(RecvError::Timeout)), "{outcome:?}");
    }
}

/// The same for somebody who cannot send.
fn give_up_sending(link: &mut Link) {
    while !is_awaited(link, link.side(), Awaited::Space) {
        let outcome = link.sender().reserve_timeout(Duration::from_millis(1));
        assert!(matches!(outcome, Err(SendError::Timeout)), "{outcome:?}");
    }
}

/// The memory of a link, looked at from outside.
struct Watch {
    file: Option<File>,
    range: Range<usize>,
    bytes: Vec<u8>,
    before: Vec<u8>,
}

impl Watch {
    /// All of it, or as much as `range` says; nothing of a link that has no name.
    fn new(name: &str, range: Option<Range<usize>>) -> Self {
        let file = File::open(objects::segment(name)).ok();
        let len = file.as_ref().map_or(0, |file| file.metadata().expect("of a file").len());
        let range = range.unwrap_or(0..usize::try_from(len).expect("small"));
        let mut watch = Self { file, bytes: vec![0; range.len()], before: Vec::new(), range };
        watch.read();
        watch.before.clone_from(&watch.bytes);
        watch
    }

    fn read(&mut self) {
        if let Some(file) = &self.file {
            file.read_exact_at(&mut self.bytes, self.range.start as u64).expect("as long as it was");
        }
    }

    /// Where it is another one than at the last look.
    fn change(&mut self) -> Option<Range<usize>> {
        self.read();
        if self.bytes == self.before {
            return None;
        }
        let mut differ = (0..self.bytes.len()).filter(|at| self.bytes[*at] != self.before[*at]);
        let first = self.range.start + differ.next().expect("they differ");
        let last = differ.last().map_or(first, |at| self.range.start + at);
        core::mem::swap(&mut self.bytes, &mut self.before);
        Some(first..last + 1)
    }
}

impl Position {
    /// Brings a process there that begins now, or to its end if that comes first.
    fn reach(self, traced: &Traced, name: &str, course: &Course) {
        let arrived = (0..self.calls).all(|_| traced.call());
        let stretch = course.stretches.iter().find(|stretch| stretch.calls == self.calls);
        if let Some(stretch) = stretch.filter(|_| arrived) {
            let mut watch = Watch::new(name, Some(stretch.range.clone()));
            // Counted by what they do: how many instructions it takes to read a number depends on the number.
            for _ in 0..self.changes {
                while traced.step() && watch.change().is_none() {}
            }
            let _ = (0..self.steps).all(|_| traced.step());
        }
    }
}

/// Lets a process leave in order that has done what it was told.
fn finish(traced: Traced) {
    let mut peer = traced.go();
    peer.answer_ok();
    peer.exit();
}

impl Operation {
    fn begin(&self, case: Case) -> (Scene, Traced) {
        let mut scene = Scene::new(self.test, case, self.slots);
        let victim = (self.prepare)(&mut scene);
        let traced = Traced::begin(victim, &(self.command)(&scene));
        (scene, traced)
    }

    fn course(&self, case: Case) -> Course {
        let mut course = Course::default();
        // System calls after which the memory changes before the next one.
        let mut changing = Vec::new();
        let (scene, traced) = self.begin(case);
        loop {
            let mut watch = Watch::new(&scene.name, None);
            let more = traced.call();
            if watch.change().is_some() {
                changing.push(course.calls);
            }
            if !more {
                break;
            }
            course.calls += 1;
        }
        finish(traced);
        drop(scene);

        let (scene, traced) = self.begin(case);
        let mut calls = 0;
        for after in changing {
            while calls < after && traced.call() {
                calls += 1;
            }
            course.stretches.extend(stretch(calls, &traced, Watch::new(&scene.name, None)));
        }
        while traced.call() {}
        finish(traced);
        course
    }

    /// Where to kill in the `nth` of the cases.
    fn positions(&self, course: &Course, nth: usize) -> Vec<Position> {
        // Whether it is this case's turn.
        let turn = |at: usize, often: usize| (at + nth) % self.cases < often;
        let calls = (0..=course.calls).zip(0..).filter(|(_, at)| turn(*at, 1));
        let mut positions: Vec<Position> =
            calls.map(|(calls, _)| Position { calls, changes: 0, steps: 0 }).collect();
        let states = course.stretches.iter().flat_map(|stretch| (1..=stretch.steps.len()).map(move |to| (stretch, to)));
        for (_, (stretch, changes)) in states.enumerate().filter(|(at, _)| turn(*at, self.often)) {
            // The state lasts to the next change: not always its first instruction.
            let lasts = stretch.steps.get(changes).copied().unwrap_or(1);
            let steps = lasts * nth as u64 / self.cases as u64;
            positions.push(Position { calls: stretch.calls, changes: changes as u64, steps });
        }
        let more = std::env::var("STRAIT_TEST_KILLS").ok().and_then(|text| text.parse::<u64>().ok());
        for stretch in course.stretches.iter().filter(|_| more.is_some()) {
            let all: u64 = stretch.steps.iter().sum();
            let stride = usize::try_from(all.div_ceil(more.unwrap_or(1).max(1))).expect("small").max(1);
            let steps = (nth as u64 % stride as u64..=all).step_by(stride);
            positions.extend(steps.map(|steps| Position { calls: stretch.calls, changes: 0, steps }));
        }
        positions.sort_unstable();
        positions.dedup();
        positions
    }

    /// Kills a process in every state.
    fn kill_everywhere(&self) {
        let mut times = Times::new(self.test);
        for (nth, case) in cases().into_iter().take(self.cases).enumerate() {
            let course = self.course(case);
            for position in self.positions(&course, nth) {
                // Shown if the test fails.
                println!("{case:?}, {position:?} of {course:?}");
                let (mut scene, traced) = self.begin(case);
                position.reach(&traced, &scene.name, &course);
                let killed = Instant::now();
                traced.kill();
                (self.check)(&mut scene, killed, &mut times);
            }
        }
    }
}

/// Runs `traced` to its next system call, or its end; what it did to the memory, if anything.
fn stretch(calls: u64, traced: &Traced, mut watch: Watch) -> Option<Stretch> {
    let mut stretch = Stretch { calls, range: usize::MAX..0, steps: Vec::new() };
    let mut steps = 0;
    while !traced.is_before_a_call() && traced.step() {
        steps += 1;
        if let Some(changed) = watch.change() {
            stretch.range = stretch.range.start.min(changed.start)..stretch.range.end.max(changed.end);
            stretch.steps.push(core::mem::take(&mut steps));
        }
    }
    (!stretch.steps.is_empty()).then_some(stretch)
}
