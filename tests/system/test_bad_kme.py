# SPDX-License-Identifier: Apache-2.0
"""What a key server can get wrong: each gives a clean failure that names group, peer, key
server and answer, and the process goes on with the next handshake."""
import json
import subprocess
import time
import unittest

from fake_kme import FakeKme, black_hole, good, slowly, wait_forever
from harness import OPENSSL35, Lab, Server, handshake_keys, run_client

GROUP = "qkd_x25519mlkem768"
BIG = 1_000_000

# Alerts as s_client and s_server name them.
INTERNAL_ERROR = "tlsv1 alert internal error"
ILLEGAL_PARAMETER = "alert illegal parameter"


def answer(code, body=b"", content_type="application/json", headers=()):
    """A behaviour that always gives this answer."""
    return lambda request: request.answer(code, body, content_type, headers)


def octets(data, then_close=True):
    """A behaviour that sends these octets, whatever they are."""
    def behave(request):
        request.send(data)
        if then_close:
            request.close()
    return behave


def close(request):
    request.close()


def container(change):
    """A correct answer whose container was changed: change(container) returns the new one."""
    return lambda request: request.answer(200, change(request.keys()))


def with_entry(**members):
    """A correct answer with members of its first key replaced; None removes one."""
    def change(keys):
        entry = keys["keys"][0]
        for name, value in members.items():
            if value is None:
                del entry[name]
            else:
                entry[name] = value
        return keys
    return container(change)


def cut(request):
    body = json.dumps(request.keys()).encode()
    request.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body[:-10])
    request.close()


def endless_head(request):
    request.send(b"HTTP/1.1 200 OK\r\n")
    for _ in range(10_000):
        request.send(b"X-More: " + b"x" * 80 + b"\r\n")


UUID_1 = "6a5bbd1e-5d0c-4b7c-9d5e-0a4ba1b1f001"

