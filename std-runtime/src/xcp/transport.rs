//! Sockets of every kind, as one type, and as its two halves.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, tcp};
#[cfg(unix)]
use tokio::net::{UnixStream, unix};

#[cfg(feature = "xcp-tls")]
type TlsStream = tokio_rustls::TlsStream<TcpStream>;

/// An open socket.
#[derive(Debug)]
pub(super) enum Transport {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    #[cfg(feature = "xcp-tls")]
    Tls(Box<TlsStream>),
}

/// The half that is read from.
#[derive(Debug)]
pub(super) enum Reader {
    Tcp(tcp::OwnedReadHalf),
    #[cfg(unix)]
    Unix(unix::OwnedReadHalf),
    #[cfg(feature = "xcp-tls")]
    Tls(tokio::io::ReadHalf<Box<TlsStream>>),
}

/// The half that is written to.
#[derive(Debug)]
pub(super) enum Writer {
    Tcp(tcp::OwnedWriteHalf),
    #[cfg(unix)]
    Unix(unix::OwnedWriteHalf),
    #[cfg(feature = "xcp-tls")]
    Tls(tokio::io::WriteHalf<Box<TlsStream>>),
}

impl Transport {
    pub(super) fn split(self) -> (Reader, Writer) {
        match self {
            Self::Tcp(io) => {
                let (reader, writer) = io.into_split();
                (Reader::Tcp(reader), Writer::Tcp(writer))
            }
            #[cfg(unix)]
            Self::Unix(io) => {
                let (reader, writer) = io.into_split();
                (Reader::Unix(reader), Writer::Unix(writer))
            }
            #[cfg(feature = "xcp-tls")]
            Self::Tls(io) => {
                let (reader, writer) = tokio::io::split(io);
                (Reader::Tls(reader), Writer::Tls(writer))
            }
        }
    }
}

/// Does the same with whichever half it is.
macro_rules! each {
    ($half:ident, $self:expr, $io:ident => $do:expr) => {
        match $self.get_mut() {
            $half::Tcp(io) => {
                let $io = Pin::new(io);
                $do
            }
            #[cfg(unix)]
            $half::Unix(io) => {
                let $io = Pin::new(io);
                $do
            }
            #[cfg(feature = "xcp-tls")]
            $half::Tls(io) => {
                let $io = Pin::new(io);
                $do
            }
        }
    };
}

impl AsyncRead for Reader {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(Reader, self, io => io.poll_read(cx, buf))
    }
}

impl Writer {
    /// Writes what the socket takes now, without anybody to wake once it takes more. Not over TLS: there
    /// [`WouldBlock`](io::ErrorKind::WouldBlock).
    pub(super) fn try_write_vectored(&self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(io) => io.try_write_vectored(bufs),
            #[cfg(unix)]
            Self::Unix(io) => io.try_write_vectored(bufs),
            #[cfg(feature = "xcp-tls")]
            Self::Tls(_) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl AsyncWrite for Writer {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each!(Writer, self, io => io.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(Writer, self, io => io.poll_write_vectored(cx, bufs))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(Writer, self, io => io.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(Writer, self, io => io.poll_shutdown(cx))
    }
}
