"""Is a second writer or reader refused, without harm to the first?"""

from harness import Scenario

RING = 10_240


class SecondEnd(Scenario):
    def test_a_second_peer_writer_is_refused_by_a_live_strait_writer(self):
        reader = self.peer_reader(payload=RING)
        oieb = self.oieb()
        first = self.strait("writer", self.name, "-n", 200, "-s", 1000, "--timeout-ms", 20_000)
        self.wait_for(lambda: oieb.free < 1016, "the ring is full")
        self.assertEqual(oieb.writer_pid, first.pid)
        second = self.peer()
        refused = second.try_to("connect", name=self.name)
        self.assertEqual(refused["error"], "WriterAlreadyConnectedException")
        self.assertEqual(oieb.writer_pid, first.pid)
        self.assertEqual(reader("read", count=200, sizes=1000)["frames"], 200)
        first.report()
        self.assert_drained(oieb)
        reader("close", end="reader")

    def test_a_second_strait_writer_is_refused_by_a_live_peer_writer(self):
        reader, oieb = self.strait_reader("-n", 200, "--verify", "sequential", "--timeout-ms", 20_000)
        first = self.peer_writer()
        first("write", count=100, sizes=1000)
        second = self.strait("writer", self.name, "-n", 1)
        report = second.report(code=1)
        self.assertIn(f"already has a writer (pid {first.pid})", report["errors"][0])
        self.assertEqual(oieb.writer_pid, first.pid)
        first("write", count=100, sizes=1000, first=100)
        report = reader.report()
        self.assertEqual((report["frames_read"], report["verification_errors"]), (200, 0))
        first("close", end="writer")
        self.assert_nothing_left()

    def test_a_second_strait_reader_is_refused_by_a_live_peer_reader(self):
        first = self.peer_reader(payload=RING)
        oieb = self.oieb()
        writer = self.peer_writer()
        writer("write", count=3, sizes=1000)
        report = self.strait("reader", self.name, "--buffer-size", 4096).report(code=1)
        self.assertIn(f"already has a reader (pid {first.pid})", report["errors"][0])
        self.assertEqual((oieb.reader_pid, oieb.payload_size, oieb.written_count), (first.pid, RING, 3))
        self.assertEqual(self.oieb().payload_size, RING, "the name still leads to the same buffer")
        writer("write", count=100, sizes=10, first=3)
        self.assertEqual(first("read", count=103)["frames"], 103)
        writer("close", end="writer")
        first("close", end="reader")

    def test_a_peer_reader_is_refused_by_a_live_strait_reader(self):
        first, oieb = self.strait_reader("-n", 100, "--verify", "sequential", "--timeout-ms", 20_000)
        writer = self.peer_writer()
        writer("write", count=50, sizes=1000)
        refused = self.peer().try_to("create", name=self.name, payload=4096)
        self.assertEqual(refused["error"], "ZeroBufferException")
        self.assertIn("lock", refused["text"].lower())
        self.assertEqual((oieb.reader_pid, self.oieb().payload_size), (first.pid, RING))
        writer("write", count=50, sizes=1000, first=50)
        report = first.report()
        self.assertEqual((report["frames_read"], report["verification_errors"]), (100, 0))
        writer("close", end="writer")
        self.assert_nothing_left()

    def test_starting_peer_readers_of_other_names_leaves_a_strait_reader_alone(self):
        # The package sweeps every stale lock file when a reader starts.
        first, oieb = self.strait_reader("-n", 1, "--timeout-ms", 60_000)
        other = self.peer()
        for _ in range(20):
            name = self.new_name()
            self.forgive_semaphores(name)
            other("create", name=name, payload=4096)
            other("close", end="reader")
        writer = self.peer_writer()
        writer("write", count=1, sizes=10)
        self.assertEqual(first.report()["frames_read"], 1)
        writer("close", end="writer")
        self.assert_nothing_left()
