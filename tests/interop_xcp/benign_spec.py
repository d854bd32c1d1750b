"""What must a server of dialect "spec" do besides: chunks, compression, packed headers, acknowledgements?"""

import numpy as np

import bodies
import capnp_header
import protobuf
import tensors
import wire
import zstd
from benign import ARRAY, RANDOM, RICH, TEXT
from bodies import JSON, PROTOBUF
from frame_header import Header, SchemaKey
from wire import COMP, MORE, SPEC

SMALL = 64 * 1024
CHUNKED = bodies.hello(bodies.SPEC_CODECS, SMALL, features=bodies.ALL_FEATURES)
FLAT = bodies.hello(bodies.SPEC_CODECS)


class BenignSpec:
    """Scenarios of dialect "spec"; needs `AgainstAServer`."""

    def big(self, size=3 << 20):
        return tensors.encode_f32(RANDOM.normal(size=size // 4))

    def assert_serves(self, client, encoding=None, **options):
        answer = client.request(bodies.json_ether(TEXT), encoding=encoding, **options)
        self.assertEqual(bodies.read_json_ether(answer.body), TEXT)
        return answer

    def test_caps_are_a_hello_in_reply(self):
        client = self.client()
        header = client.read_frames[0].header
        self.assertIn(header.msg_type, (wire.SPEC_TYPES["HELLO"], wire.SPEC_TYPES["CAPS"]))
        self.assertEqual(header.in_reply_to, 1)
        self.assertLessEqual({*bodies.SPEC_CODECS}, {*client.caps["codecs"]})
        self.assertEqual(client.caps["features"] & bodies.ALL_FEATURES, bodies.ALL_FEATURES)

    def test_headers_are_canonical(self):
        client = self.client(hello=bodies.hello(bodies.SPEC_CODECS, features=bodies.ALL_FEATURES))
        client.ping()
        self.assert_serves(client)
        for frame in client.read_frames:
            self.assertEqual(frame.header_bytes, capnp_header.write(frame.header))
        self.assertEqual([len(frame.header_bytes) for frame in client.read_frames[1:]], [40, 40])

    def test_a_server_counts_its_messages(self):
        client = self.client()
        for _ in range(5):
            client.ping()
            self.assert_serves(client)
        ids = [frame.header.msg_id for frame in client.read_frames]
        self.assertTrue(all(ids) and sorted(set(ids)) == ids, ids)

    def test_a_hello_in_protobuf(self):
        client = self.raw()
        body = protobuf.encode_hello(bodies.hello())
        client.write(wire.encode(SPEC, Header(0, 0, PROTOBUF, msg_id=client.new_id()), body))
        answer = client.answer(1)
        self.assertIn(JSON, bodies.read_hello(answer.body, answer.codec)["codecs"])
        self.assert_serves(client)

    def test_a_hello_with_the_other_name_of_the_limit(self):
        hello = {"codecs": [1, 2], "max_frame": SMALL, "features": bodies.ALL_FEATURES}
        client = self.raw()
        client.write_hello(hello)
        caps = client.answer(1)
        client.features, client.limit, client.peer_limit = MORE | COMP, SMALL, SMALL
        self.assertIn(2, bodies.read_hello(caps.body, caps.codec)["codecs"])
        body = self.big(SMALL * 3)
        self.assertEqual(client.request(body, tensors.F32).body, body)

    def test_a_client_without_extensions_gets_none(self):
        client = self.client(hello=FLAT)
        body = self.big(900_000)
        answer = client.request(body, tensors.F32)
        self.assertEqual((answer.body, [frame.flags for frame in answer.frames]), (body, [0]))
        self.assertTrue(all(frame.encoding == "capnp" for frame in client.read_frames))

    def test_a_long_message_in_chunks_with_pings_between(self):
        self.serve(max_frame=SMALL)
        client = self.client(hello=CHUNKED)
        body = self.big()
        header = Header(5, wire.SPEC_TYPES["DATA"], tensors.F32, None, client.new_id())
        frames = client.frames_of(header, body)
        self.assertGreater(len(frames), 47)
        pings = []
        for index, frame in enumerate(frames):
            client.write(frame.to_bytes())
            if index % 5 == 0:
                pings.append(client.send("PING", bodies.ping(index)))
        for msg_id in pings:
            self.assertEqual(client.answer(msg_id).type_name, "PONG")
        answer = client.answer(header.msg_id)
        self.assertEqual(answer.body, body)
        self.assertGreater(len(answer.frames), 1)
        self.assertTrue(all(len(frame.to_bytes()) <= SMALL for frame in client.read_frames))

    def test_chunks_of_several_channels_between_each_other(self):
        client = self.client(hello=CHUNKED)
        messages = [(Header(n + 1, 0x0100, tensors.F32, None, client.new_id()), self.big(300_000)) for n in range(4)]
        frames = [client.frames_of(header, body) for header, body in messages]
        for turn in zip(*frames):
            for frame in turn:
                client.write(frame.to_bytes())
        for header, body in messages:
            self.assertEqual(client.answer(header.msg_id).body, body)

    def test_a_message_in_chunks_of_one_byte(self):
        client = self.client()
        header = Header(1, msg_id=client.new_id())
        body = bodies.json_ether(TEXT)
        for frame in wire.chunks(SPEC, header, body, 16 + 32 + 1):
            client.write(frame.to_bytes())
        self.assertEqual(bodies.read_json_ether(client.answer(header.msg_id).body), TEXT)

    def test_compressed_messages(self):
        client = self.client()
        for ether in (TEXT, RICH, bodies.ether("text", {"text": "a" * 50_000})):
            body = bodies.json_ether(ether)
            answer = client.request(zstd.stored(body), flags=COMP)
            self.assertEqual(bodies.read_json_ether(answer.body), ether)
        body = tensors.encode_f32(np.zeros((512, 1024)))
        answer = client.request(zstd.stored(body), tensors.F32, flags=COMP)
        self.assertEqual(answer.body, body)

    def test_a_compressed_message_of_repeated_bytes(self):
        client = self.client()
        text = b'{"kind":"text","schema_version":1,"payload":{},"metadata":{}}'
        blocks = zstd.block(zstd.RAW, len(text), text, False) + zstd.block(zstd.RLE, 70_000, b" ", True)
        answer = client.request(zstd.frame_header(len(text) + 70_000) + blocks, flags=COMP)
        self.assertEqual(bodies.read_json_ether(answer.body), bodies.ether("text", {}))

    def test_a_message_compressed_and_then_split(self):
        client = self.client(hello=CHUNKED)
        body = self.big(1 << 20)
        self.assertEqual(client.request(zstd.stored(body), tensors.F32, flags=COMP).body, body)

    def test_packed_headers_once_both_know_them(self):
        client = self.client()
        self.assertIn(bodies.PACKED_FEATURE, client.caps["features_ext"])
        self.assertEqual(client.read_frames[0].encoding, "capnp")
        self.assert_serves(client, encoding="packed")
        self.assert_serves(client, encoding="packed", tags=[("trace", "abc")], channel=9)
        self.assert_serves(client)
        for frame in client.read_frames[1:]:
            if frame.encoding == "packed":
                self.assertEqual(frame.header_bytes, capnp_header.pack(capnp_header.write(frame.header)))

    def test_headers_as_other_writers_make_them(self):
        client = self.client()
        key = SchemaKey(kind_id=bodies.fnv1a("text"), major=1)
        full = SchemaKey(1, bodies.fnv1a("text"), 1, 2, bytes(range(16)))
        forms = (
            lambda header: capnp_header.write(header, full=True),
            capnp_header.write_far,
            capnp_header.write_double_far,
            lambda header: capnp_header.pack(capnp_header.write(header, full=True)),
        )
        for schema_key in (None, key, full):
            for form in forms:
                header = Header(4, 0x0100, JSON, schema_key, client.new_id(), 0, [("trace", "abc")])
                client.write_message(header, bodies.json_ether(TEXT), header_bytes=form(header))
                answer = client.answer(header.msg_id)
                self.assertEqual(bodies.read_json_ether(answer.body), TEXT)
                self.assertEqual(answer.header.channel_id, 4)

    def test_an_acknowledgement_if_asked_for(self):
        client = self.client()
        msg_id = client.send("DATA", bodies.json_ether(TEXT), tags=[("ack", "1")])
        found = [client.read_message(), client.read_message()]
        self.assertEqual({message.type_name for message in found}, {"ACK", "DATA"})
        self.assertEqual({message.header.in_reply_to for message in found}, {msg_id})
        (ack,) = (message for message in found if message.type_name == "ACK")
        self.assertEqual(bodies.parse(ack.body)["msg_id"], msg_id)
        self.assert_serves(client)

    def test_marked_protobuf_keeps_the_types(self):
        answer = self.client().request(protobuf.encode_ether(RICH), PROTOBUF)
        self.assertEqual(protobuf.decode_ether(answer.body), RICH)
        ether = bodies.ether("k", {"b": b"\xff\0", "t": "true"}, {"n": 1}, {"e": [None]},
                             [{"id": "a", "media_type": "x/y", "inline_bytes": b"\0\1"}])  # fmt: skip
        answer = self.client().request(protobuf.encode_ether(ether), PROTOBUF)
        self.assertEqual(protobuf.decode_ether(answer.body), ether)

    def test_the_flags_nobody_has_named_are_passed_over(self):
        client = self.client()
        self.assert_serves(client, flags=0x0F)

    def test_a_minor_version_is_no_matter(self):
        client = self.client()
        header = Header(1, msg_id=client.new_id())
        client.write(wire.encode(SPEC, header, bodies.json_ether(TEXT), version=0x03))
        self.assertEqual(bodies.read_json_ether(client.answer(header.msg_id).body), TEXT)

    def test_tensors_by_row_in_compressed_chunks(self):
        client = self.client(hello=CHUNKED)
        body = tensors.encode_qnt8_rows(np.tile(ARRAY, (20, 4, 1)))
        answer = client.request(zstd.stored(body), tensors.QNT8, flags=COMP)
        self.assertEqual(answer.body, body)
