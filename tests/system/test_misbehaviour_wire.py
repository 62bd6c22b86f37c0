# SPDX-License-Identifier: Apache-2.0
"""Misbehaviour on command as it is on the wire, what it does to the key server's own books, and
who may order it."""
import json
import re
import socket
import subprocess
import unittest

import harness
from harness import qkdctl, wait_until
from kme_sites import NOT_FOUND, PATH, Case, exchange, read_answers, request

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


class Ordered(Case):
    """Two sites whose key servers do what set_rule says."""

    def sites(self, **options):
        self.at = super().sites(**options)
        return self.at

    def admin(self, site):
        return getattr(self.at, f"kme_{site}_admin")

    def set_rule(self, site, **rule):
        words = [word for name, value in rule.items()
                 for word in ("--" + name.replace("_", "-"), value)]
        qkdctl("misbehave", "set", "--admin", self.admin(site), *words, check=True)

    def clear(self, site):
        qkdctl("misbehave", "clear", "--admin", self.admin(site), check=True)

    def octets(self, sae, octets):
        """All that a connection gives after these octets."""
        answer = b""
        with self.at.connect(sae) as connection:
            connection.sendall(octets)
            while more := connection.recv(65536):
                answer += more
        return answer

    def happened(self, site, kind):
        return self.at.metric(site, "qkd_kme_misbehaved_total", kind=kind)


