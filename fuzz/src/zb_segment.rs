//! A segment of any bytes: attached to, written to, looked at.

use strait_core::name::Name;
use strait_core::platform::{Access, Platform as _, Segment as _};
use strait_core::testing::{FakeError, FakePlatform, HeapSegment};
use strait_core::zerobuffer::WriterEndpoint;
use strait_core::zerobuffer::inspect::Snapshot;

const NAME: &str = "any";
/// Longest segment made.
const MOST: usize = 64 << 10;
/// Most entries listed.
const ENTRIES: usize = 64;

/// `data` are the segment. The process that created it is number 1 and runs, if its words say so.
pub fn zb_segment(data: &[u8]) {
    let data = &data[..data.len().min(MOST)];
    // No system makes an empty one.
    if data.is_empty() {
        return;
    }
    let system = FakePlatform::new();
    let named = |prefix: &str| Name::new(&format!("{prefix}{NAME}")).expect("valid");
    let access = Access::default();
    let segment = system.create_segment(&named(""), data.len(), access).expect("the system is empty");
    for prefix in ["sem-w-", "sem-r-"] {
        system.create_signal(&named(prefix), access, false).expect("the system is empty");
    }
    segment.scribble(0, data);
    look(&segment);
    // Whatever they say, looking changes nothing.
    assert!(segment.bytes(0, data.len()) == data);
    let Ok(mut writer) = WriterEndpoint::attach(system.process(2), &named("")) else { return };
    let capacity = writer.geometry().payload_size;
    let _ = writer.set_metadata(b"about");
    let largest = writer.geometry().max_frame_len();
    for len in [1, 20, largest / 2, largest, largest + 1] {
        let Ok(len) = usize::try_from(len) else { continue };
        let Ok(mut reserved) = writer.try_reserve(len) else { continue };
        let bytes = writer.bytes_mut(&mut reserved);
        assert_eq!(bytes.len(), len);
        bytes.fill(0xaa);
        let _ = writer.commit(reserved);
        look(&segment);
    }
    assert!(writer.free_bytes().is_ok());
    assert!(writer.counters().high_water_mark <= capacity);
    drop(writer);
    look(&segment);
}

fn look(segment: &HeapSegment) {
    let Ok(snapshot) = Snapshot::of::<_, FakeError>(segment) else { return };
    let _ = Snapshot::check::<_, FakeError>(segment);
    let mut entries = 0;
    snapshot.unread(segment, ENTRIES, |entry| {
        entries += 1;
        let end = entry.position.checked_add(16).and_then(|data| data.checked_add(entry.len));
        assert!(end.is_some_and(|end| end <= segment.len() as u64), "{entry:?}");
    });
    assert!(entries <= ENTRIES);
    let mut metadata = [0; 100];
    if let Some(len) = snapshot.metadata(segment, &mut metadata) {
        assert!(len < segment.len() as u64);
    }
}
