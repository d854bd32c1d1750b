"""Which bytes is a frame, in which dialect?

    MAGIC u32 | VER u8 | FLAGS u8 | HLEN u16 | header | PLEN u32 (u64 if LARGE) | payload | CRC32C of the payload

All numbers little-endian, but the checksum of the Python reference, which is big-endian.
"""

import io
import struct
from dataclasses import dataclass, replace

import capnp_header
import frame_header
from crc32c import crc32c
from frame_header import Header, HeaderError

MAGIC = 0xA9A17A10
VERSION = 0x02
COMP, CRYPT, MORE, LARGE = 0x80, 0x40, 0x20, 0x10

NAMES = "HELLO ACK NACK PING PONG CLARIFY_REQ CLARIFY_RES".split()
SPEC_TYPES = {**{name: number for number, name in enumerate(NAMES)}, "CAPS": 0x0007, "DATA": 0x0100}
PYTHON_TYPES = {**{name: number + 1 for number, name in enumerate(NAMES)}, "HELLO": 0, "CAPS": 1, "DATA": 0x0100}

OK, SCHEMA_UNKNOWN, CODEC_UNSUPPORTED, MESSAGE_TOO_LARGE, KIND_MISMATCH = range(5)
BAD_CRC, BAD_VERSION, BAD_HEADER, BAD_AUTH = range(0x8001, 0x8005)


class WireError(Exception):
    """Bytes after which the stream cannot be read on."""


class BadMagic(WireError):
    pass


class Truncated(WireError):
    """The stream ended within a frame."""


class TooLarge(WireError):
    """A frame longer than the limit; its header is known, its payload was not read."""

    def __init__(self, frame, length, limit):
        super().__init__(f"a frame of {length} bytes, where {limit} are allowed")
        self.frame = frame


@dataclass(frozen=True)
class Dialect:
    """Three independent choices."""

    name: str
    encoding: str  # of headers: "capnp", "packed" or "json"
    crc_order: str  # "little" or "big"
    numbering: str  # of message types: "spec" or "python"

    @property
    def types(self):
        return SPEC_TYPES if self.numbering == "spec" else PYTHON_TYPES

    def type_name(self, number):
        return next((name for name, known in self.types.items() if known == number), None)

    def packed(self):
        return replace(self, encoding="packed")


SPEC = Dialect("spec", "capnp", "little", "spec")
PYTHON = Dialect("python", "json", "big", "python")
DIALECTS = {"spec": SPEC, "python": PYTHON}


def write_header(header, encoding):
    if encoding == "json":
        return frame_header.write_json(header)
    data = capnp_header.write(header)
    return capnp_header.pack(data) if encoding == "packed" else data


def encoding_of(data):
    """By the first bytes alone, as a server does it with a HELLO."""
    if data[:1] == b"{":
        return "json"
    return "packed" if data[:1] in (b"\x10", b"\x20", b"\x30") and data[1:2] not in (b"", b"\0") else "capnp"


def read_header(data, encoding):
    if encoding == "json":
        return frame_header.read_json(data)
    return capnp_header.read(capnp_header.unpack(data) if encoding == "packed" else data)


@dataclass
class Frame:
    version: int = VERSION
    flags: int = 0
    header_bytes: bytes = b""
    encoding: str = ""
    header: Header | None = None
    header_error: HeaderError | None = None
    payload: bytes = b""
    checksum: bytes = b""

    def checksum_in(self, order):
        return crc32c(self.payload).to_bytes(4, order) == self.checksum

    def checksum_order(self):
        """The byte order in which the checksum is right, "either" if both, None if neither."""
        orders = [order for order in ("little", "big") if self.checksum_in(order)]
        return None if not orders else orders[0] if len(orders) == 1 else "either"

    def to_bytes(self):
        """These very bytes, whether they make sense or not."""
        out = struct.pack("<IBBH", MAGIC, self.version, self.flags, len(self.header_bytes)) + self.header_bytes
        out += struct.pack("<Q" if self.flags & LARGE else "<I", len(self.payload))
        return out + bytes(self.payload) + self.checksum


def frame(dialect, header, payload=b"", flags=0, version=VERSION, header_bytes=None):
    if header_bytes is None:
        header_bytes = write_header(header, dialect.encoding)
    if len(payload) >= 1 << 32:
        flags |= LARGE
    checksum = crc32c(payload).to_bytes(4, dialect.crc_order)
    return Frame(version, flags, header_bytes, dialect.encoding, header, None, payload, checksum)


def encode(dialect, header, payload=b"", flags=0, **options):
    return frame(dialect, header, payload, flags, **options).to_bytes()


def chunks(dialect, header, payload, most, flags=0):
    """The frames of one message, none longer than `most` bytes; all but the last have MORE."""
    header_bytes = write_header(header, dialect.encoding)
    room = most - 16 - len(header_bytes)
    if room < 1:
        raise ValueError(f"a header of {len(header_bytes)} bytes leaves no room in frames of {most} bytes")
    starts = range(0, len(payload), room) or [0]
    for start in starts:
        more = MORE if start + room < len(payload) else 0
        part = payload[start : start + room]
        yield frame(dialect, header, part, flags | more, header_bytes=header_bytes)


def read_exactly(read, count, first=False):
    """`count` bytes from `read`, which gives at most so many; None if it ends at once and may."""
    parts, left = [], count
    while left:
        part = read(min(left, 1 << 20))
        if not part:
            if first and left == count:
                return None
            raise Truncated(f"{left} of {count} bytes are missing")
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def read_frame(read, limit=1 << 30):
    """The next frame, or None at the end of the stream. Neither checksum nor version is judged here."""
    prefix = read_exactly(read, 8, first=True)
    if prefix is None:
        return None
    magic, version, flags, header_length = struct.unpack("<IBBH", prefix)
    if magic != MAGIC:
        raise BadMagic(f"{prefix[:4].hex()} is not the magic")
    found = Frame(version, flags, read_exactly(read, header_length))
    found.encoding = encoding_of(found.header_bytes)
    try:
        found.header = read_header(found.header_bytes, found.encoding)
    except HeaderError as error:
        found.header_error = error
    wide = flags & LARGE != 0
    (length,) = struct.unpack("<Q" if wide else "<I", read_exactly(read, 8 if wide else 4))
    whole = 8 + header_length + (8 if wide else 4) + length + 4
    if whole > limit:
        raise TooLarge(found, whole, limit)
    found.payload = read_exactly(read, length)
    found.checksum = read_exactly(read, 4)
    return found


def decode(data):
    """The only frame in some bytes."""
    stream = io.BytesIO(data)
    found = read_frame(stream.read)
    if found is None or stream.read(1):
        raise WireError(f"{len(data)} bytes are not one frame")
    if found.header_error:
        raise found.header_error
    return found