class Answers014(Ordered):
    def test_an_error_comes_every_nth_time_for_one_sae_and_one_method(self):
        sites = self.sites()
        sites.freeze()
        self.set_rule("a", kind="error", sae="alice", method="enc_keys", code=404, one_in=3)
        before = sites.stored()
        codes = [sites.call("alice", "bob/enc_keys").code for _ in range(7)]
        self.assertEqual(codes, [200, 200, 404, 200, 200, 404, 200])
        self.assertEqual(sites.call("alice", "bob/status").code, 200)
        self.assertEqual({sites.call("mallory", "bob/enc_keys").code for _ in range(4)}, {200})
        self.assertEqual(sites.stored(), before - 5 - 4)
        self.assertEqual(self.happened("a", "error"), 2)

    def test_an_error_by_per_cent_is_counted_and_not_random(self):
        sites = self.sites()
        self.set_rule("b", kind="error", api="014", code=500, percent=25)
        codes = [sites.call("bob", "alice/status").code for _ in range(8)]
        self.assertEqual(codes, [200, 200, 200, 500] * 2)

    def test_depletion_refuses_reservations_and_consumes_nothing(self):
        sites = self.sites()
        sites.freeze()
        before = sites.stored()
        self.set_rule("a", kind="depletion")
        answer = sites.call("alice", "bob/enc_keys")
        self.assert_refused(answer, 503, "not enough key material is available")
        self.assertGreaterEqual(int(answer.headers["retry-after"]), 1)
        self.assertEqual(sites.stored(), 0)
        self.set_rule("a", kind="empty_400")
        self.assert_refused(sites.call("alice", "bob/enc_keys"), 400,
                            "not enough key material is available")
        self.clear("a")
        self.assertEqual(sites.stored(), before)

    def test_one_key_in_n_differs_by_one_bit_and_the_log_says_which(self):
        sites = self.sites()
        self.set_rule("b", kind="flip", sae="bob", one_in=3)
        keys = dict(sites.reserve(number=7))
        claimed = dict(sites.claim(*keys).keys())
        self.assertEqual(set(claimed), set(keys))
        changed = [one for one in keys if claimed[one] != keys[one]]
        self.assertEqual(changed, [list(keys)[2], list(keys)[5]])
        for one in changed:
            bits = int.from_bytes(keys[one], "big") ^ int.from_bytes(claimed[one], "big")
            self.assertEqual(bin(bits).count("1"), 1)
        log = sites.log("kme-b")
        self.assertEqual(re.findall(rf"key ({UUID}) reaches 'bob' with one bit changed", log),
                         changed)
        for octets in (*keys.values(), *claimed.values()):
            self.assertNotIn(octets.hex(), log.lower())
        self.assertEqual(self.happened("b", "flip"), 2)

    def test_a_dropped_answer_has_spent_its_key(self):
        sites = self.sites()
        sites.freeze()
        before = sites.stored()
        self.set_rule("a", kind="drop", sae="alice", method="enc_keys")
        octets = self.octets("alice", request("bob/enc_keys"))
        self.assertTrue(octets.startswith(b"HTTP/1.1 200 OK\r\n"), octets)
        self.assertNotIn(b"}]}", octets)
        self.clear("a")
        self.assertEqual(sites.stored(), before - 1)

    def test_answers_in_chunks_are_whole(self):
        sites = self.sites()
        ids = [one for one, _ in sites.reserve(number=3)]
        self.set_rule("b", kind="chunked")
        body = json.dumps({"key_IDs": [{"key_ID": one} for one in ids]}).encode()
        head, _, chunks = self.octets("bob", request(
            "alice/dec_keys", "POST", body, ("Connection: close",))).partition(b"\r\n\r\n")
        self.assertIn(b"Transfer-Encoding: chunked", head)
        self.assertNotIn(b"Content-Length", head)
        whole = b""
        while chunks != b"0\r\n\r\n":
            size, _, rest = chunks.partition(b"\r\n")
            whole += rest[:int(size, 16)]
            self.assertEqual(rest[int(size, 16):][:2], b"\r\n")
            chunks = rest[int(size, 16) + 2:]
        self.assertEqual([key["key_ID"] for key in json.loads(whole)["keys"]], ids)
        # curl takes the chunks apart, and the connection is good for more.
        cert, key = sites.pki("bob")
        done = subprocess.run(
            ["curl", "-sS", "--noproxy", "*", "--cacert", sites.ca, "--cert", cert, "--key", key,
             *[sites.url("b") + PATH + "alice/status"] * 2, "-w", "%{num_connects}"],
            capture_output=True, text=True, timeout=harness.LIMIT_S, check=True)
        self.assertEqual(done.stdout.count('"source_KME_ID":"kme-b"'), 2)
        self.assertTrue(done.stdout.endswith("0"), done.stdout)

    def test_paths_end_with_a_slash_or_are_not_found(self):
        sites = self.sites()
        self.assertEqual(sites.call("alice", "bob/status/").code, 404)
        self.set_rule("a", kind="trailing_slash", sae="alice")
        for path, code in (("bob/status/", 200), ("bob/status", 404), ("bob/enc_keys", 404),
                           ("bob/enc_keys/?number=2&size=128", 200), ("bob/status//", 404)):
            self.assertEqual(sites.call("alice", path).code, code, path)
        self.assertEqual(sites.call("mallory", "bob/status").code, 200)

    def test_a_used_key_is_404(self):
        sites = self.sites()
        (one, _), = sites.reserve()
        self.set_rule("b", kind="used_404")
        self.assertEqual(sites.claim(one).code, 200)
        self.assert_refused(sites.claim(one), 404, NOT_FOUND)
        self.assertEqual(sites.claim("no UUID").code, 400)

    def test_fewer_keys_than_asked_are_counted_as_delivered(self):
        sites = self.sites()
        self.set_rule("a", kind="fewer_keys", one_in=2)
        sites.stock(6 * 256)
        counts = [len(sites.call("alice", "bob/enc_keys?number=3").keys()) for _ in range(2)]
        self.assertEqual(counts, [3, 2])
        self.assertEqual(sites.metric("a", "qkd_kme_keys_delivered_total", sae="alice"), 5)

    def test_keys_come_in_another_order_with_the_right_octets(self):
        sites = self.sites()
        keys = sites.reserve(number=4)
        self.set_rule("b", kind="unordered")
        self.assertEqual(sites.claim(*(one for one, _ in keys)).keys(), keys[::-1])

    def test_ids_in_capital_letters_are_claimed_as_usual(self):
        sites = self.sites()
        self.set_rule("a", kind="upper_case_ids")
        (one, octets), = sites.reserve()
        self.assertEqual(one, one.upper())
        self.assertRegex(one, "[A-F]{1,}|[0-9-]{36}")
        self.assertEqual(sites.claim(one).keys(), [(one.lower(), octets)])

    def test_a_delayed_call_holds_up_nobody_and_ends_with_its_connection(self):
        sites = self.sites()
        self.set_rule("a", kind="delay", sae="alice", ms=600000)
        with sites.connect("alice") as waiting:
            waiting.sendall(request("bob/enc_keys"))
            wait_until(lambda: self.happened("a", "delay") == 1, "the delay")
            self.assertEqual(sites.call("mallory", "bob/enc_keys").code, 200)
        wait_until(lambda: sites.metric("a", "qkd_kme_requests_total", method="enc_keys",
                                        outcome="aborted") == 1, "the end of the delayed call")
        with sites.connect("alice") as waiting:
            waiting.sendall(request("bob/enc_keys"))
            wait_until(lambda: self.happened("a", "delay") == 2, "the delay")
            sites.stop("kme-a")
        self.assertIn("ended", sites.log("kme-a"))

    def test_a_call_may_be_delayed_and_refused(self):
        sites = self.sites()
        self.set_rule("a", kind="delay", min_ms=1, max_ms=20)
        self.set_rule("a", kind="error", api="014", code=503, one_in=2)
        codes = [sites.call("alice", "bob/status").code for _ in range(4)]
        self.assertEqual(codes, [200, 503, 200, 503])
        self.assertEqual(self.happened("a", "delay"), 4)

    def test_pipelined_requests_keep_their_order_through_delays(self):
        sites = self.sites()
        self.set_rule("a", kind="delay", min_ms=1, max_ms=30, one_in=2)
        with sites.connect("alice") as connection:
            answers = exchange(connection, b"".join(
                request(f"bob/enc_keys?number={number}") for number in (1, 2, 3, 4)), count=4)
        self.assertEqual([len(one.keys()) for one in answers], [1, 2, 3, 4])


