"""Does `strait xcp` as a client get along with servers of both dialects, good and bad?"""

import base64
import os
import socket
import threading

import numpy as np

import bodies
import tensors
import tool
import unzstd
import wire
from benign import EMBEDDING, RICH, TEXT
from frame_header import Header
from harness import Scenario
from peer import PATIENCE, Connection
from vectors_test import FRAMES, vector
from wire import COMP, MORE, PYTHON, SPEC


class Scripted:
    """A server that reads a HELLO, answers with made-up bytes, and closes. `says`: from the dialect to those bytes."""

    def __init__(self, says, dialect):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "tcp://127.0.0.1:{}".format(self.listener.getsockname()[1])
        self.says, self.dialect = says, dialect
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with sock:
                sock.settimeout(PATIENCE)
                try:
                    wire.read_frame(Connection(sock, self.dialect)._read)
                    sock.sendall(self.says)
                    sock.shutdown(socket.SHUT_WR)
                    while sock.recv(1 << 16):
                        pass
                except (OSError, wire.WireError):
                    pass

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(PATIENCE)


class Tool(Scenario):
    """What both need: files, and runs that succeed or fail."""

    def write_file(self, data, name="file"):
        path = os.path.join(self.folder(), name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def write_array(self, array):
        path = os.path.join(self.folder(), "array.npy")
        np.save(path, array)
        return path

    def succeed(self, command, stdin=b""):
        process = self.strait(command, stdin)
        code, out = process.end()
        self.assertEqual(code, 0, f"{command}\n{out}{process.error_text()}")
        return out

    def fail_well(self, command, stdin=b""):
        """It must end by itself, with a word on standard error."""
        process = self.strait(command, stdin)
        code, out = process.end()
        self.assertNotIn(code, (0, 101), f"{command}\n{out}{process.error_text()}")
        self.assertGreater(code, 0, "killed by a signal")
        self.assertNotIn("panicked", process.error_text())
        self.assertNotEqual(process.error_text().strip(), "")
        return process.error_text()


class Client(Tool):
    def data(self, server):
        """The body and codec of the only DATA the server got."""
        server.wait_until_idle()
        self.assertEqual(server.violations, [])
        ((header, body),) = ((header, body) for name, header, body in server.messages if name == "DATA")
        return header.body_codec, body

    def servers(self):
        """Every dialect over TCP and Unix sockets, with the name to be told and `auto`."""
        for dialect in ("spec", "python"):
            for scheme in ("tcp", "unix"):
                for told in (dialect, "auto", None):
                    with self.subTest(dialect=dialect, scheme=scheme, told=told):
                        yield self.python_server(dialect, scheme), told

    def test_a_ping(self):
        for server, told in self.servers():
            self.succeed(tool.ping(server.address, told))
            server.wait_until_idle()
            self.assertGreaterEqual([name for name, _, _ in server.messages].count("PING"), 1)
            if told == server.dialect.name:
                self.assertEqual(server.violations, [])

    def test_ethers_in_json(self):
        for ether in (TEXT, RICH, EMBEDDING):
            path = self.write_file(bodies.json_ether(ether), "ether.json")
            for dialect in ("spec", "python"):
                server = self.python_server(dialect)
                self.succeed(tool.send_json(server.address, path, dialect))
                codec, body = self.data(server)
                self.assertEqual(bodies.read_ether(codec, body), ether)

    def test_tensors(self):
        array = np.random.default_rng(5).normal(size=(3, 4, 5))
        for kind, codec in (("<f4", tensors.F32), ("<f2", tensors.F16)):
            path = self.write_array(array.astype(kind))
            server = self.python_server("spec")
            self.succeed(tool.send_tensor(server.address, path, "spec"))
            found, body = self.data(server)
            self.assertEqual(found, codec)
            self.assertTrue(np.array_equal(tensors.decode(codec, body), array.astype(kind)))

    def test_tensors_for_the_reference_go_as_ethers_if_asked_for(self):
        """It offers no codec of tensors, and what is not agreed on is not sent."""
        array = np.random.default_rng(5).normal(size=(3, 4, 5)).astype("<f4")
        path = self.write_array(array)
        server = self.python_server("python")
        self.assertIn("--as-codec", self.fail_well(tool.send_tensor(server.address, path, "python")))
        self.succeed(tool.send_tensor(server.address, path, "python", as_codec="json"))
        (item,) = bodies.read_ether(*self.data(server))["attachments"]
        self.assertEqual((item["dtype"], item["shape"]), ("float32", [3, 4, 5]))
        self.assertEqual(item["inline_bytes"], array.tobytes())

    def test_a_file(self):
        data = bytes(range(256)) * 20
        path = self.write_file(data)
        for dialect in ("spec", "python"):
            server = self.python_server(dialect)
            self.succeed(tool.send_file(server.address, path, dialect))
            _, body = self.data(server)
            self.assertTrue(data in body or base64.b64encode(data) in body)

    def test_compressed(self):
        ether = bodies.ether("text", {"text": "the same words again and again; " * 3000})
        path = self.write_file(bodies.json_ether(ether), "ether.json")
        server = self.python_server("spec")
        self.succeed(tool.send_json(server.address, path, "spec", compress=True))
        self.assertEqual(bodies.read_ether(*self.data(server)), ether)
        (frame,) = (frame for frame in server.frames if frame.header.msg_type == 0x0100)
        self.assertTrue(frame.flags & COMP)
        self.assertLess(len(frame.payload), 10_000)
        self.assertEqual(len(unzstd.decompress(frame.payload, 1 << 20)), len(self.data(server)[1]))

    def test_nothing_is_compressed_for_who_cannot_read_it(self):
        path = self.write_file(bodies.json_ether(bodies.ether("text", {"text": "a" * 50_000})), "ether.json")
        for dialect, behaviour in (("spec", {"features": MORE}), ("python", {})):
            server = self.python_server(dialect, **behaviour)
            self.strait(tool.send_json(server.address, path, dialect, compress=True)).end()
            server.wait_until_idle()
            self.assertFalse(any(frame.flags & COMP for frame in server.frames))

    def test_a_compressed_answer(self):
        path = self.write_file(bodies.json_ether(RICH), "ether.json")
        server = self.python_server("spec", compress=True)
        self.succeed(tool.send_json(server.address, path, "spec"))

    def test_a_long_message_goes_in_chunks(self):
        array = np.random.default_rng(6).normal(size=1 << 18).astype("<f4")
        server = self.python_server("spec", max_frame=1 << 16)
        self.succeed(tool.send_tensor(server.address, self.write_array(array), "spec"))
        self.assertTrue(np.array_equal(tensors.decode(*self.data(server)), array))
        frames = [frame for frame in server.frames if frame.header.msg_type == 0x0100]
        self.assertTrue(all(len(frame.to_bytes()) <= 1 << 16 for frame in frames))
        self.assertEqual([bool(frame.flags & MORE) for frame in frames], [True] * (len(frames) - 1) + [False])
        self.assertEqual(len({frame.header_bytes for frame in frames}), 1)

    def test_a_long_message_goes_in_one_frame_to_the_reference(self):
        array = np.random.default_rng(6).normal(size=1 << 17).astype("<f4")
        server = self.python_server("python")
        self.succeed(tool.send_tensor(server.address, self.write_array(array), "python", as_codec="json"))
        (item,) = bodies.read_ether(*self.data(server))["attachments"]
        self.assertEqual(item["inline_bytes"], array.tobytes())
        self.assertEqual(len([frame for frame in server.frames if frame.header.msg_type == 0x0100]), 1)

    def test_a_long_message_is_no_message_for_who_takes_no_chunks(self):
        array = np.zeros(1 << 18, "<f4")
        server = self.python_server("spec", max_frame=1 << 16, features=0)
        self.fail_well(tool.send_tensor(server.address, self.write_array(array), "spec"))
        server.wait_until_idle()
        self.assertTrue(all(len(frame.to_bytes()) <= 1 << 16 for frame in server.frames))

    def test_auto_falls_back_to_what_the_reference_speaks(self):
        path = self.write_file(bodies.json_ether(TEXT), "ether.json")
        server = self.python_server("python")
        self.succeed(tool.send_json(server.address, path, "auto"))
        server.wait_until_idle()
        self.assertEqual(len(server.connections), 2)
        first, second = (connection.read_frames for connection in server.connections)
        self.assertEqual((len(first), first[0].encoding, first[0].checksum_order()), (1, "capnp", "little"))
        self.assertEqual({(frame.encoding, frame.flags) for frame in second}, {("json", 0)})
        self.assertEqual({frame.checksum_order() for frame in second} - {"either"}, {"big"})
        self.assertEqual([frame.header.msg_type for frame in second][:2], [0, 0x0100])

    def test_auto_needs_one_connection_where_spec_is_spoken(self):
        server = self.python_server("spec")
        self.succeed(tool.ping(server.address, "auto"))
        server.wait_until_idle()
        self.assertEqual(len(server.connections), 1)

    def test_told_the_wrong_dialect_it_fails(self):
        for dialect, told in (("spec", "python"), ("python", "spec")):
            server = self.python_server(dialect)
            self.fail_well(tool.ping(server.address, told))
            server.wait_until_idle()
            self.assertEqual(len(server.connections), 1)

    def test_its_headers_are_packed_only_if_both_know_them(self):
        server = self.python_server("spec", features_ext=[])
        self.succeed(tool.ping(server.address, "spec"))
        server.wait_until_idle()
        self.assertEqual({frame.encoding for frame in server.frames}, {"capnp"})

    def test_its_hello_says_what_it_can(self):
        server = self.python_server("spec")
        self.succeed(tool.ping(server.address, "spec"))
        server.wait_until_idle()
        frame = server.frames[0]
        hello = bodies.read_hello(frame.payload, frame.header.body_codec)
        self.assertIn(bodies.JSON, hello["codecs"])
        self.assertEqual((frame.version, frame.flags), (0x02, 0))
        self.assertNotEqual(frame.header.msg_id, 0)
        self.assertIs(hello["shared_mem"], False)

    def test_a_codec_the_server_does_not_know(self):
        server = self.python_server("spec", codecs=[bodies.JSON])
        path = self.write_array(np.zeros(3, "<f4"))
        self.fail_well(tool.send_tensor(server.address, path, "spec"))

    def test_servers_that_misbehave(self):
        for dialect in (SPEC, PYTHON):
            types = dialect.types
            name = "CAPS" if dialect is PYTHON else "HELLO"
            header = Header(0, types[name], in_reply_to=1, msg_id=0 if dialect is PYTHON else 1)
            caps = bodies.compact(bodies.hello())
            good = wire.frame(dialect, header, caps)
            bad = wire.frame(dialect, header, caps)
            bad.checksum = bytes(4)
            huge = wire.frame(dialect, header, b"", wire.LARGE).to_bytes()
            answers = (
                b"", b"\x10", b"HTTP/1.1 400 Bad Request\r\n\r\n", good.to_bytes()[:-1], bad.to_bytes(),
                huge[:-12] + b"\xff" * 8 + bytes(100), wire.encode(dialect, header, b"[]"),
                wire.encode(dialect, header, bodies.compact(bodies.hello([0x7777]))),
                wire.encode(dialect, Header(0, types["NACK"], in_reply_to=1), bodies.nack(1, wire.BAD_VERSION)),
                wire.encode(dialect, Header(0, types["PONG"], in_reply_to=1), caps),
                wire.encode(dialect, None, caps, header_bytes=b"\xff" * 40),
                good.to_bytes(),  # and nothing after it
            )  # fmt: skip
            for says in answers:
                with self.subTest(dialect=dialect.name, says=says[:60]):
                    server = Scripted(says, dialect)
                    self.addCleanup(server.stop)
                    self.fail_well(tool.ping(server.address, dialect.name))

    def test_nobody_there(self):
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        listener.close()
        self.fail_well(tool.ping(f"tcp://127.0.0.1:{port}", "auto"))
        self.fail_well(tool.ping(f"unix://{self.folder()}/nobody", "auto"))

    def test_files_that_are_not_what_they_should_be(self):
        server = self.python_server("spec")
        for make, data in ((tool.send_json, b"{"), (tool.send_json, b"[1]"), (tool.send_tensor, b"\x93NUMPY"),
                           (tool.send_tensor, b"")):  # fmt: skip
            self.fail_well(make(server.address, self.write_file(data), "spec"))
        self.fail_well(tool.send_json(server.address, f"{self.folder()}/nothing", "spec"))
        self.assertEqual(server.messages, [])


class Decode(Tool):
    def expected(self, frame):
        header = frame.header
        return {
            "channel_id": header.channel_id, "body_codec": header.body_codec, "msg_id": header.msg_id,
            "in_reply_to": header.in_reply_to, "payload_len": len(frame.payload),
        }  # fmt: skip

    def test_every_golden_frame(self):
        for name in FRAMES:
            with self.subTest(name):
                data = vector(name)
                wanted = self.expected(wire.decode(data))
                self.assertEqual(tool.decoded(self.succeed(tool.decode(self.write_file(data)))), wanted)
                self.assertEqual(tool.decoded(self.succeed(tool.decode("-"), data)), wanted)

    def test_what_is_no_frame(self):
        good = vector("spec/capnp_data_json.bin")
        for data in (b"", b"\0" * 16, good[:-1], good[:20], bytes([good[0] ^ 1]) + good[1:], good[:-1] + b"\0"):
            self.fail_well(tool.decode("-"), data)
