"""What must no client be able to do to a server of dialect "spec": bombs, chunks without end, headers that lie?"""

import os
import struct

import bodies
import capnp_header
import tool
import wire
import zstd
from benign_spec import SMALL
from bodies import JSON
from frame_header import Header
from hostile import BODY
from peer import Closed
from wire import COMP, CRYPT, MORE, SPEC

FULL = Header(7, 0x0100, JSON, capnp_header.SchemaKey(1, 2, 3, 4, bytes(16)), 5, 6, [("trace", "abc")])


def words(*pairs):
    """A message of one segment, of words told as two halves each."""
    return capnp_header.framed([b"".join(struct.pack("<II", *pair) for pair in pairs)])


class HostileSpec:
    """Scenarios of dialect "spec"; needs `Hostile`."""

    def broken_headers(self):
        whole = capnp_header.write(FULL)
        lists = (0, 0), (0, 0x20000), (0, 0)  # a root with two pointers, the first null
        return [
            b"", b"\0", bytes(4), whole[:-8], whole[:-1], whole[:24], os.urandom(64),
            struct.pack("<II", 0, 0xFFFFFFFF) + whole[8:],  # segment of 2**32 words
            struct.pack("<I", 0xFFFFFFFF) + whole[4:],  # 2**32 segments
            words((0xFFFFFFFC - 4, 0x20003)),  # in front of the segment
            words((0x7FFFFFFC, 0x20003)),  # far behind it
            words((0, 0xFFFF)),  # more data than there is
            words((2, 9)),  # a far pointer to a segment that is not there
            words((2, 0)),  # a far pointer to itself
            words((6, 0), (0, 0)),
            words((3, 0)),  # a capability
            words((1, 7)),  # a list as root
            # Tags: half a milliard of nothing, a milliard of pointers, and a list whose tag lies.
            words(*lists, (1, 7), (0x7FFFFFFC, 0)),
            words(*lists[:2], (0, 0), (1, 0xFFFFFFFE)),
            words((0, 0x20000), (0, 0), (1, 7 | 2 << 3), (2**20 << 2, 0x20000)),
            words((0, 0x20000), (0, 0), (1, 7), (0x7FFFFFFC, 0)),
            # Text without NUL, bytes that are not UTF-8, a hash of five bytes.
            whole[:-16] + b"traceXXX" + whole[-8:],
            whole.replace(b"trace\0", b"tr\xff\xfee\0"),
            whole.replace(struct.pack("<II", 1, 0x82), struct.pack("<II", 1, 5 << 3 | 2)),
            b"{}", b'{"msgType":256}',  # in JSON, where Cap'n Proto was agreed on
        ]  # fmt: skip

    def assert_refused(self, client, msg_id, *codes):
        refused = client.refusal(msg_id)
        self.assertIn(refused.code, codes)
        return refused

    def test_a_frame_longer_than_agreed(self):
        self.serve(max_frame=SMALL)
        client = self.client()
        self.assertEqual(client.caps["max_frame_bytes"], SMALL)
        header = Header(1, msg_id=client.new_id())
        data = wire.encode(SPEC, header, bytes(SMALL))
        client.write(data[: 8 + 32 + 4])
        self.assert_refused(client, header.msg_id, wire.MESSAGE_TOO_LARGE)
        self.assert_closes(client)

    def test_a_frame_just_as_long_as_agreed_and_one_longer(self):
        self.serve(max_frame=SMALL)
        text = bodies.json_ether(bodies.ether("t", {"t": ""}))
        for extra in (0, 1):
            client = self.client()
            header = Header(1, msg_id=client.new_id())
            body = text + b" " * (SMALL + extra - 16 - 32 - len(text))
            frame = wire.encode(SPEC, header, body)
            self.assertEqual(len(frame), SMALL + extra)
            self.try_to_write(client, frame)
            if extra:
                self.assert_refused(client, header.msg_id, wire.MESSAGE_TOO_LARGE)
                self.assert_closes(client)
            else:
                self.assertEqual(client.answer(header.msg_id).type_name, "DATA")

    def test_a_bomb_of_zstd(self):
        client = self.client()
        size = 4 << 30
        bombs = (
            zstd.repeated(0, size),
            zstd.repeated(0, size, window_log=17),  # says nothing about its size
            zstd.frame_header(1 << 63) + zstd.block(zstd.RAW, 1, b"a", True),  # only says so
        )
        for bomb in bombs:
            self.assert_refused(client, client.send("DATA", bomb, flags=COMP), wire.MESSAGE_TOO_LARGE)
            self.assert_goes_on(client)

    def test_zstd_that_lies_about_its_size(self):
        client = self.client()
        for told in (0, 1, len(BODY) - 1, len(BODY) + 1, 1 << 20):
            data = zstd.frame_header(told) + zstd.block(zstd.RAW, len(BODY), BODY, True)
            refused = client.refusal(client.send("DATA", data, flags=COMP))
            self.assertNotEqual(refused.code, wire.OK)
        self.assert_goes_on(client)

    def test_zstd_that_is_none(self):
        client = self.client()
        good = zstd.stored(BODY)
        for data in (b"", b"\x28\xb5\x2f\xfd", good[:-1], good + b"\0", BODY, b"\0" * 100,
                     good[:13] + b"\x07\0\0", good[:4] + b"\xff" + good[5:]):  # fmt: skip
            refused = client.refusal(client.send("DATA", data, flags=COMP))
            self.assertNotEqual(refused.code, wire.OK)
        self.assert_goes_on(client)

    def test_compression_and_encryption_nobody_agreed_on(self):
        for flags, body in ((COMP, zstd.stored(BODY)), (CRYPT, os.urandom(100)), (COMP | CRYPT, os.urandom(100))):
            client = self.client(hello=bodies.hello())
            self.try_to_write(client, wire.encode(SPEC, Header(1, msg_id=client.new_id()), body, flags))
            client.end_writing()
            found = client.read_to_end()
            if flags & CRYPT:
                self.assertLessEqual({message.type_name for message in found}, {"NACK"})

    def test_chunks_without_end(self):
        client = self.client()
        header = Header(1, msg_id=client.new_id())
        data = wire.encode(SPEC, header, bytes(1 << 16), MORE)
        sent = 0
        try:
            while sent <= 2 * tool.LONGEST_MESSAGE:
                client.write(data)
                sent += 1 << 16
        except Closed:
            pass
        else:
            # A server may read on to the end, so that its answer is not lost; it must not keep what it reads.
            client.end_writing()
        self.assert_refused(client, header.msg_id, wire.MESSAGE_TOO_LARGE)
        self.assert_closes(client, nack=[wire.MESSAGE_TOO_LARGE])

    def test_chunks_that_are_empty(self):
        client = self.client()
        header = Header(1, msg_id=client.new_id())
        empty = wire.encode(SPEC, header, b"", MORE)
        self.try_to_write(client, empty * 10_000 + wire.encode(SPEC, header, BODY))
        client.end_writing()
        self.assertLessEqual({message.type_name for message in client.read_to_end()}, {"DATA", "NACK"})

    def test_many_messages_that_are_never_finished(self):
        client = self.client()
        for start in range(0, 20_000, 500):
            channels = range(start, start + 500)
            data = b"".join(wire.encode(SPEC, Header(c + 1, msg_id=c + 5), b"{", MORE) for c in channels)
            self.try_to_write(client, data)
        client.end_writing()
        self.assertLessEqual({message.type_name for message in client.read_to_end()}, {"NACK"})

    def test_chunks_of_one_message_that_differ(self):
        client = self.client()
        msg_id = client.new_id()
        first, second = BODY[:20], BODY[20:]
        others = (
            (Header(1, body_codec=8, msg_id=msg_id), 0),
            (Header(1, msg_id=msg_id, tags=[("a", "b")]), 0),
            (Header(1, msg_id=msg_id, in_reply_to=3), 0),
            (Header(1, msg_id=msg_id), COMP),
        )
        for header, flags in others:
            client.write(wire.encode(SPEC, Header(1, msg_id=msg_id), first, MORE))
            client.write(wire.encode(SPEC, header, second, flags))
            self.assertNotEqual(client.refusal(msg_id).code, wire.OK)
            self.assert_goes_on(client)

    def test_a_wrong_checksum_within_a_message(self):
        client = self.client()
        header = Header(1, msg_id=client.new_id())
        frames = list(wire.chunks(SPEC, header, BODY, 16 + 32 + 50))
        frames[1].checksum = bytes(4)
        for frame in frames[:2]:
            client.write(frame.to_bytes())
        self.assert_refused(client, header.msg_id, wire.BAD_CRC)
        self.assert_goes_on(client)

    def test_a_major_version_of_another_time(self):
        client = self.client()
        header = Header(1, msg_id=client.new_id())
        self.try_to_write(client, wire.encode(SPEC, header, BODY, version=0x12))
        self.assert_refused(client, header.msg_id, wire.BAD_VERSION)
        self.assert_closes(client)

    def test_a_hello_of_another_major_version(self):
        connection = self.raw()
        header = Header(0, 0, JSON, msg_id=1)
        connection.write(wire.encode(SPEC, header, bodies.compact(bodies.hello()), version=0x12))
        self.assert_closes(connection, nack=[wire.BAD_VERSION])

    def test_packed_headers_nobody_agreed_on(self):
        client = self.client(hello=bodies.hello())
        header = Header(1, msg_id=client.new_id())
        self.try_to_write(client, wire.encode(SPEC.packed(), header, BODY))
        client.end_writing()
        self.assertLessEqual({message.type_name for message in client.read_to_end()}, {"NACK"})

    def test_messages_only_a_server_sends(self):
        client = self.client()
        for name in ("PONG", "ACK", "NACK", "CLARIFY_REQ", "CLARIFY_RES", "CAPS", 0x0101, 0xFFFF):
            for body in (bodies.nack(99, 2), bodies.clarify(99, "why"), b"", b"\xff"):
                client.send(name, body, in_reply_to=99)
            self.assert_goes_on(client)
