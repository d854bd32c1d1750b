"""Does this peer understand every golden vector, field by field, and build it again byte for byte?"""

import json
import os
import unittest
from dataclasses import replace

import numpy as np

import bodies
import capnp_header
import protobuf
import sealing
import tensors
import unzstd
import wire
import zstd
from crc32c import crc32c
from frame_header import Header, SchemaKey
from wire import PYTHON, SPEC

HERE = os.path.dirname(os.path.abspath(__file__))
VECTORS = os.path.join(HERE, "..", "vectors", "xcp")

TEXT = bodies.ether("text", {"text": "Hello, XCP v0.2!"})
HELLO = bodies.compact(bodies.hello())
TENSOR = np.array([[1, -2.5, 3], [0.1, 0, -0.0]])
QUANTA = bytes.fromhex("827b868000ff")

EMBEDDING = SchemaKey(0xC7058CD5, 0xCDE5B5F2, 1, 2, bytes.fromhex("44136fa355b3678a1146ad16f7e8649e"))
FULL = Header(7, 0x0100, 0x0020, EMBEDDING, 0x1122334455667788, 10, [("trace", "abc")])
PROTO_TEXT = protobuf.encode_ether(TEXT)

# File: dialect, flags, header, payload. What is None is taken from the file.
FRAMES = {
    "reference/hello.bin": (PYTHON, 0, Header(0, 0, 1, msg_id=1), HELLO),
    "reference/caps.bin": (PYTHON, 0, Header(0, 1, 1, in_reply_to=1), bodies.compact(bodies.hello([8, 1]))),
    "reference/data_json_text.req.bin": (PYTHON, 0, Header(1, msg_id=1), bodies.json_ether(TEXT)),
    "reference/data_json_text.resp.bin": (PYTHON, 0, Header(1, in_reply_to=1), bodies.json_ether(TEXT)),
    "reference/data_codec8_stock_jsonfallback_text.req.bin": (
        PYTHON,
        0,
        Header(1, body_codec=8, msg_id=3),
        bodies.json_ether(TEXT),
    ),
    "reference/data_codec8_stock_jsonfallback_text.resp.bin": (
        PYTHON,
        0,
        Header(1, body_codec=8, in_reply_to=3),
        bodies.json_ether(TEXT),
    ),
    "reference/data_protobuf_text.req.bin": (PYTHON, 0, Header(1, body_codec=8, msg_id=1), PROTO_TEXT),
    "reference/data_protobuf_text.resp.bin": (PYTHON, 0, Header(1, body_codec=8, in_reply_to=1), PROTO_TEXT),
    "reference/ping.bin": (PYTHON, 0, Header(0, 4, msg_id=4), bodies.ping(1754000000123456)),
    "reference/pong.bin": (PYTHON, 0, Header(0, 5, in_reply_to=4), bodies.ping(1754000000123456)),
    "reference/nack.bin": (PYTHON, 0, Header(0, 3, in_reply_to=6), bodies.nack(6, wire.CODEC_UNSUPPORTED)),
    "spec/capnp_hello.bin": (SPEC, 0, Header(0, 0, msg_id=1), HELLO),
    "spec/capnp_caps_as_hello_reply.bin": (SPEC, 0, Header(0, 0, msg_id=1, in_reply_to=1), HELLO),
    "spec/capnp_data_json.bin": (SPEC, 0, Header(1, msg_id=2), bodies.json_ether(TEXT)),
    "spec/capnp_data_json_packedhdr.bin": (SPEC.packed(), 0, Header(1, msg_id=2), bodies.json_ether(TEXT)),
    "spec/capnp_ack.bin": (SPEC, 0, Header(0, 1, msg_id=3, in_reply_to=2), bodies.ack(2)),
    "spec/capnp_nack.bin": (SPEC, 0, Header(0, 2, msg_id=3, in_reply_to=2), bodies.nack(2, wire.CODEC_UNSUPPORTED)),
    "spec/capnp_ping.bin": (SPEC, 0, Header(0, 3, msg_id=4), bodies.ping(1)),
    "spec/capnp_pong.bin": (SPEC, 0, Header(0, 4, msg_id=5, in_reply_to=4), bodies.ping(1)),
    "spec/capnp_large.bin": (SPEC, wire.LARGE, Header(1, msg_id=7), bodies.json_ether(TEXT)),
    "spec/capnp_more_1of2.bin": (SPEC, wire.MORE, Header(1, msg_id=6), bodies.json_ether(TEXT)[:64]),
    "spec/capnp_more_2of2.bin": (SPEC, 0, Header(1, msg_id=6), bodies.json_ether(TEXT)[64:]),
    "spec/capnp_comp_zstd.bin": (SPEC, wire.COMP, Header(1, msg_id=8), None),
    "spec/capnp_crypt.bin": (SPEC, wire.CRYPT, Header(1, msg_id=9), None),
}
OTHERS = {
    "reference/capnp_A_full.bin", "reference/frame.capnp", "reference/arrow_stream_modern.bin",
    "reference/tensor_f32_2x3.bin", "reference/tensor_f16_2x3.bin", "reference/tensor_qnt8_global_2x3.bin",
    "reference/tensor_qnt8_rowscale_2x3.bin", "reference/mixed_latent_2.bin",
}  # fmt: skip


