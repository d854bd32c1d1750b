"""How does a client behave, in each dialect, and what is a message on a connection?

The client of dialect "python" does what the reference does: HELLO is message 1, the first DATA is message 1 again, and
the next frame is the answer, whatever it says. The client of dialect "spec" matches answers by inReplyTo.
"""

import selectors
import socket
import time
from collections import deque
from dataclasses import dataclass

import bodies
import unzstd
import wire
from frame_header import Header
from wire import COMP, LARGE, MORE, SPEC

# The longest that anything here may take; only a hanging peer meets it.
PATIENCE = 60.0
DECOMPRESSED_MOST = 64 << 20


class Closed(Exception):
    """The other end has closed the connection."""


class Refused(Exception):
    """The other end answered with a NACK."""

    def __init__(self, message):
        self.message = message
        self.nack = bodies.read_nack(message.body, message.header.body_codec)
        self.code = self.nack["error_code"]
        super().__init__(f"refused: {self.nack}")


@dataclass
class Message:
    """A frame, or what its chunks make together."""

    type_name: str | None
    header: Header
    body: bytes
    frames: list

    @property
    def codec(self):
        return self.header.body_codec


def connect(address, patience=PATIENCE):
    scheme, _, place = address.partition("://")
    if scheme == "unix":
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(patience)
        sock.connect(place)
        return sock
    host, _, port = place.rpartition(":")
    sock = socket.create_connection((host, int(port)), patience)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class Connection:
    """Frames and messages over a socket; used by both ends."""

    def __init__(self, sock, dialect, limit=1 << 30):
        self.sock = sock
        self.dialect = dialect
        self.limit = limit  # of what is read
        self.peer_limit = None  # of what is written
        self.features = 0
        self.packed = False
        self.partial = {}
        self.read_frames = []

    def close(self):
        self.sock.close()

    def _read(self, count):
        try:
            return self.sock.recv(count)
        except (ConnectionResetError, BrokenPipeError):
            return b""

    def write(self, data):
        try:
            self.sock.sendall(data)
        except (ConnectionResetError, BrokenPipeError) as error:
            raise Closed(f"while writing: {error}") from None

    def read_frame(self):
        """The next frame, of the dialect's header and checksum, or `Closed`."""
        try:
            frame = wire.read_frame(self._read, self.limit)
        except wire.Truncated as error:
            raise Closed(str(error)) from None
        if frame is None:
            raise Closed("between two frames")
        self.read_frames.append(frame)
        return frame

    def read_checked_frame(self):
        frame = self.read_frame()
        if frame.header_error:
            raise frame.header_error
        if frame.encoding not in (self.dialect.encoding, "packed" if self.packed else None):
            raise wire.WireError(f"a header in {frame.encoding} on a connection of {self.dialect.name}")
        if not frame.checksum_in(self.dialect.crc_order):
            raise wire.WireError(f"checksum {frame.checksum.hex()} is right in: {frame.checksum_order()}")
        if frame.version != wire.VERSION:
            raise wire.WireError(f"version {frame.version:#x}")
        if frame.flags & 0x0F or frame.flags & ~LARGE & ~self.features:
            raise wire.WireError(f"flags {frame.flags:#x} where {self.features:#x} were agreed on")
        return frame

    def read_message(self):
        while True:
            message = self.join(self.read_checked_frame())
            if message is not None:
                return message

    def join(self, frame):
        """The message that this frame completes, or None if more is to come."""
        key = frame.header.channel_id, frame.header.msg_id
        parts = self.partial.setdefault(key, [])
        parts.append(frame)
        first = parts[0]
        mine = (first.header_bytes, first.flags & (COMP | wire.CRYPT))
        if mine != (frame.header_bytes, frame.flags & (COMP | wire.CRYPT)):
            del self.partial[key]
            raise wire.WireError("chunks of one message differ in header or flags")
        if frame.flags & MORE:
            return None
        del self.partial[key]
        body = b"".join(part.payload for part in parts)
        if frame.flags & COMP:
            body = unzstd.decompress(body, DECOMPRESSED_MOST)
        return Message(self.dialect.type_name(frame.header.msg_type), frame.header, body, parts)

    def frames_of(self, header, body, flags=0, encoding=None, header_bytes=None):
        """The frames of one message: several if one would be too long and MORE was agreed on."""
        dialect = self.dialect.packed() if encoding == "packed" else self.dialect
        whole = wire.frame(dialect, header, body, flags, header_bytes=header_bytes)
        fits = self.peer_limit is None or len(body) + 24 + len(whole.header_bytes) <= self.peer_limit
        if fits or not self.features & MORE:
            return [whole]
        return list(wire.chunks(dialect, header, body, self.peer_limit, flags))

    def write_message(self, header, body, flags=0, **options):
        for frame in self.frames_of(header, body, flags, **options):
            self.write(frame.to_bytes())


