"""Which bytes and which lengths made-up frames have, worked out apart from Strait's own code."""

import hashlib
import struct

RAMP = bytes(range(256)) * 66


def sequential(index, length):
    """Byte i of frame k is k + i, modulo 256."""
    start = index % 256
    if start + length > len(RAMP):
        return (bytes(range(256)) * (length // 256 + 2))[start : start + length]
    return RAMP[start : start + length]


def random(index, length, seed):
    """ChaCha8 keystream: the key is the seed, the nonce is the frame's number."""
    return keystream(struct.pack("<4Q", seed, 0, 0, 0), index, length)


def sizes(low, high, seed, count):
    """The lengths that `strait writer --size LOW..HIGH --seed SEED` draws."""
    if low == high:
        return [low] * count
    drawn = keystream(struct.pack("<QB23x", seed, 1), 0, 8 * count)
    return [low + (x * (high - low + 1) >> 64) for (x,) in struct.iter_unpack("<Q", drawn)]


def md5(data):
    return hashlib.md5(data).hexdigest()


def keystream(key, nonce, length):
    """D. J. Bernstein's ChaCha with 8 rounds, 64-bit nonce and 64-bit block counter from 0."""
    out = bytearray()
    for counter in range(-(-length // 64)):
        out += block(struct.unpack("<8I", key), counter, nonce)
    return bytes(out[:length])


def block(key, counter, nonce):
    mask = 0xFFFFFFFF
    start = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *key]
    start += [counter & mask, counter >> 32, nonce & mask, nonce >> 32]
    x = list(start)
    columns = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)]
    diagonals = [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]
    for _ in range(4):
        for a, b, c, d in columns + diagonals:
            for to, add, by, left in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                x[to] = (x[to] + x[add]) & mask
                turned = x[by] ^ x[to]
                x[by] = (turned << left | turned >> 32 - left) & mask
    return struct.pack("<16I", *((a + b) & mask for a, b in zip(x, start)))
