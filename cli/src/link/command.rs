//! Which options do the verbs of a link share, and what do they mean in all of them?

use core::time::Duration;

use clap::{Args, ValueEnum};
use strait::hqq::{LinkBuilder, Profile, Side};

use crate::args::{self, Trust};
use crate::report;

/// What a link looks like.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Shape {
    /// Slots per direction, a power of two [default: 1024 for a new link, and whatever an existing one has]
    #[arg(long, value_name = "COUNT")]
    pub(super) slots: Option<u64>,

    /// Bytes of a slot, a multiple of 8 [default: 4096 for a new link, and whatever an existing one has]
    #[arg(long, value_name = "BYTES")]
    pub(super) slot_len: Option<u64>,

    /// Layout and numbering [default: superblock for a new link, and whatever an existing one has]
    #[arg(long, value_enum)]
    pub(super) profile: Option<ProfileName>,
}

impl Shape {
    /// The options of a link of this shape.
    pub(super) fn apply(&self, mut builder: LinkBuilder) -> LinkBuilder {
        if let Some(slots) = self.slots {
            builder = builder.slots(slots);
        }
        if let Some(slot_len) = self.slot_len {
            builder = builder.slot_len(slot_len);
        }
        if let Some(profile) = self.profile {
            builder = builder.profile(profile.into());
        }
        builder
    }
}

/// The two layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ProfileName {
    /// As the Go implementation has it
    Superblock,
    /// As the protocol document has it
    Seed,
}

impl ProfileName {
    /// As in the option.
    pub(super) fn of(profile: Profile) -> &'static str {
        match profile {
            Profile::Superblock => "superblock",
            Profile::Seed => "seed",
        }
    }
}

impl From<ProfileName> for Profile {
    fn from(name: ProfileName) -> Self {
        match name {
            ProfileName::Superblock => Self::Superblock,
            ProfileName::Seed => Self::Seed,
        }
    }
}

/// The two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Role {
    /// Primary if nobody living is, secondary otherwise
    Auto,
    /// Sends through ring 0, receives through ring 1
    Primary,
    /// Sends through ring 1, receives through ring 0
    Secondary,
}

/// A side that is named for sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SideName {
    /// Sends through ring 0, receives through ring 1
    Primary,
    /// Sends through ring 1, receives through ring 0
    Secondary,
}

impl From<SideName> for Side {
    fn from(name: SideName) -> Self {
        match name {
            SideName::Primary => Self::Primary,
            SideName::Secondary => Self::Secondary,
        }
    }
}

/// Options of what makes a link.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Making {
    /// Permission bits of a new link, in octal, whatever the umask [default: 600]. With bits that let others write,
    /// messages are copied before they are handed out. Windows has two: 600, this user in this session, and 666, everybody
    #[arg(long, value_name = "OCTAL", value_parser = args::octal)]
    pub(super) mode: Option<u32>,

    /// Numeric group that shall own a new link; --mode lets it in. Windows has none
    #[arg(long, value_name = "GID")]
    pub(super) group: Option<u32>,

    /// Says that programs of other implementations will open the link: waits then look once a millisecond at least, slots
    /// that dead processes held are not recovered but by `recover`, and `recv` does not see that the senders have gone
    #[arg(long)]
    pub(super) foreign_peers: bool,
}

impl Making {
    /// The options of a link made so.
    pub(super) fn apply(&self, mut builder: LinkBuilder) -> LinkBuilder {
        if let Some(mode) = self.mode {
            builder = builder.mode(mode);
        }
        if let Some(group) = self.group {
            builder = builder.group(group);
        }
        if self.foreign_peers {
            builder = builder.foreign_peers();
        }
        builder
    }
}

/// Options of who makes the link that it receives from, if there is none.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Create {
    /// Makes the link if there is none; it goes with the last process that uses it
    #[arg(long)]
    pub(super) create: bool,

    #[command(flatten)]
    pub(super) making: Making,
}

/// Options of who joins a link.
#[derive(Clone, Debug, Args)]
pub(super) struct Entry {
    /// Name of the link: 1 to 245 of A-Z a-z 0-9 . _ -, not starting with a dot
    pub(super) name: String,

    #[command(flatten)]
    pub(super) shape: Shape,

    #[command(flatten)]
    pub(super) trust: Trust,

    /// Side to take; any number of processes may share it [default: auto on a link that other implementations made or
    /// take part in, else primary for who sends, secondary for who receives or sends back]
    #[arg(long, value_enum)]
    pub(super) role: Option<Role>,

    /// How long to wait for the link to appear, in milliseconds; 0 = not at all
    #[arg(long, value_name = "MS", default_value_t = 5000)]
    pub(super) wait_ms: u64,

    /// Longest wait for a message when receiving, for a free slot when sending, in milliseconds; 0 = for ever
    #[arg(long, value_name = "MS", default_value_t = 5000)]
    pub(super) timeout_ms: u64,

    /// Prints the report as JSON, on standard output, also when the run failed
    #[arg(long)]
    pub(super) json_output: bool,

    /// Says on standard error what happens
    #[arg(short, long)]
    pub(super) verbose: bool,
}

impl Entry {
    /// `--timeout-ms`; [`Duration::MAX`] for 0.
    pub(super) fn timeout(&self) -> Duration {
        match self.timeout_ms {
            0 => Duration::MAX,
            ms => Duration::from_millis(ms),
        }
    }

    /// Says something on standard error, if asked to.
    pub(super) fn say(&self, text: impl FnOnce() -> String) {
        if self.verbose {
            report::complain(text());
        }
    }

    /// Whether people may watch how far it is.
    pub(super) fn is_watched(&self) -> bool {
        !self.json_output && !self.verbose
    }
}
