//! Where does the secret of a sealed connection come from, and how do both ends name it?

use core::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Bytes of a secret.
pub const SECRET_LEN: usize = 32;
/// Most bytes of a file: 64 hexadecimal digits and the end of a line.
const LONGEST_FILE: u64 = 66;

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PskError {
    /// The file cannot be read.
    #[error("secret file {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
    /// Others than its owner and group may read the file, or others than its owner may write it.
    #[error("secret file {} has mode {mode:03o}: others may read or replace it, 600 or 640 is needed", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds something else.
    #[error("secret file {}: {error}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: SecretError,
    },
}

/// Why bytes are no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Neither 32 bytes nor 64 digits, with the end of a line or without.
    #[error("a secret is 32 bytes or 64 hexadecimal digits, this has {len} bytes{}", if *len as u64 > LONGEST_FILE { " or more" } else { "" })]
    Length {
        /// Its bytes.
        len: usize,
    },
    /// As long as digits would be, and one is none.
    #[error("a secret of {len} digits has none at position {at}")]
    Digit {
        /// Its bytes.
        len: usize,
        /// Which, from 0.
        at: usize,
    },
}

/// A secret that both ends of a connection know, and its name.
///
/// The secret is wiped from memory when this is dropped, and is never printed. Whoever learns it can read all that was
/// ever sealed with it: there is no forward secrecy, unless it comes from TLS.
// Not comparable outside of tests: how long that takes would tell of the secret.
#[derive(Clone)]
#[cfg_attr(test, derive(PartialEq, Eq))]
pub struct Psk {
    secret: Zeroizing<[u8; SECRET_LEN]>,
    id: String,
}

impl fmt::Debug for Psk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Psk").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Psk {
    /// A secret of 32 random bytes. It is named by the first 8 bytes of its SHA-256, in 16 hexadecimal digits.
    pub fn new(secret: [u8; SECRET_LEN]) -> Self {
        let secret = Zeroizing::new(secret);
        let digest = Sha256::digest(*secret);
        let id = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { secret, id }
    }

    /// What one TLS connection alone knows, as a secret named `tls-exporter`.
    pub fn from_exporter(secret: [u8; SECRET_LEN]) -> Self {
        Self { secret: Zeroizing::new(secret), id: "tls-exporter".to_owned() }
    }

    /// The same secret under another name. Names go over the wire as they are.
    #[must_use]
    pub fn with_id(self, id: impl Into<String>) -> Self {
        Self { id: id.into(), ..self }
    }

    /// The secret that `bytes` are: 32 raw bytes, or 64 hexadecimal digits; the end of one line may follow.
    ///
    /// # Errors
    /// [`SecretError`], which tells nothing of the bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, SecretError> {
        let len = bytes.len();
        // The length decides: a raw secret may itself end with the end of a line.
        let content = match (len, bytes) {
            (33 | 65, [content @ .., b'\n']) | (34 | 66, [content @ .., b'\r', b'\n']) => content,
            _ => bytes,
        };
        let mut secret = Zeroizing::new([0; SECRET_LEN]);
        match content.len() {
            SECRET_LEN => secret.copy_from_slice(content),
            64 => {
                for (at, digit) in content.iter().enumerate() {
                    let digit = (*digit as char).to_digit(16).ok_or(SecretError::Digit { len, at })?;
                    secret[at / 2] = secret[at / 2] << 4 | u8::try_from(digit).expect("below 16");
                }
            }
            _ => return Err(SecretError::Length { len }),
        }
        Ok(Self::new(*secret))
    }

    /// The secret in a file, as [`parse`](Self::parse) reads it.
    ///
    /// On Unix the file must not be readable for others than its owner and group, nor writable for others than its
    /// owner. A secret that is kept differently can be read by the caller, and given to [`parse`](Self::parse).
    ///
    /// # Errors
    /// [`PskError`], with the file's name.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, PskError> {
        let path = path.as_ref();
        let file_error = |error| PskError::File { path: path.to_owned(), error };
        let file = File::open(path).map_err(file_error)?;
        check_mode(path, &file)?;
        // Room for all that is read, so that no copy is left behind by growing.
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 * 66));
        file.take(LONGEST_FILE + 1).read_to_end(&mut bytes).map_err(file_error)?;
        Self::parse(&bytes).map_err(|error| PskError::Content { path: path.to_owned(), error })
    }

    /// Its name.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn secret(&self) -> &[u8; SECRET_LEN] {
        &self.secret
    }
}

