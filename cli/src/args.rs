//! Which options the subcommands that move frames share, and what each means in all of them.

use core::fmt;
use core::time::Duration;
use std::ffi::OsString;
use std::io::{self, Read as _};
use std::path::PathBuf;

use clap::Args;
use clap::builder::{MapValueParser, OsStringValueParser, TypedValueParser as _, ValueParserFactory};
use strait::zerobuffer::{Reader, ReaderBuilder};

use crate::exit::Failure;
use crate::report;

/// Options of writer, reader and relay.
#[derive(Clone, Debug, Args)]
pub(crate) struct Flow {
    /// Most frames to move, 0 or -1 = no limit [default: 0; in a writer without --file 1000]
    #[arg(short = 'n', long, value_name = "COUNT", allow_negative_numbers = true, value_parser = count)]
    pub(crate) frames: Option<u64>,

    /// Pause after each batch, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub(crate) delay_ms: u64,

    /// Frames in a batch: --delay-ms is applied after each so many
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) batch_size: u64,

    /// Longest wait for the other end at each frame, in milliseconds: for a frame to come when reading, for space when
    /// writing; 0 = for ever. Who waits longer fails, whether the other end lives or not
    #[arg(long, value_name = "MS", default_value_t = 5000)]
    pub(crate) timeout_ms: u64,

    /// Reports the MD5 digests of the first 100 frames
    #[arg(long)]
    pub(crate) checksum: bool,

    /// Prints the report as JSON, on standard output, also when the run failed
    #[arg(long)]
    pub(crate) json_output: bool,

    /// Says on standard error what happens
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

impl Flow {
    /// `--timeout-ms`; [`Duration::MAX`] for 0.
    pub(crate) fn timeout(&self) -> Duration {
        match self.timeout_ms {
            0 => Duration::MAX,
            ms => Duration::from_millis(ms),
        }
    }

    /// Says something on standard error, if asked to.
    pub(crate) fn say(&self, text: impl FnOnce() -> String) {
        if self.verbose {
            report::complain(text());
        }
    }
}

/// Options of what creates a buffer: reader and relay.
#[derive(Clone, Debug, Args)]
pub(crate) struct Creation {
    /// Bytes of the buffer's ring; a frame costs 16 more than its data
    #[arg(long, value_name = "BYTES", default_value_t = 268_435_456)]
    pub(crate) buffer_size: u64,

    /// Bytes of the buffer's metadata block, 8 of them for the length
    #[arg(long, value_name = "BYTES", default_value_t = 4096)]
    pub(crate) metadata_size: u64,

    /// Permission bits of the buffer, in octal, whatever the umask [default: 600]. Windows has two: 600, this user in
    /// this session, and 666, everybody
    #[arg(long, value_name = "OCTAL", value_parser = octal)]
    pub(crate) mode: Option<u32>,

    /// Numeric group that shall own the buffer; --mode lets it in. Windows has none
    #[arg(long, value_name = "GID")]
    pub(crate) group: Option<u32>,
}

impl Creation {
    /// The buffer `name`, as asked for.
    pub(crate) fn builder(&self, name: &str) -> ReaderBuilder {
        let mut builder =
            Reader::builder(name).payload_capacity(self.buffer_size).metadata_capacity(self.metadata_size);
        if let Some(mode) = self.mode {
            builder = builder.mode(mode);
        }
        if let Some(group) = self.group {
            builder = builder.group(group);
        }
        builder
    }
}

/// Options of what joins something that others have made.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Trust {
    /// Joins also what other users may write. One of them can cut its file short while it is in use, which ends this
    /// process with SIGBUS; without this option it is refused
    #[arg(long)]
    pub(crate) trust_others: bool,
}

/// Options of what makes frames up, or checks made-up frames: writer and reader.
#[derive(Clone, Debug, Args)]
pub(crate) struct Reproducible {
    /// Where --size MIN..MAX and the random pattern start; the same seed gives the same frames
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) seed: u64,
}

/// Options of what describes itself to the other end: writer and caller.
#[derive(Clone, Debug, Args)]
pub(crate) struct Metadata {
    /// Metadata, as text
    #[arg(short, long, value_name = "TEXT", conflicts_with = "metadata_file")]
    metadata: Option<String>,

    /// Metadata, from a file
    #[arg(long, value_name = "FILE")]
    metadata_file: Option<PathBuf>,
}

impl Metadata {
    /// The metadata, if there shall be any.
    pub(crate) fn bytes(&self) -> Result<Option<Vec<u8>>, Failure> {
        let metadata = match (&self.metadata, &self.metadata_file) {
            (Some(text), _) => Some(text.clone().into_bytes()),
            (None, Some(path)) => {
                let named = |error| Failure::usage(format_args!("{}: {error}", path.display()));
                Some(std::fs::read(path).map_err(named)?)
            }
            (None, None) => None,
        };
        match metadata {
            Some(metadata) if metadata.is_empty() => {
                Err(Failure::usage("metadata need at least 1 byte; leave them out instead"))
            }
            metadata => Ok(metadata),
        }
    }
}

/// Where a file is, or standard input or output for `-`. A path has the bytes that the system has, UTF-8 or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `-`.
    Standard,
    /// A path.
    File(PathBuf),
}

impl Place {
    /// Everything that is there to read.
    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self {
            Self::Standard => io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes),
            // Windows does not open folders, and would say that access is denied.
            Self::File(path) if path.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Self::File(path) => std::fs::read(path),
        }
    }
}

impl From<OsString> for Place {
    fn from(text: OsString) -> Self {
        if text == "-" { Self::Standard } else { Self::File(text.into()) }
    }
}

/// Options may have this type.
impl ValueParserFactory for Place {
    type Parser = MapValueParser<OsStringValueParser, fn(OsString) -> Self>;

    fn value_parser() -> Self::Parser {
        OsStringValueParser::new().map(Self::from)
    }
}

/// For messages: as it was given, with what is not UTF-8 replaced.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard => f.write_str("-"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// How often or how many: a number, or -1 for no limit, as 0 is.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    match text {
        "-1" => Ok(0),
        _ => text
            .parse()
            .map_err(|error| format!("{text:?} is neither a count nor -1, which is no limit: {error}")),
    }
}

/// Permission bits.
pub(crate) fn octal(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text.strip_prefix("0o").unwrap_or(text), 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err("permission bits are octal, at most 777".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_of_0_or_minus_1_has_no_limit() {
        assert_eq!(["0", "-1", "7"].map(count), [Ok(0), Ok(0), Ok(7)]);
        for bad in ["", "-2", "1k", "1.5", "18446744073709551616"] {
            assert!(count(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_dash_is_standard_input_or_output_and_other_bytes_are_a_path() {
        assert_eq!(Place::from(OsString::from("-")), Place::Standard);
        assert_eq!(Place::from(OsString::from("--")), Place::File("--".into()));
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStringExt as _;
            let place = Place::from(OsString::from_vec(b"a\xffb".to_vec()));
            assert_eq!(place.to_string(), "a\u{fffd}b");
            let Place::File(path) = place else { panic!("a path") };
            assert_eq!(path.as_os_str().as_encoded_bytes(), b"a\xffb");
        }
    }

    #[test]
    fn a_mode_is_octal_and_has_nine_bits() {
        assert_eq!(octal("640"), Ok(0o640));
        assert_eq!(octal("0o0640"), Ok(0o640));
        for bad in ["", "800", "1000", "-1", "rw"] {
            assert!(octal(bad).is_err(), "{bad}");
        }
    }
}
