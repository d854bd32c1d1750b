"""What is the CRC32C (Castagnoli) of some bytes? At some ten MB/s, with numpy and no package for it."""

import functools

import numpy as np

POLYNOMIAL = 0x82F63B78  # reflected
LANE_LEVEL = 6
LANE = 1 << LANE_LEVEL  # bytes that one lane goes through
FEW = 2048  # below that many bytes, lanes cost more than they save


def _byte_table():
    values = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        values = (values >> 1) ^ np.where(values & 1, np.uint32(POLYNOMIAL), np.uint32(0))
    return values.astype(np.uint32)


TABLE = _byte_table()
SLOW_TABLE = [int(value) for value in TABLE]


@functools.lru_cache(maxsize=None)
def _zeros(level):
    """What 2**level zero bytes do to a register, as four tables, one for each of its bytes."""
    if level == 0:
        bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
        images = TABLE[bits & 0xFF] ^ (bits >> 8)
    else:
        half = _zeros(level - 1)
        bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
        images = _apply(half, _apply(half, bits))
    tables = np.zeros((4, 256), dtype=np.uint32)
    values = np.arange(256)
    for bit in range(32):
        tables[bit // 8][values >> bit % 8 & 1 == 1] ^= images[bit]
    return tables


def _apply(tables, registers):
    out = tables[0][registers & 0xFF]
    for byte in (1, 2, 3):
        out = out ^ tables[byte][registers >> np.uint32(8 * byte) & np.uint32(0xFF)]
    return out


def crc32c(data):
    """The checksum as a number; 0 for nothing, 0xE3069283 for b"123456789"."""
    length = len(data)
    if length < FEW:
        register = 0xFFFFFFFF
        for byte in bytes(data):
            register = SLOW_TABLE[(register ^ byte) & 0xFF] ^ register >> 8
        return register ^ 0xFFFFFFFF
    # A register of ones at the start is the same as the first four bytes inverted and a register of zero, and a
    # register of zero does not see zero bytes in front. So every lane starts from zero, and the front is padded.
    lanes = 1 << (-(-length // LANE) - 1).bit_length()
    padded = np.zeros(lanes * LANE, dtype=np.uint8)
    start = len(padded) - length
    padded[start:] = np.frombuffer(data, dtype=np.uint8)
    padded[start : start + 4] ^= 0xFF
    registers = np.zeros(lanes, dtype=np.uint32)
    for column in np.ascontiguousarray(padded.reshape(lanes, LANE).T):
        registers = TABLE[registers.astype(np.uint8) ^ column] ^ (registers >> np.uint32(8))
    level = LANE_LEVEL
    while len(registers) > 1:
        registers = _apply(_zeros(level), registers[0::2]) ^ registers[1::2]
        level += 1
    return int(registers[0]) ^ 0xFFFFFFFF
