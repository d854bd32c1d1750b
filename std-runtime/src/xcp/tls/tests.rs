//! Do ends that know each other meet, and no others?

use std::net::{TcpListener, TcpStream};
use std::thread;

use rcgen::{CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair};

use super::*;

/// An authority, and what it has signed.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> Pem {
        Pem::text(self.0.pem())
    }

    /// A certificate for `name`, and its key.
    fn identity(&self, name: &str) -> (Pem, Pem) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let issuer: &Issuer<'_, KeyPair> = &self.0;
        let certificate = params.signed_by(&key, issuer).unwrap();
        (Pem::text(certificate.pem()), Pem::text(key.serialize_pem()))
    }
}

fn server(authority: &Authority) -> TlsServer {
    let (certificates, key) = authority.identity("localhost");
    TlsServer::new(certificates, key)
}

type ServerStream = StreamOwned<ServerConnection, TcpStream>;
type ClientStream = StreamOwned<ClientConnection, TcpStream>;

/// Both ends shake hands, and the server answers a byte.
fn meet(
    server: &TlsServer,
    client: &TlsClient,
) -> (Result<ServerStream, TlsError>, Result<ClientStream, TlsError>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = server.config().unwrap();
    let accepting = thread::spawn(move || {
        let mut stream = accept(config, listener.accept().unwrap().0)?;
        let mut byte = [0];
        stream.read_exact(&mut byte).map_err(TlsError::Handshake)?;
        stream.write_all(&[byte[0] + 1]).map_err(TlsError::Handshake)?;
        Ok(stream)
    });
    let stream = TcpStream::connect(address).unwrap();
    let name = client.server_name().unwrap();
    let connected = connect(client.config().unwrap(), name, stream).and_then(|mut stream| {
        let mut byte = [7];
        stream.write_all(&byte).map_err(TlsError::Handshake)?;
        stream.read_exact(&mut byte).map_err(TlsError::Handshake)?;
        assert_eq!(byte, [8]);
        Ok(stream)
    });
    (accepting.join().unwrap(), connected)
}

