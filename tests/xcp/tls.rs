//! Over TLS only ends that know each other meet, and what goes wrong is said and not waited for.

use bytes::Bytes;
use rcgen::{CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair};
use strait::xcp::tls::{Pem, TlsClient, TlsServer};
use strait::xcp::{BadOption, ConnectError, Connection, Ether, Flags, OCTETS, Options, RequestError};

use crate::home::runtime;

/// An authority, and what it has signed.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    fn pem(&self) -> Pem {
        Pem::text(self.0.pem())
    }

    /// A certificate for `name`, and its key.
    fn identity(&self, name: &str) -> (Pem, Pem) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let issuer: &Issuer<'_, KeyPair> = &self.0;
        let certificate = params.signed_by(&key, issuer).expect("a certificate");
        (Pem::text(certificate.pem()), Pem::text(key.serialize_pem()))
    }

    fn server(&self, name: &str) -> TlsServer {
        let (certificates, key) = self.identity(name);
        TlsServer::new(certificates, key)
    }

    fn client(&self, name: &str) -> TlsClient {
        TlsClient::new(self.pem(), name)
    }
}

async fn echo(options: &Options, address: &str) -> String {
    let server = options.listen(address).await.expect("listens");
    let address = server.address().to_string();
    tokio::spawn(server.serve(|ether| async move { Ok(Some(ether)) }));
    address
}

async fn asks(client: &Connection) -> Result<(), RequestError> {
    let body = Bytes::from(vec![7; 3_000_000]);
    let answer = client.request_body(OCTETS, body.clone()).await?;
    assert_eq!(answer.ether()?.attachments[0].inline_bytes.as_ref().map(Bytes::len), Some(body.len()));
    client.ping().await.map(|_| ())
}

const TLS: &str = "tls://127.0.0.1:0";

#[test]
fn a_client_meets_the_server_it_knows() {
    runtime().block_on(async {
        let authority = Authority::new("authority");
        let address = echo(&Options::new().tls_server(authority.server("localhost")), TLS).await;
        assert!(address.starts_with("tls://"));
        let client = Options::new().tls_client(authority.client("localhost"));
        asks(&client.connect(&address).await.expect("connects")).await.expect("is answered");
        let mut blocking = tokio::task::spawn_blocking({
            let (client, address) = (client.clone(), address.clone());
            move || client.connect_blocking(&address).expect("connects")
        })
        .await
        .expect("did not panic");
        let answered = tokio::task::spawn_blocking(move || blocking.request(&Ether::text("a")).is_ok()).await;
        assert!(answered.expect("did not panic"));
    });
}

#[test]
fn who_sets_tls_up_does_not_speak_in_the_clear() {
    runtime().block_on(async {
        let authority = Authority::new("authority");
        let unused = |outcome: ConnectError| {
            assert!(matches!(outcome, ConnectError::Option(BadOption::TlsNotUsed { .. })), "{outcome:?}");
        };
        let server = Options::new().tls_server(authority.server("localhost"));
        unused(server.listen("tcp://127.0.0.1:0").await.expect_err("refused"));
        let plain = echo(&Options::new(), "tcp://127.0.0.1:0").await;
        let client = Options::new().tls_client(authority.client("localhost"));
        unused(client.connect(&plain).await.expect_err("refused"));
        let blocking = tokio::task::spawn_blocking(move || client.connect_blocking(&plain).map(drop));
        unused(blocking.await.expect("did not panic").expect_err("refused"));
    });
}

#[test]
fn a_server_of_another_authority_or_another_name_is_not_spoken_to() {
    runtime().block_on(async {
        let (authority, other) = (Authority::new("authority"), Authority::new("other"));
        let address = echo(&Options::new().tls_server(authority.server("localhost")), TLS).await;
        for (client, wanted) in [
            (other.client("localhost"), "UnknownIssuer"),
            (authority.client("elsewhere"), "not valid for name"),
        ] {
            let refused = Options::new().tls_client(client).connect(&address).await.expect_err("refused");
            assert!(matches!(refused, ConnectError::Io { .. }), "{refused:?}");
            assert!(refused.to_string().contains(wanted), "{refused}");
        }
        let known = Options::new().tls_client(authority.client("localhost"));
        asks(&known.connect(&address).await.expect("connects")).await.expect("is answered");
    });
}

