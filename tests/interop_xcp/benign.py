"""What must any server of any dialect do for a client that keeps to the rules?"""

import math
import threading

import numpy as np

import bodies
import protobuf
import tensors
import wire
from bodies import JSON, MIXED_LATENT, PROTOBUF
from frame_header import Header
from peer import Client

RANDOM = np.random.default_rng(20240801)
TEXT = bodies.ether("text", {"text": "Hello, XCP v0.2!"})
RICH = bodies.ether(
    "note",
    {
        "text": 'ünï "quoted" \\ / \n\t\u0001 \U0001f980',
        "numbers": [0, -1, 2**53, 2**63 - 1, -(2**63), 0.1, 1e-300, 1.7976931348623157e308, -2.5],
        "nested": {"a": [True, False, None, {"": []}]},
    },
    {"trace_id": "t-1", "lineage": [{"node": "n", "version": "1", "ts": "2025-08-04T00:00:00Z"}]},
    {"more": 1.5},
    [{"id": "a", "uri": "shm://emb/42", "media_type": "x/y", "codec": "TENSOR_F32", "shape": [2, 3], "dtype": "f4",
      "size_bytes": 24}],
)  # fmt: skip
EMBEDDING = bodies.ether("embedding", {"dim": 768, "values": RANDOM.normal(size=768).tolist()}, {"norm": 1.0})
ARRAY = RANDOM.normal(size=(5, 7, 64))


