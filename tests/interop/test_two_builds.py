"""Do two builds of Strait, for two C libraries, share buffers in both directions?"""

from harness import PROGRAMS, Scenario

COUNT = 20_000


class TwoBuilds(Scenario):
    def stream(self, writing, reading):
        options = ("-n", COUNT, "-s", "1..2000", "--seed", 5, "--timeout-ms", 20_000)
        reader, oieb = self.strait_reader(*options, "--verify", "sequential", program=reading)
        writer = self.strait("writer", self.name, *options, "-m", "text", program=writing)
        self.assertEqual(writer.report()["frames_written"], COUNT)
        report = reader.report()
        self.assertEqual((report["frames_read"], report["verification_errors"]), (COUNT, 0))
        self.assertEqual(report["metadata_size"], 4)
        self.assertEqual(oieb.free, oieb.payload_size, "free bytes")
        self.assert_nothing_left()

    def test_stream_to_the_other_build(self):
        self.stream(PROGRAMS["strait"], PROGRAMS["other"])

    def test_stream_from_the_other_build(self):
        self.stream(PROGRAMS["other"], PROGRAMS["strait"])

    def test_a_killed_reader_is_replaced_by_one_of_the_other_build(self):
        first, _ = self.strait_reader("--timeout-ms", 60_000, program=PROGRAMS["other"])
        self.forgive_everything(self.name)
        first.kill()
        second, _ = self.strait_reader("-n", 5, "--verify", "sequential", "--timeout-ms", 20_000)
        self.wait_for(lambda: self.oieb().reader_pid == second.pid, "the new reader's buffer")
        self.strait("writer", self.name, "-n", 5, program=PROGRAMS["other"]).report()
        self.assertEqual(second.report()["frames_read"], 5)
        self.assert_nothing_left()
