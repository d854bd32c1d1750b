//! The survivors: links of this very process.

use strait::hqq::{Link, LinkBuilder, RecvError, SendError};
use strait_tests::PATIENCE;

use super::*;
use crate::awaited::{Awaited, is_awaited};

/// The options of a link of this process.
pub(super) fn builder(name: &str, side: Side) -> LinkBuilder {
    let builder = Link::builder(name).timeout(PATIENCE);
    match side {
        Side::Primary => builder.primary(),
        Side::Secondary => builder.secondary(),
    }
}

/// Makes a link of this process.
pub(super) fn create(name: &str, side: Side, profile: Profile, slots: u64) -> Link {
    let builder = builder(name, side).slots(slots).slot_len(message::LONGEST as u64).profile(profile);
    builder.create().expect("the name is free")
}

/// Opens a link that is there.
pub(super) fn open(name: &str, side: Side) -> Link {
    builder(name, side).open().expect("a link is there")
}

#[track_caller]
pub(super) fn send(link: &mut Link, text: &str) {
    link.sender().send(&message::bytes(text)).expect("there is room, or there will be");
}

#[track_caller]
pub(super) fn receive(link: &mut Link) -> String {
    let slot = link.receiver().recv().expect("a message is there, or there will be");
    message::text(&slot).expect("whole")
}

#[track_caller]
pub(super) fn expect_empty(link: &mut Link) {
    let outcome = link.receiver().try_recv();
    assert!(matches!(outcome, Err(RecvError::Empty)), "{outcome:?}");
}

/// Has somebody announce to sleep until there is something to receive, and give up.
pub(super) fn give_up_receiving(link: &mut Link) {
    let (name, sender) = (link.local_address().link, link.side().other());
    while !is_awaited(&name, sender, Awaited::Data) {
        let outcome = link.receiver().recv_timeout(Duration::from_millis(1));
        assert!(matches!(outcome, Err(RecvError::Timeout)), "{outcome:?}");
    }
}

/// The same for somebody who cannot send.
pub(super) fn give_up_sending(link: &mut Link) {
    let (name, sender) = (link.local_address().link, link.side());
    while !is_awaited(&name, sender, Awaited::Space) {
        let outcome = link.sender().reserve_timeout(Duration::from_millis(1));
        assert!(matches!(outcome, Err(SendError::Timeout)), "{outcome:?}");
    }
}
