//! One sentence each.

use super::*;
use crate::platform::Platform;
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
fn the_next_writer_takes_over_from_a_killed_one_with_its_frames_unread() {
    let (scene, mut reader, mut writer) = Scene::connected(256);
    write(&mut writer, &pattern(1, 10)).unwrap();
    scene.platform.kill(WRITER);
    let mut next = scene.attach(3).unwrap();
    assert_eq!(write(&mut next, &pattern(2, 10)), Ok(2));
    assert_eq!(read(&mut reader), Ok((1, pattern(1, 10))));
    assert_eq!(read(&mut reader), Ok((2, pattern(2, 10))));
    assert_eq!(writer.try_reserve(1).map(drop), Err(WriteError::Replaced { pid: Pid(3) }));
}

#[test]
fn a_segment_cut_short_is_an_error_on_both_sides() {
    let (scene, mut reader, mut writer) = Scene::connected(64);
    scene.segment().truncate(200);
    let needed = PAYLOAD + 64 + ENDS_SIZE;
    assert_eq!(reader.try_claim(|| 0).map(drop), Err(ReadError::Truncated { found: 200, needed }));
    assert_eq!(writer.try_reserve(1).map(drop), Err(WriteError::Truncated { found: 200, needed }));
    assert_eq!(scene.attach(3).map(drop), Err(AttachError::TooShort { len: needed }));
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
