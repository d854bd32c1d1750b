//! One sentence each.

use core::time::Duration;

use super::*;
use crate::platform::{Clock as _, Platform, Signal as _};
use crate::time::Instant;
use crate::zerobuffer::ends::ENDS_SIZE;

#[test]
fn a_frame_that_fills_the_ring_fits_again_and_again() {
    let (_scene, mut reader, mut writer) = Scene::connected(64);
    for sequence in 1..=5 {
        let data = pattern(sequence, 48);
        assert_eq!(write(&mut writer, &data), Ok(sequence));
        assert!(matches!(writer.try_reserve(1), Err(WriteError::Full { free: 0, capacity: 64, .. })));
        assert_eq!(read(&mut reader), Ok((sequence, data)));
    }
}

#[test]
fn six_then_seven_kilobytes_in_ten_are_written_once_the_ring_is_empty() {
    let (_scene, mut reader, mut writer) = Scene::connected(10_240);
    write(&mut writer, &pattern(1, 6144)).unwrap();
    let full = writer.reserve(7168, Deadline::At(Instant::from_nanos(0))).map(drop);
    assert_eq!(full, Err(WriteError::Full { needed: 10_240, free: 4080, capacity: 10_240 }));
    assert_eq!(read(&mut reader), Ok((1, pattern(1, 6144))));
    assert_eq!(write(&mut writer, &pattern(2, 7168)), Ok(2));
    assert_eq!(read(&mut reader), Ok((2, pattern(2, 7168))));
    assert_eq!((writer.counters().rewinds, reader.counters().rewinds), (1, 1));
}

#[test]
fn a_full_ring_is_reported_with_what_the_frame_really_needs() {
    let (_scene, _reader, mut writer) = Scene::connected(10_240);
    write(&mut writer, &pattern(1, 6144)).unwrap();
    let expected = Err(WriteError::Full { needed: 10_240, free: 4080, capacity: 10_240 });
    assert_eq!(writer.try_reserve(7168).map(drop), expected);
}

#[test]
fn an_empty_frame_of_a_peer_is_delivered() {
    let (scene, mut reader) = Scene::new(64);
    let segment = scene.segment();
    segment.scribble_u64(PAYLOAD + 8, 1);
    segment.scribble_u64(0x28, 48);
    segment.scribble_u64(0x30, 16);
    segment.scribble_u64(0x40, 1);
    scene.data_ready().set(1);
    assert_eq!(read(&mut reader), Ok((1, Vec::new())));
    assert_eq!(scene.snapshot().payload_free_bytes, 64);
}

#[test]
fn a_frame_whose_length_was_wiped_is_no_empty_frame() {
    let (scene, mut reader, mut writer) = Scene::connected(256);
    write(&mut writer, &pattern(1, 100)).unwrap();
    write(&mut writer, &pattern(2, 10)).unwrap();
    scene.segment().scribble(PAYLOAD, &[0; 8]);
    let wiped = Corrupt { field: "frame payload_size", found: 0, limit: 126 };
    assert_eq!(read(&mut reader), Err(ReadError::Corrupt(wiped)));
    scene.segment().scribble(PAYLOAD, &[100]);
    assert_eq!(read(&mut reader), Ok((1, pattern(1, 100))));
    assert_eq!(read(&mut reader), Ok((2, pattern(2, 10))));
}

#[test]
fn empty_frames_of_a_peer_are_delivered_before_a_frame_a_wrap_and_each_other() {
    let (scene, mut reader, mut writer) = Scene::connected(128);
    // Frame 1 ends at 64, and 2 and 3, of 64 bytes in all, would end with the ring.
    for len in [48, 16, 16] {
        write(&mut writer, &pattern(1, len)).unwrap();
    }
    read(&mut reader).unwrap();
    // In their place: an empty frame 2, another one, 3, a wrap marker, and an empty frame 4 at the start.
    let segment = scene.segment();
    for (at, len, sequence) in [(64, 0, 2), (80, 0, 3), (96, 0u64, 0u64), (0, 0, 4)] {
        segment.scribble(PAYLOAD + at, &len.to_le_bytes());
        segment.scribble(PAYLOAD + at + 8, &sequence.to_le_bytes());
    }
    segment.scribble_u64(0x28, 48);
    segment.scribble_u64(0x30, 16);
    scene.data_ready().set(3);
    for sequence in 2..=4 {
        assert_eq!(read(&mut reader), Ok((sequence, Vec::new())));
    }
    assert_eq!(scene.snapshot().payload_free_bytes, 128);
}

