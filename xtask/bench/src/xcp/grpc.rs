//! Unary calls of gRPC with a message of one bytes field, by tonic, as it is without further settings.

use core::convert::Infallible;
use core::task::{Context, Poll};

use bytes::Bytes;
use prost::Message;
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use strait_bench::Outcome;

use super::UNIX;
use super::client::check;

/// `message Payload { bytes body = 1; }`
#[derive(Clone, PartialEq, Message)]
struct Payload {
    #[prost(bytes = "bytes", tag = "1")]
    body: Bytes,
}

const PATH: &str = "/bench.Echo/Ask";

/// One connection; clones share it.
#[derive(Clone)]
pub(super) struct Client(Grpc<Channel>);

impl Client {
    pub(super) async fn connect(socket: &str, address: &str) -> Outcome<Self> {
        let scheme = if socket == UNIX { "unix" } else { "http" };
        let channel = Endpoint::from_shared(format!("{scheme}://{address}"))?.connect().await?;
        Ok(Self(Grpc::new(channel)))
    }

    pub(super) async fn ask(&mut self, number: u64, body: &Bytes) -> Outcome<()> {
        self.0.ready().await?;
        let (path, codec) = (PathAndQuery::from_static(PATH), ProstCodec::<Payload, Payload>::default());
        let request = Request::new(Payload { body: body.clone() });
        let reply = self.0.unary(request, path, codec).await?;
        check(&reply.get_ref().body, number, body.len())
    }
}

/// Answers with what it was asked, for ever.
pub(super) async fn serve(socket: &str, address: &str, ready: impl FnOnce(&str)) -> Outcome<()> {
    let server = Server::builder().add_service(Echo);
    if socket == UNIX {
        let listener = UnixListener::bind(address)?;
        ready(address);
        return Ok(server.serve_with_incoming(UnixListenerStream::new(listener)).await?);
    }
    let incoming = TcpIncoming::bind(address.parse()?)?.with_nodelay(Some(true));
    ready(&incoming.local_addr()?.to_string());
    Ok(server.serve_with_incoming(incoming).await?)
}

/// What tonic's build step would generate for a service with one method.
#[derive(Clone)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "bench.Echo";
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<Payload, Payload>::default());
            Ok(grpc.unary(Self, request).await)
        })
    }
}

impl UnaryService<Payload> for Echo {
    type Response = Payload;
    type Future = BoxFuture<Response<Payload>, Status>;

    fn call(&mut self, request: Request<Payload>) -> Self::Future {
        Box::pin(async move { Ok(Response::new(request.into_inner())) })
    }
}
