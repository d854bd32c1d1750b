//! What stands at a socket's path stays, unless it is proved to be a dead server's; and a server removes its own alone.

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// A folder that goes with its test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        // Relaxed: a number, nothing ordered by it.
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("strait-socket-{}-{number}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("s")
    }

    fn lock(&self) -> PathBuf {
        self.0.join("s.xcp-lock")
    }

    /// What is in it.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A server that was killed: its lock is free, and its files are there.
    fn dead_server(&self) {
        let (_, mut file) = SocketFile::bind(&self.socket(), 0o600).unwrap();
        // As a forked child drops it; the lock goes as the process would have taken it along.
        file.process = 0;
        drop(file);
        assert_eq!(self.names(), ["s", "s.xcp-lock"]);
    }

    /// Why nothing can be bound there.
    fn refusal(&self) -> String {
        let error = SocketFile::bind(&self.socket(), 0o600).map(|_| "it was bound").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}");
        error.to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A socket that is bound, and that nobody listens on.
fn bound(path: &Path) -> Socket {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    socket.bind(&SockAddr::unix(path).unwrap()).unwrap();
    socket
}

fn inode(path: &Path) -> u64 {
    std::os::unix::fs::MetadataExt::ino(&std::fs::symlink_metadata(path).unwrap())
}

#[test]
fn what_is_no_socket_is_left_alone_and_said() {
    let at = rustix::fs::CWD;
    type Make = fn(&Path);
    let make: [(&str, Make); 6] = [
        ("a regular file of 9 bytes", |path| std::fs::write(path, "precious\n").unwrap()),
        ("a regular file of 0 bytes", |path| {
            std::fs::write(path, "").unwrap();
            let mut permissions = std::fs::metadata(path).unwrap().permissions();
            permissions.set_readonly(true);
            std::fs::set_permissions(path, permissions).unwrap();
        }),
        ("a folder", |path| std::fs::create_dir(path).unwrap()),
        ("a symbolic link", |path| std::os::unix::fs::symlink("/nowhere/at/all", path).unwrap()),
        ("a symbolic link", |path| std::os::unix::fs::symlink(path.parent().unwrap(), path).unwrap()),
        ("a fifo", |path| {
            rustix::fs::mknodat(rustix::fs::CWD, path, FileType::Fifo, Mode::RUSR, 0).unwrap();
        }),
    ];
    for (what, make) in make {
        let folder = Folder::new();
        make(&folder.socket());
        let before = rustix::fs::statat(at, folder.socket(), AtFlags::SYMLINK_NOFOLLOW).unwrap();
        let refusal = folder.refusal();
        assert!(refusal.contains("address already in use") && refusal.contains(what), "{refusal}");
        assert!(refusal.contains("remove it yourself"), "{refusal}");
        let after = rustix::fs::statat(at, folder.socket(), AtFlags::SYMLINK_NOFOLLOW).unwrap();
        assert_eq!(
            (after.st_ino, after.st_size, after.st_ctime),
            (before.st_ino, before.st_size, before.st_ctime)
        );
        assert_eq!(folder.names(), ["s"], "no lock stays");
    }
}

#[test]
fn a_socket_of_somebody_else_is_left_alone_whether_it_answers_or_not() {
    // Bound and not listening yet, listening, and its program gone: from outside they look alike at some moment.
    let folder = Folder::new();
    let other = bound(&folder.socket());
    assert!(folder.refusal().contains("another program may hold it"));
    other.listen(1).unwrap();
    assert!(folder.refusal().contains("another program may hold it"));
    assert!(UnixStream::connect(folder.socket()).is_ok());
    drop(other);
    assert!(folder.refusal().contains("another program may hold it"));
    assert_eq!(folder.names(), ["s"]);
}

#[test]
fn a_living_servers_socket_is_not_replaced_and_a_dead_ones_is() {
    let folder = Folder::new();
    let (listener, file) = SocketFile::bind(&folder.socket(), 0o600).unwrap();
    assert!(folder.refusal().contains("is held"), "{}", folder.refusal());
    // Nor if its backlog is full, or its socket does not answer any more.
    drop(listener);
    assert!(folder.refusal().contains("is held"));
    drop(file);
    assert_eq!(folder.names(), Vec::<String>::new());

    folder.dead_server();
    let dead = inode(&folder.lock());
    let (listener, file) = SocketFile::bind(&folder.socket(), 0o600).unwrap();
    assert_eq!(inode(&folder.lock()), dead, "the lock goes on");
    let client = UnixStream::connect(folder.socket()).unwrap();
    listener.accept().unwrap();
    drop((client, file, listener));
    assert_eq!(folder.names(), Vec::<String>::new());
}

