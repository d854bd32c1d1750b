"""Do metadata arrive, once, in both directions?"""

from harness import Scenario

TEXT = '{"camera":"№ 7","fps":30}'


class Metadata(Scenario):
    def test_from_strait_to_the_peer(self):
        reader = self.peer_reader()
        self.assertIsNone(reader("get_metadata")["metadata"])
        self.strait("writer", self.name, "-n", 1, "-m", TEXT).report()
        self.assertEqual(reader("get_metadata")["metadata"], TEXT)
        self.assertEqual(reader("read", count=1)["frames"], 1)
        reader("close", end="reader")

    def test_from_the_peer_to_strait(self):
        reader, oieb = self.strait_reader("-n", 1, "--metadata-out", "/dev/stderr")
        writer = self.peer_writer()
        writer("set_metadata", text=TEXT)
        writer("write", count=1, sizes=10)
        report = reader.report()
        size = len(TEXT.encode())
        self.assertEqual((report["metadata_size"], oieb.metadata_written), (size, size + 8))
        self.assertIn(TEXT, report["stderr"])
        writer("close", end="writer")
        self.assert_nothing_left()

    def test_what_fits_exactly_arrives_and_one_byte_more_is_refused(self):
        reader = self.peer_reader(metadata=64)
        oieb = self.oieb()
        self.strait("writer", self.name, "-n", 1, "-m", "x" * 57).report(code=2)
        self.assertEqual(oieb.metadata_written, 0)
        self.strait("writer", self.name, "-n", 1, "-m", "x" * 56).report()
        self.assertEqual((oieb.metadata_written, oieb.metadata_free), (64, 0))
        self.assertEqual(reader("get_metadata")["metadata"], "x" * 56)
        reader("close", end="reader")

    def test_metadata_of_an_earlier_peer_are_not_overwritten(self):
        reader = self.peer_reader()
        writer = self.peer_writer()
        writer("set_metadata", text="first")
        writer("close", end="writer")
        report = self.strait("writer", self.name, "-n", 1, "-m", "second").report(code=2)
        self.assertIn("already has 5 bytes of metadata", report["errors"][0])
        self.assertEqual(reader("get_metadata")["metadata"], "first")
        reader("close", end="reader")

    def test_metadata_of_strait_are_not_overwritten_by_a_peer(self):
        reader = self.peer_reader()
        self.strait("writer", self.name, "-n", 1, "-m", "first").report()
        writer = self.peer_writer()
        refused = writer.try_to("set_metadata", text="second")
        self.assertEqual(refused["error"], "MetadataAlreadyWrittenException")
        self.assertEqual(reader("get_metadata")["metadata"], "first")
        writer("close", end="writer")
        reader("close", end="reader")

    def test_an_empty_block_of_the_peer_is_empty(self):
        # The package writes such a block, but its own readers refuse it.
        reader, oieb = self.strait_reader("-n", 1)
        writer = self.peer_writer()
        writer("set_metadata", text="")
        self.assertEqual(oieb.metadata_written, 8)
        writer("write", count=1, sizes=10)
        self.assertEqual(reader.report()["metadata_size"], 0)
        writer("close", end="writer")
