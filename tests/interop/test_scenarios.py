"""Do the examples work with their Python siblings: producer and consumer, pipeline, request and response?"""

import os
import sys
import tempfile

from harness import HERE, PROGRAMS, Scenario

PYTHON = os.path.join(HERE, "../../std-runtime/examples/python")
LINES = [f"line {number}: " + "äöü "[: number % 5] * (number % 40) for number in range(1000)]
PICTURES = 500
# 64 times 48 pixels.
PICTURE_LEN = 3072


class Scenarios(Scenario):
    def stage(self, language, example, *words):
        """A run of one of the examples."""
        if language == "rust":
            command = [os.path.join(PROGRAMS["made"], "examples", example)]
        else:
            command = [sys.executable, os.path.join(PYTHON, f"{example}.py")]
        return self.process(*command, *map(str, words))

    def type_in(self, stage, lines):
        stage.child.stdin.writelines(f"{line}\n" for line in lines)
        stage.child.stdin.close()

    def succeeded(self, stage):
        code, out, errors = stage.end()
        self.assertEqual(code, 0, f"{stage.child.args}\n{out}{errors}")
        return out

    def produced_and_consumed(self, producing, consuming):
        self.forgive_everything(self.name)
        consumer = self.stage(consuming, "producer_consumer", "consume", self.name)
        oieb = self.oieb()
        producer = self.stage(producing, "producer_consumer", "produce", self.name)
        self.type_in(producer, LINES)
        self.assertEqual(self.succeeded(producer), "")
        self.assertEqual(self.succeeded(consumer).splitlines(), LINES)
        self.assertEqual((oieb.written_count, oieb.free), (len(LINES), oieb.payload_size))

    def test_rust_produces_and_python_consumes(self):
        self.produced_and_consumed("rust", "python")

    def test_python_produces_and_rust_consumes(self):
        self.produced_and_consumed("python", "rust")

    def pictures_through(self, camera, enhance, display):
        raw, bright = self.new_name(), self.new_name()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "pictures.pgm")
            for name in (raw, bright):
                self.forgive_everything(name)
            stages = [
                self.stage(display, "pipeline", "display", bright, path),
                self.stage(enhance, "pipeline", "enhance", raw, bright),
                self.stage(camera, "pipeline", "camera", raw, PICTURES),
            ]
            for stage in stages:
                self.succeeded(stage)
            with open(path, "rb") as file:
                found = file.read()
        wanted = [bytes(min((at + number) % 256 + 40, 255) for at in range(PICTURE_LEN)) for number in range(256)]
        pictures = [b"P5 64 48 255\n" + wanted[number % 256] for number in range(PICTURES)]
        self.assertEqual(len(found), sum(map(len, pictures)), "bytes of all pictures")
        self.assertTrue(found == b"".join(pictures), "every picture, in order")

    def test_a_pipeline_with_python_in_the_middle(self):
        self.pictures_through("rust", "python", "rust")

    def test_a_pipeline_with_rust_in_the_middle(self):
        self.pictures_through("python", "rust", "python")

    def asked(self, client, lines):
        self.type_in(client, lines)
        return self.succeeded(client).splitlines()

    def forgive_channel(self):
        for suffix in ("_request", "_response"):
            self.forgive_everything(self.name + suffix)

    def test_python_asks_and_rust_answers(self):
        self.forgive_channel()
        server = self.stage("rust", "request_response", "serve", self.name)
        self.oieb(f"{self.name}_request")
        wanted = [line.upper() for line in LINES]
        for language in ("python", "rust", "python"):
            client = self.stage(language, "request_response", "ask", self.name)
            self.assertEqual(self.asked(client, LINES), wanted)
        server.child.stdin.close()
        told = self.succeeded(server)
        self.assertIn(f"clients: 3, requests: {3 * len(LINES)}, failed: 0", told)
        self.assert_nothing_left(f"{self.name}_request")

    def test_rust_asks_and_python_answers(self):
        self.forgive_channel()
        server = self.stage("python", "request_response", "serve", self.name)
        self.oieb(f"{self.name}_request")
        client = self.stage("rust", "request_response", "ask", self.name)
        self.assertEqual(self.asked(client, LINES), [line.upper() for line in LINES])
        self.succeeded(server)
        self.assert_nothing_left(f"{self.name}_response")

    def test_a_request_that_fails_is_told_to_a_python_client(self):
        self.forgive_channel()
        server = self.stage("rust", "request_response", "serve", self.name)
        self.oieb(f"{self.name}_request")
        client = self.stage("python", "request_response", "ask", self.name)
        answers = self.asked(client, ["one", "two", " ", "four", "five"])
        self.assertEqual(answers, ["ONE", "TWO", "failed: the line is blank", "FOUR", "FIVE"])
        server.child.stdin.close()
        self.assertIn("requests: 5, failed: 1", self.succeeded(server))
