//! Sockets of `std` that are given a short while for each call, and connecting within a time limit.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;
#[cfg(feature = "xcp-tls")]
use std::time::Instant;

use super::super::address::Address;
use super::super::client::Exported;
use super::super::dial;
use super::super::error::{BadOption, ConnectError};
use super::super::options::Options;

/// How long a read or a write waits before the other has its turn.
const SLICE: Duration = Duration::from_millis(20);

/// An open socket.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    #[cfg(feature = "xcp-tls")]
    Tls(Box<rustls::StreamOwned<rustls::ClientConnection, TcpStream>>),
}

/// A socket until the handshake of TLS is over: all of it has but so much time.
#[cfg(feature = "xcp-tls")]
struct Timed {
    stream: TcpStream,
    since: Instant,
    limit: Duration,
}

#[cfg(feature = "xcp-tls")]
impl Timed {
    /// Tries until it is done, or the time is over.
    fn keep_on(&mut self, mut attempt: impl FnMut(&mut TcpStream) -> io::Result<usize>) -> io::Result<usize> {
        loop {
            match attempt(&mut self.stream) {
                Err(error) if is_slice_over(&error) && self.since.elapsed() < self.limit => {}
                _ if self.since.elapsed() >= self.limit => return Err(io::ErrorKind::TimedOut.into()),
                outcome => return outcome,
            }
        }
    }
}

#[cfg(feature = "xcp-tls")]
impl Read for Timed {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.keep_on(|stream| stream.read(to))
    }
}

#[cfg(feature = "xcp-tls")]
impl Write for Timed {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.keep_on(|stream| stream.write(from))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Does the same with whichever socket it is.
macro_rules! each {
    ($socket:expr, $io:ident => $do:expr) => {
        match $socket {
            Socket::Tcp($io) => $do,
            #[cfg(unix)]
            Socket::Unix($io) => $do,
            #[cfg(feature = "xcp-tls")]
            Socket::Tls($io) => $do,
        }
    };
}

impl Socket {
    pub(super) fn dial(options: &Options, address: &Address) -> Result<(Self, Exported), ConnectError> {
        #[cfg(unix)]
        let io = |source| ConnectError::Io { address: address.to_string(), source };
        #[cfg(feature = "xcp-tls")]
        if options.tls_client.is_some() {
            super::super::tls::check(address)?;
        }
        match address {
            Address::Tcp { host, port } => {
                Ok((Self::Tcp(dial_tcp(address, host, *port, options.handshake_timeout)?), None))
            }
            #[cfg(unix)]
            Address::Unix { path } => {
                super::super::socket_file::check(path)?;
                let stream = dial_unix(path, options.handshake_timeout).map_err(io)?;
                stream.set_read_timeout(Some(SLICE)).map_err(io)?;
                stream.set_write_timeout(Some(SLICE)).map_err(io)?;
                Ok((Self::Unix(stream), None))
            }
            #[cfg(not(unix))]
            Address::Unix { .. } => Err(BadOption::NotHere { what: "Unix sockets" }.into()),
            #[cfg(feature = "xcp-tls")]
            Address::Tls { host, port } => {
                let tls = options.tls_client.as_ref().ok_or(BadOption::TlsNotSet)?;
                let since = Instant::now();
                let stream = dial_tcp(address, host, *port, options.handshake_timeout)?;
                let stream = Timed { stream, since, limit: options.handshake_timeout };
                let rustls::StreamOwned { conn, sock } =
                    super::super::tls::connect(tls.config()?, tls.server_name()?, stream)?;
                let exported = super::super::tls::exporter(&conn)?;
                let stream = rustls::StreamOwned::new(conn, sock.stream);
                Ok((Self::Tls(Box::new(stream)), Some(std::sync::Arc::new(exported))))
            }
            #[cfg(not(feature = "xcp-tls"))]
            Address::Tls { .. } => {
                Err(BadOption::NotHere { what: "TLS sockets without the feature xcp-tls" }.into())
            }
        }
    }

    pub(super) fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        each!(self, io => io.read(to))
    }

    pub(super) fn write(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        each!(self, io => io.write_vectored(parts))
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        each!(self, io => io.flush())
    }

    /// Says that no more will be written; whether it was, or cannot be.
    pub(super) fn end(&mut self) -> bool {
        match self {
            Self::Tcp(io) => is_said(io.shutdown(Shutdown::Write)),
            #[cfg(unix)]
            Self::Unix(io) => is_said(io.shutdown(Shutdown::Write)),
            #[cfg(feature = "xcp-tls")]
            Self::Tls(io) => {
                io.conn.send_close_notify();
                is_said(io.flush()) && is_said(io.sock.shutdown(Shutdown::Write))
            }
        }
    }
}

/// A server that accepts nobody does not answer either.
#[cfg(unix)]
fn dial_unix(path: &std::path::Path, timeout: Duration) -> io::Result<UnixStream> {
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    socket.set_write_timeout(Some(timeout))?;
    socket.connect(&socket2::SockAddr::unix(path)?).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    })?;
    Ok(std::os::fd::OwnedFd::from(socket).into())
}

fn dial_tcp(address: &Address, host: &str, port: u16, timeout: Duration) -> Result<TcpStream, ConnectError> {
    let stream = dial::dial_blocking(address, (host, port), timeout)?;
    let prepared = stream.set_read_timeout(Some(SLICE)).and_then(|()| stream.set_write_timeout(Some(SLICE)));
    prepared.map_err(|source| ConnectError::Io { address: address.to_string(), source })?;
    Ok(stream)
}

/// Whether there is nothing more to do about it.
fn is_said(outcome: io::Result<()>) -> bool {
    !outcome.is_err_and(|error| is_slice_over(&error))
}

/// Whether it only means that the other direction should have its turn.
pub(super) fn is_slice_over(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}
