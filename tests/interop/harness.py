"""What the scenarios share: processes under control, names of their own, and a look at the raw objects."""

import glob
import json
import os
import queue
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PREFIX = f"strait-interop-{os.getpid()}-"
# Set by main.py: the command-line tool under test, another build of it, and the folder of programs made for scenarios.
PROGRAMS = {"strait": None, "other": None, "made": None}
# The longest that anything here may take; only a hanging process meets it.
PATIENCE = 120.0

names = iter(range(1 << 30))


def address_bits(program):
    """32 or 64, as the program's ELF header says."""
    with open(program, "rb") as file:
        header = file.read(5)
    return {b"\x7fELF\x01": 32, b"\x7fELF\x02": 64}[header]


def deadline_poll(condition, what, patience=PATIENCE):
    """Waits until `condition` returns something true, and returns it."""
    end = time.monotonic() + patience
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"never happened within {patience} s: {what}")
        time.sleep(0.002)


class Oieb:
    """The control block of a buffer, which stays readable after the buffer's name is gone."""

    FIELDS = (
        "oieb_size version metadata_size metadata_free metadata_written payload_size free write_pos read_pos "
        "written_count read_count writer_pid reader_pid"
    ).split()

    def __init__(self, name):
        self.path = f"/dev/shm/{name}"
        self.fd = None

    def open(self):
        try:
            fd = os.open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return False
        if self.fd is not None:
            os.close(self.fd)
        self.fd = fd
        return True

    def __getattr__(self, field):
        if field not in self.FIELDS:
            raise AttributeError(field)
        data = os.pread(self.fd, 128, 0)
        if len(data) < 128:
            return 0
        return dict(zip(self.FIELDS, struct.unpack("<2I11Q", data[:96])))[field]

    def close(self):
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


