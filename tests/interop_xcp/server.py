"""How does a server behave, in each dialect?

The one of dialect "python" does what the reference does, its faults included, and notes in `violations` whatever the
reference could not have understood. The one of dialect "spec" does what the protocol page recommends.
"""

import os
import socket
import threading

import bodies
import protobuf
import unzstd
import wire
import zstd
from frame_header import Header
from peer import PATIENCE, Closed, Connection
from wire import COMP, CRYPT, LARGE, SPEC

# Bytes of unfinished messages (and of those finished since there were any), and their number.
PARTIAL_MOST, PARTIAL_COUNT = 64 << 20, 1024


class Server:
    """Listens until stopped. `address` says where, with the port that was given."""

    def __init__(self, address="tcp://127.0.0.1:0", dialect=SPEC, **behaviour):
        self.dialect = dialect
        self.behaviour = behaviour
        self.changed = threading.Condition()
        self.connections, self.frames, self.messages, self.violations, self.failures = [], [], [], [], []
        self.running = 0
        scheme, _, place = address.partition("://")
        self.path = place if scheme == "unix" else None
        if scheme == "unix":
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(place)
            self.listener.listen()
            self.address = address
        else:
            host, _, port = place.rpartition(":")
            self.listener = socket.create_server((host, int(port)))
            self.address = f"tcp://{host}:{self.listener.getsockname()[1]}"
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            session = (PythonSession if self.dialect.numbering == "python" else SpecSession)(sock, self)
            with self.changed:
                self.connections.append(session)
                self.running += 1
            thread = threading.Thread(target=self._run, args=(session,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _run(self, session):
        try:
            session.run()
        except (Closed, wire.WireError, OSError):
            pass
        except Exception as error:  # a fault of this server, which a scenario must not pass over
            self.failures.append(error)
        finally:
            session.close()
            with self.changed:
                self.running -= 1
                self.changed.notify_all()

    def note(self, frame=None, message=None, violation=None):
        with self.changed:
            self.frames += [frame] if frame else []
            self.messages += [message] if message else []
            self.violations += [violation] if violation else []
            self.changed.notify_all()

    def wait_until_idle(self):
        """Waits until every connection has come to its end."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.connections and not self.running, PATIENCE):
                raise AssertionError(f"{self.running} of {len(self.connections)} connections still open")

    def stop(self):
        """After this no thread of it runs, and nobody's failure is forgotten."""
        for sock in [self.listener, *(session.sock for session in self.connections)]:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.listener.close()
        for thread in list(self.threads):
            thread.join(PATIENCE)
        if self.path:
            os.unlink(self.path)
        if self.failures:
            raise self.failures[0]


class Session(Connection):
    def __init__(self, sock, server):
        super().__init__(sock, server.dialect)
        self.server = server
        self.behaviour = server.behaviour
        sock.settimeout(PATIENCE)

    def read_frame(self):
        frame = super().read_frame()
        self.server.note(frame=frame)
        return frame


class PythonSession(Session):
    """Behaviour: `generated`, whether the reference's Protobuf classes were made (stock has none)."""

    CODECS = {bodies.JSON, bodies.PROTOBUF}

    def reply(self, name, request, body, codec, channel):
        header = Header(channel, self.dialect.types[name], codec, in_reply_to=request.msg_id)
        self.write(wire.encode(self.dialect, header, body))

    def next(self):
        """Flags but LARGE, and the version, are not looked at."""
        frame = self.read_frame()
        if frame.encoding != self.dialect.encoding:
            self.server.note(violation=f"a header in {frame.encoding}")
            raise Closed("header")
        if frame.header_error or not frame.checksum_in(self.dialect.crc_order):
            raise Closed("header or checksum")
        if frame.flags & ~LARGE:
            self.server.note(violation=f"flags {frame.flags:#x}")
        return frame.header, frame.payload

    def run(self):
        types = self.dialect.types
        header, body = self.next()
        if header.msg_type != types["HELLO"]:
            raise Closed("no HELLO")
        try:
            # As JSON, whatever the codec; the order is that of a set.
            common = list(set(bodies.parse(body).get("codecs", [])) & self.CODECS)
        except (bodies.BodyError, AttributeError, TypeError):
            raise Closed("HELLO") from None
        self.reply("CAPS", header, bodies.compact(bodies.hello(common)), bodies.JSON, 0)
        while True:
            header, body = self.next()
            name = self.dialect.type_name(header.msg_type)
            self.server.note(message=(name, header, body))
            if name == "PING":
                self.reply("PONG", header, body, header.body_codec, 0)
            elif name == "DATA":
                self.reply("DATA", header, self.echo(header.body_codec, body), header.body_codec, header.channel_id)
            else:
                self.server.note(violation=f"{name or header.msg_type} is never answered")

    def echo(self, codec, body):
        """An Ether is made again from what was understood of it; anything else goes back as it is."""
        generated = self.behaviour.get("generated", False)
        if codec == bodies.PROTOBUF and generated:
            try:
                ether = protobuf.decode_ether(body)
            except (protobuf.ProtobufError, UnicodeDecodeError, AttributeError, TypeError):
                return body
            return protobuf.encode_ether(texts_only(ether), False, protobuf.as_python_text)
        if codec not in (bodies.JSON, bodies.PROTOBUF):
            return body
        try:
            found = bodies.parse(body)
            if not isinstance(found, dict) or "kind" not in found or "schema_version" not in found:
                return body
            if any(item.get("inline_bytes") is not None for item in found.get("attachments", [])):
                return body
            maps = [found.get(name, {}) for name in ("payload", "metadata", "extra_fields")]
            items = [{key: item.get(key) for key in bodies.ATTACHMENT_KEYS} for item in found.get("attachments", [])]
            return bodies.compact(bodies.ether(found["kind"], *maps, items, found["schema_version"]))
        except (bodies.BodyError, AttributeError, TypeError):
            return body


def texts_only(ether):
    """What the reference reads of a map: every value is text. It knows no marks of what was not."""
    texts = {}
    for name in ("payload", "metadata", "extra_fields"):
        texts[name] = {}
        for key, value in ether[name].items():
            data = protobuf.as_bytes(value)
            try:
                texts[name][key] = data.decode()
            except UnicodeDecodeError:
                texts[name][key] = data
    return {**ether, **texts}


class SpecSession(Session):
    """Behaviour: `max_frame`, `features`, `features_ext`, `codecs`; and `compress`, whether it compresses answers."""

    def __init__(self, sock, server):
        super().__init__(sock, server)
        self.limit = self.behaviour.get("max_frame", bodies.DEFAULT_MAX_FRAME)
        self.next_id = 1
        self.held = 0
        self.codecs = self.behaviour.get("codecs", bodies.SPEC_CODECS)

    def reply(self, name, request, body, codec=bodies.JSON, channel=0, flags=0):
        header = Header(channel, self.dialect.types[name], codec, None, self.next_id, request.msg_id if request else 0)
        self.next_id += 1
        self.write_message(header, body, flags)

    def refuse(self, request, code, last=False):
        self.reply("NACK", request, bodies.nack(request.msg_id if request else 0, code))
        if last:
            self.sock.shutdown(socket.SHUT_WR)
            while self._read(1 << 16):  # what is on its way, so that the answer is not lost to a reset
                pass
            raise Closed(f"refused with {code}")

    def next(self):
        """The next frame that can be understood; the others are refused here."""
        while True:
            try:
                frame = self.read_frame()
            except wire.TooLarge as error:
                self.refuse(error.frame.header, wire.MESSAGE_TOO_LARGE, last=True)
            if frame.version >> 4:
                self.refuse(frame.header, wire.BAD_VERSION, last=True)
            allowed = (self.dialect.encoding, "packed" if self.packed else None)
            if frame.header_error or frame.encoding not in allowed:
                self.refuse(None, wire.BAD_HEADER)
            elif not frame.checksum_in(self.dialect.crc_order):
                self.refuse(frame.header, wire.BAD_CRC)
            elif frame.flags & CRYPT:
                self.refuse(frame.header, wire.BAD_AUTH)
            else:
                return frame

    def run(self):
        frame = self.read_frame()
        types = self.dialect.types
        if (
            frame.header is None
            or frame.encoding != self.dialect.encoding
            or not frame.checksum_in(self.dialect.crc_order)
        ):
            raise Closed("HELLO in another dialect")
        if frame.version >> 4:
            self.refuse(frame.header, wire.BAD_VERSION, last=True)
        if frame.header.msg_type != types["HELLO"]:
            raise Closed("no HELLO")
        try:
            hello = bodies.read_hello(frame.payload, frame.header.body_codec)
        except bodies.BODY_ERRORS:
            raise Closed("HELLO") from None
        features = self.behaviour.get("features", bodies.ALL_FEATURES)
        names = self.behaviour.get("features_ext", [bodies.PACKED_FEATURE])
        common = [codec for codec in self.codecs if codec in hello["codecs"]]
        caps = bodies.hello(common, self.limit, features=features, features_ext=names, version="0.2")
        self.reply("HELLO", frame.header, bodies.compact(caps))
        self.features = features & hello.get("features", 0)
        self.packed = bodies.PACKED_FEATURE in names and bodies.PACKED_FEATURE in hello.get("features_ext", [])
        self.peer_limit = min(self.limit, hello["max_frame_bytes"])
        while True:
            self.handle(self.next())

    def handle(self, frame):
        header = frame.header
        self.held = self.held + len(frame.payload) if self.partial else len(frame.payload)
        if self.held > PARTIAL_MOST or len(self.partial) > PARTIAL_COUNT:
            self.refuse(header, wire.MESSAGE_TOO_LARGE, last=True)
        try:
            message = self.join(frame)
        except unzstd.TooMuch:
            return self.refuse(header, wire.MESSAGE_TOO_LARGE)
        except (wire.WireError, unzstd.ZstdError):
            return self.refuse(header, wire.BAD_HEADER)
        if message is None:
            return None
        name, body = message.type_name, message.body
        self.server.note(message=(name, header, body))
        if name == "PING":
            return self.reply("PONG", header, body, header.body_codec)
        if name != "DATA":
            return None
        if header.body_codec not in self.codecs:
            return self.refuse(header, wire.CODEC_UNSUPPORTED)
        try:
            bodies.check(header.body_codec, body)
        except bodies.BODY_ERRORS:
            return self.refuse(header, wire.BAD_HEADER)
        if ("ack", "1") in header.tags:
            self.reply("ACK", header, bodies.ack(header.msg_id))
        flags = 0
        if self.behaviour.get("compress") and self.features & COMP:
            flags, body = COMP, zstd.stored(body)
        return self.reply("DATA", header, body, header.body_codec, header.channel_id, flags)
