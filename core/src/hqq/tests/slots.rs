//! Do messages arrive as they were sent, and is a link usable after slots were given up or packets were wrong?

use super::super::packet::{Operation, Packet};
use super::super::{ErrorCode, OpCode, SendError};
use super::*;

#[test]
fn messages_of_every_length_arrive() {
    for profile in PROFILES {
        let system = FakePlatform::new();
        let (mut one, mut other) = pair(&system, profile);
        for len in 1..=u8::try_from(SLOT_LEN).unwrap() {
            let message: Vec<u8> = (0..len).map(|at| at ^ len).collect();
            send(&mut one.producer, &message);
            assert_eq!(receive(&mut other.consumer), message);
        }
        assert_eq!((one.producer.counts().messages, one.producer.counts().bytes), (64, 65 * 32));
        assert_eq!((other.consumer.counts().messages, other.consumer.counts().bytes), (64, 65 * 32));
    }
}

#[test]
fn a_full_ring_is_told_and_a_released_slot_makes_room() {
    let system = FakePlatform::new();
    let (mut one, mut other) = pair(&system, Profile::Superblock);
    for message in 0..4 {
        let mut slot = one.producer.try_reserve().unwrap();
        assert_eq!((slot.len(), slot.index()), (64, u64::from(message)));
        slot[0] = message;
        slot.commit(1).unwrap();
    }
    assert_eq!(one.producer.try_reserve().err(), Some(SendError::Full));
    assert_eq!(one.producer.send(b"x", MOMENT), Err(SendError::Timeout));
    let held = other.consumer.try_recv().unwrap();
    assert_eq!(one.producer.try_reserve().err(), Some(SendError::Full), "it is still being read");
    assert_eq!(&*held, [0]);
    drop(held);
    send(&mut one.producer, &[4]);
    for message in 1..=4 {
        assert_eq!(receive(&mut other.consumer), [message]);
    }
    assert_eq!(other.consumer.recv(MOMENT).err(), Some(RecvError::Timeout));
}

#[test]
fn slots_given_up_are_skipped() {
    for profile in PROFILES {
        let system = FakePlatform::new();
        let (mut one, mut other) = pair(&system, profile);
        let producer = &mut one.producer;
        for round in 0..5 {
            producer.try_reserve().unwrap().abort(ErrorCode::BUFFER_OVERFLOW);
            drop(producer.try_reserve().unwrap());
            assert_eq!(producer.try_reserve().unwrap().commit(0), Err(SendError::Empty));
            send(producer, &[round]);
            assert_eq!(receive(&mut other.consumer), [round]);
            let too_long = SendError::TooLong { len: 65, slot_len: 64 };
            assert_eq!(producer.try_reserve().unwrap().commit(65), Err(too_long));
            expect_empty(&mut other.consumer);
        }
        assert_eq!((producer.counts().tombstones, other.consumer.counts().tombstones), (20, 20));
    }
}

#[test]
fn what_cannot_be_sent_takes_no_slot() {
    let system = FakePlatform::new();
    let (mut one, mut other) = pair(&system, Profile::Superblock);
    assert_eq!(one.producer.send(b"", PATIENCE), Err(SendError::Empty));
    let too_long = SendError::TooLong { len: 65, slot_len: 64 };
    assert_eq!(one.producer.send(&[0; 65], PATIENCE), Err(too_long));
    assert_eq!(one.producer.counts().tombstones, 0);
    expect_usable(&mut one, &mut other);
}

#[test]
fn a_tombstone_is_what_the_profile_knows() {
    for profile in PROFILES {
        let system = FakePlatform::new();
        let (mut one, mut other) = pair(&system, profile);
        send(&mut one.producer, b"first");
        drop(one.producer.try_reserve().unwrap());
        assert_eq!(receive(&mut other.consumer), b"first");
        let (packet, _slot) = other.consumer.recv_packet(PATIENCE).unwrap();
        let wanted = match profile {
            Profile::Superblock => Operation::Tombstone { copy: 2, slot: 1, reason: ErrorCode::INVALID_OP },
            Profile::Seed => Operation::Copy { copy: 2, buffer: 1, len: 0 },
        };
        assert_eq!(packet.parse(profile), Ok(wanted));
    }
}

