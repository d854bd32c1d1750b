"""Do two builds of Strait, for two C libraries, share buffers in both directions?"""

import json

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

    def test_each_build_looks_into_the_others_buffer(self):
        words = ["metadata_written_bytes", "payload_size", "payload_free_bytes", "payload_write_pos"]
        words += ["payload_written_count", "writer_pid", "reader_pid", "sem_w", "sem_r", "metadata", "unread"]
        for making, looking in (("strait", "other"), ("other", "strait")):
            name = self.new_name()
            reader, _ = self.strait_reader("-n", 3, "--timeout-ms", 60_000, name=name, program=PROGRAMS[making])
            reader.stop()
            self.strait("writer", name, "-n", 3, "-m", "text", program=PROGRAMS[making]).report()
            seen = {}
            for program in (making, looking):
                look = self.tool(PROGRAMS[program], "inspect", name, "--json")
                seen[program] = {word: look[word] for word in words}
                listed = self.tool(PROGRAMS[program], "ls", "--json")
                self.assertEqual([entry["state"] for entry in listed if entry["name"] == name], ["live"])
            self.assertEqual(seen[looking], seen[making])
            self.assertEqual([entry["sequence"] for entry in seen[looking]["unread"]], [1, 2, 3])
            self.assertEqual(seen[looking]["metadata"], "text")
            reader.go_on()
            self.assertEqual(reader.report()["frames_read"], 3)
            self.assert_nothing_left(name)

    def tool(self, *command):
        code, out, errors = self.process(*command).end()
        self.assertEqual(code, 0, out + errors)
        return json.loads(out)