class Process:
    """A child with its output collected; killed by its handle at the end of the test."""

    def __init__(self, command, **options):
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        pipe = subprocess.PIPE
        self.child = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment, **options
        )
        self.lines, self.errors = queue.Queue(), []
        self.threads = [
            threading.Thread(target=self._collect, args=(self.child.stdout, self.lines.put), daemon=True),
            threading.Thread(target=self._collect, args=(self.child.stderr, self.errors.append), daemon=True),
        ]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def _collect(stream, sink):
        for line in stream:
            sink(line)

    @property
    def pid(self):
        return self.child.pid

    def stop(self):
        """Stops it as a debugger would; returns once it is stopped."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitpid(self.pid, os.WUNTRACED)

    def go_on(self):
        os.kill(self.pid, signal.SIGCONT)

    def kill(self):
        """`kill -9`, and takes its exit status, so that it is really gone."""
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait(PATIENCE)

    def end(self, patience=PATIENCE):
        """Its exit code, all its standard output, all its standard error."""
        try:
            code = self.child.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running after {patience} s: {self.child.args}") from None
        for thread in self.threads:
            thread.join(PATIENCE)
        lines = []
        while not self.lines.empty():
            lines.append(self.lines.get())
        return code, "".join(lines), "".join(self.errors)

    def dispose(self):
        self.kill()
        for thread in self.threads:
            thread.join(PATIENCE)
        for stream in (self.child.stdin, self.child.stdout, self.child.stderr):
            try:
                stream.close()
            except BrokenPipeError:
                pass


class Strait(Process):
    """A run of the command-line tool."""

    def __init__(self, *args, program=None):
        super().__init__([program or PROGRAMS["strait"], *map(str, args), "--json-output"])

    def report(self, code=0, patience=PATIENCE):
        """Its report, after it has ended with `code`."""
        found, out, errors = self.end(patience)
        if found != code:
            raise AssertionError(f"exit code {found}, not {code}: {self.child.args}\n{out}{errors}")
        report = json.loads(out) if out.strip() else {"errors": []}
        report["stderr"] = errors
        return report


class Peer(Process):
    """The real package in a process of its own."""

    def __init__(self, script="peer.py"):
        super().__init__([sys.executable, os.path.join(HERE, script)])

    def start(self, do, **arguments):
        """Tells it what to do, without waiting."""
        self.child.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self.child.stdin.flush()

    def answer(self, patience=PATIENCE):
        """What came of it, be it a failure."""
        try:
            return json.loads(self.lines.get(timeout=patience))
        except queue.Empty:
            raise AssertionError(f"no answer within {patience} s: {''.join(self.errors)}") from None

    def try_to(self, do, **arguments):
        self.start(do, **arguments)
        return self.answer()

    def __call__(self, do, **arguments):
        """Does it, and must succeed."""
        return self.succeeded(self.try_to(do, **arguments))

    def finish(self):
        """What came of what was started, which must have succeeded."""
        return self.succeeded(self.answer())

    @staticmethod
    def succeeded(answer):
        if "error" in answer:
            raise AssertionError(f"the peer failed: {answer}")
        return answer


class Scenario(unittest.TestCase):
    """One test: its processes end with it, and nothing of it stays behind."""

    def setUp(self):
        self.name = self.new_name()
        # What the package is known to leave behind; removed here, everything else must be gone by itself.
        self.forgiven = []

    def new_name(self):
        return f"{PREFIX}{next(names)}"

    def peer(self, script="peer.py"):
        peer = Peer(script)
        self.addCleanup(peer.dispose)
        return peer

    def process(self, *command):
        process = Process(command)
        self.addCleanup(process.dispose)
        return process

    def strait(self, *args, **options):
        strait = Strait(*args, **options)
        self.addCleanup(strait.dispose)
        return strait

    def oieb(self, name=None):
        """The control block, once the buffer is complete."""
        oieb = Oieb(name or self.name)
        self.addCleanup(oieb.close)
        deadline_poll(lambda: oieb.open() and oieb.oieb_size == 128, f"buffer {oieb.path}")
        return oieb

    def peer_reader(self, name=None, **config):
        """A peer that has created a buffer. It never removes its semaphores."""
        name = name or self.name
        peer = self.peer()
        self.forgive_semaphores(name)
        peer("create", name=name, **config)
        return peer

    def peer_writer(self, name=None):
        peer = self.peer()
        peer("connect", name=name or self.name)
        return peer

    def strait_reader(self, *args, name=None, ring=10240, **options):
        """A `strait reader` whose buffer is there."""
        name = name or self.name
        reader = self.strait("reader", name, "--buffer-size", ring, *args, **options)
        return reader, self.oieb(name)

    def wait_for(self, condition, what):
        return deadline_poll(condition, what)

    def forgive_semaphores(self, name):
        self.forgiven += [f"/dev/shm/sem.sem-w-{name}", f"/dev/shm/sem.sem-r-{name}"]

    def forgive_everything(self, name):
        self.forgive_semaphores(name)
        self.forgiven += [f"/dev/shm/{name}", *lock_paths(name)]

    def assert_nothing_left(self, name=None):
        name = name or self.name
        left = [path for path in objects() if path.removesuffix(".lock").endswith(name)]
        self.assertEqual(left, [], "left behind")

    def assert_drained(self, oieb):
        """A peer has read everything written and given every byte back. (Strait's readers count now and then.)"""
        self.assertEqual(oieb.free, oieb.payload_size, "free bytes")
        self.assertEqual(oieb.read_count, oieb.written_count, "frames and wrap markers")

    def doCleanups(self):
        outcome = super().doCleanups()
        for path in self.forgiven:
            if os.path.exists(path):
                os.unlink(path)
        return outcome


def lock_paths(name):
    folder = tempfile.gettempdir()
    return [f"/tmp/zerobuffer/{name}.lock", f"{folder}/zerobuffer/locks/{name}.lock"]


def objects():
    """Every object of this run, wherever the implementations put them."""
    folders = ["/dev/shm/", "/dev/shm/sem.sem-w-", "/dev/shm/sem.sem-r-", "/tmp/zerobuffer/"]
    folders.append(f"{tempfile.gettempdir()}/zerobuffer/locks/")
    return sorted({path for folder in folders for path in glob.glob(f"{folder}{PREFIX}*")})
