"""Which zstd frames can be written by hand?

    magic u32 | descriptor u8 | window u8 unless single segment | content size | blocks

A block is 24 bits (last, kind, size) and its bytes: raw ones, or one byte to be repeated.
"""

import struct

MAGIC = 0xFD2FB528
BLOCK_MAX = 128 * 1024
RAW, RLE, COMPRESSED = 0, 1, 2
SINGLE_SEGMENT = 0x20


def block(kind, size, data, last):
    return struct.pack("<I", size << 3 | kind << 1 | last)[:3] + data


def frame_header(size, window_log=None):
    """`size` in 8 bytes and one segment; or, if a window is told, no size at all."""
    if window_log is None:
        return struct.pack("<IBQ", MAGIC, 3 << 6 | SINGLE_SEGMENT, size)
    return struct.pack("<IBB", MAGIC, 0, window_log - 10 << 3)


def stored(data):
    """A frame whose blocks are the data as they are."""
    starts = range(0, len(data), BLOCK_MAX) or [0]
    parts = [data[start : start + BLOCK_MAX] for start in starts]
    blocks = (block(RAW, len(part), part, index == len(parts) - 1) for index, part in enumerate(parts))
    return frame_header(len(data)) + b"".join(blocks)


def repeated(byte, size, told=None, window_log=None):
    """A frame of few bytes that becomes `size` bytes, whatever it says about that."""
    whole, rest = divmod(size, BLOCK_MAX)
    sizes = [BLOCK_MAX] * whole + [rest] * (rest > 0)
    blocks = (block(RLE, part, bytes([byte]), index == len(sizes) - 1) for index, part in enumerate(sizes))
    return frame_header(size if told is None else told, window_log) + b"".join(blocks)
