"""What must no client be able to do to a server, in either dialect? It must serve a new client after all of it."""

import os
import random
import socket
import struct

import bodies
import tensors
import wire
from benign import TEXT
from bodies import JSON, MIXED_LATENT, PROTOBUF
from frame_header import Header
from peer import Closed, Connection, connect

BODY = bodies.json_ether(TEXT)


class Hostile:
    """Scenarios; needs `AgainstAServer`."""

    def tearDown(self):
        client = self.client()
        body, pong = client.ping()
        self.assertEqual(pong.body, body, "the server serves no longer")
        self.assertEqual(bodies.read_json_ether(client.request(BODY).body), TEXT)
        super().tearDown()

    @property
    def is_spec(self):
        return self.dialect.numbering == "spec"

    def assert_closes(self, connection, nack=None):
        """It closes; before that it may say nothing but why, if `nack` tells the code."""
        while True:
            try:
                message = connection.read_message()
            except Closed:
                return
            self.assertEqual(message.type_name, "NACK", message.header)
            self.assertIsNotNone(nack, f"a NACK where nothing should come: {message.body}")
            self.assertIn(bodies.read_nack(message.body)["error_code"], nack)

    def assert_goes_on(self, client):
        self.assertEqual(bodies.read_json_ether(client.request(BODY).body), TEXT)

    def try_to_write(self, connection, data):
        try:
            connection.write(data)
        except Closed:
            pass

    def hello_bytes(self, dialect=None):
        dialect = dialect or self.dialect
        return wire.encode(dialect, Header(0, 0, JSON, msg_id=1), bodies.compact(bodies.hello()))

    def test_an_unknown_codec_is_refused(self):
        client = self.client()
        for codec in (bodies.UNKNOWN_CODEC, 0, 0xFFFF):
            msg_id = client.send("DATA", b"any bytes", codec)
            if self.is_reference:
                self.assertEqual(client.answer(msg_id).body, b"any bytes")
                continue
            refused = client.refusal(msg_id)
            self.assertEqual((refused.code, refused.nack["msg_id"]), (wire.CODEC_UNSUPPORTED, msg_id))
            self.assertEqual(refused.message.header.in_reply_to, msg_id)
        self.assert_goes_on(client)

    def test_a_wrong_checksum(self):
        client = self.client()
        header = Header(1, msg_id=client.new_id())
        frame = wire.frame(self.dialect, header, BODY)
        frame.checksum = bytes(byte ^ 0x5A for byte in frame.checksum)
        client.write(frame.to_bytes())
        if self.is_spec:
            refused = client.refusal(header.msg_id)
            self.assertEqual((refused.code, refused.nack["msg_id"]), (wire.BAD_CRC, header.msg_id))
            self.assert_goes_on(client)
        else:
            self.assert_closes(client)

    def test_a_checksum_in_the_other_order(self):
        client = self.client()
        header = Header(1, msg_id=client.new_id())
        frame = wire.frame(self.dialect, header, BODY)
        frame.checksum = frame.checksum[::-1]
        client.write(frame.to_bytes())
        if self.is_spec:
            self.assertEqual(client.refusal(header.msg_id).code, wire.BAD_CRC)
            self.assert_goes_on(client)
        else:
            self.assert_closes(client)

    def test_a_damaged_payload_byte(self):
        for at in (0, len(BODY) // 2, len(BODY) - 1):
            client = self.client()
            frame = wire.frame(self.dialect, Header(1, msg_id=client.new_id()), BODY)
            frame.payload = BODY[:at] + bytes([BODY[at] ^ 1]) + BODY[at + 1 :]
            client.write(frame.to_bytes())
            if self.is_spec:
                self.assertEqual(client.refusal(client.next_id - 1).code, wire.BAD_CRC)
            else:
                self.assert_closes(client)

    def test_bytes_of_other_protocols(self):
        swapped = b"\xa9\xa1\x7a\x10" + self.hello_bytes()[4:]
        http = (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\n")
        tls = b"\x16\x03\x01\x02\x00" + bytes(512)
        for data in (*http, tls, random.Random(7).randbytes(4096), swapped, bytes(64)):
            connection = self.raw()
            self.try_to_write(connection, data)
            self.assert_closes(connection)

    def test_a_wrong_magic_after_the_handshake(self):
        client = self.client()
        data = bytearray(wire.encode(self.dialect, Header(1, msg_id=client.new_id()), BODY))
        data[0] ^= 1
        client.write(bytes(data))
        self.assert_closes(client, nack=[wire.BAD_HEADER] if self.is_spec else None)

    def test_anything_but_a_hello_first(self):
        for name in ("DATA", "PING", "PONG", "ACK", "NACK", "CLARIFY_REQ", 0x0101):
            client = self.raw()
            client.send(name, BODY if name == "DATA" else b"{}")
            self.assert_closes(client, nack=range(1, 0x10000) if self.is_spec else None)

    def test_a_second_hello_does_no_harm(self):
        client = self.client()
        for hello in (None, bodies.hello(codecs=[]), bodies.hello(max_frame_bytes=1)):
            client.write_hello(hello)
            self.assert_goes_on(client)

    def test_a_hello_that_says_nothing_useful(self):
        for body in (b"", b"[]", b"null", b"{", b'"x"', b'{"codecs":7}', b'{"codecs":["a",-1,1e99]}',
                     b'{"codecs":[1],"max_frame_bytes":-1}', b'{"codecs":[1],"max_frame_bytes":0}', b"\xff\xfe",
                     b'{"codecs":[1],"features":"all","features_ext":{"a":1}}', b"[" * 50_000):  # fmt: skip
            connection = self.raw()
            connection.write(wire.encode(self.dialect, Header(0, 0, JSON, msg_id=1), body))
            connection.end_writing()
            for message in connection.read_to_end():
                self.assertIn(message.type_name, ("HELLO", "CAPS", "NACK"))

    def test_a_frame_that_says_it_is_huge(self):
        if self.is_reference:
            return  # it would wait for all of it
        for length in (1 << 40, 1 << 62, (1 << 64) - 1):
            client = self.client()
            header = Header(1, msg_id=client.new_id())
            frame = wire.frame(self.dialect, header, b"", wire.LARGE)
            client.write(frame.to_bytes()[:-12] + struct.pack("<Q", length))
            self.assertEqual(client.refusal(header.msg_id).code, wire.MESSAGE_TOO_LARGE)
            self.assert_closes(client)

    def test_headers_that_are_none(self):
        for data in self.broken_headers():
            client = self.client()
            self.try_to_write(client, wire.encode(self.dialect, None, BODY, header_bytes=data))
            self.try_to_write(
                client, wire.encode(self.dialect, Header(0, self.dialect.types["PING"], msg_id=77), b"{}")
            )
            try:
                message = client.read_message()
            except Closed:
                continue
            self.assertEqual(message.type_name, "NACK" if self.is_spec else None, data[:80])
            self.assertEqual(bodies.read_nack(message.body)["error_code"], wire.BAD_HEADER)
            self.assertEqual(client.answer(77).type_name, "PONG")

    def broken_headers(self):
        """Python: what kills a connection to the reference."""
        tag_without_value = b'{"msgId":1,"tags":[{"key":"a"}]}'
        return [b"", b"[]", b"{", b"\xff{}", tag_without_value, b'{"schemaKey":{"hash128":"xyz"}}', b"[" * 60_000,
                b'{"a":' * 10_000, os.urandom(300)]  # fmt: skip

    def test_bodies_that_are_not_what_the_codec_says(self):
        good = tensors.encode_f32(tensors.np.ones((2, 3)))
        deep = b'{"kind":"k","schema_version":1,"metadata":{},"payload":' + b'{"a":' * 100_000
        bad = [
            (tensors.F32, b""), (tensors.F32, good[:31]), (tensors.F32, good[:-1]), (tensors.F32, good + b"\0"),
            (tensors.F16, good), (tensors.F32, b"\x07" + good[1:]), (tensors.F32, b"\0" + good[1:]),
            (tensors.F32, good[:4] + b"\xff" * 24 + good[28:]), (tensors.QNT8, b"\x02\x02\x03\0" + good[4:]),
            (MIXED_LATENT, b"\x02\x02\x38" + good), (MIXED_LATENT, b"\xff" * 12), (MIXED_LATENT, b"\x01\x09\x00"),
            (MIXED_LATENT, b"\xff\xff\xff\xff\x0f\x02\x00"),
            (JSON, b"{"), (JSON, b"[]"), (JSON, b"{}"), (JSON, b'{"kind":"k","schema_version":0}'), (JSON, deep),
            (PROTOBUF, b"\x0a\xff"), (PROTOBUF, b"\xff" * 11), (PROTOBUF, b"\x0a\x04text"),
        ]  # fmt: skip
        client = self.client(hello=bodies.hello(bodies.SPEC_CODECS))
        for codec, body in bad:
            msg_id = client.send("DATA", body, codec)
            if self.is_reference:
                self.assertEqual(client.answer(msg_id).type_name, "DATA")
            else:
                self.assertNotEqual(client.refusal(msg_id).code, wire.OK, (codec, body[:80]))
        self.assert_goes_on(client)

    def test_texts_that_are_almost_json(self):
        """Answered or refused, as the server likes."""
        client = self.client()
        for text in (b'"\\ud800"', b"NaN", b"1e400", b"1" * 5000, b'"\xc3"', b"01", b"'a'", b'{"a":1,"a":2}', b"[1,]"):
            body = b'{"kind":"k","schema_version":1,"metadata":{},"payload":{"a":%s}}' % text
            msg_id = client.send("DATA", body)
            try:
                self.assertEqual(client.answer(msg_id).type_name, "DATA")
            except Exception as error:
                self.assertEqual(type(error).__name__, "Refused", text)
        self.assert_goes_on(client)

    def test_connections_that_end_anywhere(self):
        hello = self.hello_bytes()
        for length in [*range(0, 20), *range(20, len(hello), 23), len(hello) - 1]:
            connection = self.raw()
            connection.write(hello[:length])
            connection.end_writing()
            self.assertEqual(connection.read_to_end(), [], f"after {length} bytes")
        data = wire.encode(self.dialect, Header(1, msg_id=2), BODY)
        for length in [*range(1, 20), *range(20, len(data), 31), len(data) - 1]:
            client = self.client()
            client.write(data[:length])
            client.end_writing()
            self.assertEqual(client.read_to_end(), [], f"after {length} bytes")

    def test_connections_that_are_reset(self):
        data = self.hello_bytes() + wire.encode(self.dialect, Header(1, msg_id=2), BODY)
        self.client()
        for length in (0, 3, 40, len(data) - 2, len(data)):
            sock = connect(self.address)
            sock.sendall(data[:length])
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()

    def test_many_that_say_nothing(self):
        self.client()
        half = self.hello_bytes()[:100]
        for index in range(64):
            connection = self.closing(Connection(connect(self.address), self.dialect))
            connection.write(half if index % 2 else b"")
        self.assert_goes_on(self.client())

    def test_one_who_never_reads(self):
        client = self.client()
        client.sock.settimeout(0.2)
        body = bodies.json_ether(bodies.ether("text", {"text": "x" * 100_000}))
        data = wire.encode(self.dialect, Header(1, msg_id=5), body)
        try:
            for _ in range(500):
                client.sock.sendall(data)
        except (TimeoutError, ConnectionError):
            pass
        self.assert_goes_on(self.client())
        client.close()
