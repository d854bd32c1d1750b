//! The async half of the API, and the numbers that endpoints report, both ends in one process.
#![forbid(unsafe_code)]

mod changed;
mod link;
mod waits;

use std::io::IoSlice;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::FusedStream as _;
use futures_util::{SinkExt as _, StreamExt as _, TryStreamExt as _};
use strait::zerobuffer::{ABORTED, Health, Reader, RecvError, SendError, Writer};
use strait_tests::pattern::Numbers;
use strait_tests::{PATIENCE, TestName, pattern};

fn pair(name: &TestName, payload: u64) -> (Reader, Writer) {
    let reader = Reader::builder(name).payload_capacity(payload).timeout(PATIENCE).create().expect("created");
    let writer = Writer::builder(name).timeout(PATIENCE).connect().expect("connected");
    (reader, writer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn async_frames_of_any_size_arrive_through_a_tight_ring() {
    let name = TestName::new("async_tight");
    let (mut reader, mut writer) = pair(&name, 1024);
    let sending = tokio::spawn(async move {
        let mut sizes = Numbers::new(7);
        for sequence in 1..=2000 {
            let mut frame = writer.reserve_async(1 + sizes.below(1008)).await?;
            pattern::fill(&mut frame, sequence);
            assert_eq!(frame.commit()?, sequence);
        }
        Ok::<_, SendError>(())
    });
    for sequence in 1..=2000 {
        let frame = reader.recv_async().await.expect("a frame");
        assert_eq!(frame.sequence(), sequence);
        pattern::check(&frame, sequence);
    }
    sending.await.expect("no panic").expect("all sent");
    assert!(matches!(reader.recv_async().await, Err(RecvError::EndOfStream)));
    assert_eq!(reader.statistics().used, 0);
    drop(reader);
    name.assert_nothing_left();
}

#[tokio::test]
async fn a_receive_that_is_given_up_loses_no_frame() {
    let name = TestName::new("async_cancel");
    let (mut reader, mut writer) = pair(&name, 4096);
    for sequence in 1..=50 {
        // Polled once with nothing there, then dropped.
        let given_up = tokio::select! {
            biased;
            frame = reader.recv_async() => frame.is_err(),
            () = std::future::ready(()) => true,
        };
        assert!(given_up, "nothing was sent");
        writer.send_async(&pattern::content(sequence, 10)).await.expect("sent");
        pattern::check(&reader.recv_async().await.expect("a frame"), sequence);
    }
    drop((reader, writer));
    name.assert_nothing_left();
}

#[tokio::test]
async fn an_async_send_into_a_full_ring_times_out_and_says_how_full() {
    let name = TestName::new("async_full");
    let (reader, mut writer) = pair(&name, 64);
    writer.set_timeout(Duration::from_millis(20));
    writer.send_async(&[1; 40]).await.expect("room");
    let full = writer.send_async(&[2; 40]).await;
    assert!(matches!(full, Err(SendError::BufferFull { needed: 64, free: 8, capacity: 64, .. })), "{full:?}");
    drop((reader, writer));
    name.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_yields_what_a_sink_takes_and_ends_with_it() {
    let name = TestName::new("async_stream");
    let (reader, writer) = pair(&name, 2048);
    let sending = tokio::spawn(async move {
        let mut sink = writer.into_sink();
        for sequence in 1..=500u64 {
            let len = 1 + usize::try_from(sequence).expect("small") % 700;
            sink.send(Bytes::from(pattern::content(sequence, len))).await?;
        }
        sink.close().await
    });
    let mut frames = reader.into_stream();
    let mut sequence = 0;
    while let Some(frame) = frames.try_next().await.expect("a frame") {
        sequence += 1;
        pattern::check(&frame, sequence);
    }
    assert_eq!(sequence, 500);
    sending.await.expect("no panic").expect("all sent");
    drop(frames);
    name.assert_nothing_left();
}

/// What a reader is told at the end, after every frame.
fn end_of(mut reader: Reader) -> RecvError {
    loop {
        if let Err(end) = reader.recv() {
            return end;
        }
    }
}

#[tokio::test]
async fn a_sink_that_is_not_closed_gives_up() {
    let name = TestName::new("async_given_up");
    // Frames were sent, one is on its way into a full ring, or its input has failed.
    for how in ["idle", "sending", "forwarding"] {
        let (reader, writer) = pair(&name, 64);
        let mut sink = writer.into_sink();
        sink.send(Bytes::from_static(b"first")).await.expect("there is room");
        match how {
            "idle" => drop(sink),
            "sending" => {
                let stuck = sink.send(Bytes::from_static(&[1; 40]));
                let stuck = tokio::select! { biased; sent = stuck => Some(sent), () = std::future::ready(()) => None };
                assert!(stuck.is_none(), "there is no room: {stuck:?}");
                drop(sink);
            }
            _ => {
                let frames = [Ok(Bytes::from_static(b"second")), Err("a disk fails".to_owned())];
                let frames = futures_util::stream::iter(frames);
                let failed = frames.forward(sink.sink_map_err(|error| error.to_string())).await;
                assert_eq!(failed, Err("a disk fails".to_owned()));
            }
        }
        let end = end_of(reader);
        assert!(matches!(end, RecvError::WriterDead { pid: ABORTED, .. }), "{how}: {end:?}");
    }
    let (reader, writer) = pair(&name, 64);
    writer.into_sink().close().await.expect("closes");
    assert!(matches!(end_of(reader), RecvError::EndOfStream));
    name.assert_nothing_left();
}

#[tokio::test]
async fn a_stream_ends_after_an_error_that_stays_and_goes_on_after_one_that_passes() {
    let name = TestName::new("async_final");
    let mut reader =
        Reader::builder(&name).payload_capacity(1024).timeout(Duration::ZERO).create().expect("created");
    let mut writer = Writer::builder(&name).connect().expect("connected");
    writer.send(b"one").expect("there is room");
    reader.set_timeout(Duration::ZERO);
    let mut frames = reader.into_stream();
    assert_eq!(frames.next().await.expect("an item").expect("a frame"), &b"one"[..]);
    let late = frames.next().await.expect("an item");
    assert!(matches!(late, Err(RecvError::Timeout { .. })), "{late:?}");
    assert!(!frames.is_terminated());
    writer.send(b"two").expect("there is room");
    assert_eq!(frames.next().await.expect("an item").expect("a frame"), &b"two"[..]);
    writer.abort();
    let gone = frames.next().await.expect("an item");
    assert!(matches!(gone, Err(RecvError::WriterDead { .. })), "{gone:?}");
    assert!(frames.is_terminated());
    for _ in 0..2 {
        assert!(frames.next().await.is_none());
    }
    // What nobody can read any more is removed.
    name.assert_nothing_left();
}

#[test]
fn statistics_count_frames_bytes_wraps_and_the_high_water_mark() {
    let name = TestName::new("statistics");
    let (mut reader, mut writer) = pair(&name, 1024);
    for _ in 0..3 {
        writer.send(&[0; 240]).expect("sent");
    }
    let sent = writer.statistics();
    assert_eq!((sent.frames, sent.bytes, sent.used, sent.capacity), (3, 720, 768, 1024));
    assert_eq!(sent.health(), Health::Good);
    writer.send(&[0; 80]).expect("sent");
    assert_eq!(writer.statistics().health(), Health::Degraded, "864 of 1024");
    for _ in 0..4 {
        reader.recv().expect("a frame");
    }
    // 160 bytes are left at the end.
    writer.send(&[0; 200]).expect("sent");
    reader.recv().expect("a frame");
    let (sent, received) = (writer.statistics(), reader.statistics());
    assert_eq!((sent.wraps, received.wraps), (1, 1));
    assert_eq!((received.frames, received.bytes, received.used), (5, 1000, 0));
    assert_eq!((sent.high_water_mark, received.high_water_mark), (864, 864));
    drop((reader, writer));
    name.assert_nothing_left();
}

#[test]
fn a_vectored_send_is_one_frame_and_recv_into_keeps_what_does_not_fit() {
    let name = TestName::new("vectored");
    let (mut reader, mut writer) = pair(&name, 1024);
    let parts = [IoSlice::new(b"one "), IoSlice::new(b""), IoSlice::new(b"frame")];
    assert_eq!(writer.send_vectored(&parts).expect("sent"), 1);
    let mut small = [0; 4];
    let kept = reader.recv_into(&mut small);
    assert!(matches!(kept, Err(RecvError::FrameTooLarge { len: 9, capacity: 4, .. })), "{kept:?}");
    let mut out = [0; 16];
    assert_eq!(reader.recv_into(&mut out).expect("kept"), 9);
    assert_eq!(&out[..9], b"one frame");
    assert_eq!(reader.statistics().used, 0);
    drop((reader, writer));
    name.assert_nothing_left();
}

#[test]
fn the_iterator_ends_with_the_stream() {
    let name = TestName::new("iterator");
    let (mut reader, mut writer) = pair(&name, 4096);
    for sequence in 1..=5 {
        writer.send(&pattern::content(sequence, 20)).expect("sent");
    }
    drop(writer);
    let frames: Vec<_> = reader.frames().collect::<Result<_, _>>().expect("no error");
    assert_eq!(frames.iter().map(|frame| frame.sequence()).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    drop(reader);
    // Held frames outlive their reader.
    for frame in &frames {
        pattern::check(frame, frame.sequence());
    }
    drop(frames);
    name.assert_nothing_left();
}

#[test]
fn the_iterator_ends_after_an_error() {
    let name = TestName::new("iterator_error");
    let (mut reader, mut writer) = pair(&name, 1024);
    writer.send(b"one").expect("there is room");
    writer.abort();
    let mut frames = reader.frames();
    assert!(matches!(frames.next(), Some(Ok(_))));
    assert!(matches!(frames.next(), Some(Err(RecvError::WriterDead { pid: ABORTED, .. }))));
    assert!(frames.next().is_none() && frames.next().is_none());
}
