# SPDX-License-Identifier: Apache-2.0
"""ETSI GS QKD 014 at the key server: TLS, identities, and HTTP. The numbers are those of the
project's list of server checks."""
import base64
import contextlib
import json
import socket
import ssl
import unittest

import harness
from kme_sites import PATH, Case, exchange, parse_answers, request


class Identity(Case):
    def assert_no_tls(self, sites, sae, context=None):
        """Neither handshake nor answer: TLS 1.3 tells a client of its refusal after its side of
        the handshake is over."""
        got = b""
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            with sites.connect("alice", context or sites.tls_context(sae)) as connection:
                connection.sendall(request("bob/status"))
                got = connection.recv(4096)
                if not got:
                    raise ConnectionError
        self.assertEqual(got, b"")

    def test_s14_01_tls_below_1_2_is_refused(self):
        sites = self.sites()
        context = sites.tls_context("alice", ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
        context.set_ciphers("ALL:@SECLEVEL=0")
        self.assert_no_tls(sites, "alice", context)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with sites.connect("alice", sites.tls_context("alice", version, version)) as good:
                self.assertEqual(exchange(good, request("bob/status"))[0].code, 200)

    def test_s14_02_a_client_without_certificate_is_refused(self):
        sites = self.sites()
        self.assert_no_tls(sites, None)

    def test_s14_02_an_untrusted_certificate_is_refused(self):
        sites = self.sites()
        sites.issue("untrusted", "alice", ca=sites.foreign_authority())
        self.assert_no_tls(sites, "untrusted")

    def test_s14_02_an_expired_certificate_is_refused(self):
        sites = self.sites()
        sites.issue("expired", "alice", options=("-not_before", "20200101000000Z",
                                                 "-not_after", "20200201000000Z"))
        self.assert_no_tls(sites, "expired")

    def test_s14_02_a_certificate_for_servers_is_refused(self):
        sites = self.sites()
        sites.issue("server", "alice", extensions=("extendedKeyUsage = serverAuth",))
        self.assert_no_tls(sites, "server")

    def test_s14_03_identity_headers_change_nothing(self):
        sites = self.sites()
        answer = sites.call("alice", "bob/status", headers=(
            "X-SAE-ID: mallory", "X-Client-DN: CN=mallory", "X-Forwarded-For: 127.0.0.1",
            "X-Forwarded-Tls-Client-Cert-Info: Subject=\"CN=mallory\"", "Forwarded: by=mallory"))
        self.assertEqual(answer.json()["master_SAE_ID"], "alice")

    def test_s14_04_a_certificate_without_exactly_one_sae_is_401(self):
        sites = self.sites()
        sites.issue("stranger", "stranger")
        sites.issue("two", "alice", "mallory")
        sites.issue("same-two", "alice", "alice")
        sites.issue("none")
        sites.issue("case", "Alice")
        for name in ("stranger", "two", "same-two", "none", "case", "kme-b", "kme-a", "bob"):
            answer = sites.call(name, "bob/status", site="a")
            self.assertEqual((answer.code, answer.body), (401, b""), name)
        self.assertEqual(sites.metric("a", "qkd_kme_keys_delivered_total"), 0)


class Http(Case):
    def test_s14_39_unknown_members_are_ignored_and_duplicate_ones_refused(self):
        sites = self.sites()
        answer = sites.call("alice", "bob/enc_keys", {"number": 1, "colour": {"a": [1]}})
        (one, key), = answer.keys()
        answer = sites.call("bob", "alice/dec_keys", {
            "key_IDs": [{"key_ID": one, "master_SAE_ID": "alice"}], "x": None})
        self.assertEqual(answer.keys(), [(one, key)])
        for body in ('{"number":1,"number":1}', '{"x":1,"x":2}'):
            self.assert_refused(sites.call("alice", "bob/enc_keys", body), 400)

    def test_s14_40_broken_json_is_400_and_the_connection_stays(self):
        sites = self.sites()
        bad = [b"{", b"[]", b"7", b"null", b'"x"', b'{"number":1}x', b"\xff\xfe", b'{"x":"\xff"}',
               b"[" * 30000, b'{"x":' * 10000, b"\x00", b'{"number":1e999}']
        with sites.connect("alice") as connection:
            for body in bad:
                answer, = exchange(connection, request("bob/enc_keys", "POST", body))
                self.assert_refused(answer, 400)
            self.assertEqual(exchange(connection, request("bob/enc_keys"))[0].code, 200)

    def test_s14_41_unknown_paths_and_methods(self):
        sites = self.sites()
        for path in ("bob", "bob/", "bob/status/", "bob/enc_key", "/bob/status", "bob/../bob/x"):
            self.assert_refused(sites.call("alice", path), 404)
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "BREW"):
            answer = sites.call("alice", "bob/enc_keys", method=method)
            self.assert_refused(answer, 405)
            self.assertEqual(answer.headers["allow"], "GET, POST")

    def test_s14_41_head_is_405_without_a_body(self):
        sites = self.sites()
        with sites.connect("alice") as connection:
            connection.sendall(request("bob/enc_keys", "HEAD", headers=("Connection: close",)))
            octets = b""
            while more := connection.recv(4096):
                octets += more
        self.assertTrue(octets.startswith(b"HTTP/1.1 405 "), octets)
        self.assertTrue(octets.endswith(b"\r\n\r\n"), octets)

    def test_s14_41_an_oversize_body_is_413_and_ends_the_connection(self):
        sites = self.sites()
        chunked = ("Transfer-Encoding: chunked",)
        for octets in (request("bob/enc_keys", "POST", b" " * 65537),
                       request("bob/enc_keys", "POST", headers=("Content-Length: 1000000000",)),
                       request("bob/enc_keys", "POST", b"10001\r\n" + b" " * 65537, chunked),
                       request("bob/enc_keys", "POST", b"400\r\n" + b" " * 1024 + b"\r\n", chunked)
                       + (b"400\r\n" + b" " * 1024 + b"\r\n") * 64):
            with sites.connect("alice") as connection:
                answer, = exchange(connection, octets)
                self.assert_refused(answer, 413)
                self.assertEqual(answer.headers["connection"], "close")
                with contextlib.suppress(ssl.SSLError, ConnectionError):
                    self.assertEqual(connection.recv(1), b"")
        self.assertEqual(sites.call("alice", "bob/status").code, 200)

    def test_s14_41_a_body_of_the_largest_size_is_taken(self):
        sites = self.sites()
        answer = sites.call("alice", "bob/enc_keys", "{}".ljust(65536))
        self.assertEqual(answer.code, 200)

    def test_s14_42_errors_are_json_except_401(self):
        sites = self.sites()
        for answer in (sites.call("alice", "bob/nothing"), sites.call("alice", "x/status"),
                       sites.call("alice", "bob/status", {}), sites.call("alice", "%zz/status")):
            self.assertEqual(answer.headers["content-type"], "application/json")
            self.assertEqual(list(answer.json()), ["message"])
        answer = sites.call("bob", "bob/status", site="a")
        self.assertEqual((answer.code, answer.body), (401, b""))
        self.assertNotIn("content-type", answer.headers)
        with sites.connect("alice") as connection:
            answer, = exchange(connection, b"NONSENSE\r\n\r\n")
            self.assert_refused(answer, 400)

    def test_s14_42_a_wrong_content_type_is_400_and_a_missing_one_is_not(self):
        sites = self.sites()
        with sites.connect("alice") as connection:
            for kind, code in (("text/plain", 400), ("application/x-www-form-urlencoded", 400),
                               ("application/json; charset=utf-8", 200),
                               ("Application/JSON", 200), (None, 200)):
                headers = (f"Content-Type: {kind}",) if kind else ()
                answer, = exchange(connection, request("bob/enc_keys", "POST", b"{}", headers))
                self.assertEqual(answer.code, code, kind)

    def test_s14_43_sae_ids_are_decoded_once_and_compared_by_octet(self):
        names = ["bob", "b o/b", "b\u00f6b", "%2F"]
        sites = self.sites(saes={"kme-a": ["alice"], "kme-b": names})
        for encoded, decoded in (("b%20o%2Fb", "b o/b"), ("b%20o%2fb", "b o/b"),
                                 ("b%C3%B6b", "b\u00f6b"), ("%252F", "%2F"), ("b%6Fb", "bob")):
            answer = sites.call("alice", f"{encoded}/status")
            self.assertEqual(answer.json()["slave_SAE_ID"], decoded)
        for other in ("b+o%2Fb", "bo%CC%88b", "%2F", "BOB", "b%25C3%25B6b", "b%F6b"):
            self.assert_refused(sites.call("alice", f"{other}/status"), 400)

    def test_s14_44_connections_are_kept(self):
        sites = self.sites()
        sites.stock(50 * 256)
        with sites.connect("alice") as connection:
            for _ in range(50):
                self.assertEqual(exchange(connection, request("bob/enc_keys"))[0].code, 200)
        self.assertEqual(sites.metric("a", "qkd_kme_connections_total", api="014"), 1)

    def test_s14_44_pipelined_requests_are_answered_in_order(self):
        sites = self.sites()
        sites.stock(30 * 256)
        paths = ["bob/enc_keys?size=8", "x/status", "bob/enc_keys?size=16", "nothing",
                 "bob/enc_keys?size=24"] * 10
        with sites.connect("alice") as connection:
            answers = exchange(connection, b"".join(request(path) for path in paths),
                               count=len(paths))
        self.assertEqual([answer.code for answer in answers], [200, 400, 200, 404, 200] * 10)
        self.assertEqual([len(answer.keys()[0][1]) for answer in answers if answer.code == 200],
                         [1, 2, 3] * 10)

    def test_s14_44_chunked_bodies_are_read(self):
        sites = self.sites()
        text = b'{"number":2}'
        body = b"".join(b"1;x=y\r\n%c\r\n" % octet for octet in text) + b"0\r\nX: y\r\n\r\n"
        with sites.connect("alice") as connection:
            answer, = exchange(connection, request("bob/enc_keys", "POST", body,
                                                   ("Transfer-Encoding: chunked",)))
            self.assertEqual(len(answer.keys()), 2)
            self.assertEqual(exchange(connection, request("bob/status"))[0].code, 200)

    def test_s14_44_expect_100_continue_is_answered_before_the_body(self):
        sites = self.sites()
        octets = request("bob/enc_keys", "POST", b'{"number":2}', ("Expect: 100-continue",))
        head, _, body = octets.partition(b"\r\n\r\n")
        with sites.connect("alice") as connection:
            interim, = exchange(connection, head + b"\r\n\r\n")
            self.assertEqual(interim.code, 100)
            answer, = exchange(connection, body)
            self.assertEqual(len(answer.keys()), 2)

    def test_s14_44_a_body_on_get_is_drained(self):
        sites = self.sites()
        smuggled = request("bob/enc_keys?number=9")
        with sites.connect("alice") as connection:
            for octets in (request("bob/enc_keys", body=smuggled),
                           request("bob/enc_keys", body=b'{"number":9}')):
                answers = exchange(connection, octets + request("bob/status"), count=2)
                self.assertEqual(len(answers), 2)
                self.assertEqual(len(answers[0].keys()), 1)
                self.assertIn("key_size", answers[1].json())

    def test_s14_44_requests_in_pieces_are_read(self):
        sites = self.sites()
        octets = request("bob/enc_keys", "POST", b'{"number":2}')
        with sites.connect("alice") as connection:
            answer, = exchange(connection, *(octets[i:i + 1] for i in range(len(octets))))
            self.assertEqual(len(answer.keys()), 2)

    def test_s14_44_connection_close_and_http_1_0_end_the_connection(self):
        sites = self.sites()
        for octets in (request("bob/status", headers=("Connection: close",)),
                       f"GET {PATH}bob/status HTTP/1.0\r\n\r\n".encode()):
            with sites.connect("alice") as connection:
                connection.sendall(octets)
                got = b""
                while more := connection.recv(4096):
                    got += more
            answer, = parse_answers(got)
            self.assertEqual((answer.code, answer.headers["connection"]), (200, "close"))

    def test_s14_44_a_large_answer_to_a_slow_reader_is_whole(self):
        sites = self.sites(link={"simulated_rate_bps": 200000000})
        number, size = 60, 65536
        sites.stock(number * size)
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.settimeout(harness.LIMIT_S)
        raw.connect(("127.0.0.1", int(sites.kme_a_014.rsplit(":", 1)[1])))
        with sites.tls_context("alice").wrap_socket(raw, server_hostname="localhost") as connection:
            connection.sendall(request(f"bob/enc_keys?number={number}&size={size}")
                               + request("bob/status"))
            harness.wait_until(lambda: sites.metric("a", "qkd_kme_keys_delivered_total",
                                                    role="initiator") == number, "the answer")
            octets = b""
            while octets.count(b"HTTP/1.1") < 2 or not octets.endswith(b"}"):
                octets += connection.recv(1000)
        answers = parse_answers(octets)
        self.assertEqual([len(key) for _, key in answers[0].keys()], [size // 8] * number)
        self.assertEqual(answers[1].code, 200)

    def test_s14_45_nothing_may_be_stored_and_no_key_is_logged(self):
        sites = self.sites()
        for name in ("kme-a", "kme-b"):
            sites.edit(name, r'^log_level = "\w+";', 'log_level = "debug";')
            sites.reload(name)
        sites.stock(20 * 256)
        answers = [sites.call("alice", "bob/enc_keys?number=20"), sites.call("alice", "x/status"),
                   sites.call("bob", "alice/status", site="a"), sites.call("alice", "y")]
        keys = answers[0].keys()
        answers += [sites.claim(*(one for one, _ in keys)), sites.claim(keys[0][0])]
        self.assertEqual([answer.code for answer in answers], [200, 400, 401, 404, 200, 400])
        for answer in answers:
            self.assertEqual(answer.headers["cache-control"], "no-store")
        logs = sites.log("kme-a") + sites.log("kme-b")
        for _, key in keys:
            for text in (base64.b64encode(key).decode()[:16], key.hex()[:16]):
                self.assertNotIn(text.lower(), logs.lower())
        for secret in json.loads(answers[0].body)["keys"]:
            self.assertNotIn(secret["key"], logs)


if __name__ == "__main__":
    unittest.main()