#[test]
fn space_that_a_writer_of_another_kind_hides_after_a_dead_one_comes_back_when_it_closes() {
    for killed in [false, true] {
        let (scene, mut reader, mut writer) = Scene::connected(256);
        write(&mut writer, &pattern(1, 10)).unwrap();
        read(&mut reader).unwrap();
        // Killed after it took 50 bytes for a frame that it never finished.
        scene.platform.kill(WRITER);
        core::mem::forget(writer);
        let segment = scene.segment();
        segment.scribble_u64(0x28, 256 - 50);
        // Another implementation's writer asks nobody, and counts from 1.
        segment.scribble_u64(0x50, 7);
        segment.scribble(PAYLOAD + 26, &[5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9, 9]);
        segment.scribble_u64(0x30, 26 + 21);
        segment.scribble_u64(0x28, 256 - 50 - 21);
        scene.data_ready().set(1);
        assert_eq!(read(&mut reader), Ok((1, std::vec![9; 5])));
        assert_eq!(reader.used_bytes(), Ok(50), "while it is connected nobody knows what it is doing");
        let end = if killed {
            scene.platform.kill(7);
            ReadError::WriterDead { pid: Pid(7) }
        } else {
            segment.scribble_u64(0x50, 0);
            ReadError::EndOfStream
        };
        assert_eq!(read(&mut reader), Err(end));
        assert_eq!(reader.used_bytes(), Ok(0));
        let mut next = scene.attach(3).unwrap();
        assert_eq!(write(&mut next, &pattern(2, 240)), Ok(2));
        assert_eq!(read(&mut reader), Ok((2, pattern(2, 240))));
    }
}

#[test]
fn a_reader_that_never_waits_shows_what_it_has_read() {
    let (scene, mut reader, mut writer) = Scene::connected(256);
    let mut taken = Vec::new();
    for sequence in 1..=3 {
        write(&mut writer, &pattern(sequence, 10)).unwrap();
        let held = 26 * (sequence - 1);
        taken.push(reader.try_claim(|| held).unwrap());
    }
    // As a reader of frames that are held does after each.
    reader.return_released().unwrap();
    assert_eq!(scene.snapshot().payload_read_count, 3);
    taken.into_iter().for_each(|claimed| reader.release(claimed).unwrap());
    write(&mut writer, &pattern(4, 10)).unwrap();
    let claimed = reader.try_claim(|| 0).unwrap();
    reader.release(claimed).unwrap();
    assert_eq!(reader.try_claim(|| 0).map(drop), Err(ReadError::Empty));
    assert_eq!((scene.snapshot().payload_read_count, scene.data_ready().permits()), (4, 0));
}

#[test]
fn an_empty_frame_is_refused_to_our_own_user() {
    let (_scene, _reader, mut writer) = Scene::connected(64);
    assert_eq!(writer.try_reserve(0).map(drop), Err(WriteError::Empty));
    assert_eq!(writer.try_reserve(49).map(drop), Err(WriteError::TooLarge { len: 49, max: 48 }));
}

#[test]
fn a_permit_too_many_is_ignored() {
    let (scene, mut reader, mut writer) = Scene::connected(256);
    scene.data_ready().set(3);
    assert_eq!(reader.try_claim(|| 0).map(drop), Err(ReadError::Empty));
    for sequence in 1..=4 {
        write(&mut writer, &pattern(sequence, 10)).unwrap();
        assert_eq!(read(&mut reader), Ok((sequence, pattern(sequence, 10))));
        assert_eq!(reader.try_claim(|| 0).map(drop), Err(ReadError::Empty));
    }
}

#[test]
fn a_frame_without_a_permit_is_recovered() {
    let (scene, mut reader, mut writer) = Scene::connected(256);
    write(&mut writer, &pattern(1, 10)).unwrap();
    scene.data_ready().set(0);
    assert_eq!(read(&mut reader), Ok((1, pattern(1, 10))));
    assert_eq!(reader.counters().recovered, 1);
    // Its permit comes late, and announces nothing.
    scene.data_ready().set(1);
    assert_eq!(reader.try_claim(|| 0).map(drop), Err(ReadError::Empty));
    write(&mut writer, &pattern(2, 10)).unwrap();
    assert_eq!(read(&mut reader), Ok((2, pattern(2, 10))));
    assert_eq!(reader.counters().recovered, 1);
}

#[test]
fn a_number_that_starts_again_at_one_is_accepted() {
    let (scene, mut reader, mut writer) = Scene::connected(256);
    write(&mut writer, &pattern(1, 10)).unwrap();
    read(&mut reader).unwrap();
    write(&mut writer, &pattern(2, 10)).unwrap();
    scene.segment().scribble(PAYLOAD + 26 + 8, &1u64.to_le_bytes());
    assert_eq!(read(&mut reader), Ok((1, pattern(2, 10))));
}

