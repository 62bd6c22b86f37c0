# SPDX-License-Identifier: Apache-2.0
"""SIGHUP: certificates, keys and authorities that change while the key server serves."""
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import unittest

import harness
from kme_sites import Case, exchange, request

SERVER = ("extendedKeyUsage = serverAuth, clientAuth", "subjectAltName = DNS:localhost, IP:127.0.0.1")
REFUSED = "the old configuration stays"


class Reload(Case):
    def reloads(self, sites, outcome):
        return sites.metric("a", "qkd_kme_reloads_total", outcome=outcome)

    def serial(self, sites):
        with sites.connect("alice") as connection:
            return connection.getpeercert()["serialNumber"]

    def test_a_new_certificate_serves_new_connections_and_old_ones_go_on(self):
        sites = self.sites()
        before = self.serial(sites)
        with sites.connect("alice") as kept:
            sites.issue("kme-a", "kme-a", extensions=SERVER)
            sites.reload("kme-a")
            self.assertNotEqual(self.serial(sites), before)
            self.assertEqual(exchange(kept, request("bob/status"))[0].code, 200)
        self.assertEqual(self.reloads(sites, "done"), 1)

    def test_the_link_comes_back_with_the_new_certificate(self):
        sites = self.sites()
        for name in ("kme-a", "kme-b"):
            sites.issue(name, name, extensions=SERVER)
            sites.reload(name)
        self.assertEqual(sites.metric("a", "qkd_kme_link_up"), 1)
        sites.relay.cut()
        sites.wait_for_link(up=0)
        sites.relay.mend()
        sites.wait_for_link(up=1)
        ids = [one for one, _ in sites.reserve()]
        self.assertEqual(sites.claim(*ids).code, 200)

    def test_a_new_authority_decides_about_new_connections(self):
        sites = self.sites()
        foreign = sites.foreign_authority()
        shutil.copyfile(foreign / "ca.pem", sites.dir / "pki" / "ca-new.pem")
        context = sites.tls_context("alice")
        with sites.connect("alice", context) as kept:
            self.assertEqual(exchange(kept, request("bob/status"))[0].code, 200)
            sites.edit("kme-a", r'^ca = .*$', 'ca = "pki/ca-new.pem";')
            sites.reload("kme-a")
            self.assertEqual(exchange(kept, request("bob/status"))[0].code, 200)
            session = kept.session
        self.assertTrue(session.has_ticket)
        for resumed in (None, session):
            with self.assertRaises((ssl.SSLError, ConnectionError, harness.HarnessError)):
                with socket.create_connection(("127.0.0.1", sites.base_port),
                                              timeout=harness.LIMIT_S) as raw:
                    with context.wrap_socket(raw, server_hostname="localhost",
                                             session=resumed) as connection:
                        exchange(connection, request("bob/status"))
        sites.issue("alice", "alice", ca=foreign)
        self.assertEqual(sites.call("alice", "bob/status").code, 200)

    def test_one_bad_file_refuses_all_of_it_and_the_old_goes_on(self):
        sites = self.sites()
        pki = sites.dir / "pki"
        (pki / "empty.pem").write_text("", encoding="ascii")
        shutil.copyfile(pki / "kme-a.key", pki / "open.key")
        os.chmod(pki / "open.key", 0o644)
        good = sites.config("kme-a").read_text(encoding="utf-8")
        bad = (("cert", "nothing.pem", "No such file"), ("cert", "empty.pem", "empty.pem"),
               ("key", "alice.key", "mismatch"), ("key", "open.key", "chmod 600"),
               ("key", "nothing.key", "No such file"), ("ca", "empty.pem", "empty.pem"),
               ("ca", "alice.key", "alice.key"), ("ca", ".", "not a regular file"))
        for count, (name, value, reason) in enumerate(bad, 1):
            text = re.sub(rf'^{name} = .*$', f'{name} = "pki/{value}";', good, flags=re.M)
            text = re.sub(r'^saes = .*$', 'saes = ( { id = "alice"; }, { id = "eve"; } );', text,
                          flags=re.M)
            sites.config("kme-a").write_text(text, encoding="utf-8")
            sites.reload("kme-a", expect=REFUSED)
            line = [line for line in sites.log("kme-a").splitlines() if REFUSED in line][-1]
            self.assertIn(f'{name} = "', line)
            self.assertIn(reason, line)
            self.assertEqual(self.reloads(sites, "refused"), count)
            self.assertEqual(sites.call("alice", "bob/status").code, 200)
            self.assertEqual(sites.call("mallory", "bob/status").code, 200, "of the old list")
        self.assertNotIn('sae="eve"', harness.http_get(sites.kme_a_admin + "/metrics"))
        sites.config("kme-a").write_text(good, encoding="utf-8")
        sites.reload("kme-a")
        self.assertEqual(self.reloads(sites, "done"), 1)

    def test_requests_in_flight_do_not_notice(self):
        sites = self.sites()
        codes, stop = [], threading.Event()

        def ask():
            with sites.connect("alice") as connection:
                while not stop.is_set():
                    codes.append(exchange(connection, request("bob/status"))[0].code)

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for turn in range(6):
                sites.issue("kme-a", "kme-a", extensions=SERVER)
                sites.reload("kme-a")
                seen = len(codes)
                harness.wait_until(lambda seen=seen: len(codes) > seen + 3, f"answers {turn}")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(set(codes), {200})

    def test_a_claim_that_waits_for_its_key_survives_a_reload(self):
        sites = self.sites(limits={"hold_ms": 20000})
        sites.stock(512)
        sites.relay.hold()
        ids = [one for one, _ in sites.call("alice", "bob/enc_keys").keys()]
        answers = []
        claim = threading.Thread(target=lambda: answers.append(sites.claim(*ids)))
        claim.start()
        sites.reload("kme-b")
        sites.relay.release()
        claim.join()
        self.assertEqual(answers[0].code, 200)
        self.assertEqual([one for one, _ in answers[0].keys()], ids)


class Start(Case):
    def refusal(self, sites):
        done = subprocess.run(
            [harness.QKD_KME, "--config", sites.config("kme-a")], env=harness.child_env(),
            capture_output=True, text=True, timeout=harness.LIMIT_S, check=False)
        self.assertEqual(done.returncode, 1)
        return done.stderr

    def test_a_private_key_that_others_can_read_is_refused(self):
        sites = self.sites(up=False)
        key = sites.dir / "pki" / "kme-a.key"
        for mode in (0o644, 0o604, 0o620):
            key.chmod(mode)
            self.assertIn(f'kme-a.key" is open to others (mode 0{mode:o}): chmod 600 it',
                          self.refusal(sites))
        key.chmod(0o640)
        sites.up()


if __name__ == "__main__":
    unittest.main()
