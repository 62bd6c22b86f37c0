# SPDX-License-Identifier: Apache-2.0
"""The audit log: who did what, and when; never octets of keys; files that move or cannot be
written."""
import base64
import json
import subprocess
import unittest
import uuid

import harness
from etsi004 import SUCCESS
from streams_case import StreamCase


class Case(StreamCase):
    """Two sites with an audit log each, NAME.audit in the laboratory's folder."""

    def audited(self, level="debug", **options):
        sites = self.sites(up=False, **options)
        for name in ("kme-a", "kme-b"):
            sites.edit(name, r'^log_level = "\w+";',
                       f'log_level = "{level}";\naudit_log = "{name}.audit";')
        sites.up()
        for site in "ab":
            sites.stock(16 * 256, site)
        return sites

    @staticmethod
    def path(sites, name):
        return sites.dir / f"{name}.audit"

    def entries(self, sites, name, path=None, **members):
        """The entries with these members; every line must be JSON and have the common ones."""
        text = (path or self.path(sites, name)).read_text(encoding="utf-8")
        found = [json.loads(line) for line in text.splitlines(True) if line.endswith("\n")]
        for entry in found:
            self.assertRegex(entry["time"], r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")
            self.assertIn("outcome", entry)
        return [entry for entry in found
                if all(entry.get(key) == value for key, value in members.items())]

    def wait_for(self, sites, name, count=1, **members):
        """The entries with these members, once there are so many."""
        return harness.wait_until(
            lambda: (lambda found: found if len(found) >= count else None)(
                self.entries(sites, name, **members)), f"{count} x {members} in {name}")


class Entries(Case):
    def test_a_key_of_014_is_an_entry_at_either_end(self):
        sites = self.audited()
        keys = sites.reserve(number=3, size=512)
        sites.claim(*[one for one, _ in keys])
        for name, event, sae, peer in (("kme-a", "reserve", "alice", "bob"),
                                       ("kme-b", "claim", "bob", "alice")):
            found = self.wait_for(sites, name, 3, event=event)
            self.assertEqual([entry["key_ID"] for entry in found], [one for one, _ in keys])
            for entry in found:
                self.assertEqual((entry["api"], entry["sae"], entry["peer"], entry["size_bits"],
                                  entry["outcome"]), ("014", sae, peer, 512, "ok"))
                self.assertRegex(entry["remote"], r"\A127\.0\.0\.1:\d+\Z")

    def test_a_stream_of_004_is_opened_read_and_closed(self):
        sites = self.audited()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        self.assert_same_key(alice.get_key(ksid, 3), bob.get_key(ksid, 3), 3)
        self.assertEqual(alice.close(ksid).status, SUCCESS)
        text = str(uuid.UUID(bytes=ksid))
        for name, sae, peer in (("kme-a", "alice", "bob"), ("kme-b", "bob", "alice")):
            entry, = self.wait_for(sites, name, event="get_key")
            self.assertEqual((entry["Key_stream_ID"], entry["index"], entry["size_bits"],
                              entry["sae"], entry["peer"], entry["outcome"]),
                             (text, 3, 256, sae, peer, "ok"))
            entry, = self.wait_for(sites, name, event="open")
            self.assertEqual((entry["Key_stream_ID"], entry["sae"], entry["peer"]),
                             (text, sae, peer))
        entry, = self.wait_for(sites, "kme-a", event="close")
        self.assertEqual((entry["Key_stream_ID"], entry["outcome"]), (text, "ok"))

    def test_refusals_say_who_asked_for_what_and_why_not(self):
        sites = self.audited()
        sites.issue("stranger", "nobody")
        self.assertEqual(sites.call("stranger", "bob/status").code, 401)
        self.assertEqual(sites.call("alice", "nobody/enc_keys").code, 400)
        self.assertEqual(self.client(sites, "alice").get_key(uuid.uuid4().bytes).status, 3)
        for members in ({"sae": "nobody", "method": "other",
                         "outcome": "not an SAE of this key server"},
                        {"sae": "alice", "method": "enc_keys", "peer": "nobody",
                         "outcome": "the slave SAE in the URL is unknown"},
                        {"sae": "alice", "api": "004", "method": "get_key", "index": 0,
                         "outcome": "peer_not_connected"}):
            self.wait_for(sites, "kme-a", event="refused", **members)

    def test_the_life_of_the_server_and_of_its_link(self):
        sites = self.audited()
        sites.relay.cut()
        entry, = self.wait_for(sites, "kme-a", event="link_down")
        self.assertEqual(entry["peer"], "kme-b")
        sites.relay.mend()
        self.wait_for(sites, "kme-a", 2, event="link_up")
        sites.reload("kme-a")
        sites.edit("kme-a", r"^saes = .*$", "saes = 7;")
        sites.reload("kme-a", "the old configuration stays")
        entry, = self.wait_for(sites, "kme-a", event="reload_refused")
        self.assertIn("saes", entry["outcome"])
        sites.stop("kme-a")
        events = [entry["event"] for entry in self.entries(sites, "kme-a")]
        self.assertEqual((events[0], events[-1]), ("start", "stop"))
        self.assertEqual(events.count("reload"), 1)


class Secrecy(Case):
    def test_no_delivered_key_is_in_any_log_in_any_form(self):
        sites = self.audited(level="debug")
        octets = [key for _, key in sites.reserve(number=20)]
        reserved = sites.reserve(number=20, size=128)
        octets += [key for _, key in sites.claim(*[one for one, _ in reserved]).keys()]
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        for index in range(20):
            octets += [client.get_key(ksid, index).key for client in (alice, bob)]
        self.wait_for(sites, "kme-b", 20, event="get_key")
        for name in ("kme-a", "kme-b"):
            sites.stop(name)
        logs = b"".join(path.read_bytes() for path in sites.dir.iterdir()
                        if path.suffix in (".log", ".audit"))
        self.assertGreater(len(logs), 20000)
        for key in octets:
            for form in (key, key.hex().encode(), key.hex().upper().encode(),
                         base64.b64encode(key).rstrip(b"=")):
                self.assertNotIn(form, logs)


class File(Case):
    def test_a_moved_file_is_made_anew_on_sighup(self):
        sites = self.audited()
        path, moved = self.path(sites, "kme-a"), sites.dir / "kme-a.audit.1"
        sites.reserve()
        self.wait_for(sites, "kme-a", event="reserve")
        path.rename(moved)
        sites.reserve()
        sites.reload("kme-a")
        sites.reserve()
        self.wait_for(sites, "kme-a", event="reserve")
        self.assertEqual(len(self.entries(sites, "kme-a", path=moved, event="reserve")), 2)
        self.assertEqual(len(self.entries(sites, "kme-a", event="reserve")), 1)
        self.assertEqual(path.stat().st_mode & 0o7137, 0)

    def test_the_setting_comes_and_goes_with_sighup(self):
        sites = self.audited()
        sites.edit("kme-a", r"^audit_log = .*\n", "")
        sites.reload("kme-a")
        before = len(self.entries(sites, "kme-a"))
        sites.reserve()
        sites.edit("kme-a", r"^saes = ", 'audit_log = "kme-a.audit";\nsaes = ')
        sites.reload("kme-a")
        sites.reserve(number=2)
        self.wait_for(sites, "kme-a", 2, event="reserve")
        self.assertEqual(len(self.entries(sites, "kme-a")), before + 3)

    def test_a_file_that_cannot_be_opened_is_refused_and_named(self):
        sites = self.sites(up=False)
        sites.edit("kme-a", r"^saes = ", 'audit_log = "no-folder/audit";\nsaes = ')
        done = subprocess.run([harness.QKD_KME, "--config", sites.config("kme-a")],
                              env=harness.child_env(), capture_output=True, text=True,
                              timeout=harness.LIMIT_S, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"audit_log: cannot open \S+/no-folder/audit: No such file")
        sites.edit("kme-a", r"^audit_log = .*\n", "")
        sites.up()
        sites.edit("kme-a", r"^saes = ", 'audit_log = "no-folder/audit";\nsaes = ')
        sites.reload("kme-a", "the old configuration stays: audit_log: cannot open")
        self.assertEqual(len(sites.reserve()), 1)

    def test_without_the_setting_there_is_no_file(self):
        sites = self.sites()
        sites.reserve()
        self.assertEqual(list(sites.dir.glob("*.audit")), [])


if __name__ == "__main__":
    unittest.main()
