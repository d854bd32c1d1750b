//! Are messages sealed as the profile says, and does nothing else open?

use proptest::prelude::*;
use strait_core::xcp::numbers::VERSION;

use super::*;
use crate::xcp::keys::tests::keys;

const HEADER: &[u8] = b"a header";

fn outside(flags: Flags, header: &[u8]) -> Outside<'_> {
    Outside { version: VERSION, flags, header }
}

/// Both ends of the direction from client to server.
fn pair() -> (Sealer, Opener) {
    (Sealer::new(keys().0), Opener::new(keys().0))
}

fn sealed(sealer: &mut Sealer, msg_id: u64, channel: u32) -> Vec<u8> {
    let mut message = b"message".to_vec();
    sealer.seal_in_place(&mut message, msg_id, channel, &outside(Flags::CRYPT, HEADER)).unwrap();
    message
}

fn open(opener: &mut Opener, sealed: &[u8], msg_id: u64, channel: u32) -> Result<Vec<u8>, SealError> {
    let mut message = sealed.to_vec();
    let opened = opener.open_in_place(&mut message, msg_id, channel, &outside(Flags::CRYPT, HEADER));
    match opened {
        Ok(()) => Ok(message),
        Err(error) => {
            assert_eq!(message, sealed, "nothing of it is let out");
            Err(error)
        }
    }
}

#[test]
fn the_nonce_is_that_of_the_specification() {
    let key = std::array::from_fn(|at| u8::try_from(at).unwrap());
    let wanted = [0x95, 0xD6, 0x27, 0xEB, 0x88, 0xC4, 0x62, 0x2F, 0x04, 0x31, 0x7A, 0x9D];
    assert_eq!(nonce(&key, 1, 7).as_slice(), wanted);
    let wanted = [0x8D, 0x6E, 0xAA, 0x16, 0x72, 0xD1, 0x34, 0xF6, 0x97, 0x34, 0x7C, 0xF0];
    assert_eq!(nonce(&keys().0.nonce, 9, 1).as_slice(), wanted);
}

#[test]
fn the_frame_of_the_profile_is_sealed_and_opened_byte_for_byte() {
    let frame = include_bytes!("../../../../tests/vectors/xcp/spec/capnp_crypt.bin");
    let plain_frame = include_bytes!("../../../../tests/vectors/xcp/spec/capnp_data_json.bin");
    // Prefix of 8 bytes, header of 32, length of 4, payload, checksum of 4: the same in both but for the tag.
    let plain = &plain_frame[44..plain_frame.len() - 4];
    let payload = &frame[44..frame.len() - 4];
    assert_eq!(payload.len(), plain.len() + TAG_LEN);
    let outside = Outside { version: frame[4], flags: Flags(frame[5]), header: &frame[8..40] };

    let (mut sealer, mut opener) = pair();
    let mut message = plain.to_vec();
    sealer.seal_in_place(&mut message, 9, 1, &outside).unwrap();
    assert_eq!(message, payload);
    let tag =
        [0x9F, 0xEE, 0x56, 0xF2, 0xB1, 0x74, 0xFA, 0x55, 0xC6, 0xCE, 0x85, 0x04, 0x22, 0x71, 0x05, 0x5B];
    assert!(message.ends_with(&tag));
    opener.open_in_place(&mut message, 9, 1, &outside).unwrap();
    assert_eq!(message, plain);
}

#[test]
fn a_changed_bit_of_message_tag_header_version_or_flags_is_found() {
    let (mut sealer, mut opener) = pair();
    let good = sealed(&mut sealer, 1, 1);
    let forged = Err(SealError::Forged { msg_id: 1, channel: 1, len: 7 });
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open(&mut opener, &bad, 1, 1), forged, "bit {bit}");
    }
    for bit in 0..HEADER.len() * 8 {
        let mut header = HEADER.to_vec();
        header[bit / 8] ^= 1 << (bit % 8);
        let opened = opener.open_in_place(&mut good.clone(), 1, 1, &outside(Flags::CRYPT, &header));
        assert_eq!(opened, Err(SealError::Forged { msg_id: 1, channel: 1, len: 7 }), "header bit {bit}");
    }
    // What is cut off the header and put before the message, or the other way round.
    for header in [&HEADER[..7], b"a headerm", b""] {
        assert!(opener.open_in_place(&mut good.clone(), 1, 1, &outside(Flags::CRYPT, header)).is_err());
    }
    for version in (0..8).map(|bit| VERSION ^ 1 << bit) {
        let outside = Outside { version, ..outside(Flags::CRYPT, HEADER) };
        assert!(opener.open_in_place(&mut good.clone(), 1, 1, &outside).is_err(), "version {version:#x}");
    }
    let compressed = outside(Flags::CRYPT.union(Flags::COMP), HEADER);
    assert_eq!(
        opener.open_in_place(&mut good.clone(), 1, 1, &compressed),
        Err(SealError::Forged { msg_id: 1, channel: 1, len: 7 })
    );
    let plain = outside(Flags::NONE, HEADER);
    let not_marked = Err(SealError::NotMarked { flags: Flags::NONE });
    assert_eq!(opener.open_in_place(&mut good.clone(), 1, 1, &plain), not_marked);
    assert_eq!(sealer.seal_in_place(&mut Vec::new(), 2, 1, &plain), not_marked);

    // None of this kept the real message out; and how it is split into frames is not sealed.
    assert!(opener.failures() > 200);
    let split = outside(Flags::CRYPT.union(Flags::MORE).union(Flags::LARGE), HEADER);
    let mut message = good;
    opener.open_in_place(&mut message, 1, 1, &split).unwrap();
    assert_eq!(message, b"message");
}

