# SPDX-License-Identifier: Apache-2.0
"""qkdctl doctor on key servers that are there and yet no help, and on what a TLS server shows:
each set-up is broken in one way; the first finding is the cause, and its cure makes all right."""
import contextlib
import datetime
import email.utils
import socket
import unittest

from doctor_case import diagnose, issue, past, set_in_section
from fake_kme import FakeKme
from harness import Lab, Server, qkdctl
from test_doctor_net import Case as Broken

PROMISES = {"source_KME_ID": "kme-a", "target_KME_ID": "kme-b", "master_SAE_ID": "alice",
            "slave_SAE_ID": "bob", "key_size": 256, "stored_key_count": 9, "max_key_count": 99,
            "max_key_per_request": 1, "max_key_size": 1024, "min_key_size": 64,
            "max_SAE_ID_count": 0}


class Story:
    """A behaviour of FakeKme: a status of its own, with a Date, and keys as there should be, or
    the HTTP status `refusal` for each. A member that is None is left out."""

    def __init__(self, ahead_s=0, refusal=None, **members):
        self.ahead_s = ahead_s
        self.refusal = refusal
        self.members = members

    def __call__(self, request):
        if request.path.endswith("/status"):
            at = (datetime.datetime.now(datetime.timezone.utc) +
                  datetime.timedelta(seconds=self.ahead_s))
            date = email.utils.format_datetime(at, usegmt=True)
            members = {name: value for name, value in {**PROMISES, **self.members}.items()
                       if value is not None}
            request.answer(200, members, headers=(f"Date: {date}",))
        elif self.refusal is not None:
            request.answer(self.refusal, {"message": "no keys"})
        else:
            request.answer(200, request.keys())


