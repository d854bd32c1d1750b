//! Looking at buffers without taking part: what one holds, which exist, which are leftovers.

use std::sync::Arc;

use strait_core::name::Name;
use strait_core::platform::{Access, FaultKind, LockState, Platform as _, PlatformError as _, Segment as _};
use strait_core::zerobuffer::inspect::{Entry, Snapshot};
use strait_core::zerobuffer::remove_leftover;
use strait_core::zerobuffer::verdict::{Verdict, writer_lives};

use super::error::{ConnectError, CreateError};
use crate::os::{Os, OsError};

/// Whether a buffer is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Its reader runs.
    Live,
    /// Its reader closed or died: the next reader of that name replaces it.
    Dead,
    /// Nothing tells whether its reader lives: it is left alone.
    Unknown,
    /// Not a ZeroBuffer v1.
    Foreign,
}

/// What a buffer holds. Taken without changing a byte of it; of a live buffer the numbers may belong to slightly
/// different moments.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BufferInfo {
    /// The buffer.
    pub name: String,
    /// Whether it is in use.
    pub state: State,
    /// How that is known, or what is missing.
    pub evidence: String,
    /// What is wrong with it, if anything.
    pub problem: Option<String>,
    /// Every word of its control block.
    pub words: Snapshot,
    /// Whether the reader lives; `false` also where that is not known.
    pub reader_alive: bool,
    /// Whether the writer lives; `false` also when there is none.
    pub writer_alive: bool,
    /// Permits of `sem-w-NAME`: frames announced and not taken. `None` if there is no such semaphore.
    pub data_ready: Option<u32>,
    /// Permits of `sem-r-NAME`. `None` if there is no such semaphore.
    pub space_free: Option<u32>,
    /// Metadata, at most their first 4096 bytes, and their whole length.
    pub metadata: Option<(Vec<u8>, u64)>,
    /// Unread frames and wrap markers, oldest first, at most as many as asked for.
    pub unread: Vec<Entry>,
}

/// Looks at the buffer `name`, listing at most `entries` unread frames.
///
/// # Errors
/// [`ConnectError::BufferNotFound`], [`ConnectError::BadName`], [`ConnectError::NotAZeroBuffer`] if it is shorter than
/// a control block, [`ConnectError::Os`]. Anything else wrong with it is reported in the result.
pub fn inspect(name: &str, entries: usize) -> Result<BufferInfo, ConnectError> {
    let text: Arc<str> = name.into();
    let name = Name::new(name).map_err(|source| ConnectError::BadName { name: Arc::clone(&text), source })?;
    let segment = Os.open_read_only(&name).map_err(|error| match is_not_found(&error) {
        true => ConnectError::BufferNotFound { name: Arc::clone(&text) },
        false => ConnectError::Os { name: Arc::clone(&text), source: Box::new(error) },
    })?;
    let words = Snapshot::of(&segment).map_err(|error| ConnectError::new(&text, error))?;
    let problem = Snapshot::check::<_, OsError>(&segment).err().map(|error| error.to_string());
    let verdict = Verdict::of(&Os, &name, &segment);
    let state = match verdict {
        Verdict::Live { .. } => State::Live,
        Verdict::Dead { .. } => State::Dead,
        Verdict::Unknown { .. } => State::Unknown,
        Verdict::NotOurs(_) => State::Foreign,
    };
    let writer_alive = writer_lives(&Os, &segment);
    let mut metadata = vec![0; 4096];
    let metadata = words.metadata(&segment, &mut metadata).map(|len| {
        metadata.truncate(usize::try_from(len).unwrap_or(usize::MAX));
        (metadata, len)
    });
    let mut unread = Vec::new();
    if segment.backed_len() >= segment.len() && problem.is_none() {
        words.unread(&segment, entries, |entry| unread.push(entry));
    }
    let permits =
        |prefix: &str| Name::new(&format!("{prefix}{name}")).ok().and_then(|name| Os.peek_signal(&name).ok());
    Ok(BufferInfo {
        name: name.to_string(),
        state,
        evidence: verdict.to_string(),
        problem,
        words,
        reader_alive: state == State::Live,
        writer_alive,
        data_ready: permits("sem-w-"),
        space_free: permits("sem-r-"),
        metadata,
        unread,
    })
}