#[test]
fn a_client_meets_the_server_it_knows_and_both_export_the_same_secret() {
    let authority = Authority::new("authority");
    let (server, client) = (server(&authority), TlsClient::new(authority.pem(), "localhost"));
    let mut secrets = Vec::new();
    for _ in 0..2 {
        let (accepted, connected) = meet(&server, &client);
        let (accepted, connected) = (accepted.unwrap(), connected.unwrap());
        assert_eq!(accepted.conn.alpn_protocol(), Some(ALPN));
        assert_eq!(connected.conn.alpn_protocol(), Some(ALPN));
        assert_eq!(accepted.conn.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
        let (ours, theirs) = (exporter(&accepted.conn).unwrap(), exporter(&connected.conn).unwrap());
        assert!(ours == theirs && ours.id() == "tls-exporter");
        secrets.push(ours);
    }
    assert!(secrets[0] != secrets[1], "each connection has its own");
    let early = ServerConnection::new(server.config().unwrap()).unwrap();
    assert!(matches!(exporter(&early), Err(TlsError::Library(_))));
}

#[test]
fn a_server_that_asks_for_certificates_meets_only_clients_that_have_one() {
    let (authority, clients) = (Authority::new("authority"), Authority::new("clients"));
    let server = server(&authority).client_ca(clients.pem());
    let anybody = TlsClient::new(authority.pem(), "localhost");

    let (certificates, key) = clients.identity("client");
    let (accepted, connected) = meet(&server, &anybody.clone().identity(certificates, key));
    assert_eq!(accepted.unwrap().conn.peer_certificates().map(<[_]>::len), Some(1));
    assert!(connected.is_ok());

    let (accepted, connected) = meet(&server, &anybody);
    let error = accepted.unwrap_err().to_string();
    assert!(error.contains("peer sent no certificates"), "{error}");
    assert!(connected.is_err());

    let (certificates, key) = authority.identity("client");
    let (accepted, connected) = meet(&server, &anybody.identity(certificates, key));
    let error = accepted.unwrap_err().to_string();
    assert!(error.contains("invalid peer certificate"), "{error}");
    assert!(connected.is_err());
}

#[test]
fn a_server_of_another_authority_or_name_is_refused() {
    let (authority, other) = (Authority::new("authority"), Authority::new("other"));
    let server = server(&authority);
    for (client, wanted) in [
        (TlsClient::new(other.pem(), "localhost"), "UnknownIssuer"),
        (TlsClient::new(authority.pem(), "elsewhere"), "not valid for name"),
        (TlsClient::new(authority.pem(), "127.0.0.1"), "not valid for name"),
    ] {
        let (accepted, connected) = meet(&server, &client);
        let error = connected.unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
        assert!(matches!(accepted, Err(TlsError::Handshake(_))));
    }
}

#[test]
fn an_end_that_speaks_something_else_inside_is_refused() {
    let authority = Authority::new("authority");
    let client = TlsClient::new(authority.pem(), "localhost");
    let mut web = ClientConfig::clone(&client.config().unwrap());
    web.alpn_protocols = vec![b"h2".to_vec()];
    let mut ours = ServerConnection::new(server(&authority).config().unwrap()).unwrap();
    let mut theirs = ClientConnection::new(Arc::new(web), client.server_name().unwrap()).unwrap();
    let mut hello = Vec::new();
    theirs.write_tls(&mut hello).unwrap();
    ours.read_tls(&mut &hello[..]).unwrap();
    assert_eq!(ours.process_new_packets().unwrap_err(), rustls::Error::NoApplicationProtocol);
}

#[test]
fn errors_name_the_file_and_print_no_key() {
    let authority = Authority::new("authority");
    let (certificates, key) = authority.identity("localhost");
    let missing = TlsServer::new(Pem::file("/no/such.crt"), key.clone()).config().unwrap_err().to_string();
    assert!(missing.starts_with("PEM file /no/such.crt: "), "{missing}");

    let file = std::env::temp_dir().join(format!("strait-tls-{}.pem", std::process::id()));
    std::fs::write(&file, "no PEM at all").unwrap();
    let empty = Pem::file(&file);
    let name = file.display();
    let errors = [
        (TlsServer::new(empty.clone(), key.clone()).config().err(), format!("no certificate in {name}: ")),
        (
            TlsServer::new(certificates.clone(), empty.clone()).config().err(),
            format!("no private key in {name}: "),
        ),
        (
            TlsServer::new(certificates.clone(), key.clone()).client_ca(empty.clone()).config().err(),
            format!("no certificate in {name}: "),
        ),
        (TlsClient::new(empty, "localhost").config().err(), format!("no certificate in {name}: ")),
    ];
    std::fs::remove_file(&file).unwrap();
    for (error, wanted) in errors {
        let text = error.unwrap().to_string();
        assert!(text.starts_with(&wanted), "{text}");
    }

    let (_, other_key) = authority.identity("localhost");
    let mixed = TlsServer::new(certificates, other_key.clone());
    assert!(matches!(mixed.config(), Err(TlsError::Identity { .. })));
    let client = TlsClient::new(authority.pem(), "no name");
    let error = client.server_name().unwrap_err().to_string();
    assert_eq!(error, "\"no name\" is no name of a server");
    let printed = format!("{mixed:?} {client:?} {other_key:?}");
    assert!(!printed.contains("PRIVATE"), "{printed}");
}

#[cfg(feature = "xcp-tls")]
#[tokio::test]
async fn streams_of_tokio_meet_as_well() {
    let authority = Authority::new("authority");
    let (server, client) = (server(&authority), TlsClient::new(authority.pem(), "localhost"));
    let (acceptor, connector) = (server.acceptor().unwrap(), client.connector().unwrap());
    let (ours, theirs) = tokio::io::duplex(1000);
    let (accepted, connected) =
        tokio::join!(acceptor.accept(ours), connector.connect(client.server_name().unwrap(), theirs),);
    let (accepted, connected) = (accepted.unwrap(), connected.unwrap());
    assert!(exporter(accepted.get_ref().1).unwrap() == exporter(connected.get_ref().1).unwrap());
}
