//! Does every way to take a message apart say the same, and cost no more than it may?

use proptest::prelude::*;

use super::*;
use crate::xcp::compress::Compressor;

const MAX: u64 = 100_000;

fn compressed(message: &[u8], with_length: bool) -> Vec<u8> {
    let (mut compressor, mut out) = (Compressor::new(), Vec::new());
    compressor.begin(1, with_length.then_some(message.len() as u64)).unwrap();
    compressor.write(message, &mut out).unwrap();
    compressor.finish(&mut out).unwrap();
    out
}

fn whole(frame: &[u8]) -> Result<Vec<u8>, DecompressError> {
    let mut out = b"before".to_vec();
    let result = Decompressor::new(Limits { max_message: MAX }).decompress(frame, &mut out);
    assert_eq!((out.len(), &out[..6]), (6 + result.unwrap_or(0), &b"before"[..]));
    result.map(|_| out.split_off(6))
}

/// In pieces of `piece` bytes, into an output of `room`.
fn pieces(frame: &[u8], piece: usize, room: usize) -> Result<Vec<u8>, DecompressError> {
    let mut decompressor = Decompressor::new(Limits { max_message: MAX });
    let (mut out, mut buffer) = (Vec::new(), vec![0; room]);
    for mut input in frame.chunks(piece) {
        loop {
            let read = decompressor.read(&mut input, &mut buffer);
            if let Err(error) = read {
                assert_eq!(decompressor.read(&mut input, &mut buffer), Err(error), "it stays");
                assert_eq!(decompressor.finish(), Err(error));
            }
            out.extend_from_slice(&buffer[..read?]);
            if input.is_empty() && read? < room {
                break;
            }
        }
    }
    assert_eq!(decompressor.finish()?, out.len() as u64);
    assert_eq!(decompressor.finish(), Err(DecompressError::Truncated { len: 0 }), "the next has not begun");
    Ok(out)
}

/// Every way to take a frame apart says the same.
fn every_way(frame: &[u8]) -> Vec<Result<Vec<u8>, DecompressError>> {
    let steps = [(1, 1000), (7, 1), (100, 100), (usize::MAX, 1 << 20)];
    let each = steps.map(|(piece, room)| pieces(frame, piece, room));
    std::iter::once(whole(frame)).chain(each).collect()
}

#[test]
fn a_message_of_another_implementation_is_read() {
    let frame = include_bytes!("../../../../tests/vectors/xcp/spec/capnp_comp_zstd.bin");
    let (body, uncompressed) = (&frame[44..frame.len() - 4], every_way(&frame[44..frame.len() - 4]));
    for message in uncompressed {
        let message = message.unwrap();
        assert_eq!((body.len(), message.len()), (118, 968));
        assert!(message.starts_with(b"{"), "{}", String::from_utf8_lossy(&message));
    }
}

#[test]
fn a_message_too_long_by_a_byte_is_refused_and_one_at_the_limit_is_not() {
    let max = usize::try_from(MAX).unwrap();
    for with_length in [true, false] {
        for result in every_way(&compressed(&vec![7; max], with_length)) {
            assert_eq!(result.unwrap().len(), max);
        }
        let error = DecompressError::TooLong { len: MAX + 1, max: MAX };
        for result in every_way(&compressed(&vec![7; max + 1], with_length)) {
            assert_eq!(result, Err(error));
        }
    }
}

#[test]
fn a_bomb_costs_no_more_than_the_limit() {
    let bomb = compressed(&vec![0; 64 << 20], false);
    assert!(bomb.len() < 10_000, "{}", bomb.len());
    let mut decompressor = Decompressor::new(Limits { max_message: 1 << 20 });
    let mut out = Vec::new();
    let error = DecompressError::TooLong { len: (1 << 20) + 1, max: 1 << 20 };
    assert_eq!(decompressor.decompress(&bomb, &mut out), Err(error));
    assert!(out.capacity() <= 1 << 20, "{}", out.capacity());
    assert!(decompressor.context.sizeof() as u64 <= MAX_WINDOW + (512 << 10));
    // A length that is said is refused before any byte comes out.
    let mut says = &compressed(&vec![0; 2 << 20], true)[..];
    let error = DecompressError::TooLong { len: 2 << 20, max: 1 << 20 };
    let mut untouched = [7; 100];
    decompressor.begin();
    assert_eq!(decompressor.read(&mut says, &mut untouched), Err(error));
    assert_eq!(untouched, [7; 100]);
}

