"""How is a message sealed (CRYPT)? ChaCha20-Poly1305 of RFC 8439, keys by HKDF, the nonce from the message's id.

The whole message is sealed before it is split; its tag stands at its end.
"""

import hashlib
import hmac
import struct

import wire


class Forged(Exception):
    pass


def expand(key, info):
    """The first 32 bytes of HKDF-Expand."""
    return hmac.digest(key, info + b"\1", hashlib.sha256)


def keys(secret, client_random, server_random, hello, caps, direction):
    """The key of the cipher and that of the nonces; `hello` and `caps` are the frames, `direction` b"c2s" or b"s2c"."""
    transcript = hashlib.sha256(hello + caps).digest()
    extracted = hmac.digest(client_random + server_random, secret, hashlib.sha256)
    info = b"xcp/0.2 " + direction
    return expand(extracted, info + b" aead" + transcript), expand(extracted, info + b" nonce" + transcript)


def nonce(key, msg_id, channel_id):
    return hmac.digest(key, struct.pack("<QI", msg_id, channel_id), hashlib.sha256)[:12]


def associated(frame):
    """What is authenticated but not hidden: version, the flags of the message, and the header with its length."""
    flags = frame.flags & (wire.COMP | wire.CRYPT)
    return struct.pack("<BBH", frame.version, flags, len(frame.header_bytes)) + frame.header_bytes


def chacha20(key, counter, nonce):
    start = struct.unpack("<16I", b"expand 32-byte k" + key + struct.pack("<I", counter) + nonce)
    x = list(start)
    columns = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)]
    diagonals = [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]
    for _ in range(10):
        for a, b, c, d in columns + diagonals:
            for to, add, by, left in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                x[to] = x[to] + x[add] & 0xFFFFFFFF
                turned = x[by] ^ x[to]
                x[by] = (turned << left | turned >> 32 - left) & 0xFFFFFFFF
    return struct.pack("<16I", *(a + b & 0xFFFFFFFF for a, b in zip(x, start)))


def poly1305(key, data):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for at in range(0, len(data), 16):
        total = (total + int.from_bytes(data[at : at + 16] + b"\1", "little")) * r % ((1 << 130) - 5)
    return (total + int.from_bytes(key[16:32], "little") & (1 << 128) - 1).to_bytes(16, "little")


def _cipher(key, nonce, data):
    blocks = (chacha20(key, 1 + at // 64, nonce) for at in range(0, len(data), 64))
    return bytes(a ^ b for a, b in zip(data, b"".join(blocks)))


def _tag(key, nonce, hidden, associated):
    parts = (associated, bytes(-len(associated) % 16), hidden, bytes(-len(hidden) % 16))
    return poly1305(chacha20(key, 0, nonce), b"".join(parts) + struct.pack("<QQ", len(associated), len(hidden)))


def seal(key, nonce, data, associated):
    hidden = _cipher(key, nonce, data)
    return hidden + _tag(key, nonce, hidden, associated)


def open_sealed(key, nonce, sealed, associated):
    hidden, tag = sealed[:-16], sealed[-16:]
    if not hmac.compare_digest(tag, _tag(key, nonce, hidden, associated)):
        raise Forged(f"the tag {tag.hex()} is not that of these {len(hidden)} bytes")
    return _cipher(key, nonce, hidden)
