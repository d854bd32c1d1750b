"""Do requests and responses work with the real package's server, and with its client?"""

import os
import random
import struct

from harness import PATIENCE, PROGRAMS, Process, Scenario, lock_paths

SIZES = [1, 2, 15, 16, 17, 1000, 1024, 4096, 65_535, 100_000]
RING = 1 << 20
# What a Strait server makes longer than the ring needs: words that only Strait looks at.
BEHIND_THE_RING = 128 + 1088


class Refused(Exception):
    """What the Strait end answered: the kind of the error, then its sentence."""


class StraitEnd(Process):
    """A Strait server or client, told what to do line by line."""

    def start(self, *words):
        self.child.stdin.write(" ".join(map(str, words)) + "\n")
        self.child.stdin.flush()

    def finish(self):
        state, _, text = self.lines.get(timeout=PATIENCE).rstrip("\n").partition(" ")
        if state != "ok":
            raise Refused(text)
        return text

    def __call__(self, *words):
        self.start(*words)
        return self.finish()

    def call(self, data, timeout=60_000):
        return self.response(self("call", timeout, data.hex()))

    def receive(self, timeout=60_000):
        return self.response(self("receive", timeout))

    @staticmethod
    def response(text):
        number, _, data = text.partition(" ")
        return int(number), bytes.fromhex(data)


def inverted(data):
    return bytes(byte ^ 0xFF for byte in data)


def inode(path):
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return None


def contents(sizes, seed=1):
    draw = random.Random(seed)
    # Never the words that the handlers know.
    return [b"x" + draw.randbytes(size - 1) for size in sizes]


class Duplex(Scenario):
    def setUp(self):
        super().setUp()
        self.name_channel()

    def name_channel(self):
        self.name = self.new_name()
        self.request, self.response = f"{self.name}_request", f"{self.name}_response"

    def strait_end(self):
        end = StraitEnd([os.path.join(PROGRAMS["made"], "strait-test-duplex-peer")])
        self.addCleanup(end.dispose)
        # Killed at the end of the test, unless closed before.
        self.forgive_channel()
        return end

    def strait_server(self, payload=RING, threads=1):
        server = self.strait_end()
        server("serve", self.name, payload, threads)
        return server

    def strait_client(self):
        client = self.strait_end()
        client("await", self.name, RING)
        return client

    def python_end(self):
        end = self.peer("duplex_peer.py")
        self.forgive_semaphores(self.request)
        self.forgive_semaphores(self.response)
        return end

    def python_server(self, **options):
        """Killed at the end of the test: its own `stop` waits for the request that it waits for."""
        server = self.python_end()
        self.forgive_channel()
        semaphores = [f"/dev/shm/sem.sem-{letter}-{self.request}" for letter in "wr"]
        before = [inode(path) for path in semaphores]
        server("serve", name=self.name, **options)
        self.oieb(self.request)
        # It replaces a predecessor's semaphores last: a client that connects before holds the old ones, and wakes nobody.
        self.wait_for(
            lambda: all(inode(path) not in (None, old) for path, old in zip(semaphores, before)), "new semaphores"
        )
        return server

    def python_client(self):
        client = self.python_end()
        client("connect", name=self.name)
        return client

    def forgive_channel(self):
        self.forgive_everything(self.request)
        self.forgive_everything(self.response)

    def assert_channel_is_gone(self):
        self.assert_nothing_left(self.request)
        self.assert_nothing_left(self.response)

    def python_calls(self, client, datas, first=1):
        for number, data in enumerate(datas, first):
            client("send", data=data.hex(), in_place=number % 2 == 0)
            response = client("receive")
            self.assertEqual(response["sequence"], number)
            self.assertEqual(bytes.fromhex(response["data"]), inverted(data))

    def strait_calls(self, client, datas, first=1):
        for number, data in enumerate(datas, first):
            self.assertEqual(client.call(data), (number, inverted(data)))

    def refused(self, kind, do, *words):
        with self.assertRaises(Refused) as caught:
            do(*words)
        self.assertEqual(str(caught.exception).partition(":")[0], kind, caught.exception)