def vector(name):
    with open(os.path.join(VECTORS, name), "rb") as file:
        return file.read()


class Frames(unittest.TestCase):
    def test_every_vector_is_met(self):
        found = {f"{folder}/{name}" for folder in ("reference", "spec") for name in os.listdir(f"{VECTORS}/{folder}")}
        self.assertEqual(found, FRAMES.keys() | OTHERS)

    def test_every_frame_has_the_fields_it_should_have(self):
        for name, (dialect, flags, header, payload) in FRAMES.items():
            with self.subTest(name):
                frame = wire.decode(vector(name))
                self.assertEqual((frame.version, frame.flags, frame.encoding), (0x02, flags, dialect.encoding))
                self.assertEqual(frame.header, header)
                self.assertEqual(frame.checksum_order(), dialect.crc_order)
                if payload is not None:
                    self.assertEqual(frame.payload, payload)

    def test_every_frame_is_built_again_byte_for_byte(self):
        for name, (dialect, flags, header, payload) in FRAMES.items():
            with self.subTest(name):
                data = vector(name)
                payload = wire.decode(data).payload if payload is None else payload
                self.assertEqual(wire.encode(dialect, header, payload, flags), data)

    def test_chunks_of_a_message_are_those_of_the_vectors(self):
        whole = bodies.json_ether(TEXT)
        first, last = wire.chunks(SPEC, Header(1, msg_id=6), whole, 16 + 32 + 64)
        self.assertEqual(first.to_bytes(), vector("spec/capnp_more_1of2.bin"))
        self.assertEqual(last.to_bytes(), vector("spec/capnp_more_2of2.bin"))

    def test_the_compressed_body_is_eight_ethers(self):
        payload = wire.decode(vector("spec/capnp_comp_zstd.bin")).payload
        self.assertEqual(unzstd.decompress(payload, 968), bodies.json_ether(TEXT) * 8)
        with self.assertRaises(unzstd.TooMuch):
            unzstd.decompress(payload, 967)

    def test_the_checksum_is_castagnoli(self):
        self.assertEqual((crc32c(b""), crc32c(b"123456789")), (0, 0xE3069283))
        # RFC 3720, B.4
        self.assertEqual(crc32c(bytes(32)), 0x8A9136AA)
        self.assertEqual(crc32c(b"\xff" * 32), 0x62A8AB43)
        self.assertEqual(crc32c(bytes(range(32))), 0x46DD794E)

    def test_lanes_and_bytes_make_the_same_checksum(self):
        data = np.random.default_rng(1).integers(0, 256, 70_001, dtype=np.uint8).tobytes()
        for length in (2047, 2048, 2049, 4096, 4097, 65_536, 70_001):
            register = 0xFFFFFFFF
            for byte in data[:length]:
                register ^= byte
                for _ in range(8):
                    register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
            self.assertEqual(crc32c(data[:length]), register ^ 0xFFFFFFFF, length)


