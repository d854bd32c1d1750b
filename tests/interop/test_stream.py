"""Do long streams arrive whole, in order and with every byte of ring given back?"""

from harness import Scenario

FRAMES = 20_000


class Stream(Scenario):
    def from_strait_writer(self, ring, low, high, count=FRAMES, seed=7):
        reader = self.peer_reader(payload=ring)
        oieb = self.oieb()
        sizes = {"low": low, "high": high, "seed": seed}
        reader.start("read", count=count, sizes=sizes)
        writer = self.strait(
            "writer", self.name, "-n", count, "-s", f"{low}..{high}", "--seed", seed, "--timeout-ms", 20_000
        )
        answer = reader.finish()
        self.assertEqual((answer["frames"], answer["end"]), (count, "count"))
        self.assertEqual(writer.report()["frames_written"], count)
        self.assert_drained(oieb)
        markers = oieb.written_count - count
        self.assertGreater(markers, 0, "the ring was never wrapped")
        reader("close", end="reader")
        print(f"{answer['frames']} frames, {answer['bytes']} bytes, {markers} markers, {answer['seconds']} s", end=" ")

    def from_peer_writer(self, ring, sizes, count, in_place=False):
        reader, oieb = self.strait_reader("-n", count, "--verify", "sequential", "--timeout-ms", 20_000, ring=ring)
        writer = self.peer_writer()
        answer = writer("write", count=count, sizes=sizes, in_place=in_place)
        self.assertEqual(answer["frames"], count)
        report = reader.report()
        self.assertEqual((report["frames_read"], report["verification_errors"]), (count, 0))
        self.assertEqual(oieb.free, oieb.payload_size, "free bytes")
        writer("close", end="writer")
        self.assert_nothing_left()
        print(f"{count} frames, {answer['bytes']} bytes, {answer['seconds']} s", end=" ")

    def test_strait_writer_to_peer_reader(self):
        self.from_strait_writer(10_240, 1, 2000)

    def test_strait_writer_to_peer_reader_in_a_ring_hardly_larger_than_a_frame(self):
        self.from_strait_writer(1024, 1, 1008)

    def test_strait_writer_to_peer_reader_with_frames_larger_than_half_the_ring(self):
        self.from_strait_writer(10_240, 4000, 10_224, count=3000)

    def test_peer_writer_to_strait_reader(self):
        self.from_peer_writer(10_240, {"low": 1, "high": 2000}, 20_000)

    def test_peer_writer_in_place_to_strait_reader(self):
        self.from_peer_writer(10_240, {"low": 1, "high": 2000}, 10_000, in_place=True)

    def test_peer_writer_to_strait_reader_in_a_small_ring(self):
        self.from_peer_writer(1024, {"low": 1, "high": 400}, 20_000)

    def test_peer_writer_whose_frames_end_exactly_at_the_end_of_the_ring(self):
        # 48 bytes and a header: 16 of them are the ring.
        self.from_peer_writer(1024, 48, 5000)

    def test_peer_writer_in_place_whose_frames_end_exactly_at_the_end_of_the_ring(self):
        self.from_peer_writer(1024, 48, 5000, in_place=True)

    def test_peer_writer_that_finds_every_frame_read_when_it_comes_to_the_end_of_the_ring(self):
        # To the package a read position of 0 means that the start is not free, even in an empty ring.
        for in_place in (False, True):
            name = self.new_name()
            reader, oieb = self.strait_reader("-n", 100, "--verify", "sequential", name=name, ring=1024)
            writer = self.peer_writer(name)
            for k in range(100):
                writer("write", count=1, sizes=48, first=k, in_place=in_place)
                self.wait_for(lambda: oieb.free == 1024, f"frame {k} was read")
            report = reader.report()
            self.assertEqual((report["frames_read"], report["verification_errors"]), (100, 0))
            writer("close", end="writer")
            self.assert_nothing_left(name)

    def test_peer_writer_with_tails_too_small_for_a_marker(self):
        # Two frames leave a tail of 1 to 15 bytes; the next starts at the beginning without a marker.
        sizes = [size for tail in range(1, 16) for size in (484, 1024 - 500 - tail - 16)]
        self.from_peer_writer(1024, sizes, 3000)

    def test_peer_writer_to_strait_relay_to_peer_reader(self):
        count, output = 5000, self.new_name()
        reader = self.peer_reader(output, payload=10_240)
        out = self.oieb(output)
        relay = self.strait(
            "relay", self.name, output, "--buffer-size", 10_240, "-n", count, "--timeout-ms", 20_000
        )
        self.oieb()
        writer = self.peer_writer()
        reader.start("read", count=count)
        answer = writer("write", count=count, sizes={"low": 1, "high": 2000})
        read = reader.finish()
        self.assertEqual((read["frames"], read["bytes"]), (count, answer["bytes"]))
        self.assertEqual(relay.report()["frames_relayed"], count)
        self.assert_drained(out)
        self.assert_nothing_left()
        writer("close", end="writer")
        reader("close", end="reader")

    def test_strait_writer_to_peer_relay_to_strait_reader(self):
        count, output = 5000, self.new_name()
        sizes = ("-s", "1..2000", "--seed", 3)
        reader, out = self.strait_reader(
            "-n", count, *sizes, "--verify", "sequential", "--timeout-ms", 20_000, name=output
        )
        relay = self.peer_reader(payload=10_240)
        relay("connect", name=output)
        into = self.oieb()
        relay.start("relay")
        writer = self.strait("writer", self.name, "-n", count, *sizes, "--timeout-ms", 20_000)
        self.assertEqual(writer.report()["frames_written"], count)
        report = reader.report()
        self.assertEqual((report["frames_read"], report["verification_errors"]), (count, 0))
        self.wait_for(lambda: into.free == into.payload_size, "the relay has given all back")
        self.assert_drained(into)
        self.assertEqual(out.free, out.payload_size)
        self.assert_nothing_left(output)
        # The peer notices the end when its wait for a frame is over; its own waits are not what is tested.
        relay.kill()
        self.forgive_everything(self.name)
