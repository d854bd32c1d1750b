//! Where a run's bytes go: to standard output, a pipe or a device at once, or to a file, which has its name once it is
//! whole.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, Stdout, Write};
use std::path::{Path, PathBuf};

use crate::args::Place;
use crate::exit::Failure;
use crate::report::{self, Troubles};

/// Frames smaller than this are gathered.
const GATHER: usize = 64 << 10;
/// Unfinished files beside one name before it is given up.
const MOST_PARTS: u32 = 1000;
/// Links in a row that are followed, as many as Linux follows.
const MOST_LINKS: u32 = 40;

/// An open output.
pub(crate) struct Sink {
    place: Place,
    out: BufWriter<Out>,
    /// Where a file's bytes are until it is whole.
    part: Option<Part>,
}

enum Out {
    Standard(Stdout),
    File(File),
}

/// A file under another name than the one that it shall have. Empty, it goes when it is dropped.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    target: PathBuf,
    is_named: bool,
}

impl Sink {
    /// Takes standard output for `-`, what is no regular file as it is, and else makes a file beside the one that was asked
    /// for.
    pub(crate) fn open(place: &Place) -> Result<Self, Failure> {
        let (out, part) = match place {
            Place::Standard => (Out::Standard(io::stdout()), None),
            Place::File(path) => {
                let opened = open(path);
                let (file, part) =
                    opened.map_err(|error| Failure::usage(format_args!("{place}: {error}")))?;
                (Out::File(file), part)
            }
        };
        Ok(Self { place: place.clone(), out: BufWriter::with_capacity(GATHER, out), part })
    }

    /// Writes all of `bytes`.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.write_all(bytes).map_err(|error| self.failure(&error))
    }

    /// Hands gathered bytes on.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|error| self.failure(&error))
    }

    /// The run is over: if nothing went wrong, a file gets its name. Otherwise what had that name stays, the new one keeps
    /// its other name, which is said, or goes if it is empty. Returns where an unfinished file is.
    pub(crate) fn settle(mut self, troubles: &mut Troubles) -> Option<String> {
        if troubles.total() == 0 {
            match self.finish() {
                Ok(()) => return None,
                Err(error) => troubles.add(self.failure(&error)),
            }
        }
        // A disk that is full keeps what fits.
        let _ = self.out.flush();
        let part = self.part.as_ref()?;
        let bytes = fs::metadata(&part.path).map_or(0, |file| file.len());
        if bytes == 0 {
            return None;
        }
        let path = part.path.display();
        report::complain(format_args!("{} is not whole: its first {bytes} bytes are in {path}", self.place));
        Some(path.to_string())
    }

    /// All of it is there: a file gets its name, in place of what had it, once its bytes are on the disk.
    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()?;
        let (Out::File(file), Some(part)) = (self.out.get_ref(), &mut self.part) else { return Ok(()) };
        file.sync_all()?;
        fs::rename(&part.path, &part.target)?;
        part.is_named = true;
        // Whatever becomes of this: what is under the name is whole.
        let _ = File::open(folder(&part.target)).and_then(|folder| folder.sync_all());
        Ok(())
    }

    fn failure(&self, error: &io::Error) -> Failure {
        let limit = match error.kind() {
            io::ErrorKind::FileTooLarge => file_limit(),
            _ => String::new(),
        };
        Failure::read(format_args!("{}: {error}{limit}", self.place))
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Standard(out) => out.write(bytes),
            Self::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Standard(out) => out.flush(),
            Self::File(file) => file.flush(),
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_named && fs::metadata(&self.path).is_ok_and(|file| file.len() == 0) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Opens what is no regular file, or makes one beside it.
fn open(path: &Path) -> io::Result<(File, Option<Part>)> {
    let Some(target) = followed(path)? else {
        return Ok((File::create(path)?, None));
    };
    // Opened before it is looked at, so that what is written to is what was looked at. Not cut short: it stays as it is
    // until the new one is whole.
    let old = match OpenOptions::new().write(true).open(&target) {
        Ok(file) => match file.metadata() {
            Ok(metadata) if metadata.is_file() => Some(metadata),
            // A device of Windows cannot even be looked at.
            _ => return Ok((file, None)),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        // Windows does not open folders, and would say that access is denied.
        Err(_) if target.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Err(error) => return Err(error),
    };
    let (file, path) = beside(&target, old.as_ref())?;
    Ok((file, Some(Part { path, target, is_named: false })))
}

/// What a path leads to: a link stays, and what it leads to is replaced. `None` for a file that this process has open and
/// that a path only stands for, such as /dev/stdout.
fn followed(path: &Path) -> io::Result<Option<PathBuf>> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_symlink() => {}
            _ => return Ok(Some(path)),
        }
        let folder = folder(&path);
        if cfg!(target_os = "linux") && fs::canonicalize(&folder)?.starts_with("/proc") {
            return Ok(None);
        }
        path = folder.join(fs::read_link(&path)?);
    }
    Err(io::Error::other(format!("more than {MOST_LINKS} links lead to it")))
}

fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Makes a file that nobody has, called as `target` and `.part`, with the access that `target` has or would get.
fn beside(target: &Path, old: Option<&Metadata>) -> io::Result<(File, PathBuf)> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if let Some(old) = old {
        use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
        options.mode(old.mode() & 0o777);
    }
    let mut stem = target.as_os_str().to_owned();
    for number in 1..=MOST_PARTS {
        let mut path = stem.clone();
        path.push(".part");
        if number > 1 {
            path.push(format!("-{number}"));
        }
        match options.open(&path) {
            Ok(file) => {
                inherit(&file, old)?;
                return Ok((file, path.into()));
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // A name that leaves no room for more.
            Err(error) if error.kind() == io::ErrorKind::InvalidFilename && number == 1 => {
                stem = folder(target).join(format!("strait-{}", std::process::id())).into();
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let why = format!(
                    "until it is whole it stands beside its name, and no file can be made there ({error}); `- > FILE` \
                     writes into a file that is there"
                );
                return Err(io::Error::new(error.kind(), why));
            }
            Err(error) => return Err(error),
        }
    }
    let why = format!(
        "there are {MOST_PARTS} unfinished files beside it: remove those named {}.part",
        stem.display()
    );
    Err(io::Error::other(why))
}

/// The new file belongs to whom the old one does, as far as that may be said, and has its permission bits.
#[cfg(unix)]
fn inherit(file: &File, old: Option<&Metadata>) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
    let Some(old) = old else { return Ok(()) };
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        // Only the superuser may give files away.
        let _ = fchown(file, Some(old.uid()), Some(old.gid()));
    }
    file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o777))
}

/// Windows gives a new file the access of its folder.
#[cfg(not(unix))]
fn inherit(_: &File, _: Option<&Metadata>) -> io::Result<()> {
    Ok(())
}

/// The longest file that this process may write, as the end of a sentence.
#[cfg(target_os = "linux")]
fn file_limit() -> String {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
    limit.map_or_else(String::new, |limit| {
        format!("; no file of this process may have more than {limit} bytes (`ulimit -f`)")
    })
}

/// Only Linux has one.
#[cfg(not(target_os = "linux"))]
fn file_limit() -> String {
    String::new()
}
