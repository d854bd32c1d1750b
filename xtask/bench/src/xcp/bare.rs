//! A length, four bytes, and so many bytes, over a socket of tokio: what a request costs at the least.

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;

use strait_bench::Outcome;

use super::UNIX;
use super::client::check;

/// Small messages are read at once, large ones past it.
const BUFFER: usize = 64 << 10;

type Reader = BufReader<Box<dyn AsyncRead + Unpin + Send>>;
type Writer = Box<dyn AsyncWrite + Unpin + Send>;

/// One connection.
pub(super) struct Client {
    reader: Reader,
    writer: Writer,
    reply: Vec<u8>,
}

impl Client {
    pub(super) async fn connect(socket: &str, address: &str) -> Outcome<Self> {
        let (reader, writer) = if socket == UNIX {
            of_unix(UnixStream::connect(address).await?)
        } else {
            of_tcp(TcpStream::connect(address).await?)?
        };
        Ok(Self { reader, writer, reply: Vec::new() })
    }

    pub(super) async fn ask(&mut self, number: u64, body: &Bytes) -> Outcome<()> {
        send(&mut self.writer, body).await?;
        receive(&mut self.reader, &mut self.reply).await?;
        check(&self.reply, number, body.len())
    }

    /// Asks `count` times, `at_once` at once; `bodies` in turn.
    pub(super) async fn ask_all(&mut self, bodies: &[Bytes], count: u64, at_once: usize) -> Outcome<()> {
        let under_way = Semaphore::new(at_once);
        let sends = async {
            for (_, body) in (0..count).zip(bodies.iter().cycle()) {
                under_way.acquire().await.map_err(text)?.forget();
                send(&mut self.writer, body).await.map_err(text)?;
            }
            Ok::<(), String>(())
        };
        let receives = async {
            for (_, (number, body)) in (0..count).zip((0..).zip(bodies).cycle()) {
                receive(&mut self.reader, &mut self.reply).await.map_err(text)?;
                check(&self.reply, number, body.len()).map_err(text)?;
                under_way.add_permits(1);
            }
            Ok::<(), String>(())
        };
        tokio::try_join!(sends, receives)?;
        Ok(())
    }
}

/// Errors of tasks must be fit to be sent.
fn text(error: impl ToString) -> String {
    error.to_string()
}

fn of_tcp(stream: TcpStream) -> Outcome<(Reader, Writer)> {
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.into_split();
    Ok((BufReader::with_capacity(BUFFER, Box::new(reader)), Box::new(writer)))
}

fn of_unix(stream: UnixStream) -> (Reader, Writer) {
    let (reader, writer) = stream.into_split();
    (BufReader::with_capacity(BUFFER, Box::new(reader)), Box::new(writer))
}

async fn send(writer: &mut Writer, body: &[u8]) -> Outcome<()> {
    let len = u32::try_from(body.len())?.to_le_bytes();
    // One system call for both, as far as the socket takes them.
    Ok(writer.write_all_buf(&mut Buf::chain(len.as_slice(), body)).await?)
}

async fn receive(reader: &mut Reader, body: &mut Vec<u8>) -> Outcome<()> {
    let len = reader.read_u32_le().await?;
    body.resize(usize::try_from(len)?, 0);
    reader.read_exact(body).await?;
    Ok(())
}

/// Answers with what it was asked, for ever.
pub(super) async fn serve(socket: &str, address: &str, ready: impl FnOnce(&str)) -> Outcome<()> {
    if socket == UNIX {
        let listener = UnixListener::bind(address)?;
        ready(address);
        loop {
            let (stream, _) = listener.accept().await?;
            let (reader, writer) = of_unix(stream);
            tokio::task::spawn_local(echo(reader, writer));
        }
    }
    let listener = TcpListener::bind(address).await?;
    ready(&listener.local_addr()?.to_string());
    loop {
        let (stream, _) = listener.accept().await?;
        let (reader, writer) = of_tcp(stream)?;
        tokio::task::spawn_local(echo(reader, writer));
    }
}

async fn echo(mut reader: Reader, mut writer: Writer) {
    let mut body = Vec::new();
    // Until the client is gone.
    while receive(&mut reader, &mut body).await.is_ok() && send(&mut writer, &body).await.is_ok() {}
}
