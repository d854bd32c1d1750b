//! Numbers of processes, and the words for them.

use core::fmt;

/// A process identifier as it stands in shared memory: any 64 bits a peer put there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pid(pub u64);

impl Pid {
    /// As words for an error: "pid 12", or that it is not known.
    pub const fn told(self) -> Told {
        Told(self)
    }
}

/// A process number in the words of an error; see [`Pid::told`].
#[derive(Clone, Copy, Debug)]
pub struct Told(Pid);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Pid(0) => f.write_str("its process is not known"),
            pid => write!(f, "pid {pid}"),
        }
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