#[test]
fn a_frame_that_lies_about_its_length_takes_no_memory_for_it() {
    let mut decompressor = Decompressor::new(Limits::default());
    // 200 MiB, in one block of one byte that is repeated 4 times.
    let lie = b"\x28\xB5\x2F\xFD\xA0\x00\x00\x80\x0C\x23\x00\x00x";
    let mut out = Vec::new();
    let error = DecompressError::Impossible { len: 13, content: 200 << 20 };
    assert_eq!(decompressor.decompress(lie, &mut out), Err(error));
    assert_eq!(out.capacity(), 0);
    let error = DecompressError::Window { window: 200 << 20, max: MAX_WINDOW };
    assert_eq!(decompressor.read(&mut &lie[..], &mut [0; 10]), Err(error));
}

#[test]
fn a_message_shorter_than_it_says_is_refused_even_if_its_last_block_is_empty() {
    let frame = b"\x28\xB5\x2F\xFD\x20\x10\x01\x00\x00";
    for result in every_way(frame) {
        assert!(
            matches!(
                result,
                Err(DecompressError::Damaged { .. } | DecompressError::Length { said: 16, len: 0 })
            ),
            "{result:?}"
        );
    }
}

#[test]
fn a_long_window_is_refused_unless_it_needs_no_memory() {
    let mut context = zstd::zstd_safe::CCtx::create();
    context.set_parameter(zstd::zstd_safe::CParameter::CompressionLevel(-1)).unwrap();
    context.set_parameter(zstd::zstd_safe::CParameter::WindowLog(24)).unwrap();
    let message = vec![7; 20 << 20];
    let mut frame = Vec::with_capacity(1 << 20);
    context.compress2(&mut frame, &message).unwrap();
    let mut decompressor = Decompressor::new(Limits::default());
    let mut out = Vec::new();
    assert_eq!(decompressor.decompress(&frame, &mut out), Ok(message.len()));
    assert!(out == message && decompressor.context.sizeof() < 256 << 10);
    decompressor.begin();
    let error = DecompressError::Window { window: 1 << 24, max: MAX_WINDOW };
    assert_eq!(decompressor.read(&mut &frame[..], &mut [0; 100]), Err(error));
}

#[test]
fn only_one_whole_frame_is_a_message() {
    for with_length in [true, false] {
        let good = compressed(&b"the same again and ".repeat(100), with_length);
        for len in 0..good.len() {
            for result in every_way(&good[..len]) {
                assert_eq!(result, Err(DecompressError::Truncated { len: len as u64 }));
            }
        }
        let two = [&good[..], &good].concat();
        let garbage = [&good[..], b"x"].concat();
        let skippable = b"\x50\x2A\x4D\x18\x01\x00\x00\x00x";
        let padded = [&good[..], skippable].concat();
        for bad in [&two, &garbage, &padded] {
            for (at, result) in every_way(bad).into_iter().enumerate() {
                assert!(matches!(result, Err(DecompressError::Trailing { .. })), "way {at}: {result:?}");
            }
        }
        let first = [skippable, &good[..]].concat();
        for result in every_way(&first) {
            assert_eq!(result, Err(DecompressError::Skippable { magic: 0x184D_2A50 }));
        }
    }
}

#[test]
fn after_an_error_the_next_message_is_read() {
    let good = compressed(b"good", true);
    let mut decompressor = Decompressor::new(Limits::default());
    let mut out = Vec::new();
    for end in 0..good.len() {
        decompressor.decompress(&good[..end], &mut out).unwrap_err();
        decompressor.begin();
        // Only the first bytes: no error yet.
        assert_eq!(decompressor.read(&mut &good[..end.min(5)], &mut [0; 10]), Ok(0));
        assert_eq!(decompressor.decompress(&good, &mut out), Ok(4));
    }
    assert_eq!(out, b"good".repeat(good.len()));
}

proptest! {
    #[test]
    fn damage_is_an_error_or_another_message_and_never_too_much(
        message in prop::collection::vec(0..4u8, 0..5000),
        with_length: bool,
        at: prop::sample::Index,
        bit in 0..8,
    ) {
        let mut frame = compressed(&message, with_length);
        prop_assert_eq!(whole(&frame), Ok(message));
        *at.get_mut(&mut frame) ^= 1u8 << bit;
        let ways = every_way(&frame);
        for result in &ways {
            // Which error may differ: in pieces, the damage may be met before the end is. And in pieces, the library
            // passes over empty blocks of kinds that cannot be empty.
            if ways[0].is_ok() {
                prop_assert_eq!(result, &ways[0]);
            }
            prop_assert!(result.as_ref().map_or(0, Vec::len) as u64 <= MAX);
        }
    }
}
