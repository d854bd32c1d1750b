//! A peer that says whatever a test wants: frames made by hand, over a blocking socket.

use std::io::{self, Write as _};
use std::net::{Shutdown, TcpStream};

use strait_core::crc32c::Crc32c;
use strait_core::xcp::control::{Hello, Nack, Ping};
use strait_core::xcp::frame::Envelope;
use strait_core::xcp::{CodecId, Dialect, ErrorCode, Flags, FrameHeader, MsgType, header};
use strait_tests::PATIENCE;

/// One frame as it came.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) header: FrameHeader,
    pub(crate) flags: Flags,
    pub(crate) body: Vec<u8>,
}

impl Frame {
    /// What a NACK says.
    #[track_caller]
    pub(crate) fn nack(&self) -> (u64, ErrorCode) {
        assert_eq!(self.header.msg_type, MsgType::NACK, "{self:?}");
        let nack = Nack::read(self.header.codec, &self.body).expect("the body of a NACK");
        (nack.msg_id, nack.code)
    }
}

/// A header of DATA in JSON.
pub(crate) fn data(channel: u32, msg_id: u64) -> FrameHeader {
    FrameHeader::new(MsgType::DATA, channel, msg_id)
}

/// Everything of a frame up to its payload, of which `payload_len` bytes are announced.
pub(crate) fn head(dialect: Dialect, header: &FrameHeader, flags: Flags, payload_len: u64) -> Vec<u8> {
    let mut header_bytes = [0; 4096];
    let len = header::write(header, dialect.header, dialect.numbering, &mut header_bytes).expect("has room");
    let mut out = vec![0; len + 16];
    let envelope = Envelope { flags, payload_len, crc: dialect.crc };
    let len = envelope.head(&header_bytes[..len], &mut out).expect("has room");
    out.truncate(len);
    out
}

/// A whole frame.
pub(crate) fn frame(dialect: Dialect, header: &FrameHeader, flags: Flags, body: &[u8]) -> Vec<u8> {
    let mut out = head(dialect, header, flags, body.len() as u64);
    out.extend_from_slice(body);
    let envelope = Envelope { flags, payload_len: body.len() as u64, crc: dialect.crc };
    out.extend_from_slice(&envelope.trailer::<Crc32c>(body));
    out
}

/// What a peer says that can do all that plain ones can.
pub(crate) fn abilities() -> Hello {
    let mut hello =
        Hello { features: Flags::COMP.union(Flags::MORE).union(Flags::LARGE), ..Hello::default() };
    for codec in [CodecId::JSON, CodecId::TENSOR_F32, strait::xcp::OCTETS] {
        hello.codecs.push(codec).expect("has room");
    }
    hello
}

/// HELLO with this body.
pub(crate) fn hello_frame(dialect: Dialect, hello: &Hello) -> Vec<u8> {
    let mut body = [0; Hello::MAX_BODY];
    let len = hello.write_json(&mut body).expect("has room");
    frame(dialect, &FrameHeader::new(MsgType::HELLO, 0, 1), Flags::NONE, &body[..len])
}

/// An ether of kind text as JSON.
pub(crate) fn text(text: &str) -> Vec<u8> {
    format!(r#"{{"kind":"text","schema_version":1,"payload":{{"text":"{text}"}},"metadata":{{}}}}"#)
        .into_bytes()
}

/// PING with this number.
pub(crate) fn ping(dialect: Dialect, msg_id: u64, nonce: u64) -> Vec<u8> {
    let mut body = [0; 64];
    let len = Ping { nonce }.write_json(&mut body).expect("has room");
    frame(dialect, &FrameHeader::new(MsgType::PING, 0, msg_id), Flags::NONE, &body[..len])
}

/// The client's end of a connection, without any rule.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    pub(crate) dialect: Dialect,
}

impl Raw {
    /// Connects, and says nothing yet.
    pub(crate) fn connect(address: &str, dialect: Dialect) -> Self {
        let address = address.strip_prefix("tcp://").expect("a TCP address");
        Self::over(TcpStream::connect(address).expect("connects"), dialect)
    }

    /// Over a socket that is open.
    pub(crate) fn over(stream: TcpStream, dialect: Dialect) -> Self {
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
        Self { stream, dialect }
    }

    /// Connects and shakes hands.
    pub(crate) fn ready(address: &str) -> Self {
        let mut raw = Self::connect(address, Dialect::SPEC);
        raw.write(&hello_frame(Dialect::SPEC, &abilities()));
        let caps = raw.next();
        assert_eq!((caps.header.msg_type, caps.header.in_reply_to), (MsgType::HELLO, 1));
        raw
    }

    /// Writes bytes that the peer takes for sure.
    #[track_caller]
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the peer reads");
    }

    /// Writes a whole frame.
    #[track_caller]
    pub(crate) fn send(&mut self, header: &FrameHeader, flags: Flags, body: &[u8]) {
        let frame = frame(self.dialect, header, flags, body);
        self.write(&frame);
    }

    /// The next frame, which must come.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Frame {
        self.try_next().expect("a frame, and not the end")
    }

    /// The next frame; `None` if the peer is gone.
    pub(crate) fn try_next(&mut self) -> Option<Frame> {
        match read_frame(&mut self.stream, self.dialect) {
            Ok(frame) => frame,
            Err(error) if is_timeout(&error) => panic!("the peer neither answers nor closes"),
            Err(_) => None,
        }
    }

    /// Every frame until the peer closes.
    pub(crate) fn rest(&mut self) -> Vec<Frame> {
        std::iter::from_fn(|| self.try_next()).collect()
    }

    /// Nothing more will be written.
    pub(crate) fn half_close(&self) {
        // The peer may have closed before.
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Reads a frame and checks its checksum; `None` at the end of the stream.
pub(crate) fn read_frame(stream: &mut impl io::Read, dialect: Dialect) -> io::Result<Option<Frame>> {
    let Some((prefix, body, trailer)) = read_parts(stream)? else { return Ok(None) };
    let flags = Flags(prefix[5]);
    let header_len = usize::from(u16::from_le_bytes([prefix[6], prefix[7]]));
    let (_, header) = header::read(&prefix[8..8 + header_len], dialect.numbering).expect("a header");
    let envelope = Envelope { flags, payload_len: body.len() as u64, crc: dialect.crc };
    assert_eq!(envelope.trailer::<Crc32c>(&body), trailer, "{header:?} has a wrong checksum");
    Ok(Some(Frame { header, flags, body }))
}

/// Reads a frame as three parts: everything in front of the payload, payload, trailer.
#[expect(clippy::type_complexity, reason = "three parts of one frame, used twice")]
pub(crate) fn read_parts(stream: &mut impl io::Read) -> io::Result<Option<(Vec<u8>, Vec<u8>, [u8; 4])>> {
    let mut head = vec![0; 8];
    match stream.read(&mut head[..1])? {
        0 => return Ok(None),
        _ => stream.read_exact(&mut head[1..])?,
    }
    let flags = Flags(head[5]);
    let header_len = usize::from(u16::from_le_bytes([head[6], head[7]]));
    let length = if flags.contains(Flags::LARGE) { 8 } else { 4 };
    head.resize(8 + header_len + length, 0);
    stream.read_exact(&mut head[8..])?;
    let mut len = [0; 8];
    len[..length].copy_from_slice(&head[8 + header_len..]);
    let mut body = vec![0; usize::try_from(u64::from_le_bytes(len)).expect("fits memory")];
    stream.read_exact(&mut body)?;
    let mut trailer = [0; 4];
    stream.read_exact(&mut trailer)?;
    Ok(Some((head, body, trailer)))
}