# What it does; behaviour; what the error must say. All of these hold for reservation and claim.
REFUSALS = (
    ("400 with an Error object", answer(400, {"message": "size shall be a multiple of 8"}),
     'it answered HTTP 400 "size shall be a multiple of 8"'),
    ("400 with details as an object", answer(400, {"message": "no", "details": {"a": ["b"]}}),
     'it answered HTTP 400 "no"'),
    ("400 of FastAPI", answer(422, {"detail": [{"msg": "field required"}]}),
     'it answered HTTP 422 "field required"'),
    ("401 without a body", answer(401, b"", None), "it answered HTTP 401 without a message"),
    ("401 as HTML", answer(401, "<html><h1>Unauthorized</h1></html>", "text/html"),
     "it answered HTTP 401 without a message"),
    ("403", answer(403, {"message": "Key expired"}), 'it answered HTTP 403 "Key expired"'),
    ("404", answer(404, {"message": "no such SAE here"}),
     'it answered HTTP 404 "no such SAE here"'),
    ("500", answer(500, "<html>oops</html>", "text/html"), "it answered HTTP 500"),
    ("503", answer(503, {"message": "key pool empty"}, headers=("Retry-After: 1",)),
     'it answered HTTP 503 "key pool empty"'),
    ("504 of a proxy", answer(504, "Gateway Timeout", "text/plain"),
     'it answered HTTP 504 "Gateway Timeout"'),
    ("a redirect", answer(302, b"", None, ("Location: https://elsewhere/",)),
     "it answered HTTP 302"),
    ("201", answer(201, {"keys": []}), "it answered HTTP 201"),
    ("204", octets(b"HTTP/1.1 204 No Content\r\n\r\n", False), "it answered HTTP 204"),
    ("no JSON", answer(200, "keys for everybody"), "not valid JSON"),
    ("HTML with 200", answer(200, "<html>welcome</html>", "text/html"), "not valid JSON"),
    ("broken JSON", answer(200, '{"keys":[{"key_ID":'), "not valid JSON"),
    ("an array", answer(200, "[]"), "the JSON is not an object"),
    ("nesting without end", answer(200, "[" * 5000), "nested more than"),
    ("no keys member", answer(200, {}), 'no array "keys"'),
    ("no key", answer(200, {"keys": []}), "0 keys instead of 1"),
    ("a key too many", container(lambda keys: {"keys": keys["keys"] + [
        {"key_ID": UUID_1, "key": keys["keys"][0]["key"]}]}), "2 keys instead of 1"),
    ("the same key_ID twice", container(lambda keys: {"keys": keys["keys"] * 2}), "twice"),
    ("a key without key", with_entry(key=None), "lacks key_ID or key"),
    ("a key without key_ID", with_entry(key_ID=None), "lacks key_ID or key"),
    ("a key_ID that is no UUID", with_entry(key_ID="key-17"), "is no UUID"),
    ("base64 that is none", with_entry(key="!" * 44), "not canonical base64"),
    ("base64 without padding", with_entry(key="A" * 43), "not canonical base64"),
    ("an empty key", with_entry(key=""), "not canonical base64"),
    ("a key of 128 bits", with_entry(key="AAAAAAAAAAAAAAAAAAAAAA=="), "key of 128 bits instead"),
    ("a key of 264 bits", with_entry(key="A" * 44), "key of 264 bits instead of 256"),
    ("1 MB of body", answer(200, b" " * BIG), "exceeds"),
    ("1 MB in chunks", octets(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
                              b"1000\r\n" + b" " * 4096 + b"\r\n" * 1 +
                              (b"1000\r\n" + b" " * 4096 + b"\r\n") * 250), "exceeds"),
    ("a head without end", endless_head, "exceeds"),
    ("a lie about the length", octets(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n"),
     "no clear Content-Length"),
    ("two lengths", octets(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
     "no clear Content-Length"),
    ("a chunk without size", octets(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
     "no clear size"),
    ("something that is not HTTP", octets(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "is not HTTP/1.1"),
    ("a compressed answer", answer(200, b"\x1f\x8b\x08", headers=("Content-Encoding: gzip",)),
     "compressed"),
    ("closing in the middle of the answer", cut, "unexpected eof while reading"),
    ("closing instead of an answer", close, "unexpected eof while reading"),
)


def chunked(request):
    body = json.dumps(request.keys()).encode()
    pieces = [body[i:i + 7] for i in range(0, len(body), 7)]
    request.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n" + b"".join(
        b"%x;ext=1\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nX-T: 1\r\n\r\n")


def until_the_end(request):
    request.send(b"HTTP/1.0 200 OK\r\n\r\n" + json.dumps(request.keys()).encode())
    request.connection.unwrap()


def close_after_each(request):
    request.answer(200, request.keys(), headers=("Connection: close",))
    request.connection.unwrap()


def pretty_with_more_members(request):
    keys = request.keys()
    keys["key_container_extension"] = {"returned_keys": 1, "key": {"nested": True}}
    keys["easy_kme_certificate_extension"] = None
    keys["keys"][0]["key_extension"] = {"key": "not a key"}
    request.answer(200, json.dumps(keys, indent=4))


def upper_case_ids(request):
    keys = request.keys()
    for entry in keys["keys"]:
        entry["key_ID"] = entry["key_ID"].upper()
    request.answer(200, keys)


def escaped_slashes(request):
    request.answer(200, json.dumps(request.keys()).replace("/", "\\/"))


def odd_header_names(request):
    request.answer(200, request.keys(), None, ("Request URI: /x", "x-process-time: 0.1"))


def interim_first(request):
    request.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    good(request)


# Dialects of real servers that are no reason to fail.
DIALECTS = (
    ("chunked with extensions and trailer", chunked),
    ("up to the end of the connection", until_the_end),
    ("a connection for each request", close_after_each),
    ("pretty-printed, with more members", pretty_with_more_members),
    ("upper-case key IDs", upper_case_ids),
    ("escaped slashes", escaped_slashes),
    ("header names that are not allowed", odd_header_names),
    ("an interim answer first", interim_first),
)


def only_for(kind, behaviour):
    """The behaviour for reservations ("reservation") or claims, good for the other."""
    def behave(request):
        misbehaves = request.is_reservation if kind == "reservation" else request.is_claim
        (behaviour if misbehaves else good)(request)
    return behave


class Switch:
    """A behaviour that can be changed while the key server runs."""

    def __init__(self):
        self.to = good

    def __call__(self, request):
        self.to(request)


class BadKme(unittest.TestCase):
    def setUp(self):
        self.switch = Switch()
        self.lab = self.enterContext(Lab(up=False))
        self.kme = self.enterContext(FakeKme(self.lab, self.switch))

    def conf(self, name, flow="client", **settings):
        settings = {"kme": self.kme.url, "initiator": flow, "timeout_ms": 4000, **settings}
        return self.lab.conf_with(name, **settings)

    def assert_fails(self, client, text, peer):
        """The failing end said all of it: group, peer, key server, answer."""
        self.assertFalse(client.connected, str(client))
        for part in (GROUP, f"peer {peer}", f"KME localhost:{self.kme.port}", text):
            self.assertIn(part, client.stderr)

    def assert_goes_on(self, server, conf):
        self.switch.to = good
        client = run_client(self.lab, server.port, conf=conf, groups=GROUP)
        self.assertTrue(client.connected, f"{client}{server.stderr()}")

    def refusals_at_the_client(self, flow, kind):
        conf = self.conf("alice", flow)
        with Server(self.lab, conf=self.conf("bob")) as server:
            for what, behaviour, text in REFUSALS:
                with self.subTest(what=what):
                    self.switch.to = only_for(kind, behaviour)
                    client = run_client(self.lab, server.port, conf=conf, groups=GROUP)
                    self.assert_fails(client, text, "bob")
                    self.assertIsNone(client.group if client.connected else None)
            self.assert_goes_on(server, conf)
            self.assertEqual(len(handshake_keys(server.log())),
                             1 if kind == "reservation" else 1 + len(REFUSALS))

    def refusals_at_the_server(self, flow, kind):
        conf = self.conf("alice", flow)
        with Server(self.lab, conf=self.conf("bob")) as server:
            for what, behaviour, text in REFUSALS:
                with self.subTest(what=what):
                    self.switch.to = only_for(kind, behaviour)
                    seen = len(server.stderr())
                    client = run_client(self.lab, server.port, conf=conf, groups=GROUP)
                    self.assertFalse(client.connected, str(client))
                    self.assertIn(ILLEGAL_PARAMETER, client.stderr)
                    for part in (GROUP, "peer alice", f"KME localhost:{self.kme.port}", text):
                        self.assertIn(part, server.stderr()[seen:])
            self.assert_goes_on(server, conf)

    def test_every_refusal_of_a_reservation_fails_the_clients_handshake_with_the_reason(self):
        self.refusals_at_the_client("client", "reservation")

    def test_every_refusal_of_a_claim_fails_the_clients_handshake_with_the_reason(self):
        self.refusals_at_the_client("server", "claim")

    def test_every_refusal_of_a_reservation_fails_the_servers_handshake_with_the_reason(self):
        self.refusals_at_the_server("server", "reservation")

    def test_every_refusal_of_a_claim_fails_the_servers_handshake_with_the_reason(self):
        self.refusals_at_the_server("client", "claim")

    def test_the_dialects_of_real_servers_are_understood(self):
        with Server(self.lab, conf=self.conf("bob")) as server:
            for what, behaviour in DIALECTS:
                for flow in ("client", "server"):
                    with self.subTest(what=what, flow=flow):
                        self.switch.to = behaviour
                        client = run_client(self.lab, server.port, conf=self.conf("alice", flow),
                                            groups=GROUP)
                        self.assertTrue(client.connected, f"{client}{server.stderr()}")

    def test_a_claim_that_comes_before_the_key_server_knows_the_key_is_repeated(self):
        claims = []

        def late(request):
            claims.append(request.path)
            if len(claims) < 3:
                request.answer(400, {
                    "message": "One or more keys specified are not found on KME."})
            else:
                good(request)
        with Server(self.lab, conf=self.conf("bob")) as server:
            self.switch.to = only_for("claim", late)
            client = run_client(self.lab, server.port, conf=self.conf("alice"), groups=GROUP)
            self.assertTrue(client.connected, f"{client}{server.stderr()}")
        self.assertEqual(len(claims), 3)

    def test_another_keys_id_in_the_answer_to_a_claim_is_refused(self):
        self.switch.to = only_for("claim", with_entry(key_ID=UUID_1))
        with Server(self.lab, conf=self.conf("bob")) as server:
            client = run_client(self.lab, server.port, conf=self.conf("alice"), groups=GROUP)
            self.assertFalse(client.connected)
            self.assertIn("its answer lacks key_ID", server.stderr())

    def test_a_key_id_of_zeros_is_refused(self):
        self.switch.to = only_for("reservation", with_entry(
            key_ID="00000000-0000-0000-0000-000000000000"))
        with Server(self.lab, conf=self.conf("bob")) as server:
            client = run_client(self.lab, server.port, conf=self.conf("alice"), groups=GROUP)
            self.assertFalse(client.connected)
            self.assertIn("key_ID of zeros", client.stderr)

    def test_a_different_key_at_the_other_end_is_noticed_by_tls(self):
        """One key in n different at the two ends: nobody can tell but TLS itself."""
        self.switch.to = only_for("claim", with_entry(key="A" * 43 + "="))
        with Server(self.lab, conf=self.conf("bob")) as server:
            client = run_client(self.lab, server.port, conf=self.conf("alice"), groups=GROUP)
            self.assertFalse(client.connected)
            self.assertIn("bad record mac", client.stderr)

    def silent(self, behaviour, **settings):
        """Both ends give up with the time budget as the reason."""
        conf = self.conf("alice", timeout_ms=300, **settings)
        with Server(self.lab, conf=self.conf("bob", timeout_ms=300)) as server:
            self.switch.to = only_for("reservation", behaviour)
            client = run_client(self.lab, server.port, conf=conf, groups=GROUP)
            self.assert_fails(client, "the time budget ended", "bob")
            self.assertIn("the key server did not answer in time", client.stderr)
            self.switch.to = only_for("claim", behaviour)
            client = run_client(self.lab, server.port, conf=conf, groups=GROUP)
            self.assertFalse(client.connected)
            self.assertIn("the time budget ended", server.stderr())
            self.assert_goes_on(server, conf)

    def test_a_silent_key_server_costs_no_more_than_the_time_budget(self):
        self.silent(wait_forever)

    def test_a_slow_key_server_costs_no_more_than_the_time_budget(self):
        self.silent(slowly(0.02))

    def test_an_unknown_id_is_asked_for_within_a_bounded_time_only(self):
        """Anyone can send an ID that does not exist; the wait for it must not be the budget."""
        asked = []

        def never(request):
            asked.append(time.monotonic())
            request.answer(404, {"message": "Key not found"})
        self.switch.to = only_for("claim", never)
        with Server(self.lab, conf=self.conf("bob", timeout_ms=60000)) as server:
            client = run_client(self.lab, server.port, conf=self.conf("alice"), groups=GROUP)
            self.assertFalse(client.connected)
            self.assertIn(ILLEGAL_PARAMETER, client.stderr)
        self.assertLessEqual(len(asked), 6)

    def test_a_404_about_the_path_does_not_blame_the_peer(self):
        """A web server that is no key server knows no path of ours; the ID may be a good one."""
        asked = []

        def elsewhere(request):
            asked.append(request)
            request.answer(404, {"message": "there is nothing at this path"})
        self.switch.to = only_for("claim", elsewhere)
        with Server(self.lab, conf=self.conf("bob", timeout_ms=5000)) as server:
            client = run_client(self.lab, server.port, conf=self.conf("alice"), groups=GROUP)
            self.assertFalse(client.connected)
            self.assertIn("the key server gave no key", server.stderr())
            self.assertIn("nothing at this path", server.stderr())
            self.assertNotIn("key ID is not acceptable", server.stderr())
        self.assertEqual(len(asked), 1)


class BadTransport(unittest.TestCase):
    """The way to the key server itself: the server end tells its peer internal_error."""

    def setUp(self):
        self.lab = self.enterContext(Lab(up=False))

    def check(self, kme, text, alert=INTERNAL_ERROR, **settings):
        settings = {"kme": kme, "timeout_ms": 1000, **settings}
        with FakeKme(self.lab) as other:
            with Server(self.lab, conf=self.lab.conf_with("bob", **settings)) as server:
                client = run_client(self.lab, server.port, groups=GROUP, conf=self.lab.conf_with(
                    "alice", kme=other.url, initiator="server"))
                self.assertFalse(client.connected)
                self.assertIn(alert, client.stderr)
                self.assertIn(text, server.stderr())
            with Server(self.lab, conf=self.lab.conf_with("bob", kme=other.url)) as server:
                client = run_client(self.lab, server.port, groups=GROUP, conf=self.lab.conf_with(
                    "alice", initiator="client", **settings))
                self.assertFalse(client.connected)
                self.assertIn(text, client.stderr)
                self.assertIn(GROUP, client.stderr)

    def certificate(self, name, host="localhost", by_the_ca=True, validity=()):
        """(certificate, key) for a host, signed by the lab's CA or by itself."""
        cert, key = self.lab.temp / f"{name}.pem", self.lab.temp / f"{name}.key"
        command = [OPENSSL35.program, "req", "-x509", "-newkey", "ec", "-pkeyopt",
                   "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", key,
                   "-out", cert, "-addext", f"subjectAltName=DNS:{host}", *validity]
        if by_the_ca:
            command += ["-CA", self.lab.pki("ca")[0], "-CAkey", self.lab.pki("ca")[1]]
        subprocess.run(command, env=OPENSSL35.env(), check=True, capture_output=True)
        return str(cert), str(key)

    def test_a_refused_connection(self):
        with FakeKme(self.lab) as gone:
            url = gone.url
        self.check(url, "Connection refused")

    def test_an_address_that_swallows_connections(self):
        with black_hole() as url:
            self.check(url, "the time budget ended while connecting", timeout_ms=300)

    def test_a_name_that_does_not_exist(self):
        self.check("https://kme.invalid:8443", "cannot resolve the name 'kme.invalid'")

    def test_a_server_that_accepts_and_never_speaks_tls(self):
        with FakeKme(self.lab, accept_tls=False) as kme:
            self.check(kme.url, "the time budget ended while making a TLS connection",
                       timeout_ms=300)

    def test_a_certificate_of_an_unknown_authority(self):
        with FakeKme(self.lab, cert=self.certificate("self-signed", by_the_ca=False)) as kme:
            self.check(kme.url, "self-signed certificate")

    def test_a_certificate_for_another_host(self):
        with FakeKme(self.lab, cert=self.certificate(
                "elsewhere", "elsewhere")) as kme:
            self.check(kme.url, "ostname mismatch")

    def test_a_certificate_for_another_address(self):
        with FakeKme(self.lab, cert=self.certificate("kme")) as kme:
            self.check(kme.url.replace("localhost", "127.0.0.1"), "IP address mismatch")

    def test_an_expired_certificate(self):
        with FakeKme(self.lab, cert=self.certificate("old", validity=(
                "-not_before", "20200101000000Z", "-not_after", "20200102000000Z"))) as kme:
            self.check(kme.url, "certificate has expired")

    def test_our_certificate_is_not_trusted_there(self):
        cert, key = self.certificate("stranger", by_the_ca=False)
        with FakeKme(self.lab) as kme:
            # In TLS 1.3 a client hears of this only when it reads the first answer.
            self.check(kme.url, "alert unknown ca", ILLEGAL_PARAMETER, cert=cert, key=key)

    def test_a_server_of_another_protocol(self):
        with Server(self.lab) as plain:  # any server that is no key server: TLS without HTTP
            self.check(f"https://localhost:{plain.port}", "TLS failed while making")


if __name__ == "__main__":
    unittest.main()
