"""Does a 32-bit build refuse what it cannot address, and say so?"""

import os
import struct

from harness import PROGRAMS, Scenario

GIB = 1 << 30


class AddressSpace(Scenario):
    def refused(self, *command, words):
        code, out, errors = self.process(PROGRAMS["strait"], *map(str, command)).end()
        self.assertNotIn(code, (0, 101), out + errors)
        for word in words:
            self.assertIn(word, errors)

    def large_buffer(self, payload):
        """A buffer as a 64-bit reader (this process) would make it, of holes: it takes no memory."""
        path = f"/dev/shm/{self.name}"
        words = struct.pack("<I4B11Q", 128, 1, 0, 0, 0, 0, 0, 0, payload, payload, 0, 0, 0, 0, 0, os.getpid())
        with open(path, "wb") as file:
            file.write(words.ljust(128, b"\0"))
            file.truncate(128 + payload)
        self.forgiven.append(path)
        return path, words

    def test_a_ring_beyond_the_address_space_is_not_created(self):
        for size in (2 * GIB, 4 * GIB - 64, 4 * GIB, 4 * GIB + 64, 8 * GIB, (1 << 64) - 64):
            self.refused("reader", self.name, "--buffer-size", size, words=[str(size), "2147483647 together"])
        self.assert_nothing_left()

    def test_a_buffer_beyond_the_address_space_is_refused_and_left_alone(self):
        # The last one's length is 320 in 32 bits.
        for payload in (2 * GIB, 3 * GIB, 4 * GIB + 192):
            path, words = self.large_buffer(payload)
            size = f"its {128 + payload} bytes exceed"
            self.refused("writer", self.name, "-n", 1, words=[size])
            self.refused("inspect", self.name, words=[size])
            self.refused("reader", self.name, "--timeout-ms", 1000, words=[size])
            with open(path, "rb") as file:
                self.assertEqual(file.read(128), words.ljust(128, b"\0"))
            self.assertEqual(os.path.getsize(path), 128 + payload)
            code, out, errors = self.process(PROGRAMS["other"], "inspect", self.name, "--json").end()
            self.assertEqual(code, 0, "the 64-bit build looks into it: " + out + errors)
            os.unlink(path)
        self.assert_nothing_left()
