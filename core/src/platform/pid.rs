//! Processes: their numbers, who they are for good, what is known of them, and the words for it.

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

/// A process for as long as the machine runs: not only its number, which another one may have later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Its number.
    pub pid: Pid,
    /// When it was born, in units of the system; 0 if that is not known.
    pub born: u64,
    /// The namespaces that its number and its birth belong to; 0 if they are not known.
    ///
    /// A number, and a birth that is counted from a namespace's own start, mean something within one realm only. In another
    /// one, or where either realm is 0, the [`fate`](super::Liveness::fate) is [`Fate::Unknown`] and locks decide.
    pub realm: u64,
}

/// What is known of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It runs, or something does that cannot be told from it.
    Runs,
    /// It has ended: proven, not guessed.
    Gone,
    /// It cannot be seen from here.
    Unknown,
}
