"""Do the packages that others use agree with what this peer made by hand? They must be installed."""

import json
import os
import unittest

import capnp
import google_crc32c
import numpy as np
import zstandard
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

import bodies
import capnp_header
import protobuf
import unzstd
import zstd
from crc32c import crc32c
from frame_header import Header, SchemaKey
from vectors_test import EMBEDDING, FULL, VECTORS, vector

HEADERS = [
    FULL,
    Header(0, 0, 0),
    Header(0, 4, 1, msg_id=5),
    Header(1, msg_id=2**64 - 1),
    Header(2**32 - 1, 2**16 - 1, 2**16 - 1, None, 6, 2**64 - 1),
    Header(1, msg_id=5, schema_key=SchemaKey(kind_id=0xCDE5B5F2, major=1)),
    Header(1, msg_id=5, schema_key=EMBEDDING),
    Header(1, msg_id=5, tags=[("ack", "1"), ("", ""), ("längs", "é" * 300)]),
]


def as_header(read):
    key = read.schemaKey
    found = SchemaKey(key.nsHash, key.kindId, key.major, key.minor, bytes(key.hash128))
    tags = [(tag.key, tag.val) for tag in read.tags]
    fields = (read.channelId, read.msgType, read.bodyCodec)
    return Header(*fields, None if found == SchemaKey() else found, read.msgId, read.inReplyTo, tags)


