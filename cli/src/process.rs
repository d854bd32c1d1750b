//! How does the tool start itself again, as another process?

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// Keeps Ctrl-C from the child: it shall reach its parent alone, and the child sees that the parent is gone and ends in
/// order.
pub(crate) fn detach(command: &mut Command) {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt as _;
        // Its path may be one of /proc; this is its name in the list of processes.
        command.arg0("strait").process_group(0);
    }
    #[cfg(windows)]
    {
        use std::os::windows::process::CommandExt as _;
        /// Windows' name: the first process of a group of its own, which ignores Ctrl-C.
        const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
        command.creation_flags(CREATE_NEW_PROCESS_GROUP);
    }
}

/// This program. Its path may by now name another one, or none, if it was built or installed anew.
pub(crate) fn program() -> io::Result<PathBuf> {
    let same = Path::new("/proc/self/exe");
    if cfg!(target_os = "linux") && same.exists() { Ok(same.into()) } else { std::env::current_exe() }
}

/// Starts a process. Wine 8 fails to start about one in a thousand, with an internal error that Windows does not give for
/// this, and starts it when it is asked again.
pub(crate) fn spawn(command: &mut Command) -> io::Result<Child> {
    const ERROR_INTERNAL_ERROR: i32 = 1359;
    match command.spawn() {
        Err(error) if cfg!(windows) && error.raw_os_error() == Some(ERROR_INTERNAL_ERROR) => command.spawn(),
        outcome => outcome,
    }
}
