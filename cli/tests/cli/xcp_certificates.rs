//! An authority, and a server and a client that it knows, as files of PEM.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair};

use crate::support::TempFile;

pub(crate) struct Certificates {
    authority: TempFile,
    server: (TempFile, TempFile),
    client: (TempFile, TempFile),
}

impl Certificates {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let issuer: &Issuer<'_, KeyPair> = &authority;
        let signed = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            let certificate = params.signed_by(&key, issuer).unwrap().pem();
            let certificate = TempFile::with("xcp-cert", certificate.as_bytes());
            (certificate, TempFile::with("xcp-tls-key", key.serialize_pem().as_bytes()))
        };
        let (server, client) = (signed("127.0.0.1"), signed("a-client"));
        Self { authority: TempFile::with("xcp-ca", authority.pem().as_bytes()), server, client }
    }

    pub(crate) fn server(&self) -> [&str; 4] {
        ["--tls-cert", self.server.0.path(), "--tls-key", self.server.1.path()]
    }

    pub(crate) fn server_of_known_clients(&self) -> Vec<&str> {
        [&self.server()[..], &["--tls-client-ca", self.authority.path()]].concat()
    }

    pub(crate) fn client(&self) -> [&str; 2] {
        ["--tls-ca", self.authority.path()]
    }

    pub(crate) fn known_client(&self) -> Vec<&str> {
        let own = ["--tls-cert", self.client.0.path(), "--tls-key", self.client.1.path()];
        [&self.client()[..], &own].concat()
    }
}
