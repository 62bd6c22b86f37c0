# SPDX-License-Identifier: Apache-2.0
"""qkdctl and ETSI 004 key servers that answer as none should, or as only some do."""
import contextlib
import json
import ssl
import struct
import subprocess
import threading
import time
import unittest
import uuid

import harness
from harness import Lab, qkdctl
from tcp_server import TcpServer, require_certificates

OPEN_CONNECT, GET_KEY, CLOSE = 2, 4, 8
SUCCESS, NOT_YET, INSUFFICIENT, NO_PEER, IN_USE, TIMEOUT, NOT_MET = 0, 1, 2, 3, 5, 6, 7
STREAM = uuid.UUID("00112233-4455-4667-8899-aabbccddeeff")
KEY = bytes(range(32))


def opened(status=SUCCESS, chunk=32, stream=STREAM, mimetype=b""):
    """The payload of an OPEN_CONNECT answer with a QoS."""
    qos = struct.pack(">7I", chunk, 40000, 5000, 10, 3, 750, 55) + mimetype.ljust(256, b"\0")
    return struct.pack(">I", status) + qos + stream.bytes


def got(index=0, key=KEY):
    """That of a GET_KEY answer with a key."""
    return struct.pack(">III", SUCCESS, index, len(key)) + key + struct.pack(">I", 0)


def refused(status):
    return struct.pack(">I", status)


class FakeKme004(TcpServer):
    """An ETSI 004 server (wire profile W1) with mutual TLS on a free port. `answers` has, by
    service, the payload of the answer, a list of them (the last one stays), or a function of
    the request's payload; None closes the connection. Attributes: url, calls (services asked
    for), payloads (of the last request, by service)."""

    def __init__(self, lab, **answers):
        super().__init__()
        self._answers = {OPEN_CONNECT: opened(), GET_KEY: got(), CLOSE: refused(SUCCESS)}
        self._answers.update({globals()[name.upper()]: answer for name, answer in answers.items()})
        self._context = require_certificates(lab.pki("kme-a"), lab.ca)
        self.calls = []
        self.payloads = {}

    @property
    def url(self):
        return f"etsi004://localhost:{self.port}"

    def serve(self, connection):
        with contextlib.suppress(OSError, ssl.SSLError), connection as raw, \
                self._context.wrap_socket(raw, server_side=True) as near, \
                near.makefile("rb") as stream:
            while (header := stream.read(8)):
                service, length = header[3], struct.unpack(">I", header[4:])[0]
                answer = self._answer(service, stream.read(length))
                if answer is None:
                    return
                near.sendall(header[:3] + bytes([service + 1]) +
                             struct.pack(">I", len(answer)) + answer)

    def _answer(self, service, payload):
        self.calls.append(service)
        self.payloads[service] = payload
        answer = self._answers[service]
        if isinstance(answer, list):
            return answer.pop(0) if len(answer) > 1 else answer[0]
        return answer(payload) if callable(answer) else answer


