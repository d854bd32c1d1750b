//! With which number the program ends, and why.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | all went well |
//! | 1 | the buffer, or the relay's input buffer, cannot be created or connected to |
//! | 2 | the relay's output buffer cannot be reached, or writing failed |
//! | 3 | reading or relaying failed: no frame in time, whatever came before, a dead writer, a corrupt buffer |
//! | 4 | bad arguments, or a file that they name cannot be opened |
//! | 5 | verification failed: a frame's content or size is not what was asked for |
//! | 128 + n | interrupted by signal n: 129 SIGHUP, 130 SIGINT, 131 SIGQUIT, 143 SIGTERM; the program's own buffers were removed |

/// A number that the program ends with.
pub(crate) type ExitCode = u8;

/// No buffer.
pub(crate) const CONNECT: ExitCode = 1;
/// No output.
pub(crate) const WRITE: ExitCode = 2;
/// No input.
pub(crate) const READ: ExitCode = 3;
/// Bad arguments.
pub(crate) const USAGE: ExitCode = 4;
/// Other frames than asked for.
pub(crate) const VERIFY: ExitCode = 5;
/// Stopped by a signal: 128 and its number, as shells have it.
const INTERRUPTED: ExitCode = 128;
/// The signals that stop the program, by the numbers that they have on every system.
const SIGNALS: [(u8, &str); 4] = [(1, "SIGHUP"), (2, "SIGINT"), (3, "SIGQUIT"), (15, "SIGTERM")];
/// What Ctrl-C sends.
pub(crate) const SIGINT: u8 = 2;

/// The table above, for `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0    all went well
  1    the buffer (the relay's input buffer) cannot be created or connected to
  2    the relay's output buffer cannot be reached, or writing failed
  3    reading or relaying failed: no frame in time, whatever came before, a dead writer, a corrupt buffer
  4    bad arguments, or a file that they name cannot be opened
  5    verification failed: a frame's content or size is not what was asked for
  130  interrupted by SIGINT (SIGHUP 129, SIGQUIT 131, SIGTERM 143); the program's own buffers were removed";

/// The same for `strait duplex`.
pub(crate) const DUPLEX_HELP: &str = "\
Exit codes:
  0    all went well; requests that failed are no failure of the server
  1    the channel already has a server, or none, or its buffers cannot be created
  2    a request cannot be sent
  3    no response in time, a failure response, the server is gone, a corrupt buffer
  4    bad arguments, or a file that they name cannot be opened
  5    verification failed: a response is not what was asked for
  130  interrupted by SIGINT (SIGHUP 129, SIGQUIT 131, SIGTERM 143); the program's own buffers were removed";

/// The same for `strait link`.
pub(crate) const LINK_HELP: &str = "\
Exit codes:
  0    all went well
  1    the link cannot be made or opened, or is not the one asked for; the other end does not agree
  2    a message cannot be sent: no slot in time, a damaged link
  3    receiving or a call failed: nothing in time, whatever came before, a sender died, a failure answer, a damaged link
  4    bad arguments, or a file that they name cannot be opened
  5    verification failed: what came is not what was asked for
  130  interrupted by SIGINT (SIGHUP 129, SIGQUIT 131, SIGTERM 143); a link that the program made goes with it";

/// The same for `strait xcp`.
pub(crate) const XCP_HELP: &str = "\
Exit codes:
  0    all went well; a server that was told to stop has done what it should
  1    nobody is there, or does not agree; the address cannot be listened on
  2    a message cannot be sent: the peer does not read it, or it is too long for it; a body cannot be written to a file
  3    no answer, or nothing from a pipe, in time; a refusal, a lost connection; what is decoded is no frame, or ends inside of one
  4    bad arguments, or a file that they name cannot be opened or is not what it should be
  5    verification failed: the peer saw other bytes than were sent; the checksum of a decoded frame is wrong
  130  interrupted by SIGINT (SIGHUP 129, SIGQUIT 131, SIGTERM 143)";

/// Why the program ends, other than well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What the program ends with.
    pub(crate) code: ExitCode,
    /// One sentence, without the program's name.
    pub(crate) message: String,
    /// Whether it was said on standard error already.
    pub(crate) is_said: bool,
}

impl Failure {
    /// A failure with its number.
    pub(crate) fn new(code: ExitCode, message: impl ToString) -> Self {
        Self { code, message: message.to_string(), is_said: false }
    }

    /// [`CONNECT`].
    pub(crate) fn connect(message: impl ToString) -> Self {
        Self::new(CONNECT, message)
    }

    /// [`WRITE`].
    pub(crate) fn write(message: impl ToString) -> Self {
        Self::new(WRITE, message)
    }

    /// [`READ`].
    pub(crate) fn read(message: impl ToString) -> Self {
        Self::new(READ, message)
    }

    /// [`USAGE`].
    pub(crate) fn usage(message: impl ToString) -> Self {
        Self::new(USAGE, message)
    }

    /// [`VERIFY`].
    pub(crate) fn verify(message: impl ToString) -> Self {
        Self::new(VERIFY, message)
    }

    /// What a signal of this number ends the program with.
    pub(crate) fn interrupted(signal: u8) -> Self {
        let code = INTERRUPTED.saturating_add(signal);
        match SIGNALS.iter().find(|(number, _)| *number == signal) {
            Some((_, name)) if signal != SIGINT => Self::new(code, format_args!("interrupted by {name}")),
            _ => Self::new(code, "interrupted"),
        }
    }

    /// Whether a signal ended the run.
    pub(crate) fn is_interruption(&self) -> bool {
        self.code >= INTERRUPTED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_constructor_has_the_number_of_the_table() {
        let codes = [
            Failure::connect("").code,
            Failure::write("").code,
            Failure::read("").code,
            Failure::usage("").code,
            Failure::verify("").code,
            Failure::interrupted(SIGINT).code,
        ];
        assert_eq!(codes, [1, 2, 3, 4, 5, 130]);
        for code in codes {
            for help in [HELP, DUPLEX_HELP, LINK_HELP, XCP_HELP] {
                assert!(
                    help.lines().any(|line| line.trim_start().starts_with(&format!("{code} "))),
                    "{code}"
                );
            }
        }
    }

    #[test]
    fn every_signal_has_its_number_and_help_says_it() {
        for (number, name) in SIGNALS {
            let failure = Failure::interrupted(number);
            assert!(failure.is_interruption() && failure.code == 128 + number, "{name}");
            assert!(failure.message.contains(name) || number == SIGINT, "{failure:?}");
            for help in [HELP, DUPLEX_HELP, LINK_HELP, XCP_HELP] {
                let said =
                    help.lines().any(|line| line.contains(name) && line.contains(&failure.code.to_string()));
                assert!(said, "{name}");
            }
        }
        assert!(!Failure::verify("").is_interruption());
    }
}
