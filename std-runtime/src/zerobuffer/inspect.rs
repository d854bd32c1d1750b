//! Looking at buffers without taking part: what one holds, which exist, which are leftovers.

use std::sync::Arc;

use strait_core::name::Name;
use strait_core::platform::{LockState, Pid, Platform as _, Segment as _};
use strait_core::zerobuffer::inspect::{Entry, Snapshot};

use super::error::ConnectError;
use crate::os::Os;

/// Whether a buffer is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Its reader runs.
    Live,
    /// Its reader closed or died: the next reader of that name replaces it.
    Dead,
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
    /// What is wrong with it, if anything.
    pub problem: Option<String>,
    /// Every word of its control block.
    pub words: Snapshot,
    /// Whether the reader's process runs.
    pub reader_alive: bool,
    /// Whether the writer's process runs; `false` also when there is none.
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
    let problem = Snapshot::check::<_, crate::os::OsError>(&segment).err().map(|error| error.to_string());
    let alive = |pid: Pid| pid.0 != 0 && Os.may_own(&segment, pid);
    let reader_alive = match Os.probe_lock(&name) {
        LockState::Held => words.reader_pid.0 != 0,
        LockState::Free => false,
        LockState::Absent => alive(words.reader_pid),
    };
    let writer_alive = words.writer_pid.0 != 0 && {
        use strait_core::platform::{Liveness as _, Watch as _};
        Os.watch(words.writer_pid).is_alive()
    };
    let state = match (&problem, reader_alive) {
        (Some(_), _) if words.oieb_size != 128 => State::Foreign,
        (_, true) => State::Live,
        (_, false) => State::Dead,
    };
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
        problem,
        words,
        reader_alive,
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
    let names =
        Os.list_segments().map_err(|error| ConnectError::Os { name: "".into(), source: Box::new(error) })?;
    let infos = names.iter().filter_map(|name| inspect(name.as_str(), 0).ok());
    Ok(infos.filter(|info| info.state != State::Foreign).collect())
}

/// A dead buffer, and what was done about it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Leftover {
    /// The buffer.
    pub name: String,
    /// Bytes of its segment.
    pub bytes: usize,
    /// Whether it was removed; `None` in a dry run.
    pub removed: Option<Result<(), crate::zerobuffer::CreateError>>,
}

/// Removes dead buffers of this user: segment, semaphores and locks; all of them, or those of `names` if there are any.
/// With `dry_run` only says which.
///
/// A buffer is dead when no running process holds its lock and its reader's process is gone; semaphores without a segment,
/// as a closed Python reader leaves them, are dead when nobody holds their name's lock. It is removed the way its next
/// reader would: under its lock.
///
/// # Errors
/// [`ConnectError::Os`] if shared memory cannot be listed.
pub fn gc(names: &[&str], dry_run: bool) -> Result<Vec<Leftover>, ConnectError> {
    let dead = list()?.into_iter().filter(|info| info.state == State::Dead);
    let mut leftovers: Vec<(String, usize)> = dead.map(|info| (info.name, info.words.segment_len)).collect();
    leftovers.extend(orphans()?.into_iter().map(|name| (name, 0)));
    leftovers.retain(|(name, _)| names.is_empty() || names.contains(&name.as_str()));
    Ok(leftovers
        .into_iter()
        .map(|(name, bytes)| {
            // The next reader of this name, with the smallest buffer, gone at once.
            let removed = (!dry_run).then(|| {
                let reader = super::Reader::builder(&name).metadata_capacity(0).payload_capacity(64).create();
                reader.map(drop)
            });
            Leftover { name, bytes, removed }
        })
        .collect())
}

/// Names whose semaphores are there without a segment, and that nobody holds.
fn orphans() -> Result<Vec<String>, ConnectError> {
    let os = |error| ConnectError::Os { name: "".into(), source: Box::new(error) };
    let segments = Os.list_segments().map_err(os)?;
    let mut names: Vec<String> = Vec::new();
    for signal in Os.list_signals().map_err(os)? {
        let name = signal.as_str().strip_prefix("sem-w-").or_else(|| signal.as_str().strip_prefix("sem-r-"));
        let Some(Ok(name)) = name.map(Name::new) else { continue };
        let known = segments.contains(&name) || names.iter().any(|found| found == name.as_str());
        if !known && Os.probe_lock(&name) != LockState::Held {
            names.push(name.to_string());
        }
    }
    Ok(names)
}

fn is_not_found(error: &crate::os::OsError) -> bool {
    use strait_core::platform::{FaultKind, PlatformError as _};
    error.kind() == FaultKind::NotFound
}
