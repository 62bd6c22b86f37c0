# SPDX-License-Identifier: Apache-2.0
"""The commands at the root of the tree: set-up, env.sh, the demo."""
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import harness

SCRIPTS = harness.ROOT / "scripts"
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def write_env(build, prefix):
    """What `make` writes at the end of a build."""
    subprocess.run([SCRIPTS / "write-env.sh", build, prefix], check=True, timeout=harness.LIMIT_S)


def processes():
    """Command lines of all processes."""
    lines = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # it ended meanwhile
    return lines


class Demo(unittest.TestCase):
    @unittest.skipIf(harness.SANITIZED, "the demo is for the plain build, where it has run")
    def test_demo_shows_equal_keys_in_every_row_and_leaves_nothing(self):
        write_env(harness.BUILD, harness.openssl_root())
        with tempfile.TemporaryDirectory(prefix="qkd-demo-") as folder:
            done = subprocess.run([SCRIPTS / "demo.sh", harness.BUILD], capture_output=True,
                                  text=True, stdin=subprocess.DEVNULL, check=False,
                                  env=harness.child_env(TMPDIR=folder), timeout=harness.LIMIT_S)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            rows = re.findall(rf"^(\S+) +(014|004) +(client|server)-initiated +({UUID}) +({UUID}) "
                              "+yes ", done.stdout, re.M)
            groups = ("qkd_mlkem768", "qkd_x25519mlkem768", "qkd_x25519")
            self.assertEqual([row[:3] for row in rows],
                             [(group, "014", flow) for group in groups
                              for flow in ("client", "server")] +
                             [(group, "004", "client") for group in groups])
            self.assertTrue(all(client == server for *_, client, server in rows))
            self.assertEqual(len({row[-1] for row in rows}), len(rows))
            self.assertIn("9 to initiators, 9 to responders, for 9 handshakes", done.stdout)
            self.assertIn("SIMULATED", done.stdout)
            self.assertEqual(os.listdir(folder), [])
            self.assertEqual([line for line in processes() if folder in line], [])


class Env(unittest.TestCase):
    def source(self, shell, build, times, **env):
        """PATH, LD_LIBRARY_PATH and OPENSSL_MODULES after sourcing env.sh."""
        script = f". '{build}/env.sh'; " * times + \
            'printf "%s\\n" "$PATH" "${LD_LIBRARY_PATH:-}" "$OPENSSL_MODULES"'
        done = subprocess.run([shell, "-euc", script], capture_output=True, text=True, check=True,
                              env={"PATH": "/usr/bin:/bin", **env}, timeout=harness.LIMIT_S)
        return done.stdout.splitlines()

    def test_env_sh_puts_ours_first_and_keeps_what_was_there(self):
        with tempfile.TemporaryDirectory() as folder:
            prefix = pathlib.Path(folder) / "an openssl"
            (prefix / "lib64").mkdir(parents=True)
            (prefix / "lib64" / "libcrypto.so").touch()
            write_env(folder, prefix)
            for shell in ("sh", "bash"):
                once = self.source(shell, folder, 1, LD_LIBRARY_PATH="/some:/where")
                self.assertEqual(once, [f"{folder}/bin:{prefix}/bin:/usr/bin:/bin",
                                        f"{prefix}/lib64:/some:/where",
                                        f"{folder}/lib/ossl-modules"])
                self.assertEqual(self.source(shell, folder, 2, LD_LIBRARY_PATH="/some:/where"),
                                 once)
                self.assertEqual(self.source(shell, folder, 1)[1], f"{prefix}/lib64")

    def test_env_sh_for_the_systems_own_openssl_sets_no_library_path(self):
        with tempfile.TemporaryDirectory() as folder:
            write_env(folder, "/usr")
            self.assertEqual(self.source("sh", folder, 1)[1], "")

    def test_env_sh_finds_the_programs_of_this_build(self):
        write_env(harness.BUILD, harness.openssl_root())
        script = f". '{harness.BUILD}/env.sh'; command -v qkdctl qkd-kme openssl; openssl version"
        env = harness.child_env(LC_ALL="C")
        done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True,
                              env=env, timeout=harness.LIMIT_S)
        self.assertEqual(done.stdout.splitlines()[:3],
                         [str(harness.QKDCTL), str(harness.QKD_KME),
                          f"{harness.openssl_root()}/bin/openssl"])
        version = tuple(map(int, re.search(r"OpenSSL (\d+)\.(\d+)", done.stdout).groups()))
        self.assertEqual(version, harness.OPENSSL35.version()[:2])


class SetUp(unittest.TestCase):
    def test_set_up_asks_for_nothing_when_all_packages_are_there(self):
        with tempfile.TemporaryDirectory() as folder:
            trap = pathlib.Path(folder) / "called"
            for name in ("apt-get", "sudo"):
                program = pathlib.Path(folder) / name
                program.write_text(f"#!/bin/sh\necho {name} \"$@\" >>'{trap}'\nexit 1\n",
                                   encoding="utf-8")
                program.chmod(0o755)
            env = harness.child_env(PATH=f"{folder}:{os.environ['PATH']}")
            done = subprocess.run([SCRIPTS / "setup.sh"], env=env, capture_output=True, text=True,
                                  timeout=harness.LIMIT_S, check=False)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
            self.assertFalse(trap.exists())

    def cached(self, folder, *words):
        """What get-openssl.sh prints where some builds are cached and the system's is 3.0."""
        for version in ("3.0.22", "3.5.9", "3.5.10", "3.6.5", "3.60.1", "4.0.3"):
            program = pathlib.Path(folder) / "qkd-provider" / f"openssl-{version}" / "bin/openssl"
            program.parent.mkdir(parents=True)
            program.touch(0o755)
        tools = pathlib.Path(folder) / "tools"
        tools.mkdir()
        (tools / "pkg-config").write_text("#!/bin/sh\necho 3.0.19\n", encoding="utf-8")
        (tools / "pkg-config").chmod(0o755)
        env = harness.child_env(XDG_CACHE_HOME=folder, PATH=f"{tools}:{os.environ['PATH']}")
        env.pop("OPENSSL_ROOT", None)
        done = subprocess.run([SCRIPTS / "get-openssl.sh", *words], capture_output=True, text=True,
                              env=env, check=True, timeout=harness.LIMIT_S)
        return pathlib.Path(done.stdout.strip()).name

    def test_a_newer_series_in_the_cache_is_not_taken_for_the_one_we_build_with(self):
        for words, name in (((), "openssl-3.5.10"), (("3.5",), "openssl-3.5.10"),
                            (("3.6",), "openssl-3.6.5"), (("4.0",), "openssl-4.0.3")):
            with self.subTest(words=words), tempfile.TemporaryDirectory() as folder:
                self.assertEqual(self.cached(folder, *words), name)

    def test_a_series_that_is_none_is_refused(self):
        done = subprocess.run([SCRIPTS / "get-openssl.sh", "newest"], capture_output=True,
                              text=True, check=False, timeout=harness.LIMIT_S)
        self.assertEqual(done.returncode, 1)
        self.assertIn("'newest' is not a series of OpenSSL such as 3.5", done.stderr)

    def test_a_givenopenssl_root_without_openssl_is_refused_by_name(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([SCRIPTS / "get-openssl.sh"], capture_output=True, text=True,
                                  env=harness.child_env(OPENSSL_ROOT=folder), check=False,
                                  timeout=harness.LIMIT_S)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"OPENSSL_ROOT={folder} has no bin/openssl", done.stderr)


if __name__ == "__main__":
    unittest.main()
