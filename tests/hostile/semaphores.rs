//! Semaphores that promise too much, too little, or are full.

use strait_core::platform::{Clock as _, Signal as _};
use strait_core::semaphore::MAX_PERMITS;
use strait_core::testing::FakePlatform;
use strait_core::time::Deadline;
use strait_core::zerobuffer::{ReadError, WriteError};
use strait_tests::PATIENCE;

use crate::fake::{connect, create, read, write};

const DATA_READY: &str = "sem-w-hostile";
const SPACE_FREE: &str = "sem-r-hostile";
const PERMITS: [u32; 7] = [0, 1, 5, 1000, MAX_PERMITS - 1, MAX_PERMITS, u32::MAX];

#[test]
fn any_number_of_permits_at_any_time() {
    for data in PERMITS {
        for space in PERMITS {
            let system = FakePlatform::new();
            let mut reader = create(&system);
            let mut writer = connect(&system).expect("nothing is wrong yet");
            for _ in 0..3 {
                system.signal(DATA_READY).set(data);
                system.signal(SPACE_FREE).set(space);
                write(&system, &mut writer);
                system.signal(DATA_READY).set(data);
                system.signal(SPACE_FREE).set(space);
                read(&system, &mut reader);
            }
        }
    }
}

#[test]
fn permits_too_many_bring_no_frame_and_lose_none() {
    let system = FakePlatform::new();
    let mut reader = create(&system);
    let mut writer = connect(&system).expect("connected");
    let data_ready = system.signal(DATA_READY);
    for sequence in 1..=200 {
        let reserved = writer.try_reserve(20).expect("room");
        writer.commit(reserved).expect("commits");
        data_ready.set(data_ready.permits() + 5);
        let claimed = reader.try_claim(|| 0).expect("the frame");
        assert_eq!(claimed.sequence(), sequence);
        reader.release(claimed).expect("released");
        let none = reader.try_claim(|| 0);
        assert!(matches!(none, Err(ReadError::Empty)), "{none:?}");
    }
    assert_eq!(reader.used_bytes(), Ok(0));
}

#[test]
fn lost_permits_are_made_up_for_by_looking() {
    let system = FakePlatform::new();
    let mut reader = create(&system);
    let mut writer = connect(&system).expect("connected");
    for sequence in 1..=20 {
        let reserved = writer.try_reserve(20).expect("room");
        writer.commit(reserved).expect("commits");
        system.signal(DATA_READY).set(0);
        let patient = Deadline::At(system.now().saturating_add(PATIENCE));
        let claimed = reader.claim(patient, || 0).expect("the frame, after a look");
        assert_eq!(claimed.sequence(), sequence);
        reader.release(claimed).expect("released");
    }
}

#[test]
fn a_full_semaphore_is_an_error_of_the_system_and_the_frame_is_there() {
    let system = FakePlatform::new();
    let mut reader = create(&system);
    let mut writer = connect(&system).expect("connected");
    system.signal(DATA_READY).set(MAX_PERMITS);
    let reserved = writer.try_reserve(20).expect("room");
    let refused = writer.commit(reserved);
    assert!(matches!(refused, Err(WriteError::System(_))), "{refused:?}");
    let claimed = reader.try_claim(|| 0).expect("published all the same");
    assert_eq!(claimed.sequence(), 1);
    reader.release(claimed).expect("released");
    // No reader's release overflows the other one: it posts only where there is none.
    system.signal(SPACE_FREE).set(MAX_PERMITS);
    let reserved = writer.try_reserve(20).expect("room");
    let refused = writer.commit(reserved);
    assert!(matches!(refused, Err(WriteError::System(_))), "{refused:?}");
    // Not announced: the reader learns of it late.
    let patient = Deadline::At(system.now().saturating_add(PATIENCE));
    let claimed = reader.claim(patient, || 0).expect("a frame");
    reader.release(claimed).expect("released");
    assert_eq!(system.signal(SPACE_FREE).permits(), MAX_PERMITS);
}
