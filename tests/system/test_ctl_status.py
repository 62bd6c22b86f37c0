# SPDX-License-Identifier: Apache-2.0
"""qkdctl status --admin: what a key server tells about itself, for people and for programs."""
import contextlib
import http.server
import json
import re
import signal
import subprocess
import threading
import unittest
import uuid

import harness
from harness import qkdctl
from streams_case import StreamCase


class Status(StreamCase):
    def test_links_saes_streams_and_errors_are_a_table(self):
        sites = self.sites()
        sites.reserve(number=3)
        sites.call("alice", "nobody/enc_keys")
        sites.call("alice", "nobody/enc_keys")
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        self.assert_same_key(alice.get_key(ksid), bob.get_key(ksid), 0)
        done = qkdctl("status", "--admin", sites.kme_a_admin)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for pattern in (r"key server +kme-a, qkd-kme \d+\.\d+\.\d+, up for ",
                        r"quantum channel +SIMULATED", r"health +keys flow",
                        r"kme-b +up +\d+ s +\d+ % +\d.* M?bit +\S+ k?M?bit/s +1\.00 Mbit/s",
                        r"alice +3 +0 +1 +0 +\d+ s ago", r"mallory +0 +0 +0 +0 +never",
                        rf"alice +bob +both +1 +\d+ s +{uuid.UUID(bytes=ksid)}",
                        r"\d{4}-\S+Z +alice +014 enc_keys +2 +the slave SAE in the URL is unknown"):
            self.assertRegex(done.stdout, rf"(?m)^ *{pattern}")

    def test_json_is_all_that_the_admin_side_tells(self):
        sites = self.sites()
        sites.reserve(number=2)
        done = qkdctl("status", "--admin", sites.kme_a_admin, "--json", check=True)
        told = json.loads(done.stdout)
        asked = json.loads(harness.http_get(sites.kme_a_admin + "/state.json"))
        self.assertEqual(told.keys(), asked.keys())
        self.assertIs(told["simulated"], True)
        alice = next(sae for sae in told["saes"] if sae["sae"] == "alice")
        self.assertEqual(alice["delivered"], {"014": {"initiator": 2, "responder": 0},
                                              "004": {"initiator": 0, "responder": 0}})
        link, = told["links"]
        self.assertEqual((link["peer"], link["up"], link["rate_bps"]), ("kme-b", True, 1000000))
        self.assertGreaterEqual(link["capacity_bits"], link["stored_bits"])

    def test_a_key_server_without_a_link_is_exit_1_and_says_why(self):
        sites = self.sites()
        sites.kill("kme-b")
        harness.wait_until(lambda: not sites.metric("a", "qkd_kme_link_up"), "link down")
        done = qkdctl("status", "--admin", sites.kme_a_admin)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"health +no link to peer key server kme-b")
        self.assertRegex(done.stdout, r"(?m)^kme-b +DOWN +\d+ s")
        self.assertRegex(done.stdout, r"kme-b +link_down +1 +\S")

    def test_a_name_cannot_speak_to_the_terminal(self):
        sites = self.sites(up=False)
        name = r"al\x1b[31mice"
        sites.edit("kme-a", r"^saes = .*$", lambda _: f'saes = ( {{ id = "{name}"; cn = "alice"; }} );')
        sites.edit("kme-b", r"^( *peer_saes =).*$", lambda m: f'{m[1]} ( "{name}" );')
        sites.up()
        done = qkdctl("status", "--admin", sites.kme_a_admin, check=True)
        self.assertIn("al?[31mice", done.stdout)
        self.assertNotIn("\x1b", done.stdout)

    def test_watch_tells_again_until_it_is_interrupted(self):
        sites = self.sites()
        with subprocess.Popen([harness.QKDCTL, "status", "--watch", "--json", "--admin",
                               sites.kme_a_admin], env=harness.child_env(), text=True,
                              stdout=subprocess.PIPE) as process:
            lines = [json.loads(process.stdout.readline()) for _ in range(2)]
            process.send_signal(signal.SIGINT)
        self.assertGreater(lines[1]["uptime_ms"], lines[0]["uptime_ms"])

    def test_what_is_no_admin_side_is_refused(self):
        for url in ("https://127.0.0.1:1", "127.0.0.1:1", "http://example.org:1", "http://127.0.0.1"):
            done = qkdctl("status", "--admin", url)
            self.assertEqual(done.returncode, 2, url)
            self.assertIn(url, done.stderr)
        self.assertEqual(qkdctl("status", "--watch").returncode, 2)
        port, = harness.free_ports(1)
        done = qkdctl("status", "--admin", f"http://127.0.0.1:{port}")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, rf"http://127\.0\.0\.1:{port}/state\.json.*refused")


class Strange(http.server.BaseHTTPRequestHandler):
    """Answers every GET with self.server.answer: a code and a body."""

    def do_GET(self):
        code, body = self.server.answer
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class StrangeAnswers(unittest.TestCase):
    @contextlib.contextmanager
    def server(self):
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Strange) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield server
            finally:
                server.shutdown()
                thread.join()

    def test_an_answer_of_another_kind_is_an_error_and_no_crash(self):
        bodies = [(404, b"{}"), (200, b""), (200, b"[]"), (200, b"<html>"), (200, b"{"),
                  (200, b'{"a":1,"a":2}')]
        with self.server() as server:
            url = f"http://127.0.0.1:{server.server_address[1]}"
            for server.answer in bodies:
                done = qkdctl("status", "--admin", url)
                self.assertEqual((done.returncode, done.stdout), (1, ""), server.answer)
                self.assertIn(f"{url}/state.json", done.stderr)

    def test_members_of_other_types_are_shown_as_nothing(self):
        whole = {"kme_id": 7, "health": [], "links": {"x": 1}, "saes": [3, None, {"sae": {}}],
                 "streams": "no", "errors": [[], {"count": "x", "sae": 1}], "misbehave": 5,
                 "saes_total": "many", "store": None, "uptime_ms": 1e300}
        with self.server() as server:
            for drop in (None, *whole):
                value = {key: one for key, one in whole.items() if key != drop}
                server.answer = (200, json.dumps(value).encode())
                done = qkdctl("status", "--admin", f"http://127.0.0.1:{server.server_address[1]}")
                self.assertEqual(done.returncode, 1)
                self.assertFalse(re.search("Sanitizer|runtime error", done.stderr), done.stderr)
                self.assertIn("SIMULATED", done.stdout)


if __name__ == "__main__":
    unittest.main()