#[test]
fn what_took_a_dead_servers_place_is_left_alone() {
    let folder = Folder::new();
    folder.dead_server();
    std::fs::remove_file(folder.socket()).unwrap();
    let other = bound(&folder.socket());
    assert!(folder.refusal().contains("another program may hold it"));
    drop(other);
    std::fs::remove_file(folder.socket()).unwrap();
    std::fs::write(folder.socket(), "precious").unwrap();
    assert!(folder.refusal().contains("8 bytes"));
    assert_eq!(std::fs::read(folder.socket()).unwrap(), b"precious");
    // And once nothing stands there the lock is of no further use.
    std::fs::remove_file(folder.socket()).unwrap();
    drop(SocketFile::bind(&folder.socket(), 0o600).unwrap());
    assert_eq!(folder.names(), Vec::<String>::new());
}

#[test]
fn a_server_removes_its_own_socket_and_nothing_that_took_its_place() {
    let folder = Folder::new();
    let (_listener, file) = SocketFile::bind(&folder.socket(), 0o600).unwrap();
    std::fs::remove_file(folder.socket()).unwrap();
    let other = bound(&folder.socket());
    other.listen(1).unwrap();
    drop(file);
    assert_eq!(folder.names(), ["s"]);
    assert!(UnixStream::connect(folder.socket()).is_ok());

    let folder = Folder::new();
    let (_listener, file) = SocketFile::bind(&folder.socket(), 0o600).unwrap();
    for path in [folder.socket(), folder.lock()] {
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "precious").unwrap();
    }
    drop(file);
    assert_eq!(folder.names(), ["s", "s.xcp-lock"]);
    assert_eq!(std::fs::read(folder.socket()).unwrap(), b"precious");
    assert!(folder.refusal().contains("holds something else"), "{}", folder.refusal());
}

#[test]
fn a_socket_is_found_again_when_its_folder_has_another_name() {
    let folder = Folder::new();
    let (before, after) = (folder.0.join("before"), folder.0.join("after"));
    std::fs::create_dir(&before).unwrap();
    let (_listener, file) = SocketFile::bind(&before.join("s"), 0o600).unwrap();
    std::fs::rename(&before, &after).unwrap();
    std::fs::create_dir(&before).unwrap();
    let _other = bound(&before.join("s"));
    drop(file);
    assert!(!after.join("s").exists() && !after.join("s.xcp-lock").exists());
    assert!(before.join("s").exists());
}

#[test]
fn a_lock_that_is_none_is_not_taken() {
    let folder = Folder::new();
    std::os::unix::fs::symlink(folder.0.join("victim"), folder.lock()).unwrap();
    assert!(folder.refusal().contains("is a symbolic link"), "{}", folder.refusal());
    assert_eq!(folder.names(), ["s.xcp-lock"]);
    std::fs::remove_file(folder.lock()).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, folder.lock(), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    assert!(folder.refusal().contains("is no regular file"), "{}", folder.refusal());
    std::fs::remove_file(folder.lock()).unwrap();
    std::fs::write(folder.lock(), "my diary").unwrap();
    assert!(folder.refusal().contains("holds something else"), "{}", folder.refusal());
    assert_eq!(std::fs::read(folder.lock()).unwrap(), b"my diary");
}

#[test]
fn paths_are_as_long_as_a_sockets_address() {
    let path = |len| PathBuf::from("x".repeat(len));
    assert_eq!(check(&path(107)), Ok(()));
    let error = check(&path(108)).unwrap_err().to_string();
    assert!(error.contains("108") && error.contains("107"), "{error}");
    let folder = Folder::new();
    for no_file in ["", "/..", "/s/"] {
        let path = format!("{}{no_file}", folder.0.display());
        let path = if no_file.is_empty() { "/".to_owned() } else { path };
        assert!(SocketFile::bind(Path::new(&path), 0o600).is_err(), "{path}");
    }
    assert_eq!(folder.names(), Vec::<String>::new());
    let missing = folder.0.join("missing/s");
    assert_eq!(SocketFile::bind(&missing, 0o600).unwrap_err().kind(), ErrorKind::NotFound);
}
