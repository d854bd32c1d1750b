//! A server with a runtime of its own, for tests whose other end is a blocking socket.

use std::future::Future;

use bytes::Bytes;
use strait::xcp::{Attachment, Connection, ErrorCode, Ether, Options, Server};
use tokio::runtime::Runtime;

/// A server that answers ethers with themselves, in the background.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) runtime: Runtime,
    pub(crate) address: String,
}

impl Home {
    /// One that answers every ether with itself.
    pub(crate) fn echo(options: &Options) -> Self {
        Self::serving(options, |ether| async move { Ok(Some(ether)) })
    }

    /// One that answers with what `handler` makes of it.
    pub(crate) fn serving<H, F>(options: &Options, handler: H) -> Self
    where
        H: Fn(Ether) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Option<Ether>, ErrorCode>> + Send + 'static,
    {
        let runtime = runtime();
        let server = runtime.block_on(options.listen("tcp://127.0.0.1:0")).expect("listens");
        let address = server.address().to_string();
        runtime.spawn(server.serve(handler));
        Self { runtime, address }
    }

    /// One that does with each connection what `each` does.
    pub(crate) fn each<E, F>(options: &Options, each: E) -> Self
    where
        E: Fn(Connection) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = runtime();
        let mut server = runtime.block_on(options.listen("tcp://127.0.0.1:0")).expect("listens");
        let address = server.address().to_string();
        runtime.spawn(async move {
            while let Some(connection) = server.accept().await {
                tokio::spawn(each(connection));
            }
        });
        Self { runtime, address }
    }

    /// A client that keeps to the rules is served now.
    #[track_caller]
    pub(crate) fn serves(&self) {
        self.runtime.block_on(served(&self.address));
    }
}

/// Runs a task of its own for each socket, so that one test's peers do not wait for another's.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// A new client's requests are answered.
pub(crate) async fn served(address: &str) {
    let client = Options::new().connect(address).await.expect("connects");
    let answer = client.request(&Ether::text("still there?")).await.expect("is answered");
    assert_eq!(answer.ether().expect("an ether").as_text(), Ok("still there?"));
    let body = Bytes::from(vec![9; 20_000]);
    let ether = Ether::new("image", 1).attach(Attachment::bytes("body", "image/png", body));
    let answer = client.request(&ether).await.expect("is answered");
    assert_eq!(answer.ether().expect("an ether").attachments, ether.attachments);
    assert!(client.ping().await.is_ok());
}

/// Both ends of a connection, and the server that must live as long as nobody else is to be taken.
pub(crate) async fn pair(options: &Options) -> (Server, Connection, Connection) {
    let mut server = options.listen("tcp://127.0.0.1:0").await.expect("listens");
    let address = server.address().to_string();
    let (client, accepted) = tokio::join!(options.connect(&address), server.accept());
    let client = client.expect("connects");
    (server, client, accepted.expect("a client"))
}