#[test]
fn batches_take_what_is_free_and_what_is_there() {
    for profile in PROFILES {
        let system = FakePlatform::new();
        let (mut one, mut other) = pair(&system, profile);
        send(&mut one.producer, b"0");
        let mut batch = one.producer.reserve_many(9, PATIENCE).unwrap();
        assert_eq!(batch.len(), 3);
        for message in [b"1", b"2"] {
            batch.buffer()[..1].copy_from_slice(message);
            batch.commit(1).unwrap();
        }
        // The last one of the batch is given up.
        drop(batch);
        let mut found = Vec::new();
        let mut batch = other.consumer.recv_many(9, PATIENCE).unwrap();
        assert_eq!(batch.len(), 4);
        while let Some(message) = batch.next() {
            found.push(message.unwrap().to_vec());
        }
        drop(batch);
        assert_eq!(found, [b"0", b"1", b"2"]);
        expect_usable(&mut one, &mut other);
    }
}

#[test]
fn a_batch_that_is_full_takes_no_more_and_one_given_back_early_is_gone() {
    let system = FakePlatform::new();
    let (mut one, mut other) = pair(&system, Profile::Superblock);
    let mut batch = one.producer.reserve_many(2, PATIENCE).unwrap();
    assert_eq!(batch.commit(65), Err(SendError::TooLong { len: 65, slot_len: 64 }));
    batch.commit(64).unwrap();
    assert!(batch.is_empty() && batch.buffer().is_empty());
    assert_eq!(batch.commit(1), Err(SendError::Full));
    drop(batch);
    send(&mut one.producer, b"unread");
    let mut batch = other.consumer.recv_many(3, PATIENCE).unwrap();
    assert_eq!(batch.next().unwrap().unwrap().len(), 64);
    drop(batch);
    expect_empty(&mut other.consumer);
    expect_usable(&mut one, &mut other);
}

#[test]
fn what_was_kept_is_found_by_the_next_call() {
    let system = FakePlatform::new();
    let (mut one, mut other) = pair(&system, Profile::Superblock);
    one.producer.keep().unwrap();
    one.producer.keep().unwrap();
    let slot = one.producer.try_reserve().unwrap();
    assert_eq!(slot.index(), 0);
    drop(slot);
    send(&mut one.producer, b"kept");
    other.consumer.keep().unwrap();
    other.consumer.keep().unwrap();
    assert_eq!(receive(&mut other.consumer), b"kept");
    // Dropped while something is kept: given up, and given back.
    one.producer.keep().unwrap();
    let mut next = one.producer.another();
    drop(core::mem::replace(&mut one.producer, next.another()));
    send(&mut next, b"lost");
    other.consumer.keep().unwrap();
    let next = other.consumer.another();
    drop(core::mem::replace(&mut other.consumer, next));
    expect_empty(&mut other.consumer);
    expect_usable(&mut one, &mut other);
}

#[test]
fn wrong_packets_are_told_to_both_ends_and_the_link_goes_on() {
    let copy = |buffer, len| Operation::Copy { copy: 9, buffer, len };
    let opcode = OpCode::CONN_CREATE;
    for (operation, wanted, code) in [
        (copy(3, 5), RecvError::WrongBuffer { slot: 0, buffer: 3 }, ErrorCode::INVALID_SIZE),
        (copy(0, 65), RecvError::InvalidLen { len: 65, slot_len: 64 }, ErrorCode::INVALID_SIZE),
        (copy(0, u64::MAX), RecvError::InvalidLen { len: u64::MAX, slot_len: 64 }, ErrorCode::INVALID_SIZE),
        (copy(0, 0), RecvError::InvalidLen { len: 0, slot_len: 64 }, ErrorCode::INVALID_SIZE),
        (Operation::Create { connection: 9 }, RecvError::UnexpectedOp { opcode }, ErrorCode::INVALID_OP),
    ] {
        let system = FakePlatform::new();
        let (mut one, mut other) = pair(&system, Profile::Superblock);
        let packet = operation.emit(Profile::Superblock, SLOT_LEN);
        one.producer.try_reserve().unwrap().commit_packet(packet);
        assert_eq!(other.consumer.try_recv().err(), Some(wanted));
        assert_eq!(one.consumer.try_recv().err(), Some(RecvError::Peer { context: 9, code }));
        // An error is not answered with one.
        expect_empty(&mut other.consumer);
        assert_eq!((one.consumer.counts().errors, other.consumer.counts().errors), (1, 1));
        expect_usable(&mut one, &mut other);
    }
}

