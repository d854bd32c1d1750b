//! A message as a peer that keeps no rule compresses or seals it.

use strait::xcp::compress::Compressor;
use strait::xcp::decompress::{DecompressError, Decompressor, Limits};
use strait::xcp::keys::Keys;
use strait::xcp::psk::Psk;
use strait::xcp::seal::{Opener, Outside, SealError, Sealer, TAG_LEN};
use strait_core::xcp::Flags;

use crate::bytes::Bytes;

/// Most bytes of a message.
const MAX: u64 = 1 << 16;

/// Takes apart what `data` are, after a byte that says how.
pub fn xcp_unpack(data: &[u8]) {
    let Some((how, rest)) = data.split_first() else { return };
    match how % 3 {
        0 => decompress(rest),
        1 => open(rest),
        _ => there_and_back(rest),
    }
}

/// Whole, and in pieces of any length: the same message, or an error, of at most [`MAX`] bytes.
fn decompress(data: &[u8]) {
    let mut decompressor = Decompressor::new(Limits { max_message: MAX });
    let mut message = Vec::new();
    let whole = decompressor.decompress(data, &mut message);
    assert!(message.capacity() as u64 <= MAX);
    assert_eq!(whole.unwrap_or(0), message.len());

    for piece in [1, 5, data.len().max(1)] {
        let pieces = in_pieces(&mut decompressor, data, piece);
        match (whole, pieces) {
            // Only a message in pieces needs memory to look back.
            (Ok(_), Err(DecompressError::Window { .. })) => {}
            (Ok(_), pieces) => assert_eq!(pieces.as_ref(), Ok(&message)),
            // In pieces, the library passes over empty blocks of kinds that cannot be empty.
            (Err(DecompressError::Damaged { .. }), Ok(_)) => {}
            (Err(_), pieces) => assert!(pieces.is_err(), "{whole:?}"),
        }
    }
}

fn in_pieces(decompressor: &mut Decompressor, data: &[u8], piece: usize) -> Result<Vec<u8>, DecompressError> {
    decompressor.begin();
    let (mut message, mut buffer) = (Vec::new(), [0; 1000]);
    for mut input in data.chunks(piece) {
        loop {
            let before = input.len();
            let written = decompressor.read(&mut input, &mut buffer)?;
            message.extend_from_slice(&buffer[..written]);
            assert!(message.len() as u64 <= MAX);
            if input.is_empty() && written < buffer.len() {
                break;
            }
            assert!(written > 0 || input.len() < before, "it goes on");
        }
    }
    let len = decompressor.finish()?;
    assert_eq!(len, message.len() as u64);
    Ok(message)
}

fn ends() -> (Sealer, Opener) {
    let keys = || Keys::derive(&Psk::new([7; 32]), &[1; 16], &[2; 16], b"hello", b"caps").0;
    (Sealer::new(keys()), Opener::new(keys()))
}

/// Nothing opens that was not sealed, and it keeps nothing real out.
fn open(data: &[u8]) {
    let (mut sealer, mut opener) = ends();
    let mut bytes = Bytes::new(data);
    let (msg_id, channel, header_len) = (bytes.u64(), bytes.u32(), usize::from(bytes.u8()));
    let flags = Flags(bytes.u8());
    let rest = data.get(14..).unwrap_or_default();
    let (header, sealed) = rest.split_at(header_len.min(rest.len()));
    let outside = Outside { version: 2, flags, header };
    let mut message = sealed.to_vec();
    let error = opener.open_in_place(&mut message, msg_id, channel, &outside).expect_err("a forgery opened");
    assert_eq!(message, sealed);
    assert_eq!(matches!(error, SealError::Forged { .. }), opener.failures() == 1);

    let sealing = sealer.seal_in_place(&mut message, msg_id, channel, &outside);
    assert_eq!(sealing.is_ok(), msg_id > 0 && flags.contains(Flags::CRYPT));
    if sealing.is_ok() {
        assert_eq!(message.len(), sealed.len() + TAG_LEN);
        opener.open_in_place(&mut message, msg_id, channel, &outside).expect("it is real");
        assert_eq!(message, sealed);
    }
}

/// Whatever is compressed comes back.
fn there_and_back(data: &[u8]) {
    let (level, data) = data.split_first().unwrap_or((&0, data));
    let level = i32::from(level % 16) - 8;
    let (mut whole, mut pieces) = (Vec::new(), Vec::new());
    let mut compressor = Compressor::new();
    compressor.compress(level, data, &mut whole).expect("the level is one");
    compressor.begin(level, None).expect("the level is one");
    for piece in data.chunks(7) {
        compressor.write(piece, &mut pieces).expect("it was begun");
    }
    compressor.finish(&mut pieces).expect("it was begun");
    let mut decompressor = Decompressor::new(Limits { max_message: data.len() as u64 });
    for frame in [whole, pieces] {
        let mut message = Vec::new();
        decompressor.decompress(&frame, &mut message).expect("it was compressed");
        assert_eq!(message, data);
    }
}
