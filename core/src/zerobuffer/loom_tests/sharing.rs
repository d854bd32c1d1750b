//! When may a lent request's bytes be written over: the shipped count of references, and wrong ones that must fail.

use std::string::String;

use loom::thread;

use super::super::share::ShareTable;
use super::*;
use crate::sync::Ordering;

/// The request that is lent, and the one that has its slot next.
const FIRST: u64 = 7;
const NEXT: u64 = FIRST + 64;

/// What the handler leaves in the request, and what a later request puts there.
const ANSWER: &[u8] = b"answer";
const LATER: &[u8] = b"later!";

type GiveBack = fn(&ShareTable, u64) -> bool;

/// A table, a ring that holds the lent bytes at 0, and the permits of the responses.
#[derive(Clone)]
struct Scene {
    table: Rc<ShareTable>,
    memory: LoomMemory,
    responses: LoomSignal,
}

impl Scene {
    fn new() -> Self {
        let (table, memory) = (Rc::new(ShareTable::blank()), LoomMemory::new());
        Self { table, memory, responses: LoomSignal::new() }
    }

    fn write(&self, position: u64, bytes: &[u8]) {
        self.memory.payload().write(position, bytes).unwrap();
    }

    fn expect(&self, position: u64, bytes: &[u8]) {
        let mut found = vec![0; bytes.len()];
        self.memory.payload().read(position, &mut found).unwrap();
        assert_eq!(String::from_utf8(found).unwrap(), String::from_utf8(bytes.to_vec()).unwrap());
    }

    /// The server answers `number` with its own bytes.
    fn answer(&self, number: u64, position: u64) {
        self.write(position, ANSWER);
        assert!(self.table.lend(number));
        self.responses.post().unwrap();
    }

    /// The client takes a response, looks at the bytes, and gives them back.
    fn take(&self, number: u64, position: u64, give_back: GiveBack) -> bool {
        assert!(self.responses.wait(Instant::from_nanos(1)).unwrap());
        self.responses.take(1);
        self.expect(position, ANSWER);
        give_back(&self.table, number)
    }
}

/// A request lent and given back by both ends with `give_back`; its space is written over once `may_return` says so of
/// what the server's own `give_back` returned.
fn lending(give_back: GiveBack, may_return: fn(&ShareTable, bool)) {
    explore(move || {
        let scene = Scene::new();
        let client = {
            let scene = scene.clone();
            thread::spawn(move || scene.take(FIRST, 0, give_back))
        };
        scene.answer(FIRST, 0);
        let last = give_back(&scene.table, FIRST);
        may_return(&scene.table, last);
        scene.write(0, LATER);
        assert!(last != client.join().unwrap(), "one of the two is the last");
        assert!(scene.table.is_back(FIRST));
        assert!(!scene.table.give_back(FIRST), "no reference is left");
    });
}

/// As the server does: at once if it was the last, else when a look says so.
fn when_back(table: &ShareTable, last: bool) {
    while !last && !table.is_back(FIRST) {
        thread::yield_now();
    }
}

#[test]
fn loom_shared_bytes_are_written_over_when_both_ends_have_finished() {
    lending(ShareTable::give_back, when_back);
}

#[test]
fn loom_shared_slot_is_lent_again_when_both_references_are_back() {
    explore(|| {
        let scene = Scene::new();
        let client = {
            let scene = scene.clone();
            thread::spawn(move || {
                let last = scene.take(FIRST, 0, ShareTable::give_back);
                scene.take(NEXT, 32, ShareTable::give_back);
                last
            })
        };
        scene.answer(FIRST, 0);
        let last = scene.table.give_back(FIRST);
        while !scene.table.lend(NEXT) {
            thread::yield_now();
        }
        // The slot of a later request says nothing else of an earlier one.
        assert!(scene.table.is_back(FIRST));
        scene.write(0, LATER);
        assert!(!scene.table.give_back(FIRST), "the slot is the later one's");
        scene.write(32, ANSWER);
        scene.responses.post().unwrap();
        scene.table.give_back(NEXT);
        assert!(last != client.join().unwrap(), "one of the two is the last");
        assert!(scene.table.is_back(NEXT));
    });
}

#[test]
fn loom_shared_slot_in_use_is_not_lent() {
    explore(|| {
        let scene = Scene::new();
        let client = {
            let scene = scene.clone();
            thread::spawn(move || scene.take(FIRST, 0, ShareTable::give_back))
        };
        scene.answer(FIRST, 0);
        // The server's own reference is there still.
        assert!(!scene.table.lend(NEXT));
        assert!(!scene.table.is_back(FIRST));
        let last = scene.table.give_back(FIRST);
        assert!(last != client.join().unwrap(), "one of the two is the last");
        assert!(scene.table.lend(NEXT));
    });
}

/// The shipped exchange with another order.
fn exchange(table: &ShareTable, number: u64, order: Ordering) -> bool {
    let share = table.word(number);
    let mut found = share.load(Ordering::Relaxed);
    loop {
        match share.compare_exchange(found, found - 1, order) {
            Ok(_) => return found & 3 == 1,
            Err(now) => found = now,
        }
    }
}

#[test]
fn loom_shared_exchange_written_out_unchanged_passes() {
    lending(|table, number| exchange(table, number, Ordering::AcqRel), when_back);
}

#[test]
#[should_panic = "Causality violation"]
fn loom_shared_reference_given_back_relaxed_is_caught() {
    lending(|table, number| exchange(table, number, Ordering::Relaxed), when_back);
}

#[test]
#[should_panic = "Causality violation"]
fn loom_shared_reference_given_back_without_release_is_caught() {
    lending(|table, number| exchange(table, number, Ordering::Acquire), when_back);
}

#[test]
#[should_panic = "Causality violation"]
fn loom_shared_reference_given_back_without_acquire_is_caught() {
    lending(|table, number| exchange(table, number, Ordering::Release), when_back);
}

#[test]
#[should_panic = "Causality violation"]
fn loom_shared_look_without_acquire_is_caught() {
    lending(ShareTable::give_back, |table, last| {
        while !last && table.word(FIRST).load(Ordering::Relaxed) & 3 != 0 {
            thread::yield_now();
        }
    });
}

#[test]
#[should_panic = "Causality violation"]
fn loom_shared_space_returned_after_the_first_reference_is_caught() {
    lending(ShareTable::give_back, |_, _| ());
}

/// A request lent and given back by both ends; what is left when both have done so.
fn counting(give_back: GiveBack) {
    explore(move || {
        let scene = Scene::new();
        assert!(scene.table.lend(FIRST));
        let client = {
            let scene = scene.clone();
            thread::spawn(move || give_back(&scene.table, FIRST))
        };
        let last = give_back(&scene.table, FIRST);
        assert!(last != client.join().unwrap(), "one of the two is the last");
        assert!(scene.table.is_back(FIRST));
    });
}

#[test]
fn loom_shared_count_has_one_last() {
    counting(ShareTable::give_back);
}

#[test]
#[should_panic = "one of the two is the last"]
fn loom_shared_count_without_an_exchange_is_caught() {
    counting(|table, number| {
        let share = table.word(number);
        let found = share.load(Ordering::Acquire);
        share.store(found - 1, Ordering::Release);
        found & 3 == 1
    });
}
