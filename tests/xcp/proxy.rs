//! Somebody in between who reads frames, changes them, leaves them out, or sends them again.

use std::io::Write as _;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use strait_core::crc32c::Crc32c;
use strait_core::xcp::frame::Envelope;
use strait_core::xcp::{CrcOrder, Flags};

use crate::raw::read_parts;

/// Who sent a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Client,
    Server,
}

/// A frame on its way. Its checksum is made anew when it goes on.
#[derive(Clone, Debug)]
pub(crate) struct Passing {
    pub(crate) from: From,
    /// Its number in its direction, HELLO and its answer being 0.
    pub(crate) number: usize,
    /// Everything in front of the body.
    pub(crate) head: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

impl Passing {
    fn bytes(&self) -> Vec<u8> {
        let envelope =
            Envelope { flags: Flags::NONE, payload_len: self.body.len() as u64, crc: CrcOrder::Little };
        [&self.head[..], &self.body, &envelope.trailer::<Crc32c>(&self.body)].concat()
    }
}

/// What becomes of a frame: those that go on in its place; `None` ends both connections.
type Judge = dyn FnMut(Passing) -> Option<Vec<Passing>> + Send;

/// Stands between clients and the server at `address`; the address to connect to instead.
pub(crate) fn between(
    address: &str,
    judge: impl FnMut(Passing) -> Option<Vec<Passing>> + Send + 'static,
) -> String {
    let server = address.strip_prefix("tcp://").expect("a TCP address").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
    let here = listener.local_addr().expect("an address");
    let judge: Arc<Mutex<Box<Judge>>> = Arc::new(Mutex::new(Box::new(judge)));
    thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(client) = client else { return };
            let Ok(server) = TcpStream::connect(&server) else { return };
            for (from, to, side) in [(&client, &server, From::Client), (&server, &client, From::Server)] {
                let (from, to) = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
                let judge = judge.clone();
                thread::spawn(move || pass(from, to, side, &judge));
            }
        }
    });
    format!("tcp://{here}")
}

fn pass(mut from: TcpStream, mut to: TcpStream, side: From, judge: &Mutex<Box<Judge>>) {
    let mut number = 0;
    while let Ok(Some((head, body, _))) = read_parts(&mut from) {
        let passing = Passing { from: side, number, head, body };
        number += 1;
        let verdict = (*judge.lock().expect("no judge panics"))(passing);
        let Some(frames) = verdict else {
            let _ = from.shutdown(Shutdown::Both);
            break;
        };
        if frames.iter().any(|frame| to.write_all(&frame.bytes()).is_err()) {
            break;
        }
    }
    // Each end learns that the other is gone; it may be gone itself.
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