class StraitServes(Duplex):
    """A Strait server."""

    def test_requests_of_1_byte_to_100_kb(self):
        for threads in (1, 3):
            server, client = self.strait_server(threads=threads), self.python_client()
            self.python_calls(client, contents(SIZES))
            self.assertEqual(server("counts"), f"1 {len(SIZES)} 0")
            client("close")
            server("close")

    def test_twenty_requests_are_answered_in_order(self):
        for threads in (1, 4):
            server, client = self.strait_server(threads=threads), self.python_client()
            datas = contents(range(100, 120))
            for number, data in enumerate(datas, 1):
                self.assertEqual(client("send", data=data.hex())["sequence"], number)
            for number, data in enumerate(datas, 1):
                response = client("receive")
                self.assertEqual((response["sequence"], response["data"]), (number, inverted(data).hex()))
            client("close")
            server("close")

    def test_a_request_that_takes_long_holds_back_the_answers_to_later_ones(self):
        server, client = self.strait_server(threads=3), self.python_client()
        datas = [b"hold one", b"two", b"three"]
        for data in datas:
            client("send", data=data.hex())
        self.wait_for(lambda: "held 1" in server("seen"), "the first handler has begun")
        self.assertEqual(client("receive", timeout=1.0)["sequence"], 0, "nothing goes before it")
        server("let_go")
        for number, data in enumerate(datas, 1):
            response = client("receive")
            self.assertEqual((response["sequence"], response["data"]), (number, inverted(data).hex()))
        client("close")

    def test_a_request_that_fails_is_answered_with_its_number_and_the_reason(self):
        server, client = self.strait_server(), self.python_client()
        datas = [b"one", b"two", b"fail: no third", b"four", b"five"]
        for data in datas:
            client("send", data=data.hex())
        answers = [client("receive") for _ in datas]
        self.assertEqual([answer["sequence"] for answer in answers], [1, 2, 3, 4, 5])
        wanted = [inverted(data) for data in datas]
        wanted[2] = b"\0strait-error/1\nfail: no third"
        self.assertEqual([bytes.fromhex(answer["data"]) for answer in answers], wanted)
        self.assertEqual(server("counts"), "1 5 1")
        self.assertEqual(server("seen"), "init|Handler: request 3 failed: fail: no third")
        client("close")

    def test_a_small_request_ring_is_never_taken_for_longer_than_it_is(self):
        server = self.strait_server(payload=1024)
        oieb = self.oieb(self.request)
        size = os.path.getsize(oieb.path)
        self.assertEqual(size, 128 + oieb.metadata_size + 1024 + BEHIND_THE_RING)
        client = self.python_client()
        # To the package a frame must leave room for its own lap.
        draw = random.Random(3)
        self.python_calls(client, contents([draw.randint(1, 400) for _ in range(300)]))
        self.wait_for(lambda: oieb.free == 1024, "every byte of the ring is back")
        with open(oieb.path, "rb") as file:
            behind = file.read()[-BEHIND_THE_RING:]
        ends, shares = behind[:128], behind[128:]
        self.assertEqual((ends[:8], ends[8:32]), (b"STRENDS1", bytes(24)))
        self.assertEqual(struct.unpack("<8sQ", shares[:16]), (b"STRSHARE", 0))
        self.assertEqual(shares[16:], bytes(len(shares) - 16), "the package has written behind the ring")
        client("close")
        server("close")
        self.assert_nothing_left(self.request)

    def test_a_client_sees_its_server_before_its_first_request(self):
        # The package counts a server as connected once it writes to the buffer of responses.
        server, client = self.strait_server(), self.python_client()
        self.wait_for(lambda: client("connected")["connected"], "the server is connected")
        self.python_calls(client, contents([10]))
        client("close")
        second = self.python_client()
        self.wait_for(lambda: second("connected")["connected"], "the server is connected to the next client")
        self.python_calls(second, contents([10]))
        self.assertEqual(server("counts"), "2 2 0")
        second("close")

    def test_a_client_met_while_it_makes_its_buffer_is_answered(self):
        server = self.strait_server()
        # The first client leaves its semaphores, which the second replaces last.
        for meet in (False, True):
            client = self.python_end()
            client("connect", name=self.name, meet=meet)
            self.python_calls(client, contents([10, 20]))
            client("close")
        self.assertEqual(server("counts"), "2 4 0")

    def test_a_slow_first_answer_is_silence_and_not_a_dead_server(self):
        server, client = self.strait_server(), self.python_client()
        client("send", data=b"hold".hex())
        self.wait_for(lambda: "held 1" in server("seen"), "the handler has begun")
        self.assertEqual(client("receive", timeout=0.2)["sequence"], 0, "no response, and no error")
        server("let_go")
        self.assertEqual(client("receive")["data"], inverted(b"hold").hex())
        client("close")

    def test_a_client_learns_that_its_server_was_killed(self):
        server, client = self.strait_server(), self.python_client()
        self.forgive_channel()
        self.python_calls(client, contents([100]))
        self.assertTrue(client("connected")["connected"])
        client("send", data=b"hold".hex())
        self.wait_for(lambda: "held 2" in server("seen"), "the handler has begun")
        client.start("receive", timeout=2.0)
        server.kill()
        self.assertEqual(client.answer()["error"], "WriterDeadException")
        self.assertFalse(client("connected")["connected"])
        client("close")
        # The name is free at once, for both.
        self.python_client_of_a_new_server()

    def test_a_client_learns_that_its_server_has_closed(self):
        server, client = self.strait_server(), self.python_client()
        self.python_calls(client, contents([100]))
        # It looks only after its own time-out.
        client.start("receive", timeout=2.0)
        server("close")
        self.assertEqual(client.answer()["error"], "WriterDeadException")
        self.assertFalse(client("connected")["connected"])
        self.assertEqual(client.try_to("send", data="00")["error"], "ReaderDeadException")
        client("close")
        self.assert_nothing_left(self.request)
        self.python_client_of_a_new_server()

    def python_client_of_a_new_server(self):
        server, client = self.strait_server(), self.python_client()
        self.python_calls(client, contents([1, 10, 100]))
        client("close")
        server("close")

    def test_a_server_outlives_a_client_killed_with_two_requests_pending(self):
        server = self.strait_server()
        self.forgive_channel()
        killed = self.python_client()
        self.python_calls(killed, contents([10, 20]))
        for data in (b"hold three", b"hold four"):
            killed("send", data=data.hex())
        self.wait_for(lambda: "held 3" in server("seen"), "the handler has begun")
        killed.kill()
        server("let_go")
        self.wait_for(lambda: not os.path.exists(f"/dev/shm/{self.response}"), "the dead client's buffer was removed")
        second = self.python_client()
        self.python_calls(second, contents([1, 1000, 100_000]))
        second("close")
        third = self.strait_client()
        self.strait_calls(third, contents(SIZES))
        third("close")
        self.assertEqual(server("counts").split()[0], "3")
        server("close")
        self.assert_nothing_left(self.request)

    def test_a_killed_client_can_be_followed_before_the_server_has_noticed(self):
        server = self.strait_server()
        killed = self.python_client()
        self.python_calls(killed, contents([10]))
        server.stop()
        killed.kill()
        # The package removes the dead one's lock file but not its buffer, which has a living writer, and fails. It would
        # for ever: without a lock file it takes a buffer for a living one's. The server removes the rest.
        second = self.python_end()
        self.assertIn("already exists", second.try_to("connect", name=self.name)["text"])
        server.go_on()
        connects = lambda: "error" not in second.try_to("connect", name=self.name)
        self.wait_for(connects, "the dead client's buffer was removed")
        self.python_calls(second, contents([10, 20]))
        server.stop()
        second.kill()
        # A Strait client takes the name itself.
        third = self.strait_end()
        third.start("await", self.name, RING)
        server.go_on()
        third.finish()
        self.strait_calls(third, contents([10, 20]))
        third("close")
        self.assertEqual(server("counts"), "3 5 0")

    def test_clients_of_both_kinds_take_turns(self):
        server = self.strait_server()
        for turn in range(6):
            if turn % 2:
                client = self.strait_client()
                self.strait_calls(client, contents([5, 50, 500], turn))
            else:
                client = self.python_client()
                self.python_calls(client, contents([5, 50, 500], turn))
            client("close")
        self.assertEqual(server("counts"), "6 18 0")
        server("close")
        self.assert_nothing_left(self.request)

    def test_a_clients_description_reaches_on_init(self):
        server, client = self.strait_server(), self.python_client()
        client("describe", text='{"width":640}')
        self.python_calls(client, contents([10, 20]))
        self.assertEqual(server("seen"), 'init {"width":640}')
        client("close")
        # Once per server: the next client finds it set.
        second = self.python_client()
        self.assertEqual(second.try_to("describe", text="other")["error"], "MetadataAlreadyWrittenException")
        self.python_calls(second, contents([10]))
        self.assertEqual(server("seen"), 'init {"width":640}|init {"width":640}')
        second("close")


