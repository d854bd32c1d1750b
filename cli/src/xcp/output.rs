//! Where are bodies written, and under which names?

use std::fs::OpenOptions;
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
pub(super) struct Folder(PathBuf);

impl Folder {
    /// The folder, made if need be.
    ///
    /// # Errors
    /// It cannot be made, or is a file.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let made = std::fs::create_dir_all(path);
        made.map_err(|error| Failure::usage(format_args!("{}: {error}", path.display())))?;
        Ok(Self(path.to_owned()))
    }

    /// A new file called `name`, or like it if there is one of that name.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn create(&self, name: &str) -> io::Result<Body> {
        let (stem, extension) = match name.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
            _ => (name, String::new()),
        };
        for number in 1..MOST {
            let name = if number == 1 { name.to_owned() } else { format!("{stem}-{number}{extension}") };
            let path = self.0.join(name);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    let file = tokio::fs::File::from_std(file);
                    return Ok(Body { file, path, finished: false });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display())));
                }
            }
        }
        Err(io::Error::other(format!("{}: there are {MOST} files called {name}", self.0.display())))
    }
}

/// A file that is being written; removed again unless it is finished.
#[derive(Debug)]
pub(super) struct Body {
    file: tokio::fs::File,
    path: PathBuf,
    finished: bool,
}

impl Body {
    /// Appends bytes.
    ///
    /// # Errors
    /// The system's, with the file's name.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await.map_err(|error| self.named(&error))
    }

    /// All of it is there; where.
    ///
    /// # Errors
    /// The system's, with the file's name.
    pub(super) async fn finish(mut self) -> io::Result<PathBuf> {
        self.file.flush().await.map_err(|error| self.named(&error))?;
        self.finished = true;
        Ok(self.path.clone())
    }

    /// Whether its name is still that of this file, and not of one that took its place.
    #[cfg(unix)]
    fn is_there(&self) -> bool {
        let ours = rustix::fs::fstat(&self.file);
        let there = rustix::fs::lstat(&self.path);
        let same = |a: rustix::fs::Stat, b: rustix::fs::Stat| (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino);
        ours.is_ok_and(|ours| there.is_ok_and(|there| same(ours, there)))
    }

    /// Nobody can put another file in the place of one that is open.
    #[cfg(not(unix))]
    fn is_there(&self) -> bool {
        true
    }

    fn named(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: {error}", self.path.display()))
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if !self.finished && self.is_there() {
            // Half a body is worse than none; there is nobody to tell.
            let _ = std::fs::remove_file(&self.path);
        }
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

/// Whether a name ends as names of files do.
pub(super) fn has_extension(name: &str) -> bool {
    let end = name.rsplit_once('.').map(|(_, end)| end);
    end.is_some_and(|end| !end.is_empty() && end.chars().all(|c| c.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[tokio::test]
    async fn half_a_body_goes_and_what_took_its_place_stays() {
        let path = std::env::temp_dir().join(format!("strait-output-{}", std::process::id()));
        let folder = Folder::open(&path).unwrap();
        let mut half = folder.create("half").unwrap();
        half.write(b"x").await.unwrap();
        drop(half);
        assert!(!path.join("half").exists());
        let replaced = folder.create("half").unwrap();
        std::fs::remove_file(path.join("half")).unwrap();
        std::fs::write(path.join("half"), "precious").unwrap();
        drop(replaced);
        let left = std::fs::read(path.join("half"));
        std::fs::remove_dir_all(&path).unwrap();
        assert_eq!(left.unwrap(), b"precious");
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
