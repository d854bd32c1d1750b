//! Where bodies are written, and under which names: a file has its name once all of it is on the disk.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use tokio::io::AsyncWriteExt as _;

use crate::exit::Failure;

/// Longest name that is taken from a peer, bytes.
const LONGEST: usize = 120;
/// Files of one name before it is given up.
const MOST: u32 = 10_000;

/// A folder for bodies.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Permission bits of what is written, less those of the umask.
    #[cfg(unix)]
    mode: u32,
}

impl Folder {
    /// The folder, made if need be. What is `private` only this user may read, where files have modes.
    ///
    /// # Errors
    /// It cannot be made or written to, or is a file.
    pub(super) fn open(path: &Path, private: bool) -> Result<Self, Failure> {
        #[cfg(not(unix))]
        let _ = private;
        let folder = Self {
            path: path.to_owned(),
            #[cfg(unix)]
            mode: if private { 0o600 } else { 0o666 },
        };
        // Told at the start, and not by the first message.
        let made = std::fs::create_dir_all(path).and_then(|()| folder.create("try").map(drop));
        made.map_err(|error| Failure::usage(format_args!("--output {}: {error}", path.display())))?;
        Ok(folder)
    }

    /// A new file that shall be called `name`, or like it if there is one of that name.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn create(&self, name: &str) -> io::Result<Body> {
        let (file, part) = match self.nameless() {
            Some(file) => (file, None),
            None => self.part(name)?,
        };
        let file = tokio::fs::File::from_std(file);
        Ok(Body { file, part, folder: self.path.clone(), name: name.to_owned() })
    }

    /// A file without a name, which goes with this process whatever ends it; `None` where there are none.
    #[cfg(target_os = "linux")]
    fn nameless(&self) -> Option<File> {
        use rustix::fs::{Mode, OFlags};
        let mode = Mode::from_bits_truncate(self.mode);
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        rustix::fs::open(&self.path, flags, mode).ok().map(File::from)
    }

    #[cfg(not(target_os = "linux"))]
    fn nameless(&self) -> Option<File> {
        None
    }

    /// A file under another name than its own.
    fn part(&self, name: &str) -> io::Result<(File, Option<Part>)> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, self.mode);
        for number in 1..MOST {
            let path = self.path.join(format!(".{name}.{number}.part"));
            match options.open(&path) {
                Ok(file) => return Ok((file, Some(Part(path)))),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display())));
                }
            }
        }
        Err(too_many(&self.path, name))
    }
}

fn too_many(folder: &Path, name: &str) -> io::Error {
    io::Error::other(format!("{}: there are {MOST} files called {name}", folder.display()))
}

/// The other name of a file that is not whole; it goes when this is dropped.
#[derive(Debug)]
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // Half a body is worse than none; there is nobody to tell.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A file that is being written. It has no name unless it is finished.
#[derive(Debug)]
pub(super) struct Body {
    file: tokio::fs::File,
    /// Where it is meanwhile, if that is anywhere.
    part: Option<Part>,
    folder: PathBuf,
    name: String,
}