class Client(Connection):
    def __init__(self, address, dialect=SPEC, hello=None, shake=True, patience=PATIENCE):
        super().__init__(connect(address, patience), dialect)
        self.hello = hello or default_hello(dialect)
        self.next_id = 1
        self.waiting = deque()  # messages that answer something else
        self.caps = None
        self.early = bytearray()  # what came while writing
        if shake:
            try:
                self.shake_hands()
            except BaseException:
                self.close()
                raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _read(self, count):
        if not self.early:
            return super()._read(count)
        data, self.early = bytes(self.early[:count]), self.early[count:]
        return data

    def write(self, data):
        """Reads what comes meanwhile, or a server that answers at once and this client would wait for each other."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
            data = memoryview(data)
            while data:
                events = selector.select(PATIENCE)
                if not events:
                    raise TimeoutError(f"{len(data)} bytes could not be written")
                if events[0][1] & selectors.EVENT_READ:
                    part = super()._read(1 << 20)
                    if not part:
                        raise Closed("while writing")
                    self.early += part
                else:
                    try:
                        data = data[self.sock.send(data) :]
                    except (ConnectionResetError, BrokenPipeError) as error:
                        raise Closed(f"while writing: {error}") from None

    def new_id(self):
        self.next_id += 1
        return self.next_id - 1

    def write_hello(self, hello=None):
        msg_id = 1 if self.dialect.numbering == "python" else self.new_id()
        header = Header(0, self.dialect.types["HELLO"], bodies.JSON, msg_id=msg_id)
        self.write(wire.encode(self.dialect, header, bodies.compact(hello or self.hello)))
        return msg_id

    def shake_hands(self):
        msg_id = self.write_hello()
        answer = self.read_message()
        wanted = ("CAPS",) if self.dialect.numbering == "python" else ("HELLO", "CAPS")
        if answer.type_name not in wanted or answer.header.in_reply_to != msg_id:
            raise wire.WireError(f"{answer.header} does not answer HELLO {msg_id}")
        self.caps = bodies.read_hello(answer.body, answer.codec)
        if not set(self.caps["codecs"]) & set(self.hello["codecs"]):
            raise wire.WireError(f"no common codec: {self.caps}")
        self.features = self.hello.get("features", 0) & self.caps["features"]
        both = all(bodies.PACKED_FEATURE in end.get("features_ext", ()) for end in (self.hello, self.caps))
        self.packed = both and self.dialect.encoding == "capnp"
        if self.dialect.numbering == "spec":
            self.peer_limit = min(self.caps["max_frame_bytes"], self.hello["max_frame_bytes"])
            self.limit = self.hello["max_frame_bytes"]

    def send(self, type_name, body, codec=bodies.JSON, channel=None, flags=0, tags=(), in_reply_to=0, **options):
        """Sends one message and returns its id."""
        msg_id = self.new_id()
        if channel is None:
            channel = 1 if type_name == "DATA" else 0
        number = self.dialect.types.get(type_name, type_name)
        header = Header(channel, number, codec, None, msg_id, in_reply_to, list(tags))
        self.write_message(header, body, flags, **options)
        return msg_id

    def answer(self, msg_id):
        """The answer to a message; a NACK is raised."""
        if self.dialect.numbering == "python":
            found = self.read_message()
        else:
            found = next((message for message in self.waiting if message.header.in_reply_to == msg_id), None)
            if found:
                self.waiting.remove(found)
            while found is None:
                message = self.read_message()
                in_reply_to = message.header.in_reply_to
                if message.type_name == "NACK" and in_reply_to in (0, msg_id):
                    found = message
                elif in_reply_to == msg_id and message.type_name != "ACK":
                    found = message
                else:
                    self.waiting.append(message)
        if found.type_name == "NACK":
            raise Refused(found)
        return found

    def request(self, body, codec=bodies.JSON, channel=None, **options):
        return self.answer(self.send("DATA", body, codec, channel, **options))

    def ping(self, nonce=None):
        """Whether the answer is the same bytes is the caller's to judge."""
        body = bodies.ping(time.time_ns() // 1000 if nonce is None else nonce)
        return body, self.answer(self.send("PING", body))

    def refusal(self, msg_id):
        """The NACK that answers a message, which anything else must not."""
        try:
            found = self.answer(msg_id)
        except Refused as refused:
            return refused
        raise AssertionError(f"{msg_id} was not refused, but answered by {found.header}")

    def read_to_end(self):
        """Everything until the other end closes."""
        found = []
        while True:
            try:
                found.append(self.read_message())
            except Closed:
                return found

    def end_writing(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other end was faster


def default_hello(dialect):
    """The reference knows two codecs and no extension; the other one says all it can."""
    if dialect.numbering == "python":
        return bodies.hello()
    return bodies.hello(
        bodies.SPEC_CODECS, features=bodies.ALL_FEATURES, features_ext=[bodies.PACKED_FEATURE], version="0.2"
    )