@contextlib.contextmanager
def black_hole():
    """The port of a socket whose queue is full: what asks for a connection gets no answer."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(listener.getsockname())
        yield listener.getsockname()[1]


class NoHelp(Broken):
    def good_url(self):
        self.set(f"kme = {self.lab.kme_a_014}")

    def fake(self, behaviour, **more):
        fake = self.enterContext(FakeKme(self.lab, behaviour, **more))
        self.set(f"kme = {fake.url}")
        return fake

    def test_a_key_server_in_a_black_hole(self):
        with black_hole() as port:
            self.set(f"kme = https://127.0.0.1:{port}")
            self.find("kme-tcp", "timed out", "firewalls .* pass TCP")
        self.good_url()
        self.assert_sound()

    def test_a_web_server_that_is_no_key_server(self):
        self.fake(lambda request: request.answer(404, "<html><h1>Not Found</h1></html>",
                                                 "text/html"))
        self.find("kme-answer", "HTTP 404", "a key server of ETSI GS QKD 014 into the line kme")
        self.good_url()
        self.assert_sound()

    def test_a_web_server_that_has_an_answer_to_everything(self):
        self.fake(lambda request: request.answer(200, "<html>welcome</html>", "text/html"))
        self.find("kme-answer", "not a status of ETSI GS QKD 014",
                  "a key server of ETSI GS QKD 014 into the line kme")
        self.good_url()
        self.assert_sound()

    def test_a_key_server_whose_certificate_has_expired(self):
        for line in (1, 2):  # as server and as what its cure asks for
            days = past(-20, -1) if line == 1 else past(-1, 300)
            cert = issue(self.lab, self.lab.temp / "pki", "localhost", *days,
                         purpose="serverAuth")
            self.fake(Story(), cert=cert)
            if line == 1:
                self.find("kme-tls", "key server's certificate has expired",
                          "operator to renew its certificate")
        self.assert_sound()

    def test_a_clock_that_is_an_hour_off(self):
        story = Story(ahead_s=3600)
        self.fake(story)
        self.find("kme-clock", r"clock is 3[56]\d\d s behind the key server's", "set the clock",
                  outcome="warning")
        story.ahead_s = 0
        self.assert_sound()

    def test_a_store_that_is_empty(self):
        story = Story(refusal=503, stored_key_count=0)
        self.fake(story)
        self.find("kme-peer", "no key with peer 'bob': .*503", "wait until keys are there")
        story.refusal = None
        self.assert_sound()

    def test_keys_that_are_not_counted_and_delivered_are_no_fault(self):
        for members in ({"stored_key_count": 0}, {"stored_key_count": None}):
            with self.subTest(members=members):
                self.fake(Story(**members))
                self.assertRegex(str(self.assert_sound()),
                                 "no keys are counted with peer 'bob', and one was delivered")

    def test_keys_that_are_not_counted_are_for_both_ends_to_judge(self):
        story = Story(stored_key_count=0)
        other = self.lab.conf_with("bob", kme=self.fake(story).url)
        words = ("--peer-config", other)
        self.find("kme-peer", "counts no keys with peer 'bob'; .*'pair'", "wait until keys are",
                  *words, outcome="warning")
        self.assertEqual(diagnose(self.path, *words).outcome("pair"), "ok")
        story.refusal = 503
        self.find("pair", "our key server: ", "linked", *words)

    def test_a_store_that_promises_keys_and_has_none(self):
        admin = ("--admin", self.lab.kme_a_admin)
        qkdctl("misbehave", "set", *admin, "--kind", "depletion", check=True)
        self.find("kme-peer", "no key with peer 'bob'", "wait until keys are there")
        qkdctl("misbehave", "clear", *admin, check=True)
        self.assert_sound()

    def test_a_key_server_without_keys_of_256_bits(self):
        story = Story(max_key_size=128, key_size=128)
        self.fake(story)
        self.find("kme-peer", "keys of 64 to 128 bits, and a handshake needs 256",
                  "operator to allow keys of 256 bits")
        story.members = {}
        self.assert_sound()


class KeyStreams(Broken):
    lab_options = {"api": "004"}

    def test_a_peer_that_the_key_server_does_not_know(self):
        self.set("peer = bobby")
        self.find("kme-answer", "from sae://alice to sae://bobby: .*no QKD connection",
                  "into the lines sae and peer .*how the key server knows both ends")
        self.set("peer = bob")
        self.assert_sound()

    def test_what_the_key_server_answers_decides_on_the_cure(self):
        admin = ("--admin", self.lab.kme_a_admin)
        for code, text, cure in ((2, "not enough key", "wait until the key servers"),
                                 (4, "no QKD connection", "link to the peer's key server"),
                                 (6, "timeout", "timeout-ms"),
                                 (7, "quality of service", "keys of 256 bits")):
            with self.subTest(code=code):
                qkdctl("misbehave", "set", *admin, "--kind", "error", "--api", "004", "--method",
                       "open_connect", "--code", code, check=True)
                self.find("kme-answer", text, cure)
                qkdctl("misbehave", "clear", *admin, check=True)
                self.assert_sound()


class BothEnds(Broken):
    def test_a_peer_whose_key_server_is_of_another_pair(self):
        """Two laboratories: the other SAE's file is of the second."""
        with Lab() as other:
            words = ("--peer-config", other.conf("bob"))
            self.find("pair", "the other SAE's key server: .*not found", "linked with each other",
                      *words)
        self.assert_sound("--peer-config", self.lab.conf("bob"))

    def test_key_servers_that_deliver_different_keys(self):
        admin = ("--admin", self.lab.kme_b_admin)
        words = ("--peer-config", self.lab.conf("bob"))
        qkdctl("misbehave", "set", *admin, "--kind", "flip", check=True)
        self.find("pair", "different keys under ID", "linked with each other", *words)
        qkdctl("misbehave", "clear", *admin, check=True)
        self.assert_sound(*words)

    def test_a_file_of_the_other_end_with_a_mistake(self):
        other = self.lab.conf_with("bob", cert="/nonexistent.pem")
        words = ("--peer-config", other)
        self.find("pair", "cert: cannot open '/nonexistent.pem'",
                  "examine that file by itself: qkdctl doctor", *words)
        set_in_section(other, "qkd_provider", f"cert = {self.lab.pki('bob')[0]}")
        self.assert_sound(*words)


class ServerCertificate(Broken):
    def server(self, *dates, name="localhost"):
        cert, key = issue(self.lab, self.lab.temp / "pki", name, *dates, purpose="serverAuth")
        return Server(self.lab, "-cert", cert, "-key", key)

    def judge(self, server, text, cure, outcome):
        with server as running:
            self.find("connect", text, cure, "--connect", f"localhost:{running.port}",
                      outcome=outcome)

    def test_one_that_has_expired(self):
        self.judge(self.server(*past(-20, -1)), "'localhost', .*: it expired on",
                   "renew the TLS server's certificate", "wrong")
        with self.server(*past(-1, 300)) as server:
            found = self.assert_sound("--connect", f"localhost:{server.port}")
        self.assertIn("certificate is for this name: 'localhost'", str(found))

    def test_one_that_is_not_valid_yet(self):
        self.judge(self.server(*past(2, 300)), "it is valid only from", "this machine's clock",
                   "wrong")

    def test_one_that_will_expire(self):
        self.judge(self.server(*past(-20, 5)), "it expires on", "renew", "warning")

    def test_one_for_another_name(self):
        self.judge(self.server(*past(-1, 300), name="elsewhere.example"),
                   "'elsewhere.example', .*is not for 'localhost'",
                   "a name that the certificate has", "warning")


if __name__ == "__main__":
    unittest.main()