#[test]
fn a_gap_is_reported_once_and_its_frame_then_delivered() {
    let (scene, mut reader, mut writer) = Scene::connected(256);
    write(&mut writer, &pattern(1, 10)).unwrap();
    read(&mut reader).unwrap();
    write(&mut writer, &pattern(2, 10)).unwrap();
    scene.segment().scribble(PAYLOAD + 26 + 8, &5u64.to_le_bytes());
    assert_eq!(read(&mut reader), Err(ReadError::SequenceGap { expected: 2, found: 5 }));
    assert_eq!(read(&mut reader), Ok((5, pattern(2, 10))));
}

#[test]
fn a_second_writer_and_a_second_reader_are_refused() {
    let (scene, _reader, _writer) = Scene::connected(64);
    let refused = AttachError::WriterAlreadyConnected { pid: Pid(WRITER) };
    assert_eq!(scene.attach(3).map(drop), Err(refused));
    let refused = CreateError::ReaderAlreadyConnected { pid: Pid(READER) };
    assert_eq!(scene.create(3).map(drop), Err(refused));
}

#[test]
fn a_dead_reader_is_noticed_by_an_idle_writer_and_by_one_that_waits() {
    let (scene, _reader, mut writer) = Scene::connected(64);
    assert!(writer.is_reader_connected());
    write(&mut writer, &pattern(1, 48)).unwrap();
    scene.platform.kill(READER);
    assert!(!writer.is_reader_connected());
    let dead = WriteError::ReaderDead { pid: Pid(READER) };
    assert_eq!(writer.reserve(48, Deadline::Never).map(drop), Err(dead));
}

#[test]
fn a_reader_that_closes_is_noticed_at_once() {
    let (_scene, reader, mut writer) = Scene::connected(64);
    drop(reader);
    assert!(matches!(writer.try_reserve(1), Err(WriteError::ReaderDead { .. })));
}

#[test]
fn the_end_of_a_stream_is_no_death_and_the_next_writer_goes_on() {
    let (scene, mut reader, mut writer) = Scene::connected(256);
    write(&mut writer, &pattern(1, 10)).unwrap();
    drop(writer);
    assert_eq!(read(&mut reader), Ok((1, pattern(1, 10))));
    assert_eq!(read(&mut reader), Err(ReadError::EndOfStream));
    let mut next = scene.attach(3).unwrap();
    assert_eq!(write(&mut next, &pattern(2, 10)), Ok(2));
    assert_eq!(read(&mut reader), Ok((2, pattern(2, 10))));
}

#[test]
fn a_killed_writer_is_reported_by_its_pid_after_its_last_frame_and_the_ring_is_usable() {
    let (scene, mut reader, mut writer) = Scene::connected(256);
    write(&mut writer, &pattern(1, 10)).unwrap();
    scene.platform.kill(WRITER);
    assert_eq!(read(&mut reader), Ok((1, pattern(1, 10))));
    assert_eq!(read(&mut reader), Err(ReadError::WriterDead { pid: Pid(WRITER) }));
    let mut next = scene.attach(3).unwrap();
    assert_eq!(write(&mut next, &pattern(2, 240)), Ok(2));
    assert_eq!(read(&mut reader), Ok((2, pattern(2, 240))));
    assert_eq!(scene.snapshot().payload_free_bytes, 256);
}

#[test]
fn a_writer_that_gives_up_is_a_death_after_its_last_frame_and_the_next_one_goes_on() {
    let (scene, mut reader, mut writer) = Scene::connected(256);
    write(&mut writer, &pattern(1, 10)).unwrap();
    writer.abort_on_drop(true);
    drop(writer);
    assert_eq!(scene.snapshot().writer_pid, ABORTED);
    assert_eq!(read(&mut reader), Ok((1, pattern(1, 10))));
    for _ in 0..2 {
        let gave_up = read(&mut reader).unwrap_err();
        assert_eq!(gave_up, ReadError::WriterDead { pid: ABORTED });
        assert_eq!(gave_up.to_string(), "the writer gave up; every frame it committed was read");
    }
    let mut next = scene.attach(WRITER).unwrap();
    assert_eq!(write(&mut next, &pattern(2, 240)), Ok(2));
    assert_eq!(read(&mut reader), Ok((2, pattern(2, 240))));
    drop(next);
    assert_eq!(read(&mut reader), Err(ReadError::EndOfStream));
}

