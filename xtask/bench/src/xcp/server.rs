//! The process that answers.

use std::path::PathBuf;

use bytes::Bytes;
use strait::xcp::compress::DEFAULT_LEVEL;
use strait::xcp::{Connection, OCTETS, Options};
use strait_bench::Outcome;
use strait_bench::child::{self, Child, argument};

use super::{BARE, PACKED, TONIC, UNIX, bare, grpc};

/// Role: answers for ever. Arguments: peer, socket, address; it says which address it got.
pub(super) const ROLE: &str = "xcp-server";

/// Tag of requests that want an empty answer.
pub(super) const SHORT: &str = "short";

/// A server process; dropped, it is killed.
pub(super) struct Server {
    _child: Child,
    pub(super) address: String,
    /// Removed with it, and the lock beside it.
    socket: Option<PathBuf>,
}

impl Server {
    pub(super) fn start(peer: &str, socket: &str) -> Outcome<Self> {
        let path = std::env::temp_dir().join(child::unique_name("xcp"));
        let path = path.to_str().ok_or("the folder of temporary files has a name that is no text")?;
        let address = if socket == UNIX { path } else { "127.0.0.1:0" };
        let mut child = Child::start(ROLE, &[peer, socket, address].map(str::to_owned))?;
        child.go()?;
        let address = child.line()?;
        Ok(Self { _child: child, address, socket: (socket == UNIX).then(|| path.into()) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(socket) = &self.socket {
            // Its server may have removed both.
            for end in ["", ".xcp-lock"] {
                let mut path = socket.clone().into_os_string();
                path.push(end);
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

pub(super) fn play(args: &[String]) -> Outcome<()> {
    child::settle()?;
    let (peer, socket, address): (String, String, String) =
        (argument(args, 0)?, argument(args, 1)?, argument(args, 2)?);
    child::report_ready()?;
    let ready = |address: &str| println!("{address}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async {
        match peer.as_str() {
            BARE => bare::serve(&socket, &address, ready).await,
            TONIC => grpc::serve(&socket, &address, ready).await,
            peer => serve(peer, &socket, &address, ready).await,
        }
    })
}

/// The scheme of an address of XCP.
pub(super) fn scheme(socket: &str) -> &'static str {
    if socket == UNIX { "unix" } else { "tcp" }
}

/// What both ends of XCP want.
pub(super) fn options(peer: &str) -> Options {
    let options = Options::new();
    if peer == PACKED { options.compress(DEFAULT_LEVEL) } else { options }
}

async fn serve(peer: &str, socket: &str, address: &str, ready: impl FnOnce(&str)) -> Outcome<()> {
    let scheme = scheme(socket);
    let mut server = options(peer).listen(&format!("{scheme}://{address}")).await?;
    let address = server.address().to_string();
    ready(address.strip_prefix(&format!("{scheme}://")).ok_or("an address of another kind")?);
    while let Some(connection) = server.accept().await {
        tokio::spawn(echo(connection));
    }
    Ok(())
}

async fn echo(connection: Connection) {
    while let Some(message) = connection.recv().await {
        let short = message.tags().get(SHORT).is_some();
        let body = if short { Bytes::new() } else { message.body().clone() };
        // Until the client is gone.
        if connection.reply_body(&message, OCTETS, body).await.is_err() {
            return;
        }
    }
}
