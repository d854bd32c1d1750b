"""Which scenarios run: those of the peer itself always; those of packages and of the tool, if told.

    python3 main.py [--packages] [--strait PATH] [WORD ...]

Words choose scenarios whose names contain one of them. `python3` needs numpy, and with `--packages` also pycapnp,
google-crc32c, protobuf and zstandard.
"""

import argparse
import faulthandler
import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import tool  # noqa: E402


class Result(unittest.TextTestResult):
    """Says how long each scenario took."""

    def startTest(self, test):
        self.started = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test):
        unittest.TestResult.addSuccess(self, test)
        self.stream.writeln(f"ok ({time.monotonic() - self.started:.1f} s)")


def chosen(suite, words):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from chosen(test, words)
        elif not words or any(word in test.id() for word in words):
            yield test


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--strait", help="the command-line tool under test")
    parser.add_argument("--packages", action="store_true", help="try the packages that others use; they must be there")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    faulthandler.enable()

    modules = ["vectors_test", "self_test"]
    if options.packages:
        modules.append("packages_test")
    if options.strait:
        tool.PROGRAM = os.path.abspath(options.strait)
        modules += ["serve_test", "client_test"]
    suite = unittest.TestSuite(chosen(unittest.defaultTestLoader.loadTestsFromNames(modules), options.words))
    wanted = suite.countTestCases()
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(suite)
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun} scenarios, {failed} failed")
    complete = wanted > 0 and result.testsRun == wanted and not result.skipped
    return 0 if complete and result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
