# SPDX-License-Identifier: Apache-2.0
"""The checks of the tree find what they are for."""
import pathlib
import subprocess
import tempfile
import unittest

import harness

TESTS = harness.ROOT / "tests"


class Includes(unittest.TestCase):
    def check(self, name, line):
        """The CompletedProcess of check-includes on a tree of one file with one include."""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / name
            path.parent.mkdir()
            path.write_text(f"/* a file */\n#include {line}\n", encoding="utf-8")
            return subprocess.run([TESTS / "check-includes", folder], capture_output=True,
                                  text=True, timeout=harness.LIMIT_S, check=False)

    def test_includes_that_point_the_wrong_way_are_found(self):
        for name, line in (("base/a.c", '"etsi/etsi014.h"'), ("etsi/a.h", '"net/http.h"'),
                           ("net/a.c", '"keys/source.h"'), ("kme/a.c", '"keys/source.h"'),
                           ("keys/a.c", '"provider/share.h"'), ("provider/a.c", '"net/http.h"'),
                           ("provider/a.c", '"etsi/etsi014.h"'), ("ctl/a.c", '"kme/store.h"'),
                           ("net/a.c", '"http.h"'), ("base/a.c", '"tests/unit/x.h"'),
                           ("keys/a.c", "<openssl/core_dispatch.h>"),
                           ("ctl/a.c", "<openssl/core.h>"), ("keys/a.c", "<jansson.h>"),
                           ("provider/a.c", "<jansson.h>"), ("keys/a.c", "<sys/socket.h>"),
                           ("provider/a.c", "<netdb.h>"), ("base/a.c", "<event2/event.h>")):
            done = self.check(name, line)
            self.assertEqual(done.returncode, 1, f"{name} {line}")
            self.assertIn(f"{name}:2: ", done.stdout)

    def test_includes_that_point_the_right_way_pass(self):
        for name, line in (("base/a.c", '"base/buf.h"'), ("provider/a.c", '"keys/source.h"'),
                           ("kme/a.c", '"etsi/etsi014.h"'), ("kme/a.c", "<event2/event.h>"),
                           ("ctl/a.c", '"keys/client014.h"'), ("etsi/a.c", "<jansson.h>"),
                           ("provider/a.c", "<openssl/core_dispatch.h>"),
                           ("keys/a.c", "<openssl/crypto.h>"), ("net/a.c", "<sys/socket.h>")):
            done = self.check(name, line)
            self.assertEqual(done.returncode, 0, f"{name} {line}: {done.stdout}")

    def test_a_tree_without_files_is_an_error(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([TESTS / "check-includes", folder], capture_output=True,
                                  timeout=harness.LIMIT_S, check=False)
            self.assertEqual(done.returncode, 1)


class Secrets(unittest.TestCase):
    def check(self, folder):
        return subprocess.run([TESTS / "check-no-secrets", folder], capture_output=True, text=True,
                              env=harness.child_env(GIT_CEILING_DIRECTORIES="/"),
                              timeout=harness.LIMIT_S, check=False)

    def test_keys_and_certificates_are_found_whatever_their_name(self):
        with harness.Lab(up=False) as lab, tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "notes.txt"
            path.write_text("nothing here\n", encoding="utf-8")
            self.assertEqual(self.check(folder).returncode, 0)
            for source in lab.pki("alice"):
                text = pathlib.Path(source).read_text(encoding="utf-8")
                path.write_text("some words\n" + text, encoding="utf-8")
                done = self.check(folder)
                self.assertEqual(done.returncode, 1)
                self.assertIn("notes.txt", done.stdout)

    def test_names_of_key_files_are_found_whatever_they_hold(self):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "server.key").write_text("x", encoding="utf-8")
            done = self.check(folder)
            self.assertEqual(done.returncode, 1)
            self.assertIn("server.key", done.stdout)


class Groups(unittest.TestCase):
    FILES = ("provider/groups.c", "provider/groups.h", "docs/groups.md", "wireshark/qkd.lua",
             "examples/nginx/qkd-groups.conf")

    def check(self, name=None, old="", new=""):
        """check-groups on a tree in which one text of one file was replaced."""
        with tempfile.TemporaryDirectory() as folder:
            for file in self.FILES:
                text = (harness.ROOT / file).read_text(encoding="utf-8")
                path = pathlib.Path(folder) / file
                path.parent.mkdir(parents=True, exist_ok=True)
                if file == name:
                    self.assertIn(old, text)
                    text = text.replace(old, new, 1)
                path.write_text(text, encoding="utf-8")
            return subprocess.run([TESTS / "check-groups", folder], capture_output=True, text=True,
                                  timeout=harness.LIMIT_S, check=False)

    def test_the_groups_of_this_tree_agree(self):
        done = self.check()
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_differences_between_the_lists_of_groups_are_found(self):
        for name, old, new, group in (
                ("provider/groups.c", "0xFE10", "0xFE20", "qkd_x25519"),
                ("provider/groups.c", "768, 192, 1184, 1088", "768, 192, 1184, 1087", "mlkem768"),
                ("provider/groups.h", "    X(kyber768)  ", "    X(kyber769)  ", "QKD_GROUPS"),
                ("docs/groups.md", "| 0x3044 |", "| 0x3144 |", "qkd_hqc128"),
                ("docs/groups.md", "| 113 | 113 |", "| 113 | 112 |", "qkd_secp384r1"),
                ("docs/groups.md", "| qkd_bikel1 |", "| qkd_bikel2 |", "qkd_bikel1"),
                ("examples/nginx/qkd-groups.conf", "qkd_mlkem512", "qkd_mlkem513", "qkd_mlkem512"),
                ("wireshark/qkd.lua", "0xFE05", "0xFE06", "qkd_efrodo1344shake"),
                ("wireshark/qkd.lua", "1665, 1665", "1665, 1664", "qkd_secp384r1mlkem1024"),
                ("examples/nginx/qkd-groups.conf", "0xfe10", "0xfe20", "qkd_x25519")):
            done = self.check(name, old, new)
            self.assertEqual(done.returncode, 1, f"{name}: {old}")
            self.assertIn(group, done.stdout)


class Exports(unittest.TestCase):
    def check(self, source, *options):
        """check-exports on a small library made of this C text."""
        with tempfile.TemporaryDirectory() as folder:
            library = pathlib.Path(folder) / "qkd.so"
            subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", library, *options],
                           input=source, text=True, check=True, timeout=harness.LIMIT_S)
            return subprocess.run([TESTS / "check-exports", library], capture_output=True,
                                  text=True, timeout=harness.LIMIT_S, check=False)

    def test_a_second_exported_symbol_is_found(self):
        done = self.check("int OSSL_provider_init(void) { return 1; } int other(void) { return 1; }")
        self.assertEqual(done.returncode, 1)
        self.assertIn("other", done.stdout)

    def test_a_symbol_newer_than_openssl_3_0_is_found(self):
        if harness.OPENSSL35.version() < (3, 2):
            self.skipTest("this OpenSSL has no symbol newer than 3.0")
        root = harness.openssl_root()
        folder = next((root / name for name in ("lib", "lib64")
                       if (root / name / "libcrypto.so").exists()), None)
        options = [f"-L{folder}"] if folder else []
        done = self.check("int BIO_err_is_non_fatal(unsigned); int OSSL_provider_init(void)"
                          " { return BIO_err_is_non_fatal(1); }", *options, "-lcrypto")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("OPENSSL_3.2.0", done.stdout)


if __name__ == "__main__":
    unittest.main()
