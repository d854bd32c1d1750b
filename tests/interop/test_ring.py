"""Do frames that just fit, or fit only after a wrap, get through?"""

from harness import Scenario

RING = 10_240
LARGEST = RING - 16


class Ring(Scenario):
    def strait_writes(self, *args):
        return self.strait("writer", self.name, "--timeout-ms", 20_000, *args)

    def test_a_frame_as_large_as_the_ring_and_then_another_from_strait(self):
        reader = self.peer_reader(payload=RING)
        oieb = self.oieb()
        writer = self.strait_writes("-n", 3, "-s", LARGEST)
        self.wait_for(lambda: oieb.free == 0, "the ring is full")
        answer = reader("read", count=3, sizes=LARGEST)
        self.assertEqual(answer["frames"], 3)
        writer.report()
        self.assert_drained(oieb)
        reader("close", end="reader")

    def test_a_frame_as_large_as_the_ring_and_then_another_from_the_peer(self):
        reader, oieb = self.strait_reader("-n", 3, "-s", LARGEST, "--verify", "sequential")
        writer = self.peer_writer()
        self.assertEqual(writer("write", count=3, sizes=LARGEST)["frames"], 3)
        self.assertEqual(reader.report()["frames_read"], 3)
        self.assertEqual(oieb.free, RING)
        writer("close", end="writer")
        self.assert_nothing_left()

    def test_a_frame_one_byte_too_large_is_refused_at_once(self):
        reader = self.peer_reader(payload=RING)
        oieb = self.oieb()
        report = self.strait_writes("-n", 1, "-s", LARGEST + 1).report(code=2)
        self.assertIn("10225", report["errors"][0])
        self.assertEqual((oieb.free, oieb.written_count), (RING, 0))
        reader("close", end="reader")

    def test_7168_bytes_follow_6144_in_a_ring_of_10240(self):
        # The reference writers wait for ever here: tail and frame together are more than the ring.
        reader = self.peer_reader(payload=RING)
        oieb = self.oieb()
        self.strait_writes("-n", 1, "-s", 6144).report()
        self.assertEqual(oieb.write_pos, 6160)
        second = self.strait_writes("-n", 1, "-s", 7168)
        self.wait_for(lambda: oieb.writer_pid == second.pid, "the second is connected")
        self.assertEqual(reader("take")["length"], 6144)
        self.assertEqual((oieb.written_count, oieb.free), (1, RING - 6160), "the second waits for its space")
        reader("give")
        answer = reader("take")
        self.assertEqual((answer["length"], answer["sequence"]), (7168, 2), "numbering goes on")
        reader("give")
        second.report()
        self.assertEqual(oieb.free, RING)
        reader("close", end="reader")

    def test_space_of_a_frame_that_the_peer_keeps_is_not_used(self):
        reader = self.peer_reader(payload=1024)
        oieb = self.oieb()
        writer = self.strait_writes("-n", 3, "-s", 484)
        self.assertEqual(reader("take")["length"], 484)
        self.wait_for(lambda: oieb.written_count == 2, "the second frame")
        self.assertEqual(oieb.free, 24)
        reader("give")
        self.assertEqual(reader("read", count=2, sizes=484, first=1)["frames"], 2)
        writer.report()
        self.assert_drained(oieb)
        reader("close", end="reader")
