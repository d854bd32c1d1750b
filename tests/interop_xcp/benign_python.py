"""What does the reference do for a client that others need not do?"""

import json

import numpy as np

import bodies
import tensors
import wire
from benign import TEXT
from bodies import JSON, PROTOBUF
from frame_header import Header, write_json


class BenignPython:
    """Scenarios of dialect "python"; needs `AgainstAServer`."""

    def answer_to(self, client, header_bytes, body):
        client.write(wire.encode(self.dialect, None, body, header_bytes=header_bytes))
        return client.read_message()

    def test_the_first_data_reuses_the_id_of_the_hello(self):
        client = self.client()
        self.assertEqual(client.read_frames[0].header.in_reply_to, 1)
        self.assertEqual(client.request(bodies.json_ether(TEXT)).header.in_reply_to, 1)

    def test_a_ping_may_be_any_bytes_of_any_codec(self):
        client = self.client()
        for codec, body in ((JSON, b""), (PROTOBUF, b"\x08\x01"), (0x7777, bytes(range(256)))):
            pong = client.answer(client.send("PING", body, codec))
            self.assertEqual((pong.type_name, pong.codec, pong.body), ("PONG", codec, body))

    def test_headers_in_any_order_with_spaces_and_more_keys(self):
        client = self.client()
        fields = json.loads(write_json(Header(3, msg_id=9, tags=[("trace", "abc")])))
        fields = {"unknown": [1, {"a": None}], **dict(reversed(fields.items()))}
        answer = self.answer_to(client, json.dumps(fields, indent=1).encode(), bodies.json_ether(TEXT))
        self.assertEqual((answer.header.channel_id, answer.header.in_reply_to), (3, 9))

    def test_an_empty_header_is_data_in_json(self):
        answer = self.answer_to(self.client(), b"{}", bodies.json_ether(TEXT))
        self.assertEqual((answer.type_name, answer.codec, answer.header.in_reply_to), ("DATA", JSON, 0))
        self.assertEqual(bodies.read_json_ether(answer.body), TEXT)

    def test_a_hello_without_anything_gets_no_codecs(self):
        client = self.raw()
        client.write(wire.encode(self.dialect, Header(0, 0, msg_id=1), b"{}"))
        self.assertEqual(bodies.read_hello(client.read_message().body, JSON)["codecs"], [])

    def test_unknown_keys_of_a_hello_are_passed_over(self):
        hello = bodies.hello(features=0xFFFF, features_ext=["x", "capnp-packed"], version="9.9", unknown={"a": [1]})
        client = self.client(hello=hello)
        self.assertEqual(bodies.read_json_ether(client.request(bodies.json_ether(TEXT)).body), TEXT)
        self.assertTrue(all(frame.encoding == "json" and frame.flags == 0 for frame in client.read_frames))

    def test_the_version_is_not_looked_at(self):
        client = self.client()
        client.write(wire.encode(self.dialect, Header(1, msg_id=1), bodies.json_ether(TEXT), version=0x12))
        self.assertEqual(bodies.read_json_ether(client.answer(1).body), TEXT)

    def test_a_second_hello_is_not_answered(self):
        client = self.client()
        client.write_hello()
        body, pong = client.ping()
        self.assertEqual((pong.type_name, pong.body), ("PONG", body))

    def test_other_message_types_are_not_answered(self):
        client = self.client()
        for number in (2, 6, 7, 0x0101, 0xFFFF):
            client.send(number, b"{}")
            body, pong = client.ping()
            self.assertEqual((pong.type_name, pong.body), ("PONG", body), hex(number))

    def test_a_frame_longer_than_the_limit_is_answered_all_the_same(self):
        client = self.client(hello=bodies.hello(bodies.SPEC_CODECS))
        body = tensors.encode_f32(np.arange(1 << 19))
        self.assertGreater(len(body), client.caps["max_frame_bytes"])
        answer = client.request(body, tensors.F32)
        self.assertEqual((answer.body, len(answer.frames)), (body, 1))

    def test_tokens_that_are_no_json_and_numbers_without_end(self):
        client = self.client()
        body = b'{"kind":"k","schema_version":1,"payload":{"a":[NaN,Infinity,-Infinity,1e400,%d]},"metadata":{}}'
        answer = client.request(body % 10**40)
        self.assertEqual(answer.type_name, "DATA")
