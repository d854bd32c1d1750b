//! How fast is iceoryx2 between two processes?

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use iceoryx2::node::{Node, NodeBuilder};
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::{
    BackpressureStrategy, Config, FileName, LogLevel, SemanticString as _, ipc, set_log_level,
};
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;
use strait_bench::Outcome;
use strait_bench::child::{self, Child, argument, spin_until};
use strait_bench::lines::time_batches;
use strait_bench::messages::{check, millions_per_second, warm_up, write_number};

use crate::queues::{Item, PLACES};

/// Role: publishes numbered samples. Arguments: folder, samples.
pub(crate) const PUBLISHER: &str = "iceoryx2-publisher";
/// Role: publishes again what it receives. Arguments: folder, round trips.
pub(crate) const SERVER: &str = "iceoryx2-server";

/// Where Linux keeps named shared memory.
const SHARED_MEMORY: &str = "/dev/shm";
const REQUESTS: &str = "requests";
const REPLIES: &str = "replies";
const LEN: usize = size_of::<Item>();

type Sending = Publisher<ipc::Service, Item, ()>;
type Receiving = Subscriber<ipc::Service, Item, ()>;

/// Millions of samples per second; the publisher waits, in iceoryx2's own way, while the subscriber's buffer is full.
pub(crate) fn one_way(samples: u64) -> Outcome<f64> {
    let folder = Folder::create()?;
    let node = node(&folder.0)?;
    let samples_in = receiving(&node, REQUESTS)?;
    let mut child = Child::start(PUBLISHER, &[folder.text()?, samples.to_string()])?;
    child.go()?;
    let receive = |numbers: core::ops::Range<u64>| -> Outcome<()> {
        for number in numbers {
            take(&samples_in, |item| check(item, number, LEN))?;
        }
        Ok(())
    };
    let warm = warm_up(samples);
    receive(0..warm)?;
    let start = Instant::now();
    receive(warm..samples)?;
    let rate = millions_per_second(samples - warm, start);
    child.go()?;
    child.finish()?;
    Ok(rate)
}

pub(crate) fn publisher(args: &[String]) -> Outcome<()> {
    child::settle()?;
    let node = node(&argument::<PathBuf>(args, 0)?)?;
    let samples: u64 = argument(args, 1)?;
    let samples_out = sending(&node, REQUESTS)?;
    child::report_ready()?;
    let mut item = [0; LEN];
    for number in 0..samples {
        write_number(&mut item, number);
        put(&samples_out, item)?;
    }
    // Unread samples are in the publisher's memory: it stays until all are read.
    child::await_go()
}

/// Nanoseconds for a sample there and another one back; both sides spin.
pub(crate) fn round_trip(trips: u64) -> Outcome<f64> {
    let folder = Folder::create()?;
    let node = node(&folder.0)?;
    let (requests, replies) = (sending(&node, REQUESTS)?, receiving(&node, REPLIES)?);
    let mut child = Child::start(SERVER, &[folder.text()?, trips.to_string()])?;
    child.go()?;
    let mut item = [0; LEN];
    let nanos = time_batches(trips, |number| {
        write_number(&mut item, number);
        put(&requests, item)?;
        take(&replies, |item| check(item, number, LEN))
    })?;
    child.finish()?;
    Ok(nanos)
}

pub(crate) fn server(args: &[String]) -> Outcome<()> {
    child::settle()?;
    let node = node(&argument::<PathBuf>(args, 0)?)?;
    let trips: u64 = argument(args, 1)?;
    let (requests, replies) = (receiving(&node, REQUESTS)?, sending(&node, REPLIES)?);
    child::report_ready()?;
    for _ in 0..trips {
        take(&requests, |item| put(&replies, *item))?;
    }
    Ok(())
}

fn put(out: &Sending, item: Item) -> Outcome<()> {
    let sample = out.loan_uninit()?.write_payload(item);
    let receivers = sample.send()?;
    if receivers == 1 { Ok(()) } else { Err(format!("{receivers} subscribers got a sample").into()) }
}

fn take(from: &Receiving, then: impl FnOnce(&Item) -> Outcome<()>) -> Outcome<()> {
    let mut outcome = Ok(None);
    spin_until(|| {
        outcome = from.receive();
        !matches!(outcome, Ok(None))
    })?;
    let sample = outcome?.ok_or("no sample after all")?;
    then(sample.payload())
}

/// A node that sees those of the same folder only.
fn node(folder: &Path) -> Outcome<Node<ipc::Service>> {
    set_log_level(LogLevel::Error);
    let mut config = Config::default();
    let folder = folder.to_str().ok_or("a folder that is not UTF-8")?;
    config.global.set_root_path(&iceoryx2::prelude::Path::new(folder.as_bytes())?);
    config.global.prefix = FileName::new(prefix(Path::new(folder))?.as_bytes())?;
    Ok(NodeBuilder::new().config(&config).create::<ipc::Service>()?)
}

/// A service for one subscriber that loses nothing.
fn service(node: &Node<ipc::Service>, name: &str) -> Outcome<PortFactory<ipc::Service, Item, ()>> {
    let service = node.service_builder(&name.try_into()?).publish_subscribe::<Item>();
    let service = service.enable_safe_overflow(false).subscriber_max_buffer_size(PLACES).history_size(0);
    Ok(service.max_publishers(1).max_subscribers(1).open_or_create()?)
}

fn sending(node: &Node<ipc::Service>, name: &str) -> Outcome<Sending> {
    let service = service(node, name)?;
    let publisher = service.publisher_builder();
    Ok(publisher.backpressure_strategy(BackpressureStrategy::RetryUntilDelivered).create()?)
}

fn receiving(node: &Node<ipc::Service>, name: &str) -> Outcome<Receiving> {
    Ok(service(node, name)?.subscriber_builder().buffer_size(PLACES).create()?)
}

/// How the names of shared memory begin: as the folder is called.
fn prefix(folder: &Path) -> Outcome<String> {
    let name = folder.file_name().and_then(OsStr::to_str).ok_or("a folder without a name in UTF-8")?;
    Ok(format!("{name}-"))
}

/// Where iceoryx2 keeps its files; gone when dropped, with everything in it and the shared memory that stays behind.
struct Folder(PathBuf);

impl Folder {
    fn create() -> Outcome<Self> {
        let folder = std::env::temp_dir().join(child::unique_name("iceoryx2"));
        std::fs::create_dir(&folder)?;
        Ok(Self(folder))
    }

    fn text(&self) -> Outcome<String> {
        Ok(self.0.to_str().ok_or("a folder that is not UTF-8")?.to_owned())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
        let Ok(prefix) = prefix(&self.0) else { return };
        for entry in std::fs::read_dir(SHARED_MEMORY).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(&prefix)) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}
