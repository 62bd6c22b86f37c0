# SPDX-License-Identifier: Apache-2.0
"""Suites of `make test` on the other versions: what each event costs in keys, what a bad key server
leads to, and the unit tests where the libcrypto is another one."""
import re
import subprocess
import sys

import harness

SYSTEM_TESTS = harness.ROOT / "tests" / "system"
SYSTEM_MODULES = ("test_consumption", "test_bad_kme")
LIMIT_S = 300


def system_tests(at, module):
    """A file of tests/system with this OpenSSL in place of 3.5."""
    return subprocess.run(
        [sys.executable, "-m", "unittest", module], cwd=SYSTEM_TESTS, check=False,
        env=harness.child_env(QKD_BUILD_DIR=str(at.modules.parents[1]),
                              QKD_OPENSSL_ROOT=str(at.prefix), PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True, text=True, timeout=LIMIT_S)


def unit_tests(at):
    """Those of the build that the module comes from."""
    return subprocess.run(["ctest", "--test-dir", at.modules.parents[1], "-R", r"^unit\.",
                           "--output-on-failure"], capture_output=True, text=True, check=False,
                          timeout=LIMIT_S)


def result(report, what, done, pattern):
    """"22 pass", or "FAILED"."""
    match = re.search(pattern, done.stdout + done.stderr)
    if done.returncode != 0 or not match:
        report.fail(what, done.stdout + done.stderr)
        return "FAILED"
    return f"{match[1]} pass"


def run(report, installations):
    """Versions that have ML-KEM, and the first version of each major but the harness's own."""
    rows, seen = [], {harness.OPENSSL35.version()[0]}
    for at in installations:
        row = [at.name]
        for module in SYSTEM_MODULES:
            row.append(result(report, f"{module}, OpenSSL {at.name}", system_tests(at, module),
                              r"Ran (\d+) tests") if at.has_mlkem else "not run: needs ML-KEM")
        units = "by make test"
        if at.major not in seen:
            seen.add(at.major)
            units = result(report, f"unit tests, OpenSSL {at.name}", unit_tests(at),
                           r"100% tests passed, 0 tests failed out of (\d+)")
        rows.append(row + [units])
    report.table("Suites of make test", ["OpenSSL", *SYSTEM_MODULES, "unit tests"], rows)