#[cfg(unix)]
fn check_mode(path: &Path, file: &File) -> Result<(), PskError> {
    use std::os::unix::fs::MetadataExt as _;

    // Of the open file: the name may mean another by now.
    let metadata = file.metadata().map_err(|error| PskError::File { path: path.to_owned(), error })?;
    let mode = metadata.mode() & 0o777;
    let forbidden = mode & 0o026;
    if forbidden != 0 { Err(PskError::Mode { path: path.to_owned(), mode }) } else { Ok(()) }
}

/// Who may read a file is not in its mode elsewhere.
#[cfg(not(unix))]
fn check_mode(_: &Path, _: &File) -> Result<(), PskError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting() -> [u8; 32] {
        std::array::from_fn(|at| u8::try_from(at).unwrap())
    }

    fn digits() -> String {
        counting().iter().map(|byte| format!("{byte:02X}")).collect()
    }

    #[test]
    fn a_secret_is_raw_or_in_digits_and_a_line_may_end() {
        let wanted = Psk::new(counting());
        assert_eq!(wanted.id(), "630dcd2966c43366", "sha256sum of bytes 0 to 31");
        for end in ["", "\n", "\r\n"] {
            let raw = [&counting()[..], end.as_bytes()].concat();
            assert_eq!(Psk::parse(&raw), Ok(wanted.clone()));
            assert_eq!(Psk::parse(format!("{}{end}", digits()).as_bytes()), Ok(wanted.clone()));
        }
        // A raw one that ends like a line.
        let newlines = Psk::parse(&[b'\n'; 32]).unwrap();
        assert_eq!(newlines.secret(), &[b'\n'; 32]);
        assert_eq!(Psk::parse(&[b'\n'; 33]).unwrap().secret(), &[b'\n'; 32]);
    }

    #[test]
    fn anything_else_is_refused_with_its_length() {
        for len in (0..200).filter(|len| ![32, 64].contains(len)) {
            assert_eq!(Psk::parse(&vec![b'0'; len]), Err(SecretError::Length { len }));
        }
        let mut bad = digits().into_bytes();
        bad[63] = b'g';
        assert_eq!(Psk::parse(&bad), Err(SecretError::Digit { len: 64, at: 63 }));
        bad[63] = 0xC3;
        assert_eq!(Psk::parse(&bad), Err(SecretError::Digit { len: 64, at: 63 }));
    }

    #[test]
    fn nothing_prints_the_secret() {
        let psk = Psk::new([0xAB; 32]).with_id("office");
        assert_eq!(format!("{psk:?}"), "Psk { id: \"office\", .. }");
        assert_eq!(Psk::from_exporter([0xAB; 32]).id(), "tls-exporter");
    }

    /// A file of this test, which is gone when it is dropped.
    struct Temporary(PathBuf);

    impl Temporary {
        fn new(name: &str, content: &[u8]) -> Self {
            let path = std::env::temp_dir().join(format!("strait-psk-{}-{name}", std::process::id()));
            std::fs::write(&path, content).unwrap();
            Self(path)
        }

        #[cfg(unix)]
        fn with_mode(&self, mode: u32) -> &Path {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&self.0, std::fs::Permissions::from_mode(mode)).unwrap();
            &self.0
        }

        #[cfg(not(unix))]
        fn with_mode(&self, _: u32) -> &Path {
            &self.0
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn a_file_holds_a_secret_and_errors_name_it() {
        let file = Temporary::new("good", format!("{}\n", digits()).as_bytes());
        assert_eq!(Psk::from_file(file.with_mode(0o600)).unwrap(), Psk::new(counting()));
        let long = Temporary::new("long", &[b'0'; 5000]);
        let text = Psk::from_file(long.with_mode(0o600)).unwrap_err().to_string();
        assert!(text.contains("strait-psk-") && text.ends_with("this has 67 bytes or more"), "{text}");
        let missing = Psk::from_file("/no/such/secret").unwrap_err();
        assert!(missing.to_string().starts_with("secret file /no/such/secret: "), "{missing}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_or_replace_is_refused() {
        let file = Temporary::new("mode", &counting());
        for mode in [0o400, 0o600, 0o440, 0o640, 0o700, 0o750] {
            assert!(Psk::from_file(file.with_mode(mode)).is_ok(), "{mode:o}");
        }
        for mode in [0o644, 0o604, 0o660, 0o620, 0o602, 0o444] {
            let error = Psk::from_file(file.with_mode(mode)).unwrap_err();
            assert!(
                matches!(error, PskError::Mode { mode: found, .. } if found == mode),
                "{mode:o}: {error}"
            );
            assert!(error.to_string().contains(&format!("mode {mode:o}")), "{error}");
        }
    }
}
