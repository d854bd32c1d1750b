"""Does the peer understand itself? Only then is what it says about others to be believed."""

from benign import Benign
from benign_python import BenignPython
from benign_spec import BenignSpec
from harness import AgainstPython
from hostile import Hostile
from hostile_spec import HostileSpec
from wire import PYTHON, SPEC


class SpecOverTcp(Benign, BenignSpec, Hostile, HostileSpec, AgainstPython):
    dialect = SPEC


class SpecOverUnix(Benign, BenignSpec, AgainstPython):
    dialect, scheme = SPEC, "unix"


class SpecThatCompresses(Benign, BenignSpec, AgainstPython):
    dialect = SPEC

    def start_server(self, **options):
        return super().start_server(compress=True, **options)


class PythonOverTcp(Benign, BenignPython, Hostile, AgainstPython):
    dialect, is_reference = PYTHON, True


class PythonOverUnix(Benign, BenignPython, AgainstPython):
    dialect, is_reference, scheme = PYTHON, True, "unix"


class PythonWithProtobuf(Benign, BenignPython, AgainstPython):
    dialect, is_reference = PYTHON, True

    def start_server(self, **options):
        return super().start_server(generated=True, **options)