class FromTheConfiguration(Ordered):
    def test_rules_of_the_file_hold_from_the_start_and_change_on_sighup(self):
        sites = self.sites(up=False)
        sites.edit("kme-a", "^saes =", 'misbehave = ( { kind = "error"; sae = "alice"; '
                                       'api = "014"; code = 503; } );\nsaes =')
        harness.Lab.up(sites)
        self.assertIn("MISBEHAVIOUR ON COMMAND: rule 1 of the configuration is in force: "
                      "kind=error sae=alice api=014 code=503 one_in=1", sites.log("kme-a"))
        self.assertEqual(sites.call("alice", "bob/status").code, 503)
        self.set_rule("a", kind="chunked")
        sites.edit("kme-a", "^misbehave =.*$", "")
        sites.reload("kme-a")
        answer = self.octets("alice", request("bob/status", headers=("Connection: close",)))
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK"), answer)
        self.assertIn(b"Transfer-Encoding: chunked", answer)

    def test_a_rule_that_makes_no_sense_is_refused_and_the_old_ones_stay(self):
        sites = self.sites()
        self.set_rule("a", kind="error", api="014", code=500)
        for rule, text in (('kind = "sulk";', "kind = 'sulk' is unknown"),
                           ('kind = "drop"; sae = "bob";', "'bob' is no SAE of this site"),
                           ('kind = "delay"; ms = 1.5;', "'ms' is neither a text nor a number")):
            sites.edit("kme-a", "^(misbehave = .*\n)?saes =",
                       f"misbehave = ( {{ {rule} }} );\nsaes =")
            sites.reload("kme-a", "the old configuration stays")
            self.assertIn(text, sites.log("kme-a"))
        self.assertEqual(sites.call("alice", "bob/status").code, 500)


