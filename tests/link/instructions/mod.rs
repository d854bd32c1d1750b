//! A process killed after any of its instructions: does the link go on as if it had not begun, or as if it had ended?
//!
//! All that survivors find of a process is what it left in the shared memory, and what the kernel did for it. So each
//! operation is run to its end twice: from system call to system call, and instruction by instruction where the memory
//! changed between two of them. That gives every state in which it can leave them. In each, processes are killed, and not
//! always right at the change.
//!
//! To kill at further instructions, say how many per case in `STRAIT_TEST_KILLS`; a number larger than an operation has
//! instructions takes each of them.

mod asleep;
mod batches;
mod joining;
mod links;
mod messages;
mod scene;
mod watch;

use core::ops::Range;

use strait_tests::traced::Traced;

use self::scene::Scene;
use self::watch::Watch;
use super::*;

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

impl Times {
    /// Of what was timed already.
    fn unheard() -> Self {
        Self::new("")
    }
}

impl Position {
    /// Brings a process there that begins now, or to its end if that comes first.
    fn reach(self, traced: &Traced, name: &str, course: &Course) {
        let arrived = (0..self.calls).all(|_| traced.call());
        let stretch = course.stretches.iter().find(|stretch| stretch.calls == self.calls);
        if let Some(stretch) = stretch.filter(|_| arrived) {
            let mut watch = Watch::new(name, Some(stretch.range.clone()));
            for steps in stretch.steps.iter().zip(0..self.changes).map(|(steps, _)| steps) {
                // Counted by what they do in the end: how many it takes to read a number depends on the number.
                let most = steps - steps / 16;
                let _ = (1..most).all(|_| traced.step());
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
            if let Some(range) = watch.change() {
                changing.push((course.calls, range));
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
        for (after, range) in changing {
            while calls < after && traced.call() {
                calls += 1;
            }
            course.stretches.extend(stretch(calls, &traced, Watch::new(&scene.name, Some(range))));
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
        let states = course
            .stretches
            .iter()
            .flat_map(|stretch| (1..=stretch.steps.len()).map(move |to| (stretch, to)));
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
    let mut range: Option<Range<usize>> = None;
    let (mut changes, mut steps) = (Vec::new(), 0);
    while !traced.is_before_a_call() && traced.step() {
        steps += 1;
        if let Some(changed) = watch.change() {
            changes.push(core::mem::take(&mut steps));
            let before = range.unwrap_or_else(|| changed.clone());
            range = Some(before.start.min(changed.start)..before.end.max(changed.end));
        }
    }
    range.map(|range| Stretch { calls, range, steps: changes })
}