class Benign:
    """Scenarios; needs `AgainstAServer`."""

    def codecs(self):
        """A client that knows all codecs, whatever the dialect."""
        extension = {"features": bodies.ALL_FEATURES} if self.dialect.numbering == "spec" else {}
        return self.client(hello=bodies.hello(bodies.SPEC_CODECS, **extension))

    def echo(self, client, codec, body, **options):
        answer = client.request(body, codec, **options)
        self.assertEqual((answer.type_name, answer.codec), ("DATA", codec))
        return answer

    def assert_ether_comes_back(self, client, codec, body):
        answer = self.echo(client, codec, body)
        self.assertEqual(bodies.read_ether(codec, answer.body), bodies.read_ether(codec, body))
        self.assertEqual(answer.body[:1] == b"{", body[:1] == b"{", "the form in which the request came")

    def test_a_hello_is_answered_by_what_both_can_do(self):
        client = self.client()
        self.assertIn(JSON, client.caps["codecs"])
        self.assertGreaterEqual(client.caps["max_frame_bytes"], 1 << 16)
        self.assertIs(client.caps["shared_mem"], False)
        (frame,) = client.read_frames
        self.assertEqual((frame.header.channel_id, frame.header.body_codec, frame.flags), (0, JSON, 0))

    def test_a_ping_comes_back_byte_for_byte(self):
        client = self.client()
        for nonce in (0, 1, 2**53, 2**64 - 1):
            body, pong = client.ping(nonce)
            self.assertEqual((pong.type_name, pong.body, pong.codec), ("PONG", body, JSON))
            self.assertEqual((pong.header.channel_id, pong.header.in_reply_to), (0, client.next_id - 1))

    def test_a_text_as_json(self):
        client = self.client()
        for _ in range(3):
            self.assert_ether_comes_back(client, JSON, bodies.json_ether(TEXT))

    def test_everything_json_can_say(self):
        self.assert_ether_comes_back(self.client(), JSON, bodies.json_ether(RICH))

    def test_bytes_in_an_attachment(self):
        for data in (b"", b"\0", bytes(range(256))):
            item = {"id": "a", "media_type": "x/y", "inline_bytes": data}
            ether = bodies.ether("text", {}, attachments=[item])
            self.assert_ether_comes_back(self.client(), JSON, bodies.json_ether(ether))

    def test_an_embedding_keeps_every_bit_of_its_numbers(self):
        self.assert_ether_comes_back(self.client(), JSON, bodies.json_ether(EMBEDDING))

    def test_json_under_the_codec_of_protobuf(self):
        client = self.client()
        for ether in (TEXT, RICH, EMBEDDING):
            self.assert_ether_comes_back(client, PROTOBUF, bodies.json_ether(ether))

    def test_true_protobuf(self):
        client = self.client()
        for ether in (TEXT, EMBEDDING):
            texts = {**ether, "payload": {key: str(value) for key, value in ether["payload"].items()}, "metadata": {}}
            self.assert_ether_comes_back(client, PROTOBUF, protobuf.encode_ether(texts, marked=False))

    def test_exact_and_half_tensors(self):
        client = self.codecs()
        special = np.array([0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, 65504])
        for array in (ARRAY, special, ARRAY[0, 0, :1], ARRAY.reshape(1, 1, 5, 7, 64, 1)):
            for codec, encode in ((tensors.F32, tensors.encode_f32), (tensors.F16, tensors.encode_f16)):
                with np.errstate(over="ignore"):
                    body = encode(array)
                found = tensors.decode(codec, self.echo(client, codec, body).body)
                wanted = tensors.decode(codec, body)
                self.assertEqual((found.shape, found.tobytes()), (wanted.shape, wanted.tobytes()))

    def test_quantised_tensors(self):
        client = self.codecs()
        for encode in (tensors.encode_qnt8, tensors.encode_qnt8_rows):
            body = encode(ARRAY)
            found = tensors.decode(tensors.QNT8, self.echo(client, tensors.QNT8, body).body)
            self.assertTrue(np.array_equal(found, tensors.decode(tensors.QNT8, body)))
            self.assertLess(np.abs(found - ARRAY).max(), np.abs(ARRAY).max() / 127)

    def test_several_tensors_in_one_body(self):
        parts = [(tensors.F32, tensors.encode_f32(ARRAY)), (tensors.QNT8, tensors.encode_qnt8_rows(ARRAY)),
                 (tensors.F16, tensors.encode_f16(ARRAY[0]))]  # fmt: skip
        answer = self.echo(self.codecs(), MIXED_LATENT, bodies.mixed_latent(parts))
        self.assertEqual(bodies.read_mixed_latent(answer.body), parts)

    def test_requests_sent_at_once_are_answered_in_order(self):
        client = self.client()
        ids = []
        for index in range(60):
            if index % 3 == 2:
                ids.append(client.send("PING", bodies.ping(index)))
            else:
                ids.append(client.send("DATA", bodies.json_ether(bodies.ether("text", {"text": str(index)}))))
        # A PING may be answered before messages that came before it: whoever waits for a PONG waits for no message.
        answers = [client.read_message() for _ in ids]
        pongs = [answer for answer in answers if answer.type_name == "PONG"]
        for start, found in ((2, pongs), (None, [answer for answer in answers if answer.type_name != "PONG"])):
            wanted = [index for index in range(60) if (index % 3 == 2) == (start == 2)]
            self.assertEqual([answer.header.in_reply_to for answer in found], [ids[index] for index in wanted])
            for index, answer in zip(wanted, found):
                if start == 2:
                    self.assertEqual(answer.body, bodies.ping(index))
                else:
                    self.assertEqual(bodies.read_json_ether(answer.body)["payload"]["text"], str(index))

    def test_an_answer_comes_on_the_channel_of_its_request(self):
        client = self.client()
        for channel in (1, 2, 7, 2**31, 2**32 - 1, 1):
            answer = self.echo(client, JSON, bodies.json_ether(TEXT), channel=channel)
            self.assertEqual(answer.header.channel_id, channel)

    def test_the_largest_message_id_is_answered(self):
        client = self.client()
        client.next_id = 2**64 - 1
        answer = self.echo(client, JSON, bodies.json_ether(TEXT))
        self.assertEqual(answer.header.in_reply_to, 2**64 - 1)

    def test_a_long_length_before_a_short_payload(self):
        client = self.client()
        body = bodies.json_ether(TEXT)
        self.assertEqual(bodies.read_json_ether(self.echo(client, JSON, body, flags=wire.LARGE).body), TEXT)

    def test_a_frame_that_comes_byte_by_byte(self):
        client = self.client()
        header = Header(1, msg_id=client.new_id())
        for byte in wire.encode(self.dialect, header, bodies.json_ether(TEXT)):
            client.write(bytes([byte]))
        self.assertEqual(bodies.read_json_ether(client.answer(header.msg_id).body), TEXT)

    def test_frames_that_come_in_pieces_across_their_borders(self):
        client = self.client()
        ids = [client.new_id() for _ in range(40)]
        data = b"".join(wire.encode(self.dialect, Header(1, msg_id=i), bodies.json_ether(TEXT)) for i in ids)
        for start in range(0, len(data), 97):
            client.write(data[start : start + 97])
        for msg_id in ids:
            self.assertEqual(client.answer(msg_id).header.in_reply_to, msg_id)

    def test_many_clients_at_once(self):
        self.client()
        failures = []

        def work(index):
            try:
                with Client(self.address, self.dialect) as client:
                    ether = bodies.ether("text", {"text": str(index) * 1000})
                    for _ in range(20):
                        self.assert_ether_comes_back(client, JSON, bodies.json_ether(ether))
            except BaseException as error:
                failures.append(error)
                raise

        threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_a_body_of_almost_the_longest_frame(self):
        client = self.codecs()
        body = tensors.encode_f32(RANDOM.normal(size=(1 << 18) - 128))
        self.assertLess(len(body), 1 << 20)
        self.assertEqual(self.echo(client, tensors.F32, body).body, body)

    def test_a_client_that_only_leaves_gets_the_last_answer(self):
        client = self.client()
        msg_id = client.send("DATA", bodies.json_ether(TEXT))
        client.end_writing()
        self.assertEqual(client.answer(msg_id).header.in_reply_to, msg_id)
        self.assertEqual(client.read_to_end(), [])
