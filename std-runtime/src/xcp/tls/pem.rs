//! Where do certificates and keys stand, and which are there?

use core::fmt;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::TlsError;

/// Certificates or a key, as PEM: in a file, which is read when a configuration is made, or in memory.
#[derive(Clone)]
pub struct Pem(Source);

#[derive(Clone)]
enum Source {
    File(PathBuf),
    Text(Zeroizing<Vec<u8>>),
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pem({})", self.name())
    }
}

impl From<PathBuf> for Pem {
    fn from(path: PathBuf) -> Self {
        Self::file(path)
    }
}

impl From<&Path> for Pem {
    fn from(path: &Path) -> Self {
        Self::file(path)
    }
}

impl Pem {
    /// What is in a file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Source::File(path.into()))
    }

    /// What `text` says, which is wiped from memory in the end.
    pub fn text(text: impl Into<Vec<u8>>) -> Self {
        Self(Source::Text(Zeroizing::new(text.into())))
    }

    /// For errors.
    pub(super) fn name(&self) -> String {
        match &self.0 {
            Source::File(path) => path.display().to_string(),
            Source::Text(_) => "text".to_owned(),
        }
    }

    fn read(&self) -> Result<Cow<'_, Zeroizing<Vec<u8>>>, TlsError> {
        match &self.0 {
            Source::File(path) => match std::fs::read(path) {
                Ok(bytes) => Ok(Cow::Owned(Zeroizing::new(bytes))),
                Err(error) => Err(TlsError::File { path: path.clone(), error }),
            },
            Source::Text(text) => Ok(Cow::Borrowed(text)),
        }
    }

    /// All certificates, of which there is at least one.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let bytes = self.read()?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        match certificates {
            Ok(certificates) if certificates.is_empty() => Err(pem::Error::NoItemsFound),
            other => other,
        }
        .map_err(|error| TlsError::Pem { from: self.name(), what: "certificate", error })
    }

    /// The first private key: PKCS#8, PKCS#1 or SEC1, not encrypted.
    pub(super) fn private_key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        let key = PrivateKeyDer::from_pem_slice(&self.read()?);
        key.map_err(|error| TlsError::Pem { from: self.name(), what: "private key", error })
    }

    /// All certificates, as those that others are checked against.
    pub(super) fn authorities(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        for (at, certificate) in self.certificates()?.into_iter().enumerate() {
            let added = roots.add(certificate);
            added.map_err(|error| TlsError::Authority { from: self.name(), at, error })?;
        }
        Ok(roots)
    }
}