class CapnProto(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.schema = capnp.load(os.path.join(VECTORS, "reference", "frame.capnp")).FrameHeader

    def build(self, header):
        """As an ordinary program does it: null where nothing is to be said."""
        made = self.schema.new_message(
            channelId=header.channel_id,
            msgType=header.msg_type,
            bodyCodec=header.body_codec,
            msgId=header.msg_id,
            inReplyTo=header.in_reply_to,
        )
        if header.schema_key:
            key = made.init("schemaKey")
            key.nsHash, key.kindId = header.schema_key.ns_hash, header.schema_key.kind_id
            key.major, key.minor = header.schema_key.major, header.schema_key.minor
            if header.schema_key.hash128:
                key.hash128 = header.schema_key.hash128
        if header.tags:
            tags = made.init("tags", len(header.tags))
            for tag, (name, value) in zip(tags, header.tags):
                tag.key, tag.val = name, value
        return made

    def test_it_reads_every_form_of_a_header(self):
        for header in HEADERS:
            forms = (
                capnp_header.write(header),
                capnp_header.write(header, full=True),
                capnp_header.write_far(header),
                capnp_header.write_double_far(header),
            )
            for data in forms:
                with self.subTest(header=header, data=data.hex()):
                    with self.schema.from_bytes(data) as read:
                        self.assertEqual(as_header(read), header)
                    self.assertEqual(as_header(self.schema.from_bytes_packed(capnp_header.pack(data))), header)

    def test_its_headers_are_read(self):
        for header in HEADERS:
            with self.subTest(header):
                self.assertEqual(capnp_header.read(self.build(header).to_bytes()), header)
                packed = self.build(header).to_bytes_packed()
                self.assertEqual(capnp_header.read(capnp_header.unpack(packed)), header)

    def test_it_writes_the_same_bytes(self):
        for header in HEADERS:
            with self.subTest(header):
                data = self.build(header).to_bytes()
                self.assertEqual(capnp_header.write(header, full=True), data)
                self.assertEqual(capnp_header.pack(data), self.build(header).to_bytes_packed())

    def test_its_headers_of_several_segments_are_read(self):
        header = Header(1, msg_id=5, schema_key=EMBEDDING, tags=[(f"key{i}", "v" * i) for i in range(400)])
        made = self.build(header)
        data = made.to_bytes()
        self.assertGreater(int.from_bytes(data[:4], "little"), 0, "more than one segment")
        self.assertEqual(capnp_header.read(data), header)


class Checksums(unittest.TestCase):
    def test_they_are_the_same(self):
        data = np.random.default_rng(2).integers(0, 256, 1 << 20, dtype=np.uint8).tobytes()
        for length in (0, 1, 3, 4, 5, 100, 2047, 2048, 4095, 65_537, 1 << 20):
            self.assertEqual(crc32c(data[:length]), google_crc32c.value(data[:length]), length)

    def test_the_reference_sends_the_digest_as_it_is(self):
        data = vector("reference/hello.bin")
        self.assertEqual(data[-4:], google_crc32c.Checksum(data[-4 - 85 : -4]).digest())


def message_classes():
    """EtherProto and Hello, from descriptors made here."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="xcp.proto", package="xcp", syntax="proto3")

    def field(message, number, name, kind, repeated=False, type_name=None):
        label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
        message.field.add(name=name, number=number, type=kind, label=label, type_name=type_name)

    ether = file.message_type.add(name="EtherProto")
    field(ether, 1, "kind", kinds.TYPE_STRING)
    field(ether, 2, "schema_version", kinds.TYPE_UINT32)
    for number, name, entry_name in ((3, "payload", "PayloadEntry"), (4, "metadata", "MetadataEntry"),
                                     (5, "extra_fields", "ExtraFieldsEntry")):  # fmt: skip
        entry = ether.nested_type.add(name=entry_name)
        entry.options.map_entry = True
        field(entry, 1, "key", kinds.TYPE_STRING)
        field(entry, 2, "value", kinds.TYPE_BYTES)
        field(ether, number, name, kinds.TYPE_MESSAGE, True, f".xcp.EtherProto.{entry_name}")
    field(ether, 6, "attachments", kinds.TYPE_MESSAGE, True, ".xcp.AttachmentProto")
    item = file.message_type.add(name="AttachmentProto")
    for number, name in protobuf.ATTACHMENT.items():
        special = {"shape": kinds.TYPE_UINT32, "size_bytes": kinds.TYPE_UINT64, "inline_bytes": kinds.TYPE_BYTES}
        field(item, number, name, special.get(name, kinds.TYPE_STRING), name == "shape")
    hello = file.message_type.add(name="Hello")
    field(hello, 1, "codecs", kinds.TYPE_UINT32, True)
    field(hello, 2, "max_frame_bytes", kinds.TYPE_UINT32)
    for number, name in protobuf.HELLO_KINDS.items():
        field(hello, number, name, kinds.TYPE_MESSAGE, True, ".xcp.KindRange")
    field(hello, 5, "shared_mem", kinds.TYPE_BOOL)
    kind_range = file.message_type.add(name="KindRange")
    for number, name in protobuf.KIND_RANGE.items():
        field(kind_range, number, name, kinds.TYPE_UINT32)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    names = ("EtherProto", "Hello")
    return [message_factory.GetMessageClass(pool.FindMessageTypeByName(f"xcp.{name}")) for name in names]


ITEM = {"id": "a", "uri": "shm://emb/42", "media_type": "x/y", "codec": "TENSOR_F32", "shape": [2, 300, 70_000],
        "dtype": "f4", "size_bytes": 1 << 40, "inline_bytes": b"\0\xff"}  # fmt: skip
RICH = bodies.ether("k", {"n": 768, "b": b"\xff\0", "t": "true"}, {"m": [1.5, None]}, {"e": True}, [ITEM], 300)


class Protobuf(unittest.TestCase):
    def test_an_ether_is_read_and_its_marks_are_passed_over(self):
        ether_class, _ = message_classes()
        read = ether_class.FromString(protobuf.encode_ether(RICH))
        self.assertEqual((read.kind, read.schema_version), ("k", 300))
        self.assertEqual(dict(read.payload), {"n": b"768", "b": b"\xff\0", "t": b"true"})
        self.assertEqual((dict(read.metadata), dict(read.extra_fields)), ({"m": b"[1.5,null]"}, {"e": b"true"}))
        (item,) = read.attachments
        found = {name: getattr(item, name) for name in bodies.ATTACHMENT_KEYS}
        self.assertEqual({**found, "shape": list(item.shape)}, ITEM)
        # It keeps what it does not know.
        self.assertEqual(protobuf.decode_ether(read.SerializeToString()), RICH)

    def test_an_ether_is_written_and_read_as_texts(self):
        ether_class, _ = message_classes()
        made = ether_class(kind="text", schema_version=1, payload={"text": b"Hello, XCP v0.2!"})
        self.assertEqual(
            made.SerializeToString(), protobuf.encode_ether(bodies.ether("text", {"text": "Hello, XCP v0.2!"}))
        )
        made.attachments.add(id="a", shape=[1, 2, 3])
        made.metadata["n"] = b"768"
        read = protobuf.decode_ether(made.SerializeToString())
        self.assertEqual(read["metadata"], {"n": "768"})
        self.assertEqual(
            read["attachments"], bodies.ether("", {}, attachments=[{"id": "a", "shape": [1, 2, 3]}])["attachments"]
        )

    def test_a_hello_is_the_same_bytes(self):
        _, hello_class = message_classes()
        kinds = [{"kind_id": 0x6EA7E21B, "major": 1, "min_minor": 0, "max_minor": 5}]
        hello = bodies.hello([1, 8, 0x7777], 1 << 20, True, kinds, kinds)
        made = hello_class(**json.loads(bodies.compact(hello)))
        self.assertEqual(made.SerializeToString(), protobuf.encode_hello(hello))
        self.assertEqual(protobuf.decode_hello(made.SerializeToString()), hello)


class Zstd(unittest.TestCase):
    def setUp(self):
        random = np.random.default_rng(3)
        self.samples = [
            b"", b"a", b"abc" * 1000, random.bytes(3000), bytes(1 << 20),
            random.normal(size=40_000).astype("<f4").tobytes(),
            random.geometric(0.3, 150_000).astype(np.uint8).tobytes(),
            vector("reference/frame.capnp") * 100,
        ]  # fmt: skip

    def test_its_frames_are_read(self):
        for sample in self.samples:
            for level in (-5, 1, 3, 19):
                with self.subTest(length=len(sample), level=level):
                    for options in ({}, {"write_checksum": True}, {"write_content_size": False}):
                        data = zstandard.ZstdCompressor(level=level, **options).compress(sample)
                        self.assertEqual(unzstd.decompress(data, 1 << 20), sample)

    def test_it_reads_frames_made_by_hand(self):
        for sample in self.samples:
            read = zstandard.ZstdDecompressor().decompressobj().decompress
            self.assertEqual(read(zstd.stored(sample)), sample)
        for window_log in (None, 20):
            read = zstandard.ZstdDecompressor().decompressobj().decompress
            self.assertEqual(read(zstd.repeated(7, 10_000_001, window_log=window_log)), b"\7" * 10_000_001)

    def test_a_damaged_frame_is_an_error_or_other_bytes(self):
        data = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(self.samples[-1]))
        for at in range(0, len(data), 7):
            data[at] ^= 0x41
            with self.assertRaises(unzstd.ZstdError, msg=at):
                unzstd.decompress(data, 1 << 20)
            data[at] ^= 0x41


if __name__ == "__main__":
    unittest.main()