impl Body {
    /// Appends bytes.
    ///
    /// # Errors
    /// The system's, with the file's name.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await.map_err(|error| self.named(&error))
    }

    /// All of it is there: gives it its name, or one like it, once its bytes are on the disk; where.
    ///
    /// # Errors
    /// The system's, with the file's name.
    pub(super) async fn finish(mut self) -> io::Result<PathBuf> {
        self.file.flush().await.map_err(|error| self.named(&error))?;
        self.file.sync_all().await.map_err(|error| self.named(&error))?;
        let named = tokio::task::spawn_blocking(move || {
            let path = self.settle().map_err(|error| self.named(&error))?;
            // Whatever becomes of this: what is under the name is whole.
            let _ = File::open(&self.folder).and_then(|folder| folder.sync_all());
            Ok(path)
        });
        named.await.map_err(io::Error::other)?
    }

    /// Links the file under the first of its names that is free.
    fn settle(&self) -> io::Result<PathBuf> {
        let (stem, extension) = match self.name.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
            _ => (&*self.name, String::new()),
        };
        for number in 1..MOST {
            let name = if number == 1 { self.name.clone() } else { format!("{stem}-{number}{extension}") };
            let path = self.folder.join(name);
            match self.link(&path) {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(too_many(&self.folder, &self.name))
    }

    /// Never takes the place of another file.
    fn link(&self, path: &Path) -> io::Result<()> {
        match &self.part {
            Some(Part(part)) => std::fs::hard_link(part, path),
            #[cfg(target_os = "linux")]
            None => {
                use std::os::fd::AsRawFd as _;
                let ours = format!("/proc/self/fd/{}", self.file.as_raw_fd());
                let (here, flags) = (rustix::fs::CWD, rustix::fs::AtFlags::SYMLINK_FOLLOW);
                Ok(rustix::fs::linkat(here, ours, here, path, flags)?)
            }
            #[cfg(not(target_os = "linux"))]
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn named(&self, error: &io::Error) -> io::Error {
        let full = match error.kind() {
            io::ErrorKind::StorageFull => " (the disk is full)",
            io::ErrorKind::QuotaExceeded => " (this user's share of the disk is used up)",
            _ => "",
        };
        io::Error::new(error.kind(), format!("{}: {error}{full}", self.folder.join(&self.name).display()))
    }
}

/// A name that a peer chose, fit for a file in a folder of ours: no separators, no dot in front, nothing that a shell or
/// Windows takes for something else.
pub(super) fn sanitized(name: &str) -> Option<String> {
    let fit = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let name: String = name.chars().map(fit).take(LONGEST).collect();
    let name = name.trim_matches('.');
    // Windows opens a device by any name that begins so.
    let stem = name.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let device = ["CON", "PRN", "AUX", "NUL"].contains(&&*stem)
        || (stem.len() == 4 && (stem.starts_with("COM") || stem.starts_with("LPT")));
    match (name.is_empty(), device) {
        (true, _) => None,
        (_, true) => Some(format!("_{name}")),
        _ => Some(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of this test's own, empty; removed in any case.
    struct Own(PathBuf);

    impl Own {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("strait-output-{name}-{}", std::process::id()));
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn names(&self) -> Vec<String> {
            let entries = std::fs::read_dir(&self.0).unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Own {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// A file of either kind: without a name where there are such, and under another one.
    fn both(folder: &Folder, name: &str) -> [Body; 2] {
        let (file, part) = folder.part(name).unwrap();
        let file = tokio::fs::File::from_std(file);
        let part = Body { file, part, folder: folder.path.clone(), name: name.to_owned() };
        [folder.create(name).unwrap(), part]
    }

    #[tokio::test]
    async fn half_a_body_has_no_name_and_a_whole_one_takes_nobodys() {
        let own = Own::new("half");
        let folder = Folder::open(&own.0, false).unwrap();
        assert!(own.names().is_empty(), "trying leaves nothing");
        for mut half in both(&folder, "half.txt") {
            half.write(b"x").await.unwrap();
            // On Windows a name goes with the last handle: none is kept by a write that goes on behind us.
            half.file.flush().await.unwrap();
            assert!(own.names().iter().all(|name| name.ends_with(".part")));
        }
        assert!(own.names().is_empty());
        std::fs::write(own.0.join("half.txt"), "precious").unwrap();
        for (body, wanted) in both(&folder, "half.txt").into_iter().zip(["half-2.txt", "half-3.txt"]) {
            let mut body = body;
            body.write(b"whole").await.unwrap();
            let path = body.finish().await.unwrap();
            assert_eq!(path, own.0.join(wanted));
            assert_eq!(std::fs::read(path).unwrap(), b"whole");
        }
        assert_eq!(std::fs::read(own.0.join("half.txt")).unwrap(), b"precious");
        assert_eq!(own.names(), ["half-2.txt", "half-3.txt", "half.txt"]);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn what_is_private_is_this_users_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let own = Own::new("private");
        let folder = Folder::open(&own.0, true).unwrap();
        for body in both(&folder, "sealed") {
            let path = body.finish().await.unwrap();
            assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        for (name, wanted) in [
            ("report.pdf", Some("report.pdf")),
            ("../../etc/passwd", Some("_.._etc_passwd")),
            (".bashrc", Some("bashrc")),
            ("a\\b:c\0d", Some("a_b_c_d")),
            ("größe", Some("gr__e")),
            ("con.txt", Some("_con.txt")),
            ("-rf", Some("-rf")),
            ("..", None),
            ("", None),
        ] {
            assert_eq!(sanitized(name).as_deref(), wanted, "{name}");
        }
        assert_eq!(sanitized(&"x".repeat(1000)).map(|name| name.len()), Some(LONGEST));
    }
}
