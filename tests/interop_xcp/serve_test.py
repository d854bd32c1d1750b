"""Does `strait xcp serve --echo` do what the protocol page says, in both dialects and in what lies between?"""

import bodies
import tool
import wire
from benign import TEXT, Benign
from benign_python import BenignPython
from benign_spec import BenignSpec
from frame_header import Header
from harness import AgainstStrait
from hostile import Hostile
from hostile_spec import HostileSpec
from peer import Client, Closed
from wire import DIALECTS, PYTHON, SPEC, Dialect


class SpecFoundOut(Benign, BenignSpec, Hostile, HostileSpec, AgainstStrait):
    dialect = SPEC


class PythonFoundOut(Benign, BenignPython, Hostile, AgainstStrait):
    dialect = PYTHON


class SpecToldOverUnix(Benign, BenignSpec, AgainstStrait):
    dialect, said, scheme = SPEC, "spec", "unix"


class PythonToldOverUnix(Benign, BenignPython, AgainstStrait):
    dialect, said, scheme = PYTHON, "python", "unix"


class JsonHeadersAndElseSpec(Benign, AgainstStrait):
    """The header's encoding is a choice of its own; the rest goes by the checksum's byte order."""

    dialect = Dialect("json, little", "json", "little", "spec")


class CapnProtoHeadersAndElsePython(Benign, AgainstStrait):
    dialect = Dialect("capnp, big", "capnp", "big", "python")


class BothAtOnce(AgainstStrait):
    def test_clients_of_both_dialects_side_by_side(self):
        clients = [self.client(dialect) for dialect in (SPEC, PYTHON, SPEC, PYTHON)]
        for _ in range(10):
            for client in clients:
                body, pong = client.ping()
                self.assertEqual(pong.body, body)
                self.assertEqual(bodies.read_json_ether(client.request(bodies.json_ether(TEXT)).body), TEXT)

    def test_a_server_told_one_dialect_closes_on_the_other(self):
        for said, other in (("spec", PYTHON), ("python", SPEC)):
            self.serve(dialect=said)
            with self.assertRaises(Closed):
                self.client(other)
            self.client(DIALECTS[said]).ping()

    def test_a_server_without_features_says_so(self):
        self.serve(features="none")
        client = self.client(SPEC)
        self.assertEqual((client.features, client.packed), (0, False))
        self.assertEqual(bodies.read_json_ether(client.request(bodies.json_ether(TEXT)).body), TEXT)

    def test_the_golden_frames_of_a_client_are_answered(self):
        from vectors_test import vector

        for names, dialect in (
            (("spec/capnp_hello.bin", "spec/capnp_data_json.bin", "spec/capnp_ping.bin", "spec/capnp_large.bin"), SPEC),
            (("reference/hello.bin", "reference/data_json_text.req.bin", "reference/ping.bin",
              "reference/data_codec8_stock_jsonfallback_text.req.bin", "reference/data_protobuf_text.req.bin"), PYTHON),
        ):  # fmt: skip
            client = self.client(dialect, shake=False)
            for name in names:
                data = vector(name)
                client.write(data)
                answer, asked = client.read_message(), wire.decode(data).header
                self.assertEqual(answer.header.in_reply_to, asked.msg_id, name)
                self.assertNotEqual(answer.type_name, "NACK", name)

    def test_the_reference_would_get_the_golden_answers(self):
        """But for message ids and key orders, which it does not look at, every byte is as the reference sends it."""
        from vectors_test import vector

        client = self.client(PYTHON, shake=False)
        for name in ("data_json_text", "data_codec8_stock_jsonfallback_text", "data_protobuf_text"):
            if name == "data_json_text":
                client.write(vector("reference/hello.bin"))
                client.read_message()
            client.write(vector(f"reference/{name}.req.bin"))
            answer, golden = client.read_message(), wire.decode(vector(f"reference/{name}.resp.bin"))
            self.assertEqual(
                bodies.read_ether(answer.codec, answer.body), bodies.read_ether(answer.codec, golden.payload)
            )
            wanted = Header(**{**golden.header.__dict__, "msg_id": answer.header.msg_id})
            self.assertEqual(answer.header, wanted)

    def test_the_server_ends_when_it_is_told_to(self):
        self.serve()
        client = Client(self.address, SPEC)
        self.process.child.terminate()
        code, _ = self.process.end()
        self.assertIn(code, (0, -15, 143))
        self.assertEqual(client.read_to_end(), [])
        client.close()
        del self.process

    def test_an_address_in_use_is_an_error(self):
        self.serve()
        second = self.strait(tool.serve(self.address))
        code, out = second.end()
        self.assertNotEqual(code, 0)
        self.assertEqual(out, "")
        self.assertNotIn("panicked", second.error_text())