class WhoMayOrder(Ordered):
    RULE = json.dumps({"set": {"kind": "drop"}}).encode()

    def post(self, *headers, host=None, body=RULE, method="POST", target="/misbehave"):
        """The code and body of the answer to a request to the admin side of kme-a."""
        port = int(self.admin("a").rsplit(":", 1)[1])
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host or f'127.0.0.1:{port}'}",
                 f"Content-Length: {len(body)}", "Connection: close",
                 *(header.format(port=port) for header in headers)]
        with socket.create_connection(("127.0.0.1", port), harness.LIMIT_S) as connection:
            connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
            answer = read_answers(connection, 1)[0]
        return answer.code, answer.body.decode()

    def rules(self):
        return json.loads(harness.http_get(self.admin("a") + "/misbehave"))["rules"]

    JSON = "Content-Type: application/json"

    def test_a_web_page_cannot_order_anything(self):
        self.sites()
        port = int(self.admin("a").rsplit(":", 1)[1])
        for text, code, words in (
                ("no type", 415, self.post()),
                ("a form", 415, self.post("Content-Type: text/plain")),
                ("a form", 415, self.post("Content-Type: application/x-www-form-urlencoded")),
                ("a file", 415, self.post("Content-Type: multipart/form-data; boundary=x")),
                ("another site", 403, self.post(self.JSON, "Origin: http://evil.example")),
                ("a sandbox", 403, self.post(self.JSON, "Origin: null")),
                ("another port", 403, self.post(self.JSON, "Origin: http://127.0.0.1:80")),
                ("a rebound name", 403, self.post(self.JSON, host=f"evil.example:{port}")),
                ("a rebound name and its site", 403, self.post(
                    self.JSON, "Origin: http://evil.example:{port}", host=f"evil.example:{port}")),
                ("no port", 403, self.post(self.JSON, host="127.0.0.1")),
                ("a method", 405, self.post(self.JSON, method="PUT"))):
            self.assertEqual(words[0], code, (text, words))
        self.assertEqual(self.post(host="evil.example", method="GET", body=b"")[0], 403)
        self.assertEqual(self.rules(), [])
        self.assertEqual(self.post(self.JSON, "Origin: http://127.0.0.1:{port}")[0], 200)
        self.assertEqual(self.post(self.JSON + "; charset=utf-8", host=f"localhost:{port}")[0], 200)
        self.assertEqual([rule["kind"] for rule in self.rules()], ["drop", "drop"])

    def test_nobody_may_where_the_configuration_does_not_allow_it(self):
        sites = self.sites(up=False)
        sites.edit("kme-a", "allow_misbehave = true; ", "")
        harness.Lab.up(sites)
        self.assertEqual(self.post(self.JSON)[0], 403)
        done = qkdctl("misbehave", "set", "--admin", self.admin("a"), "--kind", "drop")
        self.assertEqual(done.returncode, 1)
        self.assertIn("admin.allow_misbehave = true", done.stderr)
        self.assertEqual(self.rules(), [])
        sites.edit("kme-a", "^(admin = { )", r"\1allow_misbehave = true; ")
        sites.reload("kme-a")
        self.assertEqual(self.post(self.JSON)[0], 200)

    def test_what_is_no_rule_is_refused_and_changes_nothing(self):
        self.sites()
        for body, code in ((b"", 400), (b"{", 400), (b'{"set":{"kind":"drop","sae":"bob"}}', 400),
                           (b'{"clear":7}', 409), (b" " * 5000, 413)):
            self.assertEqual(self.post(self.JSON, body=body)[0], code, body[:40])
        self.assertEqual(self.rules(), [])

    def test_qkdctl_sets_shows_and_clears(self):
        self.sites()
        self.set_rule("a", kind="delay", sae="mallory", min_ms=5, max_ms=9, percent=50)
        self.set_rule("a", kind="flip", one_in=4)
        shown = qkdctl("misbehave", "show", "--admin", self.admin("a"), check=True).stdout
        self.assertRegex(shown, r"(?m)^ +1  delay +admin +0 +0  "
                                r"sae=mallory min_ms=5 max_ms=9 percent=50$")
        self.assertRegex(shown, r"(?m)^ +2  flip .* one_in=4$")
        as_json = json.loads(qkdctl("misbehave", "show", "--json", "--admin", self.admin("a"),
                                    check=True).stdout)
        self.assertEqual(as_json["rules"], self.rules())
        self.assertEqual([rule["rule"] for rule in as_json["rules"]], [1, 2])
        qkdctl("misbehave", "clear", "--rule", 1, "--admin", self.admin("a"), check=True)
        self.assertEqual([rule["rule"] for rule in self.rules()], [2])
        self.clear("a")
        shown = qkdctl("misbehave", "show", "--admin", self.admin("a"), check=True).stdout
        self.assertEqual(shown, "no rules: the key server behaves\n")

    def test_qkdctl_says_what_is_wrong(self):
        self.sites()
        for words, code, text in (
                (("set", "--kind", "drop"), 2, "needs --admin http://127.0.0.1:PORT"),
                (("set", "--admin", "http://kme:1"), 2, "is not of the form"),
                (("sulk",), 2, "no subcommand 'sulk'"),
                (("set", "--kind", "sulk", "--admin", self.admin("a")), 1,
                 "answered 400: kind = 'sulk' is unknown"),
                (("show", "--admin", "http://127.0.0.1:1"), 1, "Connection refused")):
            done = qkdctl("misbehave", *words)
            self.assertEqual(done.returncode, code, done)
            self.assertIn(text, done.stderr)


if __name__ == "__main__":
    unittest.main()