class Headers(unittest.TestCase):
    def test_the_full_header_is_read_and_written(self):
        data = vector("reference/capnp_A_full.bin")
        self.assertEqual(capnp_header.read(data), FULL)
        self.assertEqual(capnp_header.write(FULL), data)
        self.assertEqual(capnp_header.write(FULL, full=True), data)
        self.assertEqual(len(capnp_header.pack(data)), 81)
        self.assertEqual(capnp_header.unpack(capnp_header.pack(data)), data)

    def test_headers_are_as_long_as_documented(self):
        key = SchemaKey(kind_id=0xCDE5B5F2, major=1)
        sizes = [
            (Header(0, 4, 1, msg_id=5), 56, 32, 9),
            (Header(1, msg_id=5), 56, 32, 10),
            (Header(1, msg_id=1_000_000), 56, 32, 12),
            (Header(1, msg_id=6, in_reply_to=5), 56, 40, 12),
            (Header(1, msg_id=5, schema_key=key), 80, 56, 20),
            (Header(1, msg_id=5, schema_key=replace(EMBEDDING, minor=0)), 96, 80, 47),
        ]
        for header, stock, canonical, packed in sizes:
            with self.subTest(header):
                data = capnp_header.write(header)
                found = [len(form) for form in (capnp_header.write(header, full=True), data, capnp_header.pack(data))]
                self.assertEqual(found, [stock, canonical, packed])
                self.assertEqual(
                    [capnp_header.read(data), capnp_header.read(capnp_header.write(header, full=True))],
                    [header, header],
                )

    def test_a_header_spread_over_segments_is_read(self):
        for header in (FULL, Header(1, msg_id=5), Header(0, 0, 0)):
            self.assertEqual(capnp_header.read(capnp_header.write_far(header)), header)
            self.assertEqual(capnp_header.read(capnp_header.write_double_far(header)), header)

    def test_a_broken_header_is_an_error_wherever_it_breaks(self):
        whole = capnp_header.write(FULL)
        for length in range(len(whole)):
            with self.assertRaises(wire.HeaderError):
                capnp_header.read(whole[:length])
        packed = capnp_header.pack(whole)
        for length in range(len(packed)):
            with self.assertRaises(wire.HeaderError):
                capnp_header.read(capnp_header.unpack(packed[:length]))


