# SPDX-License-Identifier: Apache-2.0
"""The store of a key server on the disk: what is refused at the start, and what its files show. What
outlives a process: test_kme_durable.py, test_crash.py."""
import base64
import re
import shutil
import subprocess
import unittest

import harness
from kme_sites import Case, Sites

KEYS = 20
BOTH = ("kme-a", "kme-b")


def check_config(sites, name):
    """qkd-kme --check-config."""
    return run_kme(sites.config(name), "--check-config")


def run_kme(config, *options):
    return subprocess.run([harness.QKD_KME, "--config", config, *options], capture_output=True,
                          text=True, timeout=harness.LIMIT_S, env=harness.child_env(),
                          stdin=subprocess.DEVNULL, check=False)


class Refused(Case):
    """Neither --check-config nor a start goes by a key file that will not do."""

    def setUp(self):
        self.lab = self.enterContext(Sites(up=False, durable=BOTH))
        self.key_file = self.lab.dir / "kme-a.store-key"

    def assert_key_file_refused(self, says):
        for options in ((), ("--check-config",)):
            done = run_kme(self.lab.config("kme-a"), *options)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(f"key file {self.key_file}", done.stderr)
            self.assertIn(says, done.stderr)

    def test_a_missing_key_file(self):
        self.key_file.unlink()
        self.assert_key_file_refused("openssl rand -out")
        self.assertFalse((self.lab.dir / "kme-a.db").exists())

    def test_a_key_file_that_others_can_read(self):
        self.key_file.chmod(0o644)
        self.assert_key_file_refused("chmod 600")

    def test_a_key_file_of_another_size(self):
        self.key_file.write_bytes(self.key_file.read_bytes()[:31])
        self.assert_key_file_refused("31 octets instead of 32")

    def test_another_key_file_than_that_of_the_store(self):
        self.lab.up()
        self.lab.stop("kme-a")
        shutil.copy(self.lab.dir / "kme-b.store-key", self.key_file)
        self.assertEqual(check_config(self.lab, "kme-a").returncode, 0)
        done = run_kme(self.lab.config("kme-a"))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "the store .*/kme-a.db was sealed with another key file than")

    def test_the_store_of_another_key_server(self):
        self.lab.up()
        for name in BOTH:
            self.lab.stop(name)
        self.lab.edit("kme-a", "kme-a.db", "kme-b.db")
        done = run_kme(self.lab.config("kme-a"))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr,
                         "the store .*/kme-b.db is of key server 'kme-b', not of 'kme-a'")

    def test_a_store_that_is_in_use(self):
        self.lab.up()
        text = self.lab.config("kme-a").read_text(encoding="utf-8")
        other = self.lab.dir / "other.conf"
        other.write_text(re.sub(r'(listen = "127\.0\.0\.1:)(\d+)',
                                lambda match: f"{match[1]}{int(match[2]) + 4}", text),
                         encoding="utf-8")
        done = run_kme(other)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "the store .*/kme-a.db is used by another process")


class OnTheDisk(Case):
    def files_of(self, sites, name):
        return b"".join(path.read_bytes() for path in sites.dir.glob(f"{name}.db*"))

    def wait_for_rest(self, sites, keys):
        """Until the responder's key server has put unclaimed keys to rest."""
        harness.wait_until(lambda: any(octets in self.files_of(sites, "kme-b")
                                       for _, octets in keys), "a key in the store")

    def test_what_the_store_holds_is_counted(self):
        sites = self.sites(durable=BOTH)
        sites.reserve(KEYS)
        harness.wait_until(lambda: sites.metric("b", "qkd_kme_store_items") > 0, "an item")
        self.assertGreater(sites.metric("b", "qkd_kme_store_bytes"), 4096)
        self.assertGreater(sites.metric("b", "qkd_kme_store_transactions_total"), 0)
        self.assertEqual(sites.metric("b", "qkd_kme_store_damaged_items_total"), 0)

    def test_only_its_owner_may_read_the_store(self):
        sites = self.sites(durable=BOTH)
        for path in sites.dir.glob("*.db*"):
            self.assertEqual(path.stat().st_mode & 0o777, 0o600, path)

    def test_a_store_that_is_not_sealed_says_so_and_erases_what_was_claimed(self):
        sites = self.sites(up=False, durable=BOTH)
        for name in BOTH:
            sites.edit(name, r' key_file = "[^"]*";', "")
        sites.up()
        self.assertIn("IS NOT SEALED", sites.log("kme-b"))
        keys = sites.reserve(KEYS)
        self.wait_for_rest(sites, keys)
        for key_id, _ in keys:
            self.assertEqual(sites.claim(key_id).code, 200)
        harness.wait_until(lambda: not any(octets in self.files_of(sites, "kme-b")
                                           for _, octets in keys), "an erased store")

    def test_a_sealed_store_shows_no_key(self):
        sites = self.sites(durable=BOTH)
        keys = sites.reserve(KEYS)
        for name in BOTH:
            sites.stop(name)
        octets = self.files_of(sites, "kme-b") + self.files_of(sites, "kme-a")
        self.assertGreater(len(octets), KEYS * 32)
        for key_id, key in keys:
            self.assertNotIn(key, octets)
            self.assertNotIn(base64.b64encode(key), octets)
        sites.start("kme-a")
        for key_id, key in keys:
            self.assertEqual(sites.claim(key_id).keys(), [(key_id, key)])


if __name__ == "__main__":
    unittest.main()
