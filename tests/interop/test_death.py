"""Is the death of one end noticed by the other, and is nothing lost that was announced?"""

from harness import Scenario

RING = 10_240


class Death(Scenario):
    def test_a_killed_peer_writer_is_reported_after_its_last_frame(self):
        reader, oieb = self.strait_reader("--verify", "sequential", "--timeout-ms", 60_000)
        writer = self.peer_writer()
        # The reader sleeps while the frames are written, so all of them are unread when the writer dies.
        reader.stop()
        writer("write", count=50, sizes=100)
        writer.kill()
        self.assertEqual((oieb.written_count, oieb.read_count), (50, 0))
        reader.go_on()
        report = reader.report(code=3)
        self.assertEqual((report["frames_read"], report["verification_errors"]), (50, 0))
        self.assertIn("died", report["errors"][0])
        self.assertIn(f"pid {writer.pid}", report["errors"][0])
        self.assert_nothing_left()

    def test_a_peer_writer_killed_at_any_moment_loses_no_announced_frame(self):
        for after in (1, 2, 3, 5, 7, 11, 40, 300, 1000, 3000):
            name = self.new_name()
            reader, oieb = self.strait_reader("--verify", "sequential", "--timeout-ms", 60_000, name=name)
            writer = self.peer_writer(name)
            writer.start("write", count=1 << 30, sizes={"low": 1, "high": 2000}, seed=after)
            self.wait_for(lambda: oieb.read_count > after, "frames were read")
            writer.kill()
            report = reader.report(code=3)
            self.assertIn(f"pid {writer.pid}", report["errors"][0])
            self.assertEqual(report["verification_errors"], 0)
            self.assertGreater(report["frames_read"], after // 2)
            self.assert_nothing_left(name)

    def test_a_closed_peer_writer_ends_the_stream(self):
        reader, oieb = self.strait_reader("--verify", "sequential", "--timeout-ms", 60_000)
        writer = self.peer_writer()
        writer("write", count=500, sizes={"low": 1, "high": 2000})
        writer("close", end="writer")
        report = reader.report()
        self.assertEqual((report["frames_read"], report["errors"]), (500, []))
        self.assertEqual(oieb.free, RING)
        self.assert_nothing_left()

    def test_a_killed_peer_reader_is_noticed_by_a_writer_that_waits_for_space(self):
        reader = self.peer_reader(payload=RING)
        self.forgive_everything(self.name)
        oieb = self.oieb()
        writer = self.strait("writer", self.name, "-n", 0, "-s", 1000, "--timeout-ms", 60_000)
        self.wait_for(lambda: oieb.free < 1016, "the ring is full")
        reader.kill()
        self.assert_reader_gone(writer, reader.pid)

    def test_a_killed_peer_reader_is_noticed_by_a_writer_that_has_space(self):
        reader = self.peer_reader(payload=1 << 20)
        self.forgive_everything(self.name)
        oieb = self.oieb()
        # 10 s of frames at this pace would fit.
        writer = self.strait("writer", self.name, "-n", 0, "-s", 1000, "--delay-ms", 10, "--timeout-ms", 60_000)
        self.wait_for(lambda: oieb.written_count > 3, "frames were written")
        reader.kill()
        self.assert_reader_gone(writer, reader.pid)
        self.assertGreater(oieb.free, 1016, "the ring was not full")

    def test_a_closed_peer_reader_is_noticed(self):
        reader = self.peer_reader(payload=RING)
        oieb = self.oieb()
        writer = self.strait("writer", self.name, "-n", 0, "-s", 1000, "--timeout-ms", 60_000)
        self.wait_for(lambda: oieb.free < 1016, "the ring is full")
        reader("close", end="reader")
        report = writer.report(code=2)
        self.assertIn("is gone", report["errors"][0])

    def assert_reader_gone(self, writer, pid):
        report = writer.report(code=2)
        self.assertIn("is gone", report["errors"][0])
        self.assertIn(f"pid {pid}", report["errors"][0])

    def test_a_killed_strait_writer_is_noticed_by_the_peer_after_its_last_frame(self):
        reader = self.peer_reader(payload=RING)
        oieb = self.oieb()
        writer = self.strait("writer", self.name, "-n", 0, "-s", 1000, "--timeout-ms", 60_000)
        self.wait_for(lambda: oieb.free < 1016, "the ring is full")
        writer.kill()
        announced = oieb.written_count
        answer = reader("read", count=1000, sizes=1000, timeout=1.0)
        self.assertEqual((answer["frames"], answer["end"]), (announced, "WriterDeadException"))
        self.assert_drained(oieb)
        reader("close", end="reader")

    def test_an_interrupted_strait_writer_is_a_dead_one_to_the_peer(self):
        reader = self.peer_reader(payload=RING)
        oieb = self.oieb()
        writer = self.strait("writer", self.name, "-n", 0, "-s", 1000, "--timeout-ms", 60_000)
        self.wait_for(lambda: oieb.free < 1016, "the ring is full")
        writer.child.terminate()
        writer.report(code=143)
        announced = oieb.written_count
        answer = reader("read", count=1000, sizes=1000, timeout=1.0)
        self.assertEqual((answer["frames"], answer["end"]), (announced, "WriterDeadException"))
        self.assertEqual(oieb.writer_pid, 2147483647)
        second = self.strait("writer", self.name, "-n", 1, "-s", 300)
        self.assertEqual(reader("take")["length"], 300)
        second.report()
        reader("give")
        reader("close", end="reader")

    def test_an_empty_strait_stream_leaves_nothing_that_the_peer_takes_for_a_frame(self):
        reader = self.peer_reader(payload=RING)
        self.strait("writer", self.name, "--file", "/dev/null").report()
        self.assertEqual(reader("read", count=1, timeout=0.2)["frames"], 0)
        second = self.strait("writer", self.name, "-n", 1, "-s", 300)
        self.assertEqual(reader("take")["length"], 300)
        second.report()
        reader("give")
        reader("close", end="reader")

    def test_a_killed_strait_writer_can_be_replaced(self):
        reader = self.peer_reader(payload=RING)
        oieb = self.oieb()
        first = self.strait("writer", self.name, "-n", 0, "-s", 1000, "--timeout-ms", 60_000)
        self.wait_for(lambda: oieb.free < 1016, "the ring is full")
        first.kill()
        second = self.strait("writer", self.name, "-n", 20, "-s", 300, "--timeout-ms", 20_000)
        for number in range(1, 31):
            taken = reader("take")
            self.assertEqual((taken["length"], taken["sequence"]), (1000 if number <= 10 else 300, number))
            reader("give")
        second.report()
        self.assert_drained(oieb)
        reader("close", end="reader")

    def test_a_killed_strait_reader_is_noticed_by_the_peer_once_the_ring_is_full(self):
        reader, oieb = self.strait_reader("--delay-ms", 1000)
        self.forgive_everything(self.name)
        writer = self.peer_writer()
        writer.start("write", count=1 << 20, sizes=1000)
        self.wait_for(lambda: oieb.free < 1016, "the ring is full")
        reader.kill()
        # The package looks only after its own 5 s.
        self.assertEqual(writer.answer()["error"], "ReaderDeadException")

    def test_a_closed_strait_reader_is_noticed_by_the_peer_at_once(self):
        reader, _ = self.strait_reader("-n", 3)
        writer = self.peer_writer()
        answer = writer.try_to("write", count=1 << 20, sizes=100)
        self.assertEqual(answer["error"], "ReaderDeadException")
        self.assertLess(answer["seconds"], 5, "noticed by reader_pid, not by a wait for space")
        self.assertEqual(reader.report()["frames_read"], 3)
        self.assert_nothing_left()
