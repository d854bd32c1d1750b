"""How does a frame's header look in Cap'n Proto, written by hand from the schema's layout?

struct      data words                                              pointers
FrameHeader 3: channelId u32, msgType u16, bodyCodec u16 | msgId     2: schemaKey, tags
               u64 | inReplyTo u64
SchemaKey   2: nsHash u32, kindId u32 | major u16, minor u16, 4 pad  1: hash128 (Data)
Tag         0                                                       2: key, val (Text)
"""

import struct

from frame_header import Header, HeaderError, SchemaKey

# A header has at most 65535 bytes; what is read twice, or has no size, counts towards this.
TRAVERSAL_WORDS = 64 * 1024
MOST_SEGMENTS = 512
BYTE_LIST, POINTER_LIST, COMPOSITE_LIST = 2, 6, 7


# --- writing -----------------------------------------------------------------------------------------------------


class Writer:
    """One segment; objects stand in the order in which the tree is walked, as the canonical form wants it."""

    def __init__(self, full):
        self.full = full  # as a stock writer does it: nothing is cut off a struct
        self.words = bytearray(8)

    def allocate(self, count):
        at = len(self.words) // 8
        self.words += bytes(8 * count)
        return at

    def put(self, at, data):
        self.words[8 * at : 8 * at + len(data)] = data

    def pointer(self, at, target, low, high):
        self.put(at, struct.pack("<II", ((target - at - 1) << 2 | low) & 0xFFFFFFFF, high))

    def struct(self, at, data, children):
        """`children` are functions that write what the pointer at a place points to, or None for null."""
        if not self.full:
            while data and not any(data[-8:]):
                data = data[:-8]
            while children and children[-1] is None:
                children = children[:-1]
        words = len(data) // 8
        target = self.allocate(words + len(children))
        if words + len(children) == 0:
            target = at  # offset -1, so that it is not null
        self.pointer(at, target, 0, words | len(children) << 16)
        self.put(target, data)
        for index, child in enumerate(children):
            if child is not None:
                child(target + words + index)

    def byte_list(self, at, data):
        target = self.allocate(-(-len(data) // 8))
        self.pointer(at, target, 1, BYTE_LIST | len(data) << 3)
        self.put(target, data)

    def tags(self, at, tags):
        target = self.allocate(1 + 2 * len(tags))
        self.pointer(at, target, 1, COMPOSITE_LIST | 2 * len(tags) << 3)
        self.put(target, struct.pack("<IHH", len(tags) << 2, 0, 2))
        for index, (key, value) in enumerate(tags):
            place = target + 1 + 2 * index
            self.byte_list(place, key.encode() + b"\0")
            self.byte_list(place + 1, value.encode() + b"\0")


def segment(header, full=False):
    """The message's only segment: the root pointer and what it points to."""
    writer = Writer(full)
    key = header.schema_key or SchemaKey()

    def write_key(at):
        data = struct.pack("<IIHH4x", key.ns_hash, key.kind_id, key.major, key.minor)
        hash128 = (lambda at: writer.byte_list(at, key.hash128)) if key.hash128 else None
        writer.struct(at, data, [hash128])

    fields = (header.channel_id, header.msg_type, header.body_codec, header.msg_id, header.in_reply_to)
    children = [
        write_key if key != SchemaKey() else None,
        (lambda at: writer.tags(at, header.tags)) if header.tags else None,
    ]
    writer.struct(0, struct.pack("<IHHQQ", *fields), children)
    return bytes(writer.words)


def framed(segments):
    """The segment table in front: how many less one, their words, and padding to a whole word."""
    table = struct.pack(f"<{len(segments) + 1}I", len(segments) - 1, *(len(part) // 8 for part in segments))
    return table + bytes(-len(table) % 8) + b"".join(segments)


def write(header, full=False):
    return framed([segment(header, full)])


def write_far(header):
    """Two segments: the root pointer leads to the other one."""
    return framed([struct.pack("<II", 0 << 3 | 2, 1), segment(header)])


def write_double_far(header):
    """Three segments: pointer, landing pad, object."""
    whole = segment(header)
    _, shape = struct.unpack("<II", whole[:8])
    pad = struct.pack("<IIII", 0 << 3 | 2, 2, 0, shape)
    # The C++ library does not take a segment without words as one.
    return framed([struct.pack("<II", 0 << 3 | 6, 1), pad, whole[8:] or bytes(8)])


# --- packing -----------------------------------------------------------------------------------------------------


def pack(data):
    out, at = bytearray(), 0
    while at < len(data):
        word = data[at : at + 8]
        at += 8
        tag = sum(1 << bit for bit in range(8) if word[bit])
        out.append(tag)
        out += bytes(byte for byte in word if byte)
        run = 0
        if tag == 0:
            while run < 255 and at < len(data) and not any(data[at : at + 8]):
                run, at = run + 1, at + 8
            out.append(run)
        elif tag == 0xFF:
            start = at
            while run < 255 and at < len(data) and data[at : at + 8].count(0) < 2:
                run, at = run + 1, at + 8
            out.append(run)
            out += data[start:at]
    return bytes(out)


def unpack(data, most=1 << 17):
    out, at = bytearray(), 0

    def take(count):
        nonlocal at
        if at + count > len(data):
            raise HeaderError("packed header ends within a word")
        at += count
        return data[at - count : at]

    while at < len(data):
        tag = take(1)[0]
        for bit in range(8):
            out += take(1) if tag >> bit & 1 else b"\0"
        if tag == 0:
            out += bytes(8 * take(1)[0])
        elif tag == 0xFF:
            out += take(8 * take(1)[0])
        if len(out) > most:
            raise HeaderError(f"packed header unpacks to more than {most} bytes")
    return bytes(out)


# --- reading -----------------------------------------------------------------------------------------------------


class Reader:
    def __init__(self, data):
        if len(data) < 8:
            raise HeaderError(f"{len(data)} bytes are no segment table")
        count = struct.unpack_from("<I", data)[0] + 1
        at = (4 * (count + 1) + 7) // 8 * 8
        if count > MOST_SEGMENTS or at > len(data):
            raise HeaderError(f"{count} segments in a header of {len(data)} bytes")
        self.segments = []
        for words in struct.unpack_from(f"<{count}I", data, 4):
            if at + 8 * words > len(data):
                raise HeaderError(f"a segment of {words} words in a header of {len(data)} bytes")
            self.segments.append(data[at : at + 8 * words])
            at += 8 * words
        if at != len(data):
            raise HeaderError(f"{len(data) - at} bytes behind the last segment")
        self.left = TRAVERSAL_WORDS

    def span(self, where, at, words):
        """Bytes of `words` words, of which there must be so many."""
        self.left -= max(words, 1)
        if where >= len(self.segments) or at < 0 or 8 * (at + words) > len(self.segments[where]):
            raise HeaderError(f"{words} words at {at} of segment {where} are not there")
        if self.left < 0:
            raise HeaderError(f"more than {TRAVERSAL_WORDS} words to read")
        return self.segments[where][8 * at : 8 * (at + words)]

    def word(self, where, at):
        return struct.unpack("<II", self.span(where, at, 1))

    def follow(self, where, at):
        """Segment, first word of the object, and the two halves of its pointer; None for null."""
        low, high = self.word(where, at)
        if low == 0 and high == 0:
            return None
        if low & 3 == 2:
            where, at, double = high, low >> 3, low & 4
            low, high = self.word(where, at)
            if double:
                if low & 7 != 2:
                    raise HeaderError("the pad of a double far pointer is no far pointer")
                tag_low, tag_high = self.word(where, at + 1)
                if tag_low >> 2 != 0:
                    raise HeaderError("the tag of a double far pointer has an offset")
                return high, low >> 3, tag_low, tag_high
            if low & 3 == 2:
                raise HeaderError("a far pointer leads to a far pointer")
        offset = low >> 2
        if offset >= 1 << 29:
            offset -= 1 << 30
        return where, at + 1 + offset, low, high

    def struct(self, where, at):
        found = self.follow(where, at)
        if found is None:
            return None
        where, at, low, high = found
        if low & 3 != 0:
            raise HeaderError("not a struct where one should be")
        return self.struct_at(where, at, high & 0xFFFF, high >> 16)

    def struct_at(self, where, at, words, pointers):
        """Its data, and a function from a pointer's number to the place of the pointer, or None."""
        data = self.span(where, at, words)
        self.span(where, at + words, pointers)
        return data, lambda index: (where, at + words + index) if index < pointers else None

    def byte_list(self, place):
        found = place and self.follow(*place)
        if found is None:
            return b""
        where, at, low, high = found
        if low & 3 != 1 or high & 7 != BYTE_LIST:
            raise HeaderError("not a list of bytes where one should be")
        return self.span(where, at, -(-(high >> 3) // 8))[: high >> 3]

    def text(self, place):
        data = self.byte_list(place)
        if data and data[-1] != 0:
            raise HeaderError("a text without NUL")
        try:
            return data[:-1].decode()
        except UnicodeDecodeError as error:
            raise HeaderError(f"a text that is not UTF-8: {error}") from None

    def structs(self, place):
        found = place and self.follow(*place)
        if found is None:
            return
        where, at, low, high = found
        kind, count = high & 7, high >> 3
        if low & 3 != 1 or kind not in (POINTER_LIST, COMPOSITE_LIST):
            raise HeaderError("not a list of structs where one should be")
        words, pointers = 0, 1
        if kind == COMPOSITE_LIST:
            total = count
            tag, shape = self.word(where, at)
            count, words, pointers, at = tag >> 2, shape & 0xFFFF, shape >> 16, at + 1
            if tag & 3 != 0 or count * (words + pointers) > total:
                raise HeaderError(f"{count} structs of {words + pointers} words in {total} words")
        for index in range(count):
            yield self.struct_at(where, at + index * (words + pointers), words, pointers)


def read(data):
    reader = Reader(data)
    header = Header(msg_type=0, body_codec=0)
    root = reader.struct(0, 0)
    if root is None:
        return header
    words, place = root
    fields = struct.unpack("<IHHQQ", words[:24].ljust(24, b"\0"))
    header.channel_id, header.msg_type, header.body_codec, header.msg_id, header.in_reply_to = fields
    key = place(0) and reader.struct(*place(0))
    if key:
        words, key_place = key
        fields = struct.unpack("<IIHH4x", words[:16].ljust(16, b"\0"))
        hash128 = reader.byte_list(key_place(0))
        if len(hash128) not in (0, 16):
            raise HeaderError(f"hash128 has {len(hash128)} bytes")
        header.schema_key = SchemaKey(*fields, hash128)
    header.tags = [(reader.text(tag(0)), reader.text(tag(1))) for _, tag in reader.structs(place(1))]
    return header
