"""Which scenarios run: all, or those whose names contain one of the words given."""

import argparse
import os
import sys
import time
import unittest

import harness


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
    parser.add_argument("--strait", required=True, help="the command-line tool under test")
    parser.add_argument("--other", help="another build of it, which must work with the first")
    parser.add_argument("--made", help="the folder of strait-test-duplex-peer and of the examples")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    harness.PROGRAMS.update(strait=options.strait, other=options.other, made=options.made)

    modules = sorted(name[:-3] for name in os.listdir(harness.HERE) if name.startswith("test_"))
    if options.other is None:
        modules.remove("test_two_builds")
    if options.made is None:
        modules = [name for name in modules if name not in ("test_duplex", "test_scenarios")]
    if harness.address_bits(options.strait) == 64:
        modules.remove("test_address_space")
    suite = unittest.defaultTestLoader.loadTestsFromNames(modules)
    tests = unittest.TestSuite(chosen(suite, options.words))
    wanted = tests.countTestCases()
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(tests)

    left = harness.objects()
    if left:
        print("left behind, now removed:", *left, sep="\n  ")
        for path in left:
            os.unlink(path)
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun} scenarios, {failed} failed")
    complete = wanted > 0 and result.testsRun == wanted and not result.skipped
    return 0 if complete and result.wasSuccessful() and not left else 1


if __name__ == "__main__":
    sys.exit(main())