#[test]
fn an_unknown_opcode_is_told_and_upper_bits_of_its_word_are_ignored() {
    let system = FakePlatform::new();
    let (mut one, mut other) = pair(&system, Profile::Superblock);
    one.producer.try_reserve().unwrap().commit_packet(Packet([0x77, 9, 0, 0, 0, 0, 0, 0]));
    assert_eq!(other.consumer.try_recv().err(), Some(RecvError::UnexpectedOp { opcode: OpCode(0x77) }));
    let code = ErrorCode::INVALID_OP;
    assert_eq!(one.consumer.try_recv().err(), Some(RecvError::Peer { context: 9, code }));
    one.producer.try_reserve().unwrap().commit_packet(Packet([0xabcd_00ff, 9, 1, 3, 0, 0, 0, 0]));
    assert_eq!(receive(&mut other.consumer).len(), 3);
}

#[test]
fn the_seed_profile_takes_any_buffer_of_the_link() {
    let system = FakePlatform::new();
    let (mut one, mut other) = pair(&system, Profile::Seed);
    let copy = |buffer| Operation::Copy { copy: 9, buffer, len: 5 }.emit(Profile::Seed, SLOT_LEN);
    let buffers = geometry(Profile::Seed).plan().buffers[0];
    system.segment(NAME).scribble(buffers + 3 * 64, b"third");
    one.producer.try_reserve().unwrap().commit_packet(copy(3));
    assert_eq!(receive(&mut other.consumer), b"third");
    one.producer.try_reserve().unwrap().commit_packet(copy(4));
    let wrong = RecvError::WrongBuffer { slot: 1, buffer: 4 };
    assert_eq!(other.consumer.try_recv().err(), Some(wrong));
}

#[test]
fn an_error_that_finds_no_room_is_not_told() {
    let system = FakePlatform::new();
    let (mut one, mut other) = pair(&system, Profile::Superblock);
    for message in 0..4 {
        send(&mut other.producer, &[message]);
    }
    one.producer.try_reserve().unwrap().commit_packet(Packet([0x77, 9, 0, 0, 0, 0, 0, 0]));
    assert!(matches!(other.consumer.try_recv(), Err(RecvError::UnexpectedOp { .. })));
    for message in 0..4 {
        assert_eq!(receive(&mut one.consumer), [message]);
    }
    expect_usable(&mut one, &mut other);
}

/// Several handles of both sides at once, with waits: everything arrives once.
#[test]
fn several_handles_of_each_side_share_a_link() {
    const EACH: u16 = 2000;
    let system = FakePlatform::new();
    let (one, other) = pair(&system, Profile::Superblock);
    let mut found = std::thread::scope(|scope| {
        for sender in 0..3 {
            let mut producer = one.producer.another();
            scope.spawn(move || {
                for message in 0..EACH {
                    send(&mut producer, &(sender * EACH + message).to_le_bytes());
                }
            });
        }
        let receivers = [(); 3].map(|()| {
            let mut consumer = other.consumer.another();
            scope.spawn(move || {
                let mut found = Vec::new();
                for _ in 0..EACH {
                    let message = consumer.recv(PATIENCE).unwrap();
                    found.push(u16::from_le_bytes([message[0], message[1]]));
                }
                found
            })
        });
        receivers.map(|receiver| receiver.join().unwrap()).concat()
    });
    found.sort_unstable();
    assert!(found.into_iter().eq(0..3 * EACH));
}
