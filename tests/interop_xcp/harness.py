"""What do the scenarios share: servers of both kinds, processes under control, and clients that are closed?"""

import queue
import subprocess
import tempfile
import threading
import unittest

import tool
from peer import PATIENCE, Client
from server import Server
from wire import DIALECTS


class Process:
    """A child with its output collected; killed by its handle at the end of the scenario."""

    def __init__(self, command, stdin=b""):
        pipe = subprocess.PIPE
        self.child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)
        self.lines, self.out, self.errors = queue.Queue(), [], []
        self.threads = [
            threading.Thread(target=self._collect, args=(self.child.stdout, self._line), daemon=True),
            threading.Thread(target=self._collect, args=(self.child.stderr, self.errors.append), daemon=True),
            threading.Thread(target=self._feed, args=(stdin,), daemon=True),
        ]
        for thread in self.threads:
            thread.start()

    def _line(self, line):
        self.out.append(line)
        self.lines.put(line)

    def _collect(self, stream, sink):
        for line in stream:
            sink(line)
        if stream is self.child.stdout:
            self.lines.put(b"")

    def _feed(self, data):
        try:
            self.child.stdin.write(data)
            self.child.stdin.close()
        except BrokenPipeError:
            pass

    def first_line(self):
        try:
            line = self.lines.get(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError(f"silent for {PATIENCE} s: {self.child.args}") from None
        if not line:
            raise AssertionError(f"ended without a line: {self.child.args}\n{self.error_text()}")
        return line.decode()

    def error_text(self):
        return b"".join(self.errors).decode(errors="replace")

    def end(self):
        """Its exit code and its standard output, once it has ended by itself."""
        try:
            code = self.child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {PATIENCE} s: {self.child.args}\n{self.error_text()}") from None
        for thread in self.threads:
            thread.join(PATIENCE)
        return code, b"".join(self.out).decode(errors="replace")

    def is_running(self):
        return self.child.poll() is None

    def dispose(self):
        if self.is_running():
            self.child.kill()
        self.child.wait(PATIENCE)
        for thread in self.threads:
            thread.join(PATIENCE)
        for stream in (self.child.stdin, self.child.stdout, self.child.stderr):
            try:
                stream.close()
            except BrokenPipeError:
                pass


class Scenario(unittest.TestCase):
    """One test: its processes and servers end with it."""

    def folder(self):
        folder = tempfile.TemporaryDirectory(prefix="xcp-")
        self.addCleanup(folder.cleanup)
        return folder.name

    def listen_at(self, scheme):
        return "tcp://127.0.0.1:0" if scheme == "tcp" else f"unix://{self.folder()}/socket"

    def strait(self, command, stdin=b""):
        process = Process(command, stdin)
        self.addCleanup(process.dispose)
        return process

    def python_server(self, dialect, scheme="tcp", **behaviour):
        server = Server(self.listen_at(scheme), DIALECTS[dialect], **behaviour)
        self.addCleanup(server.stop)
        return server

    def closing(self, connection):
        self.addCleanup(connection.close)
        return connection


class AgainstAServer(Scenario):
    """What the scenarios of a client need; the subclass says which server, and in which dialect."""

    dialect = DIALECTS["spec"]
    scheme = "tcp"
    # Whether it is the reference, or behaves like it, with what the protocol page would not have.
    is_reference = False

    def start_server(self, **options):
        """Starts it and returns its address. `max_frame` is the only option that every server has."""
        raise NotImplementedError

    def serve(self, **options):
        self.address = self.start_server(**options)
        return self.address

    def client(self, dialect=None, **options):
        if not hasattr(self, "address"):
            self.serve()
        return self.closing(Client(self.address, dialect or self.dialect, **options))

    def raw(self):
        """A connection without a handshake."""
        return self.client(shake=False)


class AgainstPython(AgainstAServer):
    def start_server(self, **options):
        return self.python_server(self.dialect.name, self.scheme, **options).address


class AgainstStrait(AgainstAServer):
    said = "auto"  # the dialect it is told

    def start_server(self, **options):
        listen = self.listen_at(self.scheme)
        self.process = self.strait(tool.serve(listen, **{"dialect": self.said, **options}))
        return tool.address_in(self.process.first_line())

    def tearDown(self):
        super().tearDown()
        if hasattr(self, "process"):
            self.assertTrue(self.process.is_running(), f"the server ended: {self.process.error_text()}")
            self.assertNotIn("panicked", self.process.error_text())
