//! What each end can do about a refusal of the system.

use strait_core::platform::{FaultKind, PlatformError as _};

use crate::os::OsError;

/// Who is told what to do.
#[derive(Clone, Copy)]
pub(super) enum End {
    Reader,
    Writer,
}

/// What to do about a system's refusal, where that is known.
pub(super) fn hint(error: &OsError, end: End) -> &'static str {
    if error.advises() { "" } else { advice(error.kind(), end) }
}

fn advice(kind: FaultKind, end: End) -> &'static str {
    match (kind, end) {
        (FaultKind::NoSpace, _) => {
            "; shared memory is full: free some (`strait ls`, `strait gc`) or ask for less"
        }
        (FaultKind::PermissionDenied, End::Reader) => {
            "; it belongs to another user: use another name, or have that user remove it"
        }
        (FaultKind::PermissionDenied, End::Writer) => {
            "; it belongs to another user: its reader can set a mode or group"
        }
        (FaultKind::Unsuitable | FaultKind::Incomplete, _) => "; remove it or use another name",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_is_told_what_it_can_do_itself() {
        let (reader, writer) = (End::Reader, End::Writer);
        assert!(!advice(FaultKind::PermissionDenied, reader).contains("reader can"));
        assert!(advice(FaultKind::PermissionDenied, writer).contains("its reader can set a mode"));
        assert!(advice(FaultKind::PermissionDenied, reader).contains("another name"));
        for end in [reader, writer] {
            assert!(advice(FaultKind::NoSpace, end).contains("is full"));
            assert_eq!(advice(FaultKind::Other, end), "");
        }
    }
}