class Bodies(unittest.TestCase):
    def test_zstd_frames_made_by_hand_are_read(self):
        for length in (0, 1, 131_072, 131_073, 400_000):
            data = bytes(range(250)) * 1600
            self.assertEqual(unzstd.decompress(zstd.stored(data[:length]), length), data[:length])
            self.assertEqual(unzstd.decompress(zstd.repeated(7, length or 1), length or 1), b"\7" * (length or 1))
        for bomb in (zstd.repeated(0, 1 << 20), zstd.repeated(0, 1 << 20, window_log=20)):
            with self.assertRaises(unzstd.TooMuch):
                unzstd.decompress(bomb, (1 << 20) - 1)

    def test_tensors_are_made_byte_for_byte(self):
        levels = np.frombuffer(QUANTA, np.uint8).reshape(2, 3).astype(np.float64) - 128
        self.assertEqual(tensors.encode_f32(TENSOR), vector("reference/tensor_f32_2x3.bin"))
        self.assertEqual(tensors.encode_f16(TENSOR), vector("reference/tensor_f16_2x3.bin"))
        made = tensors.encode_qnt8(levels * 0.5, 0.5)
        self.assertEqual(made, vector("reference/tensor_qnt8_global_2x3.bin"))
        made = tensors.encode_qnt8_rows(levels * [[0.5], [0.25]], [0.5, 0.25])
        self.assertEqual(made, vector("reference/tensor_qnt8_rowscale_2x3.bin"))

    def test_tensors_mean_the_documented_numbers(self):
        found = tensors.decode(tensors.F32, vector("reference/tensor_f32_2x3.bin"))
        self.assertEqual(found.tobytes(), TENSOR.astype("<f4").tobytes())
        found = tensors.decode(tensors.F16, vector("reference/tensor_f16_2x3.bin"))
        self.assertEqual(found.tobytes(), TENSOR.astype("<f2").tobytes())
        found = tensors.decode(tensors.QNT8, vector("reference/tensor_qnt8_global_2x3.bin"))
        self.assertEqual(found.tolist(), [[1, -2.5, 3], [0, -64, 63.5]])
        found = tensors.decode(tensors.QNT8, vector("reference/tensor_qnt8_rowscale_2x3.bin"))
        self.assertEqual(found.tolist(), [[1, -2.5, 3], [0, -32, 31.75]])

    def test_several_tensors_in_one_body(self):
        data = vector("reference/mixed_latent_2.bin")
        parts = [(2, vector("reference/tensor_f32_2x3.bin")), (4, vector("reference/tensor_qnt8_global_2x3.bin"))]
        self.assertEqual(bodies.read_mixed_latent(data), parts)
        self.assertEqual(bodies.mixed_latent(parts), data)

    def test_an_ether_in_protobuf(self):
        self.assertEqual(PROTO_TEXT.hex(), "0a047465787410011a180a04746578741210" + b"Hello, XCP v0.2!".hex())
        self.assertEqual(protobuf.decode_ether(PROTO_TEXT), TEXT)
        item = {"id": "a", "media_type": "x/y", "shape": [2, 300], "size_bytes": 1 << 40, "inline_bytes": b"\0\xff"}
        rich = bodies.ether("k", {"n": 768, "b": b"\xff\0", "t": "true"}, {"m": [1.5, None]}, {"e": True}, [item], 3)
        self.assertEqual(protobuf.decode_ether(protobuf.encode_ether(rich)), rich)
        self.assertEqual(bodies.read_json_ether(bodies.json_ether({**rich, "payload": {}})), {**rich, "payload": {}})

    def test_control_messages_in_protobuf(self):
        kinds = [{"kind_id": 0x6EA7E21B, "major": 1, "min_minor": 0, "max_minor": 5}]
        hello = bodies.hello([1, 8, 32, 33], 1 << 20, True, kinds)
        data = bytes.fromhex("0a0401082021108080401a0a089bc49ff506100120052801")
        self.assertEqual(protobuf.encode_hello(hello), data)
        self.assertEqual(protobuf.decode_hello(data), hello)
        self.assertEqual(protobuf.encode_nack(7, 2, 250).hex(), "0807100218fa01")
        self.assertEqual(bodies.read_nack(bytes.fromhex("0807100218fa01"), 8), json.loads(bodies.nack(7, 2, 250)))

    def test_the_sealed_message_is_opened_and_sealed_again(self):
        hello, caps = vector("spec/capnp_hello.bin"), vector("spec/capnp_caps_as_hello_reply.bin")
        secret = bytes(range(32))
        self.assertEqual(sealing.nonce(secret, 1, 7).hex(), "95d627eb88c4622f04317a9d")
        key, nonce_key = sealing.keys(secret, b"\x11" * 16, b"\x22" * 16, hello, caps, b"c2s")
        self.assertEqual(key.hex(), "d2ae58ed1907f7162d3e449e12c28ed113daa06afe640ed5c2dc0f00812609aa")
        self.assertEqual(nonce_key.hex(), "690ce8d1ca138a37f33f6ceb64f62186abfd538c4622583fc3da525094437388")
        nonce = sealing.nonce(nonce_key, 9, 1)
        self.assertEqual(nonce.hex(), "8d6eaa1672d134f697347cf0")
        frame = wire.decode(vector("spec/capnp_crypt.bin"))
        self.assertEqual(frame.payload[-16:].hex(), "9fee56f2b174fa55c6ce85042271055b")
        body = sealing.open_sealed(key, nonce, frame.payload, sealing.associated(frame))
        self.assertEqual(body, bodies.json_ether(TEXT))
        self.assertEqual(sealing.seal(key, nonce, body, sealing.associated(frame)), frame.payload)
        with self.assertRaises(sealing.Forged):
            sealing.open_sealed(key, nonce, frame.payload, sealing.associated(frame) + b"\0")

    def test_kinds_have_their_true_hash(self):
        kinds = {"text": 0xBDE64E3E, "tokens": 0xFCEBC453, "embedding": 0xCDE5B5F2, "image": 0xB35135FA}
        self.assertEqual({kind: bodies.fnv1a(kind) for kind in kinds}, kinds)


if __name__ == "__main__":
    unittest.main()
