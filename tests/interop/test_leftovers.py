"""Can a name be used again after its last reader, however that ended?"""

import os

from harness import Scenario, lock_paths

RING = 10_240


class Leftovers(Scenario):
    def assert_works_with_a_strait_reader(self):
        reader, oieb = self.strait_reader("-n", 100, "--verify", "sequential", "--timeout-ms", 20_000)
        self.wait_for(lambda: self.oieb().reader_pid == reader.pid, "the new reader's buffer")
        oieb = self.oieb()
        writer = self.peer_writer()
        writer("write", count=100, sizes={"low": 1, "high": 2000})
        report = reader.report()
        self.assertEqual((report["frames_read"], report["verification_errors"]), (100, 0))
        self.assertEqual(oieb.free, RING)
        writer("close", end="writer")
        self.assert_nothing_left()

    def test_semaphores_that_a_closed_peer_reader_left(self):
        left = self.peer_reader(payload=RING)
        writer = self.peer_writer()
        writer("write", count=3, sizes=10)
        writer("close", end="writer")
        left("close", end="reader")
        self.assertTrue(os.path.exists(f"/dev/shm/sem.sem-w-{self.name}"), "the package still leaves them")
        # A permit left in them would announce a frame that is not there.
        self.assert_works_with_a_strait_reader()

    def test_everything_that_a_killed_peer_reader_left(self):
        left = self.peer_reader(payload=RING)
        self.forgive_everything(self.name)
        writer = self.peer_writer()
        writer("write", count=3, sizes=10)
        writer("close", end="writer")
        left.kill()
        for path in (f"/dev/shm/{self.name}", f"/dev/shm/sem.sem-r-{self.name}", lock_paths(self.name)[0]):
            self.assertTrue(os.path.exists(path), path)
        self.assert_works_with_a_strait_reader()

    def test_everything_that_a_killed_peer_reader_left_while_its_writer_lives(self):
        left = self.peer_reader(payload=RING)
        self.forgive_everything(self.name)
        writer = self.strait("writer", self.name, "-n", 0, "-s", 1000, "--delay-ms", 5, "--timeout-ms", 60_000)
        oieb = self.oieb()
        self.wait_for(lambda: oieb.written_count > 3, "frames were written")
        left.kill()
        self.assert_works_with_a_strait_reader()
        self.assertIn("is gone", writer.report(code=2)["errors"][0])

    def test_a_buffer_without_its_lock_file(self):
        # What remains when another peer reader has swept the lock of a dead one whose writer lived.
        left = self.peer_reader(payload=RING)
        self.forgive_everything(self.name)
        left.kill()
        os.unlink(lock_paths(self.name)[0])
        # Its number may be that of a process in another container, and somebody has the buffer open.
        held = self.oieb()
        kept = self.strait("reader", self.name, "--timeout-ms", 1000).report(code=1)
        self.assertIn("may be in use", kept["errors"][0])
        held.close()
        # Nobody has: that proves it dead.
        self.strait("reader", self.name, "--timeout-ms", 1).report(code=3)
        self.assert_works_with_a_strait_reader()

    def test_everything_that_a_killed_strait_reader_left_is_swept_by_a_peer_reader(self):
        left, _ = self.strait_reader("--timeout-ms", 60_000)
        self.forgive_everything(self.name)
        left.kill()
        reader = self.peer()
        reader("create", name=self.name, payload=RING)
        writer = self.strait("writer", self.name, "-n", 100, "-s", "1..2000", "--timeout-ms", 20_000)
        self.assertEqual(reader("read", count=100)["frames"], 100)
        writer.report()
        reader("close", end="reader")

    def test_everything_that_a_killed_strait_reader_left_is_taken_over_by_strait(self):
        left, _ = self.strait_reader("--timeout-ms", 60_000)
        self.forgive_everything(self.name)
        left.kill()
        self.assert_works_with_a_strait_reader()
