//! Which links are there, and which of them dead processes have left behind.

use std::sync::Arc;

use strait_core::hqq::{self as core_hqq, Standing};
use strait_core::name::Name;

use super::builder::LinkBuilder;
use super::error::OpenError;
use super::inspect::LinkInfo;
use crate::os::{Os, OsError};

/// Every link on this machine that this user may look at, sorted by name. What is no link is left out. On Windows, which has
/// no list of them, none.
///
/// # Errors
/// [`OpenError::Os`] if shared memory cannot be listed.
pub fn list() -> Result<Vec<LinkInfo>, OpenError> {
    let names = Os.list_segments();
    let names = names.map_err(|source| OpenError::Os { name: "".into(), source: Box::new(source) })?;
    Ok(names.iter().filter_map(|name| LinkBuilder::new(name.as_str()).inspect().ok()).collect())
}

/// A link that [`gc`] has looked at, and what was done about it.
#[derive(Debug)]
#[non_exhaustive]
pub struct LinkLeftover {
    /// The link.
    pub name: String,
    /// Bytes of its segment.
    pub bytes: usize,
    /// Whether it was removed, or why it was not; `None` for one that would be, in a dry run.
    pub removed: Option<Result<(), OpenError>>,
}

/// Removes links whose processes have all ended: all of them, or those of `names` if there are any. With `dry_run` only says
/// which.
///
/// The end of each process must be proven; links that were made with [`keep`](LinkBuilder::keep), and those that processes
/// of other implementations may use, stay. Of the links in `names` that stay, the result says why.
///
/// # Errors
/// [`OpenError::Os`] if shared memory cannot be listed.
pub fn gc(names: &[&str], dry_run: bool) -> Result<Vec<LinkLeftover>, OpenError> {
    let links = list()?.into_iter().filter(|link| match names {
        [] => link.standing == Standing::Dead,
        names => names.contains(&link.name.as_str()),
    });
    Ok(links
        .map(|LinkInfo { name, segment_len: bytes, standing, .. }| {
            let removed = match standing {
                Standing::Dead if dry_run => None,
                // Looks again, under the lock by which processes join.
                Standing::Dead => Some(named(&name, |name| core_hqq::remove_dead(&Os, name)).map(|_| ())),
                standing => Some(Err(OpenError::AlreadyExists { name: name.as_str().into(), standing })),
            };
            LinkLeftover { name, bytes, removed }
        })
        .collect())
}

/// Does something to the link `name`.
pub(super) fn named<T>(
    name: &str,
    act: impl FnOnce(&Name) -> Result<T, core_hqq::OpenError<OsError>>,
) -> Result<T, OpenError> {
    let text: Arc<str> = name.into();
    let name = Name::new(name).map_err(|source| OpenError::BadName { name: Arc::clone(&text), source })?;
    act(&name).map_err(|error| OpenError::new(&text, error))
}