#[test]
fn a_writer_that_gives_up_while_it_holds_its_lock_is_believed() {
    let (scene, mut reader, writer) = Scene::connected(256);
    scene.segment().scribble_u64(0x50, ABORTED.0);
    assert_eq!(read(&mut reader), Err(ReadError::WriterDead { pid: ABORTED }));
    drop(writer);
}

#[test]
fn a_writer_that_came_and_went_unseen_and_sent_nothing_has_ended_the_stream() {
    let (scene, mut reader, writer) = Scene::connected(256);
    drop(writer);
    let words = scene.snapshot();
    assert_eq!((words.writer_pid, words.payload_written_count, words.metadata_written_bytes), (Pid(0), 0, 0));
    assert_eq!(read(&mut reader), Err(ReadError::EndOfStream));
    assert_eq!(reader.try_claim(|| 0).map(drop), Err(ReadError::EndOfStream));
}

#[test]
fn the_next_writer_takes_over_from_a_killed_one_with_its_frames_unread() {
    let (scene, mut reader, mut writer) = Scene::connected(256);
    write(&mut writer, &pattern(1, 10)).unwrap();
    scene.platform.kill(WRITER);
    let mut next = scene.attach(3).unwrap();
    assert_eq!(write(&mut next, &pattern(2, 10)), Ok(2));
    assert_eq!(read(&mut reader), Ok((1, pattern(1, 10))));
    assert_eq!(read(&mut reader), Err(ReadError::WriterDead { pid: Pid(WRITER) }));
    assert_eq!(read(&mut reader), Ok((2, pattern(2, 10))));
    assert_eq!(writer.try_reserve(1).map(drop), Err(WriteError::Replaced { pid: Pid(3) }));
}

#[test]
fn a_segment_cut_short_is_an_error_on_both_sides() {
    let (scene, mut reader, mut writer) = Scene::connected(64);
    let written = write(&mut writer, &pattern(1, 48)).unwrap();
    assert_eq!(written, 1, "the ring is full");
    assert_eq!(read(&mut reader).map(|(sequence, _)| sequence), Ok(1));
    scene.segment().truncate(200);
    let (found, needed) = (200, PAYLOAD + 64 + ENDS_SIZE);
    // Found out in waits, and by whoever finds nothing to do.
    assert_eq!(reader.try_claim(|| 0).map(drop), Err(ReadError::Truncated { found, needed }));
    assert_eq!(reader.claim(Deadline::Never, || 0).map(drop), Err(ReadError::Truncated { found, needed }));
    assert_eq!(writer.free_bytes(), Err(WriteError::Truncated { found, needed }));
    assert_eq!(scene.attach(3).map(drop), Err(AttachError::TooShort { len: needed }));
}

#[test]
fn where_others_may_cut_a_segment_short_each_frame_looks_at_its_size() {
    let (scene, reader) = Scene::new(64);
    drop(reader);
    let mut reader = scene.create_for(READER, Access { mode: 0o620, group: None }).unwrap();
    assert_eq!(scene.attach(WRITER).map(drop), Err(AttachError::OthersMayWrite));
    let process = scene.platform.process(WRITER);
    let mut writer = WriterEndpoint::attach_trusting(process, &scene.name).unwrap();
    let reserved = writer.try_reserve(8).unwrap();
    write(&mut writer, &pattern(1, 8)).unwrap();
    scene.segment().truncate(200);
    let (found, needed) = (200, PAYLOAD + 64 + ENDS_SIZE);
    assert_eq!(reader.try_claim(|| 0).map(drop), Err(ReadError::Truncated { found, needed }));
    // The writer's last look may be some 2 µs old.
    let stale = scene.platform.now().saturating_add(Duration::from_micros(10));
    while scene.platform.now() < stale {
        scene.platform.yield_now();
    }
    assert_eq!(writer.commit(reserved), Err(WriteError::Truncated { found, needed }));
    assert_eq!(writer.try_reserve(1).map(drop), Err(WriteError::Truncated { found, needed }));
    assert_eq!(reader.returner().return_space(24), Err(ReadError::Truncated { found, needed }));
}

#[test]
fn a_dead_readers_leftovers_are_replaced() {
    let (scene, reader, _writer) = Scene::connected(64);
    scene.platform.kill(READER);
    assert_eq!(scene.attach(3).map(drop), Err(AttachError::ReaderDead { pid: Pid(READER) }));
    let mut second = scene.create(4).unwrap();
    drop(reader);
    let mut writer = scene.attach(5).unwrap();
    write(&mut writer, &pattern(1, 10)).unwrap();
    assert_eq!(read(&mut second), Ok((1, pattern(1, 10))), "the first reader's end removed nothing of it");
    drop(second);
    assert!(scene.platform.open_segment(&scene.name).is_err());
}