class PythonServes(Duplex):
    """The package's server."""

    def test_requests_of_1_byte_to_100_kb(self):
        server, client = self.python_server(), self.strait_client()
        self.assertEqual(client("connected"), "true")
        self.strait_calls(client, contents(SIZES))
        client("close")

    def test_twenty_requests_are_answered_in_order(self):
        server, client = self.python_server(), self.strait_client()
        datas = contents(range(100, 120))
        for number, data in enumerate(datas, 1):
            self.assertEqual(client("send", data.hex()), str(number))
        for number, data in enumerate(datas, 1):
            self.assertEqual(client.receive(), (number, inverted(data)))
        client("close")

    def test_a_small_request_ring(self):
        server, client = self.python_server(payload=1024), self.strait_client()
        oieb = self.oieb(self.request)
        draw = random.Random(4)
        self.strait_calls(client, contents([draw.randint(1, 1008) for _ in range(300)]))
        self.wait_for(lambda: oieb.free == 1024, "every byte of the ring is back")
        client("close")

    def test_a_request_that_fails_has_no_response_and_further_calls_are_refused(self):
        server, client = self.python_server(), self.strait_client()
        self.strait_calls(client, [b"one", b"two"])
        self.refused("Timeout", client.call, b"fail: no third", 1000)
        self.assertIn("ValueError: fail: no third", server("state")["seen"])
        for data in (b"four", b"five"):
            self.refused("OutOfStep", client.call, data)
        client("close")

    def test_a_request_that_fails_shifts_the_numbers_of_later_responses(self):
        # What a client cannot see, as the documentation says: response 3 is the answer to request 4.
        server, client = self.python_server(), self.strait_client()
        for data in (b"one", b"two", b"fail", b"four"):
            client("send", data.hex())
        answers = [client.receive() for _ in range(3)]
        self.assertEqual(answers, [(1, inverted(b"one")), (2, inverted(b"two")), (3, inverted(b"four"))])
        self.refused("Timeout", client.receive, 200)
        client("close")

    def test_a_client_learns_that_its_server_was_killed(self):
        for after in (0, 1):
            self.name_channel()
            server, client = self.python_server(), self.strait_client()
            self.strait_calls(client, contents([100] * after))
            client("send", b"hold".hex())
            self.wait_for(lambda: f"held {after + 1}" in server("state")["seen"], "the handler has begun")
            client.start("receive", 3_600_000)
            server.kill()
            self.refused("ServerGone", client.finish)
            self.assertEqual(client("connected"), "false")
            client("close")
            self.strait_client_of_a_new_server()

    def test_a_client_learns_that_its_server_has_closed(self):
        server, client = self.python_server(), self.strait_client()
        self.strait_calls(client, contents([100]))
        client.start("receive", 3_600_000)
        server("stop")
        self.refused("ServerGone", client.finish)
        self.assertEqual(client("connected"), "false")
        client("close")
        self.strait_client_of_a_new_server()

    def strait_client_of_a_new_server(self):
        server, client = self.python_server(), self.strait_client()
        self.strait_calls(client, contents([1, 10, 100]))
        client("close")

    def wait_for_the_end_of(self, server):
        # It says that it has ended before it removes its buffer.
        self.wait_for(lambda: not os.path.exists(f"/dev/shm/{self.request}"), "the server's buffer was removed")
        # The lock, too.
        self.wait_for(lambda: not os.path.exists(lock_paths(self.request)[0]), "the server's lock was removed")
        self.assertFalse(server("state")["running"])

    def test_a_server_ends_with_its_client_and_the_name_is_free(self):
        server, client = self.python_server(), self.strait_client()
        self.strait_calls(client, contents([10]))
        client("close")
        self.wait_for_the_end_of(server)
        self.assertTrue(server("state")["seen"][-1].startswith("WriterDeadException"))
        self.strait_client_of_a_new_server()

    def test_a_server_ends_with_a_client_killed_with_two_requests_pending(self):
        server, client = self.python_server(), self.strait_client()
        self.strait_calls(client, contents([10]))
        for data in (b"hold two", b"hold three"):
            client("send", data.hex())
        self.wait_for(lambda: "held 2" in server("state")["seen"], "the handler has begun")
        client.kill()
        server("let_go")
        self.wait_for_the_end_of(server)
        # Any other reader of the package that started meanwhile has removed the dead one's lock file, but not its buffer,
        # to which the next server would connect.
        code, out, errors = self.process(PROGRAMS["strait"], "gc", self.response).end()
        self.assertEqual(code, 0, out + errors)
        self.strait_client_of_a_new_server()

    def test_a_server_that_no_client_came_to_is_gone(self):
        server = self.python_server(timeout=0.5)
        self.wait_for_the_end_of(server)
        client = self.strait_end()
        self.refused("ServerNotFound", client, "connect", self.name, RING)
        self.assert_nothing_left(self.response)
        self.strait_client_of_a_new_server()

    def test_a_clients_description_reaches_on_init(self):
        server, client = self.python_server(), self.strait_client()
        client("describe", '{"width":640}')
        self.strait_calls(client, contents([10, 20]))
        self.assertEqual(server("state")["seen"], ['init {"width":640}'])
        client("close")
