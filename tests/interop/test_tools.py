"""Do the two projects' command-line tools agree on patterns, digests and counts?"""

import json
import sys

import frames
from harness import Process, Scenario

COUNT = 60


class Tools(Scenario):
    def peer_tool(self, tool, *args):
        process = Process([sys.executable, "-m", f"zerobuffer.cross_platform.{tool}", *map(str, args), "--json-output"])
        self.addCleanup(process.dispose)
        return process

    def report(self, process):
        code, out, errors = process.end()
        self.assertEqual(code, 0, out + errors)
        return json.loads(out)

    def digests(self, report):
        return [(entry["frame"], entry["checksum"]) for entry in report["checksums"]]

    def expected(self, pattern, size):
        make = {
            "sequential": frames.sequential,
            "zero": lambda k, n: bytes(n),
            "ones": lambda k, n: b"\xff" * n,
        }[pattern]
        return [(k, frames.md5(make(k, size))) for k in range(COUNT)]

    def test_digests_of_what_strait_writes(self):
        for pattern in ("sequential", "zero", "ones"):
            name = self.new_name()
            self.forgive_semaphores(name)
            reader = self.peer_tool("reader", name, "-n", COUNT, "-s", 3000, "--verify", pattern, "--checksum")
            self.oieb(name)
            writer = self.strait("writer", name, "-n", COUNT, "-s", 3000, "--pattern", pattern, "--checksum")
            read, written = self.report(reader), writer.report()
            self.assertEqual((read["frames_read"], read["verification_errors"], read["errors"]), (COUNT, 0, []))
            self.assertEqual(self.digests(read), self.expected(pattern, 3000))
            self.assertEqual(self.digests(written), self.digests(read))

    def test_digests_of_what_the_peers_tool_writes(self):
        for pattern in ("sequential", "zero", "ones"):
            name = self.new_name()
            arguments = ("-n", COUNT, "-s", 3000, "--verify", pattern, "--checksum")
            reader, _ = self.strait_reader(*arguments, name=name)
            writer = self.peer_tool("writer", name, "-n", COUNT, "-s", 3000, "--pattern", pattern, "-m", "text")
            written, read = self.report(writer), reader.report()
            self.assertEqual((written["frames_written"], read["frames_read"]), (COUNT, COUNT))
            self.assertEqual((read["verification_errors"], read["metadata_size"]), (0, 4))
            self.assertEqual(self.digests(read), self.expected(pattern, 3000))
            self.assert_nothing_left(name)

    def test_the_random_pattern_and_sizes_are_the_documented_cipher(self):
        reader = self.peer_reader(payload=10_240)
        sizes = {"low": 1, "high": 900, "seed": 11}
        options = ("-s", "1..900", "--seed", 11, "--pattern", "random", "--timeout-ms", 20_000)
        writer = self.strait("writer", self.name, "-n", COUNT, *options)
        answer = reader("read", count=COUNT, sizes=sizes, pattern="random", seed=11)
        self.assertEqual(answer["frames"], COUNT)
        writer.report()
        reader("close", end="reader")