#[test]
fn a_server_that_asks_for_certificates_meets_only_clients_that_have_one() {
    runtime().block_on(async {
        let (authority, clients) = (Authority::new("authority"), Authority::new("clients"));
        let server = authority.server("localhost").client_ca(clients.pem());
        let address = echo(&Options::new().tls_server(server), TLS).await;
        let (certificates, key) = clients.identity("client");
        let known = Options::new().tls_client(authority.client("localhost").identity(certificates, key));
        asks(&known.connect(&address).await.expect("connects")).await.expect("is answered");
        let (certificates, key) = authority.identity("client");
        for stranger in
            [authority.client("localhost"), authority.client("localhost").identity(certificates, key)]
        {
            // TLS 1.3 tells a client only with the first answer, and that is the one to HELLO.
            let refused = Options::new().tls_client(stranger).connect(&address).await.expect_err("refused");
            assert!(
                matches!(refused, ConnectError::Handshake { .. } | ConnectError::Io { .. }),
                "{refused:?}"
            );
        }
        asks(&known.connect(&address).await.expect("connects")).await.expect("is answered");
    });
}

#[test]
fn messages_are_sealed_with_keys_of_the_tls_connection() {
    runtime().block_on(async {
        let authority = Authority::new("authority");
        let server = Options::new().tls_server(authority.server("localhost")).encrypt_by_tls();
        let address = echo(&server, TLS).await;
        let plain = Options::new().tls_client(authority.client("localhost"));
        let sealed = plain.clone().encrypt_by_tls();
        for _ in 0..2 {
            let client = sealed.connect(&address).await.expect("connects");
            assert!(client.agreed().features.contains(Flags::CRYPT));
            asks(&client).await.expect("is answered");
        }
        let refused = plain.connect(&address).await.expect_err("it does not seal");
        assert!(matches!(refused, ConnectError::Handshake { .. }), "{refused:?}");
        // Without TLS underneath there are no such keys.
        let bare = echo(&Options::new(), "tcp://127.0.0.1:0").await;
        let refused = Options::new().encrypt_by_tls().connect(&bare).await.expect_err("no TLS");
        assert!(matches!(refused, ConnectError::Option(BadOption::NoTls)), "{refused:?}");
    });
}

#[test]
fn a_plain_client_and_a_tls_server_do_not_understand_each_other_nor_the_other_way_round() {
    runtime().block_on(async {
        let authority = Authority::new("authority");
        let address = echo(&Options::new().tls_server(authority.server("localhost")), TLS).await;
        let plain = address.replace("tls://", "tcp://");
        let refused = strait::xcp::connect(&plain).await.expect_err("no TLS");
        assert!(matches!(refused, ConnectError::Handshake { .. }), "{refused:?}");
        let client = Options::new().tls_client(authority.client("localhost"));
        asks(&client.connect(&address).await.expect("connects")).await.expect("is answered");

        let plain = echo(&Options::new(), "tcp://127.0.0.1:0").await;
        let refused = client.connect(&plain.replace("tcp://", "tls://")).await.expect_err("TLS");
        assert!(matches!(refused, ConnectError::Io { .. }), "{refused:?}");
        asks(&strait::xcp::connect(&plain).await.expect("connects")).await.expect("is answered");
    });
}

#[test]
fn tls_addresses_without_options_are_refused_before_anything_is_opened() {
    runtime().block_on(async {
        let listened = Options::new().listen(TLS).await.expect_err("no certificate");
        assert!(matches!(listened, ConnectError::Option(BadOption::TlsNotSet)), "{listened:?}");
        let connected = strait::xcp::connect("tls://127.0.0.1:1").await.expect_err("no authority");
        assert!(matches!(connected, ConnectError::Option(BadOption::TlsNotSet)), "{connected:?}");
    });
}

#[test]
fn a_peer_that_never_ends_its_tls_handshake_is_gone_after_a_while() {
    use std::io::{Read as _, Write as _};
    let runtime = runtime();
    let authority = Authority::new("authority");
    let options = Options::new()
        .tls_server(authority.server("localhost"))
        .handshake_timeout(std::time::Duration::from_millis(50));
    let address = runtime.block_on(echo(&options, TLS));
    for said in [&b""[..], b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = std::net::TcpStream::connect(&address["tls://".len()..]).expect("connects");
        stream.set_read_timeout(Some(strait_tests::PATIENCE)).expect("a socket");
        stream.write_all(said).expect("the server reads");
        let mut rest = Vec::new();
        // An alert, or nothing; or the connection is taken back.
        if let Err(error) = stream.read_to_end(&mut rest) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
    }
}
