"""Can another writer, of either kind, go on where one has ended?"""

from harness import Scenario

RING = 1024


class Replacement(Scenario):
    def strait_writes(self, *args):
        return self.strait("writer", self.name, "--timeout-ms", 20_000, *args)

    def peer_writes(self, sizes):
        writer = self.peer_writer()
        writer("write", count=len(sizes), sizes=sizes)
        writer("close", end="writer")

    def takes(self, reader, numbers):
        for number in numbers:
            self.assertEqual(reader("take")["sequence"], number)
            reader("give")

    def test_strait_after_strait_goes_on_with_the_numbers(self):
        reader = self.peer_reader(payload=RING)
        oieb = self.oieb()
        done = 0
        # Every position and every fill of the ring is met when writers of 1 to 5 frames follow each other.
        for count in [1, 2, 3, 4, 5] * 8:
            self.strait_writes("-n", count, "-s", "1..180", "--seed", done).report()
            self.takes(reader, range(done + 1, done + count + 1))
            done += count
        self.assert_drained(oieb)
        reader("close", end="reader")

    def test_strait_after_a_peer_goes_on_with_the_numbers(self):
        # 16 frames of 48 bytes fill the ring to its end, where the package leaves the write position at the end. It
        # could not go on itself from there: its reader has been at the start ever since.
        for count in (1, 15, 16):
            self.name = self.new_name()
            reader = self.peer_reader(payload=RING)
            oieb = self.oieb()
            writer = self.peer_writer()
            for k in range(count):
                writer("write", count=1, sizes=48, first=k)
                self.takes(reader, [k + 1])
            writer("close", end="writer")
            self.strait_writes("-n", 5, "-s", "1..180", "--seed", count).report()
            self.takes(reader, range(count + 1, count + 6))
            self.assertEqual(oieb.free, RING)
            reader("close", end="reader")

    def test_strait_after_a_peer_that_left_a_full_ring(self):
        reader = self.peer_reader(payload=RING)
        oieb = self.oieb()
        self.peer_writes([48] * 16)
        self.assertEqual((oieb.write_pos, oieb.free), (RING, 0))
        writer = self.strait_writes("-n", 20, "-s", 48)
        self.takes(reader, range(1, 37))
        writer.report()
        self.assertEqual(oieb.free, RING)
        reader("close", end="reader")

    def test_strait_after_a_peer_that_left_a_tail_too_small_for_a_marker(self):
        for tail in range(1, 17):
            self.name = self.new_name()
            reader = self.peer_reader(payload=RING)
            oieb = self.oieb()
            self.peer_writes([484, RING - 500 - tail - 16])
            self.assertEqual(oieb.write_pos, RING - tail)
            writer = self.strait_writes("-n", 8, "-s", 200)
            # The package's reader would not survive an unmarked tail.
            self.takes(reader, range(1, 11))
            writer.report()
            self.assertEqual(oieb.free, RING)
            reader("close", end="reader")

    def test_a_peer_after_strait_begins_anew_and_its_frames_arrive(self):
        for count in (1, 15, 16):
            self.name = self.new_name()
            reader, oieb = self.strait_reader("-n", count + 40, "--timeout-ms", 60_000, ring=RING)
            # Stopped, the reader cannot take the time between the two writers for the end.
            reader.stop()
            self.strait_writes("-n", count, "-s", 48).report()
            writer = self.peer_writer()
            reader.go_on()
            writer("write", count=40, sizes=48)
            report = reader.report()
            self.assertEqual((report["frames_read"], report["errors"]), (count + 40, []))
            self.assertEqual(oieb.free, RING)
            writer("close", end="writer")
            self.assert_nothing_left()

    def test_a_peer_after_a_killed_peer_begins_anew_and_its_frames_arrive(self):
        reader, oieb = self.strait_reader("-n", 6, "--timeout-ms", 60_000)
        first = self.peer_writer()
        first("write", count=3, sizes=10)
        self.wait_for(lambda: oieb.read_count == 3, "the first three frames")
        reader.stop()
        first.kill()
        second = self.peer_writer()
        second("write", count=3, sizes=10)
        reader.go_on()
        report = reader.report()
        self.assertEqual((report["frames_read"], report["errors"]), (6, []))
        self.assertEqual(oieb.free, oieb.payload_size)
        second("close", end="writer")
        self.assert_nothing_left()