#[test]
fn a_message_opens_once_in_order_on_its_channel_and_in_its_direction() {
    let (mut sealer, mut opener) = pair();
    let [first, second, third] = [1, 2, 3].map(|msg_id| sealed(&mut sealer, msg_id, 1));
    let not_increasing = |msg_id, last| Err(OrderError::NotIncreasing { msg_id, channel: 1, last }.into());
    assert_eq!(open(&mut opener, &second, 2, 1).as_deref(), Ok(&b"message"[..]));
    assert_eq!(open(&mut opener, &second, 2, 1), not_increasing(2, 2), "replayed");
    assert_eq!(open(&mut opener, &first, 1, 1), not_increasing(1, 2), "reordered");
    assert_eq!(open(&mut opener, &second, 3, 1), Err(SealError::Forged { msg_id: 3, channel: 1, len: 7 }));
    assert_eq!(open(&mut opener, &third, 3, 2), Err(SealError::Forged { msg_id: 3, channel: 2, len: 7 }));
    let mut other_direction = Opener::new(keys().1);
    assert!(matches!(open(&mut other_direction, &third, 3, 1), Err(SealError::Forged { .. })));
    assert_eq!(open(&mut opener, &third, 3, 1).as_deref(), Ok(&b"message"[..]));
    assert_eq!((opener.messages(), opener.failures()), (2, 2));
}

#[test]
fn forged_messages_take_no_channel_and_move_no_number() {
    let (mut sealer, mut opener) = pair();
    for channel in 0..u32::try_from(MAX_CHANNELS).unwrap() + 10 {
        let forged = open(&mut opener, &[7; 40], u64::MAX, channel);
        assert_eq!(forged, Err(SealError::Forged { msg_id: u64::MAX, channel, len: 24 }));
    }
    let message = sealed(&mut sealer, 1, 70_000);
    assert!(open(&mut opener, &message, 1, 70_000).is_ok());
}

#[test]
fn a_sealer_uses_no_number_twice() {
    let (mut sealer, _) = pair();
    let outside = outside(Flags::CRYPT, HEADER);
    let mut message = b"message".to_vec();
    let no_number = OrderError::NoNumber { channel: 1 }.into();
    assert_eq!(sealer.seal_in_place(&mut message, 0, 1, &outside), Err(no_number));
    sealed(&mut sealer, 5, 1);
    for msg_id in 1..=5 {
        let error = OrderError::NotIncreasing { msg_id, channel: 1, last: 5 }.into();
        assert_eq!(sealer.seal_in_place(&mut message, msg_id, 1, &outside), Err(error));
    }
    assert_eq!(message, b"message", "it was not touched");
    // The same number on another channel has another nonce, and another text.
    assert_ne!(sealed(&mut sealer, 5, 2), sealed(&mut sealer, 6, 2));

    sealer.0.order.set_messages(MAX_MESSAGES);
    let used_up = SealError::from(OrderError::KeyUsedUp { messages: MAX_MESSAGES });
    assert_eq!(sealer.seal_in_place(&mut message, 7, 1, &outside), Err(used_up));
    assert_eq!(
        used_up.to_string(),
        "4294967296 messages were sealed with one key: a new connection is needed"
    );
}

#[test]
fn what_no_frame_can_be_is_refused() {
    let (mut sealer, mut opener) = pair();
    for len in 0..TAG_LEN {
        assert_eq!(open(&mut opener, &vec![0; len], 1, 1), Err(SealError::TooShort { len }));
    }
    let header = vec![0; 65_536];
    let error = Err(SealError::HeaderTooLong { len: 65_536 });
    let mut message = Vec::new();
    assert_eq!(sealer.seal_in_place(&mut message, 1, 1, &outside(Flags::CRYPT, &header)), error);
    assert_eq!(opener.open_in_place(&mut vec![0; 99], 1, 1, &outside(Flags::CRYPT, &header)), error);
    // That refusal used no number, and an empty message is one.
    let longest = outside(Flags::CRYPT, &header[1..]);
    sealer.seal_in_place(&mut message, 1, 1, &longest).unwrap();
    assert_eq!(message.len(), TAG_LEN);
    assert_eq!(opener.open_in_place(&mut message, 1, 1, &longest), Ok(()));
    assert!(message.is_empty());
}

#[test]
fn nothing_prints_a_key() {
    let (mut sealer, opener) = pair();
    sealed(&mut sealer, 5, 1);
    let printed = format!("{sealer:?} {opener:?}");
    let wanted = "Sealer { order: Order { channels: 1, messages: 1 }, .. } \
                  Opener { order: Order { channels: 0, messages: 0 }, failures: 0, .. }";
    assert_eq!(printed, wanted);
}

proptest! {
    #[test]
    fn whatever_is_sealed_opens_as_it_was(
        messages in prop::collection::vec((0..4u32, prop::collection::vec(any::<u8>(), 0..300), any::<u8>()), 1..20),
        header in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let (mut sealer, mut opener) = pair();
        for (msg_id, (channel, plain, flags)) in (1..).zip(messages) {
            let outside = outside(Flags(flags).union(Flags::CRYPT), &header);
            let mut message = plain.clone();
            sealer.seal_in_place(&mut message, msg_id, channel, &outside).unwrap();
            prop_assert_eq!(message.len(), plain.len() + TAG_LEN);
            opener.open_in_place(&mut message, msg_id, channel, &outside).unwrap();
            prop_assert_eq!(message, plain);
        }
    }
}