/// Every ZeroBuffer on this machine that this user may look at, sorted by name. What is no ZeroBuffer is left out.
///
/// # Errors
/// [`ConnectError::Os`] if shared memory cannot be listed.
pub fn list() -> Result<Vec<BufferInfo>, ConnectError> {
    let names = Os.list_segments().map_err(unlisted)?;
    let infos = names.iter().filter_map(|name| inspect(name.as_str(), 0).ok());
    Ok(infos.filter(|info| info.state != State::Foreign).collect())
}

/// A buffer that is dead or was asked for, and what was done about it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Leftover {
    /// The buffer.
    pub name: String,
    /// Bytes of its segment.
    pub bytes: usize,
    /// Whether it was removed, or why it is kept; `None` in a dry run if it would be removed.
    pub removed: Option<Result<(), CreateError>>,
}

/// Removes dead buffers of this user: segment, semaphores and locks; all of them, or those of `names` if there are any.
/// With `dry_run` only says which.
///
/// A buffer is dead when that is proved: its reader has closed, or nobody holds its lock, or its process has ended;
/// semaphores without a segment, as a closed Python reader leaves them, are dead when nobody holds their name's lock, and so
/// is the lock itself, alone, of one of `names`. What nothing is proved of is kept, and so is whatever else stands under one of
/// `names`: the result says why. Nothing is created meanwhile but the lock of the name.
///
/// # Errors
/// [`ConnectError::Os`] if shared memory cannot be listed.
pub fn gc(names: &[&str], dry_run: bool) -> Result<Vec<Leftover>, ConnectError> {
    let mut leftovers = Vec::new();
    let listed = Os.list_segments().map_err(unlisted)?;
    // Others are not looked at: who looks at the same time would find them in use.
    for name in listed.iter().filter(|name| names.is_empty() || names.contains(&name.as_str())) {
        if let Some((bytes, verdict)) = judge(name)
            && (is_left(verdict) || !names.is_empty())
        {
            leftovers.push((name.clone(), bytes, verdict.refusal()));
        }
    }
    leftovers.extend(orphans(&listed)?.into_iter().map(|name| (name, 0, None)));
    leftovers.retain(|(name, ..)| names.is_empty() || names.contains(&name.as_str()));
    // Of a reader that was killed when it had removed all but its lock.
    let named = names.iter().filter_map(|name| Name::new(name).ok());
    let locks = named.filter(|name| !listed.contains(name) && Os.probe_lock(name) == LockState::Free);
    for name in locks {
        if leftovers.iter().all(|(left, ..)| *left != name) {
            leftovers.push((name, 0, None));
        }
    }
    Ok(leftovers
        .into_iter()
        .map(|(name, bytes, refusal)| {
            let text = Arc::from(name.as_str());
            let removed = match refusal {
                Some(refusal) => Some(Err(refusal)),
                None => (!dry_run).then(|| remove_leftover(&Os, &name, Access::default())),
            };
            let removed = removed.map(|removed| removed.map_err(|error| CreateError::new(&text, error)));
            Leftover { name: name.to_string(), bytes, removed }
        })
        .collect())
}

/// Removes the buffer of a reader that is proved to have died.
pub(super) fn bury(name: &str) {
    if let Ok(name) = Name::new(name) {
        // What is kept is in use, or somebody else's.
        let _ = remove_leftover(&Os, &name, Access::default());
    }
}

/// What stands under a name, judged, and its length; `None` if this user may not look at it.
fn judge(name: &Name) -> Option<(usize, Verdict)> {
    let segment = Os.open_read_only(name).ok()?;
    Some((segment.len(), Verdict::of(&Os, name, &segment)))
}

/// Whether it is a buffer that nobody is known to use.
const fn is_left(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Dead { .. } | Verdict::Unknown { .. })
}

/// Names whose semaphores are there without a segment, and that nobody holds.
fn orphans(segments: &[Name]) -> Result<Vec<Name>, ConnectError> {
    let mut names: Vec<Name> = Vec::new();
    for signal in Os.list_signals().map_err(unlisted)? {
        let name = signal.as_str().strip_prefix("sem-w-").or_else(|| signal.as_str().strip_prefix("sem-r-"));
        let Some(Ok(name)) = name.map(Name::new) else { continue };
        let known = segments.contains(&name) || names.contains(&name);
        let held = [Os.probe_lock(&name), Os.probe_signal(&signal)].contains(&LockState::Held);
        if !known && !held {
            names.push(name);
        }
    }
    Ok(names)
}

fn unlisted(error: OsError) -> ConnectError {
    ConnectError::Os { name: "".into(), source: Box::new(error) }
}

fn is_not_found(error: &OsError) -> bool {
    error.kind() == FaultKind::NotFound
}