class Answers(unittest.TestCase):
    """One initialised lab, whose certificates everybody uses; its servers are not needed."""

    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.lab = cls.stack.enter_context(Lab(up=False, api="004"))

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def run_at(self, fake, *words, **settings):
        """qkdctl as alice at this key server."""
        conf = self.lab.conf_with("alice", kme=fake.url, **settings)
        return qkdctl(*words, "--config", conf)

    def assert_refused(self, words, *expected, calls=None, **answers):
        """get-key with these answers fails, shows no key, and says all that is expected."""
        with FakeKme004(self.lab, **answers) as fake:
            done = self.run_at(fake, "get-key", "--show-key", *words)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertNotIn(KEY.hex()[:16], done.stdout + done.stderr)
            for text in ("keys with peer bob", fake.url.removeprefix("etsi004://"), *expected):
                self.assertIn(text, done.stderr)
            if calls is not None:
                self.assertEqual(fake.calls, calls)

    def test_initiator_says_the_stream_reads_it_and_closes_it(self):
        with FakeKme004(self.lab) as fake:
            done = self.run_at(fake, "get-key", "--show-key", "--size-bits", 256)
            self.assertEqual(done.returncode, 0, done.stderr)
            said, key = done.stdout.splitlines()
            self.assertEqual(said, f"Key_stream_ID {STREAM} (tell the peer: "
                                   f"qkdctl get-key --key-id {STREAM})")
            self.assertRegex(key, rf"^{STREAM} index 0\s+256 bits\s+{KEY.hex()}$")
            self.assertEqual(fake.calls, [OPEN_CONNECT, GET_KEY, CLOSE])
            sent = fake.payloads
            self.assertTrue(sent[OPEN_CONNECT].startswith(b"sae://alice\0sae://bob\0\0\0\0\x20"))
            self.assertTrue(sent[OPEN_CONNECT].endswith(bytes(256 + 16)))
            self.assertEqual(sent[GET_KEY], STREAM.bytes + bytes(8))
            self.assertEqual(sent[CLOSE], STREAM.bytes)

    def test_responder_joins_with_the_id_and_reads_from_the_index(self):
        other = uuid.uuid4()
        with FakeKme004(self.lab, open_connect=opened(stream=other),
                        get_key=[got(index) for index in (7, 8, 9)]) as fake:
            done = self.run_at(fake, "get-key", "--key-id", other, "--index", 7, "--number", 3,
                               "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(json.loads(done.stdout),
                             {"role": "responder",
                              "keys": [{"Key_stream_ID": str(other), "index": index,
                                        "size_bits": 256} for index in (7, 8, 9)]})
            self.assertTrue(fake.payloads[OPEN_CONNECT].endswith(other.bytes))
            self.assertEqual(fake.calls, [OPEN_CONNECT] + 3 * [GET_KEY] + [CLOSE])

    def test_stream_is_said_before_the_key_is_there(self):
        release = threading.Event()

        def wait(_):
            release.wait(harness.LIMIT_S)
            return got()

        for words, stream in (([], "stdout"), (["--json"], "stderr")):
            release.clear()
            with FakeKme004(self.lab, get_key=wait) as fake:
                conf = self.lab.conf_with("alice", kme=fake.url, timeout_ms=20000)
                with subprocess.Popen([harness.QKDCTL, "get-key", "--config", conf, *words],
                                      env=harness.child_env(), stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True) as process:
                    try:
                        self.assertIn(str(STREAM), getattr(process, stream).readline())
                        self.assertIsNone(process.poll())
                    finally:
                        release.set()
                    out, _ = process.communicate(timeout=harness.LIMIT_S)
                self.assertEqual(process.returncode, 0)
                self.assertIn("256", out)

    def test_key_that_is_on_its_way_is_asked_for_again(self):
        for status in (INSUFFICIENT, NO_PEER, TIMEOUT):
            with FakeKme004(self.lab, open_connect=opened(NOT_YET),
                            get_key=[refused(status), refused(status), got()]) as fake:
                done = self.run_at(fake, "get-key", timeout_ms=20000)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(fake.calls, [OPEN_CONNECT] + 3 * [GET_KEY] + [CLOSE])

    def test_peer_that_never_comes_is_the_reason_given(self):
        self.assert_refused([], "index 0: ", "the peer has not opened the stream",
                            get_key=refused(NO_PEER))

    def test_key_server_that_waits_long_is_not_asked_when_there_is_no_time(self):
        def wait(_):
            time.sleep(0.7)
            return refused(NO_PEER)

        self.assert_refused([], "the peer has not opened the stream", get_key=wait,
                            calls=[OPEN_CONNECT, GET_KEY, CLOSE])

    def test_refusal_of_get_key_that_stays_is_not_repeated(self):
        self.assert_refused([], "index 0: ", "it refused GET_KEY: the room for metadata",
                            get_key=struct.pack(">II", 8, 9), calls=[OPEN_CONNECT, GET_KEY, CLOSE])

    def test_refused_stream_is_not_closed(self):
        self.assert_refused([], "it refused OPEN_CONNECT: the key stream ID is in use",
                            open_connect=refused(IN_USE), calls=[OPEN_CONNECT])

    def test_counter_proposal_is_told_and_not_taken(self):
        self.assert_refused(["--size-bits", "4096"], "the quality of service cannot be met",
                            "keys of 128 bits, 5000 to 40000 bit/s", "timeout of 750 ms",
                            "TTL of 55 s", open_connect=opened(NOT_MET, chunk=16),
                            calls=[OPEN_CONNECT])

    def test_another_size_than_was_asked_for_is_refused(self):
        self.assert_refused(["--size-bits", "512"], "grants keys of 256 bits instead of 512",
                            calls=[OPEN_CONNECT, CLOSE])
        for chunk in (0, 8193, 0xFFFFFFFF):
            self.assert_refused([], f"grants keys of {8 * chunk} bits",
                                open_connect=opened(chunk=chunk), calls=[OPEN_CONNECT, CLOSE])

    def test_size_that_was_not_asked_for_is_the_streams(self):
        with FakeKme004(self.lab, open_connect=opened(chunk=64), get_key=got(key=2 * KEY)) as fake:
            done = self.run_at(fake, "get-key", "--key-id", STREAM)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("512 bits", done.stdout)

    def test_answer_that_was_not_asked_for_is_refused_and_the_stream_closed(self):
        calls = [OPEN_CONNECT, GET_KEY, CLOSE]
        self.assert_refused([], "answered index 0 with index 1", get_key=got(index=1), calls=calls)
        self.assert_refused([], "octets and answered with 31", get_key=got(key=KEY[:31]),
                            calls=calls)

    def test_stream_that_was_not_asked_for_is_refused(self):
        self.assert_refused(["--key-id", str(uuid.uuid4())], "another stream than was named",
                            calls=[OPEN_CONNECT, CLOSE])
        self.assert_refused([], "the ID of zeros", open_connect=opened(stream=uuid.UUID(int=0)),
                            calls=[OPEN_CONNECT])

    def test_later_key_that_does_not_come_is_named_by_its_index(self):
        self.assert_refused(["--number", "3"], "index 1: ", "not enough key material",
                            get_key=[got(), refused(INSUFFICIENT)])

    def test_lost_connection_is_an_error_and_the_stream_is_closed_over_another(self):
        self.assert_refused([], "index 0: ", "waiting for the answer", get_key=lambda _: None,
                            calls=[OPEN_CONNECT, GET_KEY, CLOSE])

    def test_keys_are_printed_when_only_the_close_fails(self):
        with FakeKme004(self.lab, close=lambda _: None) as fake:
            done = self.run_at(fake, "get-key", "--show-key")
            self.assertEqual(done.returncode, 0)
            self.assertIn(KEY.hex(), done.stdout)
            self.assertIn("the stream is not closed and ends with its TTL", done.stderr)

    def test_qubip_dialect_asks_for_metadata_and_takes_status_7(self):
        with FakeKme004(self.lab, open_connect=opened(NOT_MET)) as fake:
            done = self.run_at(fake, "get-key", "--etsi004-dialect", "qubip")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(b"application/json", fake.payloads[OPEN_CONNECT])
            self.assertNotEqual(fake.payloads[GET_KEY][-4:], bytes(4))

    def test_wrong_calls_exit_with_2_and_reach_no_key_server(self):
        conf014 = self.lab.conf_with("alice", kme=self.lab.kme_a_014)
        for words, expected in ((["--key-id", f"{STREAM},{STREAM}"], "it names one stream"),
                                (["--size-bits", "257"], "257 is not a multiple of 8"),
                                (["--index", "4294967296"], "--index '4294967296'"),
                                (["--index", "4294967295", "--number", "2"], "beyond index"),
                                (["--config", conf014, "--index", "0"], "is for key streams"),
                                (["--config", conf014, "--key-id", STREAM, "--number", "1"],
                                 "--number and --size-bits are for")):
            done = qkdctl("get-key", "--config", self.lab.conf("alice"), *words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(expected, done.stderr)
            self.assertIn("qkdctl help get-key", done.stderr)

    def test_given_key_server_is_asked_whoever_the_initiator_of_the_file_is(self):
        conf = self.lab.conf_with("alice", kme=self.lab.kme_a_014, initiator="server")
        with FakeKme004(self.lab) as fake:
            done = qkdctl("status", "--kme", fake.url, "--config", conf)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_status_opens_as_a_handshake_does_shows_what_was_granted_and_closes(self):
        with FakeKme004(self.lab, open_connect=opened(mimetype=b"a/b\x01")) as fake:
            done = self.run_at(fake, "status")
            self.assertEqual(done.returncode, 0, done.stderr)
            for line in (r"key server\s+" + fake.url, r"source \(our end\)\s+sae://alice",
                         r"OPEN_CONNECT\s+success", rf"Key_stream_ID\s+{STREAM}",
                         r"quality of service\s+granted", r"size of a key\s+256 bits",
                         r"rate at least\s+5000 bit/s", r"rate at most\s+40000 bit/s",
                         r"timeout\s+750 ms", r"TTL\s+55 s", r"metadata\s+a/b\?"):
                self.assertRegex(done.stdout, line)
            self.assertEqual(fake.calls, [OPEN_CONNECT, CLOSE])
            asked = fake.payloads[OPEN_CONNECT]
            self.assertEqual(struct.unpack(">7I", asked[len(b"sae://alice\0sae://bob\0"):][:28]),
                             (32, 0, 0, 0, 0, 1000, 60))
            value = json.loads(self.run_at(fake, "status", "--json").stdout)
            self.assertEqual(value, {
                "key_server": fake.url, "source": "sae://alice", "destination": "sae://bob",
                "outcome": "success", "open": True, "Key_stream_ID": str(STREAM),
                "QoS": {"Key_chunk_size": 32, "Max_bps": 40000, "Min_bps": 5000, "Jitter": 10,
                        "Priority": 3, "Timeout": 750, "TTL": 55, "Metadata_mimetype": "a/b?"}})

    def test_status_shows_a_refusal_and_what_is_offered_instead(self):
        with FakeKme004(self.lab, open_connect=[opened(NOT_MET, chunk=16, stream=uuid.UUID(int=0)),
                                                refused(IN_USE)]) as fake:
            done = self.run_at(fake, "status")
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stdout, r"quality of service\s+offered instead")
            self.assertRegex(done.stdout, r"size of a key\s+128 bits")
            self.assertNotIn("Key_stream_ID", done.stdout)
            self.assertIn("keys of 128 bits", done.stderr)
            done = self.run_at(fake, "status", "--json")
            self.assertEqual(done.returncode, 1)
            value = json.loads(done.stdout)
            self.assertEqual((value["open"], value["outcome"]),
                             (False, "the key stream ID is in use"))
            self.assertNotIn("QoS", value)
            self.assertEqual(fake.calls, [OPEN_CONNECT, OPEN_CONNECT])


if __name__ == "__main__":
    unittest.main()
