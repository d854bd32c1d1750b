//! How does the tool join a link, and with which exit code if it cannot?

use core::time::Duration;
use std::thread;

use strait::hqq::{AttachError, Link, LinkBuilder, OpenError, SendError, Sender, Side};

use super::command::{Create, Entry, Role};
use super::peers;
use crate::exit::Failure;
use crate::interrupt::{Interrupt, Patience};

/// Between two looks whether the link is there.
const STEP: Duration = Duration::from_millis(2);

/// The options of the link.
fn builder(entry: &Entry) -> LinkBuilder {
    let builder = entry.shape.apply(Link::builder(&entry.name)).timeout(Duration::ZERO);
    builder.trust_others(entry.trust.trust_others)
}

/// The same with the side that is asked for, or else that `default` is.
///
/// Programs of other implementations take the side that is left: who made the link is primary, all others are secondary. So
/// where they may be, `default` could be their own side, on which nobody would read what is sent. `auto` is the other one.
fn sided(builder: LinkBuilder, entry: &Entry, default: Role, strangers: bool) -> LinkBuilder {
    match entry.role.unwrap_or(if strangers { Role::Auto } else { default }) {
        Role::Auto => builder,
        Role::Primary => builder.primary(),
        Role::Secondary => builder.secondary(),
    }
}

/// Joins the link, waiting until it is there, or makes it.
pub(super) fn join(
    entry: &Entry,
    default: Role,
    create: Option<&Create>,
    interrupt: &Interrupt,
) -> Result<Link, Failure> {
    let builder = builder(entry);
    let link = match create.filter(|create| create.create) {
        Some(create) => {
            let strangers = create.making.foreign_peers || has_strangers(&builder);
            let builder = create.making.apply(sided(builder, entry, default, strangers));
            builder.open_or_create().map_err(|error| interrupt.or(failure(error)))?
        }
        None => open(entry, &builder, default, interrupt)?,
    };
    entry.say(|| {
        let (side, geometry) = (link.side(), link.geometry());
        format!(
            "joined {:?} as {side}, {} slots of {} bytes",
            entry.name,
            geometry.slots(),
            geometry.slot_len()
        )
    });
    Ok(link)
}

/// Whether the link is there, and programs of other implementations may take part.
fn has_strangers(builder: &LinkBuilder) -> bool {
    builder.inspect().is_ok_and(|info| info.has_strangers)
}

fn open(entry: &Entry, builder: &LinkBuilder, default: Role, interrupt: &Interrupt) -> Result<Link, Failure> {
    let patience = Patience::new(Duration::from_millis(entry.wait_ms));
    loop {
        let slice = patience.slice();
        let strangers = has_strangers(builder);
        let error = match sided(builder.clone(), entry, default, strangers).open() {
            Ok(link) => return Ok(link),
            Err(error) => error,
        };
        if interrupt.is_set() {
            return Err(interrupt.failure());
        }
        // Some platforms give a link its name before it is ready.
        let may_come = matches!(
            error,
            OpenError::NotFound { .. } | OpenError::Attach { source: AttachError::NotReady { .. }, .. }
        );
        match slice {
            Some(slice) if may_come => thread::sleep(slice.min(STEP)),
            _ => return Err(failure(error)),
        }
    }
}

/// What a link that cannot be joined ends the program with.
pub(super) fn failure(error: OpenError) -> Failure {
    match error {
        OpenError::BadName { .. } | OpenError::Geometry { .. } => Failure::usage(error),
        OpenError::NotFound { name } => Failure::connect(format_args!(
            "link {name:?} not found: make it first (strait link create, or --create at the end that receives), or wait \
             longer for it with --wait-ms"
        )),
        OpenError::OthersMayWrite { name } => Failure::connect(format_args!(
            "link {name:?} may be written by other users, its owner or those whom its mode lets in, and one that \
                     cuts it short ends this process: make it as this user, with --mode 600, or trust them with --trust-others"
        )),
        _ => Failure::connect(error),
    }
}

/// Sends one message, waiting for a slot as long as asked for.
pub(super) fn send(
    sender: &mut Sender,
    side: Side,
    bytes: &[u8],
    entry: &Entry,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    // The clock is read only if the ring is full.
    match sender.try_send(bytes) {
        Err(SendError::Full) => {}
        outcome => return outcome.map_err(|error| write(entry, error)),
    }
    let patience = Patience::new(entry.timeout());
    while let Some(slice) = patience.slice() {
        match sender.send_timeout(bytes, slice) {
            Err(SendError::Timeout) => {}
            outcome => return outcome.map_err(|error| write(entry, error)),
        }
        if interrupt.is_set() {
            return Err(interrupt.failure());
        }
    }
    let who = peers::who_receives(&entry.name, side.other());
    let ms = entry.timeout_ms;
    Err(write(entry, format_args!("no slot became free within {ms} ms: {who}")))
}

/// A failure to send.
pub(super) fn write(entry: &Entry, error: impl core::fmt::Display) -> Failure {
    Failure::write(format_args!("link {:?}: {error}", entry.name))
}
