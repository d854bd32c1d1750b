//! What `strait ls` and `strait gc` say of links.

use core::fmt::Write as _;

use serde_json::{Value, json};
use strait::hqq::{self, LinkInfo, LinkLeftover, OpenError, Side, Standing};

use crate::exit::Failure;

/// Every link that this user may look at.
pub(crate) fn list() -> Result<Vec<LinkInfo>, Failure> {
    hqq::list().map_err(Failure::connect)
}

/// Removes dead links, or only says which; why named ones stay.
pub(crate) fn gc(names: &[&str], dry_run: bool) -> Result<Vec<LinkLeftover>, Failure> {
    hqq::gc(names, dry_run).map_err(Failure::connect)
}

/// A standing in one word.
pub(super) fn state(standing: Standing) -> &'static str {
    match standing {
        Standing::Live { .. } => "live",
        Standing::Kept => "kept",
        Standing::Dead => "dead",
        _ => "unsure",
    }
}

/// A table of links, below that of the buffers; nothing if there are none.
pub(crate) fn table(links: &[LinkInfo]) -> String {
    let mut text = String::new();
    if links.is_empty() {
        return text;
    }
    let width = links.iter().map(|link| link.name.len()).max().unwrap_or(0).max(4);
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{:<width$}  {:<7}  {:>13}  {:>6}  {:>10}  {:>8}  {:>8}",
        "LINK", "STATE", "SLOT", "SLOTS", "UNREAD", "PRIMARY", "SECONDARY"
    );
    for link in links {
        let [first, second] = &link.rings;
        let _ = writeln!(
            text,
            "{:<width$}  {:<7}  {:>13}  {:>6}  {:>10}  {:>8}  {:>9}",
            link.name,
            state(link.standing),
            link.geometry.slot_len(),
            link.geometry.slots(),
            first.unread.saturating_add(second.unread),
            link.living(Side::Primary),
            link.living(Side::Secondary),
        );
    }
    text
}

/// A link in a list that holds buffers too.
pub(crate) fn as_json(link: &LinkInfo) -> Value {
    let [first, second] = &link.rings;
    json!({
        "name": link.name,
        "kind": "link",
        "state": state(link.standing),
        "problem": match link.standing {
            Standing::Unsure(doubt) => Some(doubt.to_string()),
            _ => None,
        },
        "slots": link.geometry.slots(),
        "slot_len": link.geometry.slot_len(),
        "unread": first.unread.saturating_add(second.unread),
        "primary_handles": link.living(Side::Primary),
        "secondary_handles": link.living(Side::Secondary),
    })
}

/// What was done about a link: its name, its bytes, whether it was removed, why not.
pub(crate) fn row(leftover: &LinkLeftover) -> (&str, usize, Option<Result<(), String>>) {
    let removed = match &leftover.removed {
        None => None,
        Some(Ok(())) => Some(Ok(())),
        // Who looks for leftovers wants no advice how to open it.
        Some(Err(OpenError::AlreadyExists { standing, .. })) => Some(Err(standing.to_string())),
        Some(Err(error)) => Some(Err(error.to_string())),
    };
    (&leftover.name, leftover.bytes, removed)
}
