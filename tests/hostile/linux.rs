//! Hostile words in real segments and semaphores, written through their files by somebody else.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::thread;

use strait::zerobuffer::{Reader, RecvError, SendError, Writer, inspect};
use strait_tests::pattern::Numbers;
use strait_tests::{TestName, objects};

use crate::values::{METADATA, PAYLOAD, Target, targets, values};

const WAIT: Duration = Duration::from_millis(1);

fn create(name: &str) -> Reader {
    let builder = Reader::builder(name).metadata_capacity(METADATA).payload_capacity(PAYLOAD);
    builder.timeout(WAIT).create().expect("the name is free")
}

fn connect(name: &str) -> Option<Writer> {
    Writer::builder(name).timeout(WAIT).connect().ok()
}

fn write(writer: &mut Writer) {
    let _ = writer.set_metadata(b"{\"a\":1}");
    for len in [20, 100, 1, 240, 76] {
        let _ = writer.try_send(&vec![0xaa; len]);
    }
    let _ = writer.send(&[0xbb; 150]);
    let _ = (writer.is_reader_connected(), writer.statistics());
}

fn read(reader: &mut Reader) {
    let _ = reader.metadata();
    let held = [reader.try_recv_owned(), reader.try_recv_owned()];
    for frame in held.iter().flatten() {
        assert!(frame.len() as u64 <= PAYLOAD - 16);
    }
    drop(held);
    for _ in 0..3 {
        if let Ok(frame) = reader.try_recv() {
            assert!(frame.len() as u64 <= PAYLOAD - 16);
        }
    }
    let mut out = [0; 256];
    let _ = reader.recv_into(&mut out);
    let _ = (reader.is_writer_connected(), reader.statistics());
    let _ = inspect(reader.name(), 100);
}

fn scribble(name: &str, target: Target, value: u64) {
    objects::scribble(&objects::segment(name), target.offset, &value.to_le_bytes()[..target.size]);
}

fn work(name: &str, reader: &mut Reader, writer: &mut Option<Writer>) {
    if let Some(writer) = writer {
        write(writer);
    }
    read(reader);
    if writer.is_none() {
        *writer = connect(name);
    }
}

#[test]
fn words_scribbled_before_the_writer_attaches() {
    for target in targets() {
        for value in values(target.offset) {
            let name = TestName::new("hostile-before");
            let mut reader = create(&name);
            scribble(&name, target, value);
            let mut writer = connect(&name);
            work(&name, &mut reader, &mut writer);
        }
    }
}

#[test]
fn words_scribbled_between_operations() {
    for target in targets() {
        for value in values(target.offset + 1) {
            let name = TestName::new("hostile-between");
            let mut reader = create(&name);
            let mut writer = connect(&name);
            let first = writer.as_mut().expect("nothing is wrong yet");
            first.set_metadata(b"{\"a\":1}").expect("fits");
            first.send(&[1; 20]).expect("fits");
            first.send(&[2; 100]).expect("fits");
            scribble(&name, target, value);
            work(&name, &mut reader, &mut writer);
            scribble(&name, target, value);
            work(&name, &mut reader, &mut writer);
        }
    }
}

#[test]
fn words_scribbled_by_another_while_both_run() {
    let targets = targets();
    for seed in 0..10 {
        let name = TestName::new("hostile-meanwhile");
        let mut reader = create(&name);
        let mut writer = connect(&name);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let writing = scope.spawn(|| {
                for _ in 0..100 {
                    match &mut writer {
                        Some(writer) => write(writer),
                        None => writer = connect(&name),
                    }
                }
            });
            let reading = scope.spawn(|| {
                for _ in 0..100 {
                    read(&mut reader);
                }
            });
            scope.spawn(|| {
                let outcomes = (writing.join(), reading.join());
                // Relaxed: nothing else is told by it.
                done.store(true, Ordering::Relaxed);
                assert!(outcomes.0.is_ok() && outcomes.1.is_ok(), "an end panicked");
            });
            let mut numbers = Numbers::new(seed);
            let values = values(seed);
            // Relaxed: as above.
            while !done.load(Ordering::Relaxed) {
                for _ in 0..numbers.below(50) {
                    thread::yield_now();
                }
                let target = targets[numbers.below(targets.len())];
                scribble(&name, target, values[numbers.below(values.len())]);
            }
        });
    }
}

#[test]
fn any_bytes_in_the_semaphores_files() {
    let short = Duration::from_millis(2);
    for offset in [0, 8] {
        for value in values(9) {
            let name = TestName::new("semaphore-bytes");
            let mut reader =
                Reader::builder(&name).metadata_capacity(64).payload_capacity(256).create().expect("free");
            let mut writer = Writer::builder(&name).timeout(short).connect().expect("connects");
            for file in [objects::data_ready(&name), objects::space_free(&name)] {
                objects::set_word(&file, offset, value);
                for len in [20, 100, 76, 150] {
                    let sent = writer.send(&vec![1; len]);
                    assert!(
                        matches!(sent, Ok(_) | Err(SendError::Os { .. } | SendError::BufferFull { .. })),
                        "{offset} {value:#x}: {sent:?}"
                    );
                }
                objects::set_word(&file, offset, value);
                for _ in 0..4 {
                    let received = reader.recv_timeout(short).map(|frame| frame.len());
                    assert!(
                        matches!(received, Ok(_) | Err(RecvError::Os { .. } | RecvError::Timeout { .. })),
                        "{offset} {value:#x}: {received:?}"
                    );
                }
            }
            drop(writer);
            drop(Writer::connect(&name));
        }
    }
}
