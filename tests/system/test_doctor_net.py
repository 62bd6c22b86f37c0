# SPDX-License-Identifier: Apache-2.0
"""qkdctl doctor on what lies beyond this machine: key servers, the other SAE, TLS servers. Each
set-up is broken in one way; the first finding is the cause, and its cure makes all right again."""
import contextlib
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest

from doctor_case import (diagnose, follow, issue, openssl, past, remove_in_section,
                         set_in_section)
from fake_kme import FakeKme
from harness import BUILD, OPENSSL35, Lab, Server, delivered, wait_until

TOOLS = BUILD / "tests" / "bin"


class Case(unittest.TestCase):
    lab_options = {}

    def setUp(self):
        self.lab = self.enterContext(Lab(**self.lab_options))
        self.path = self.lab.temp / "openssl.cnf"
        shutil.copy(self.lab.conf("alice"), self.path)

    def set(self, line, section="qkd_provider"):
        set_in_section(self.path, section, line)

    def find(self, step, text, cure, *words, outcome="wrong"):
        """The first finding, which must be this one; its cure."""
        found = diagnose(self.path, *words)
        self.assertIsNotNone(found.first, str(found))
        self.assertEqual((found.first["step"], found.first["outcome"]), (step, outcome), str(found))
        self.assertRegex(found.first["text"], text)
        self.assertRegex(found.first["cure"], cure)
        self.assertEqual(found.returncode, 1 if outcome == "wrong" else 0)
        return found.first["cure"]

    def assert_sound(self, *words):
        found = diagnose(self.path, *words)
        self.assertIsNone(found.first, str(found))
        self.assertEqual(found.returncode, 0)
        return found


class KeyServer(Case):
    def good_url(self):
        self.set(f"kme = {self.lab.kme_a_014}")

    def test_a_name_that_does_not_resolve(self):
        self.set("kme = https://kme.invalid:8443")
        self.find("kme-name", "kme.invalid", "mend the host .* DNS")
        self.good_url()
        self.assert_sound()

    def test_a_key_server_that_is_down(self):
        self.lab.stop("kme-a")
        self.find("kme-tcp", "Connection refused", "start the key server")
        self.lab.start("kme-a")
        self.assert_sound()

    def test_a_key_server_that_hangs(self):
        self.lab.pause("kme-a")
        self.find("kme-tls", "time budget ended", "restart the key server if it hangs")
        self.lab.resume("kme-a")
        wait_until(lambda: diagnose(self.path).first is None, "keys flow again")

    def test_a_port_that_does_not_speak_tls(self):
        """The admin side of the same key server."""
        self.set("kme = " + self.lab.kme_a_admin.replace("http://", "https://"))
        self.find("kme-tls", "time budget ended|does not speak TLS",
                  "the port on which the key server listens")
        self.good_url()
        self.assert_sound()

    def test_a_ca_that_does_not_vouch_for_it(self):
        foreign = self.lab.temp / "foreign.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", "/CN=foreign", "-days", "300", "-config", "/dev/null", "-addext",
                "basicConstraints = critical, CA:TRUE", "-keyout", self.lab.temp / "foreign.key",
                "-out", foreign)
        self.set(f"ca = {foreign}")
        self.find("kme-tls", "does not vouch", "let the line ca name")
        self.set(f"ca = {self.lab.ca}")
        self.assert_sound()

    def test_one_without_the_hybrid_that_is_required(self):
        self.set("kme-require-pq = yes")
        found = self.assert_sound()
        self.assertRegex(next(one["text"] for one in found.findings if one["step"] == "kme-tls"),
                         "TLSv1.3 with X25519MLKEM768$")
        with FakeKme(self.lab, groups="X25519") as kme:
            self.set(f"kme = {kme.url}")
            self.find("kme-tls", "makes no post-quantum key exchange .*the group x25519",
                      "TLS 1.3 with X25519MLKEM768, or remove the line kme-require-pq")
        self.good_url()
        self.assert_sound()

    def test_a_name_that_its_certificate_does_not_have(self):
        port = self.lab.kme_a_014.rsplit(":", 1)[1]
        self.set(f"kme = https://127.0.0.2:{port}")
        with Relay(("127.0.0.2", int(port)), ("127.0.0.1", int(port))):
            self.find("kme-tls", "for another name", "write the name that the certificate has")
        self.good_url()
        self.assert_sound()

    def test_an_identity_from_a_ca_that_it_does_not_trust(self):
        cert, key = self.lab.temp / "own.pem", self.lab.temp / "own.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", "/CN=alice", "-days", "300", "-config", "/dev/null",
                "-addext", "extendedKeyUsage = clientAuth", "-keyout", key, "-out", cert)
        key.chmod(0o600)
        self.set(f"cert = {cert}")
        self.set(f"key = {key}")
        self.find("kme-answer", "key server .*(does not trust|refuses our certificate)",
                  "identity .*the key server")
        self.set(f"cert = {self.lab.pki('alice')[0]}")
        self.set(f"key = {self.lab.pki('alice')[1]}")
        self.assert_sound()

    def test_an_identity_that_is_no_sae_there(self):
        cert, key = issue(self.lab, self.lab.temp / "pki", "mallory", *past(-1, 300))
        for line in (f"cert = {cert}", f"key = {key}", "sae = mallory"):
            self.set(line)
        self.find("kme-answer", "HTTP 401|does not know our certificate",
                  "make the name in our certificate an SAE there")
        shutil.copy(self.lab.conf("alice"), self.path)
        self.assert_sound()

    def test_another_sae_id_than_the_key_server_has(self):
        self.set("sae = alicia")
        cure = self.find("kme-sae", "sae is 'alicia', and to the key server .* 'alice'",
                         "sae = alice$")
        follow(cure, self.path)
        self.assert_sound()

    def test_a_peer_that_the_key_server_does_not_know(self):
        self.set("peer = bobby")
        self.find("kme-answer", "between 'alice' and 'bobby' it answered HTTP 4",
                  "knows the other end by into the line peer")
        self.set("peer = bob")
        self.assert_sound()

    def test_a_port_of_etsi_004_in_a_url_of_014(self):
        self.set("kme = https://" + self.lab.kme_a_004)
        self.find("kme-answer", "does not answer as ETSI GS QKD 014", "etsi004://")
        self.good_url()
        self.assert_sound()

    def test_the_other_key_server_is_down(self):
        """Ours still promises keys, and delivers none."""
        self.lab.stop("kme-b")
        self.find("kme-peer", "no key with peer 'bob'.*no link to peer key server",
                  "the peer's key server and the link to it")
        self.lab.start("kme-b")
        self.assert_sound()


class KeyServer004(Case):
    lab_options = {"api": "004"}

    def test_a_port_of_etsi_014_in_a_url_of_004(self):
        port = self.lab.kme_a_014.rsplit(":", 1)[1]
        self.set(f"kme = etsi004://localhost:{port}")
        self.find("kme-answer", ".", "a port of ETSI 014 begins with https://")
        self.set(f"kme = etsi004://{self.lab.kme_a_004}")
        self.assert_sound()

    def test_both_ends_get_one_key(self):
        found = self.assert_sound("--peer-config", self.lab.conf("bob"))
        self.assertEqual((found.outcome("pair"), found.outcome("handshake")), ("ok", "ok"))
        self.assertEqual(found.document["keys_used"], 2)


class BothEnds(Case):
    def test_both_ends_get_one_key_and_make_a_handshake(self):
        found = self.assert_sound("--peer-config", self.lab.conf("bob"))
        self.assertEqual((found.outcome("pair"), found.outcome("handshake")), ("ok", "ok"))
        self.assertIn("used the QKD group qkd_x25519mlkem768 (TLSv1.3)", str(found))
        self.assertEqual(found.document["keys_used"], 2)
        self.assertEqual((delivered(self.lab, "initiator"), delivered(self.lab, "responder")),
                         (2, 2))

    def test_the_other_end_has_other_groups(self):
        other = self.lab.conf_with("bob", groups="qkd_mlkem768")
        self.set("Groups = qkd_x25519", "tls")
        words = ("--peer-config", other)
        self.find("handshake", "failed: no suitable key share|no shared group|handshake", "Groups",
                  *words)
        set_in_section(other, "tls", "Groups = qkd_x25519:qkd_mlkem768")
        self.assert_sound(*words)

    def check_peer(self, section, line, text):
        """The other SAE's file with this line, because of which no program accepts with it."""
        other = pathlib.Path(self.lab.conf_with("bob"))
        good = other.read_text(encoding="utf-8")
        words = ("--peer-config", other)
        set_in_section(other, section, line)
        cure = self.find("handshake", f"the other SAE's file failed before .*{text}",
                         "by itself: qkdctl doctor --config ", *words)
        self.assertTrue(cure.endswith(str(other)), cure)
        other.write_text(good, encoding="utf-8")
        self.assert_sound(*words)

    def test_the_module_of_the_other_end_is_not_there(self):
        self.check_peer("qkd_provider", "module = /nonexistent/qkd.so",
                        "TLS context of a server: .*Groups")

    def test_the_module_of_the_other_end_crashes(self):
        self.check_peer("qkd_provider", f"module = {TOOLS / 'broken_abort.so'}",
                        "loading the configuration .*it crashed")

    def test_openssl_cannot_load_the_file_of_the_other_end(self):
        self.check_peer("init", "nonsense = ssl", "loading the configuration .*nonsense")

    def test_the_other_end_has_a_group_that_nobody_knows(self):
        self.check_peer("tls", "Groups = qkd_x25519mklem768",
                        "TLS context of a server: .*Groups")

    def test_groups_under_their_older_name_make_a_handshake_as_well(self):
        remove_in_section(self.path, "tls", "Groups")
        self.set("Curves = qkd_x25519mlkem768", "tls")
        found = self.assert_sound("--peer-config", self.lab.conf("bob"))
        self.assertEqual(found.outcome("handshake"), "ok", str(found))

    def test_the_other_end_has_another_number_for_the_group(self):
        other = self.lab.conf_with("bob", groups="qkd_x25519",
                                   extra="codepoint-qkd_x25519 = 0xFEE0")
        self.set("Groups = qkd_x25519", "tls")
        words = ("--peer-config", other)
        self.find("handshake", "failed", "codepoint-GROUP|Groups", *words)
        self.set("codepoint-qkd_x25519 = 0xFEE0")
        self.assert_sound(*words)

    def test_a_peer_that_is_somebody_else(self):
        words = ("--peer-config", self.lab.conf("bob"))
        self.set("peer = carol")
        cure = self.find("pair", "our peer is 'carol', and the other SAE is 'bob'", "peer = bob$",
                         *words)
        follow(cure, self.path)
        self.assert_sound(*words)

    def test_the_other_end_expects_somebody_else(self):
        other = pathlib.Path(self.lab.conf_with("bob", peer="dave"))
        words = ("--peer-config", other)
        cure = self.find("pair", "other SAE's peer is 'dave'", "peer = alice$", *words)
        set_in_section(other, "qkd_provider", re.search(r": (peer = alice)$", cure)[1])
        self.assert_sound(*words)

    def test_the_other_end_speaks_another_standard(self):
        other = self.lab.conf_with("bob", kme="etsi004://" + self.lab.kme_b_004)
        words = ("--peer-config", other)
        self.find("pair", "by ETSI 014 and the other by ETSI 004", "both lines kme", *words)
        set_in_section(other, "qkd_provider", f"kme = {self.lab.kme_b_014}")
        self.assert_sound(*words)


class TlsServer(Case):
    def words(self, server):
        return ("--connect", f"localhost:{server.port}")

    def test_a_server_with_qkd_alone_is_sound_and_its_keys_are_counted(self):
        with Server(self.lab) as server:
            found = self.assert_sound(*self.words(server))
        self.assertIn("used the QKD group qkd_x25519mlkem768 (TLSv1.3)", str(found))
        # Beside the one of the handshake, one that shows that the key server delivers.
        self.assertEqual(found.document["keys_used"], 2)
        self.assertEqual((delivered(self.lab, "initiator"), delivered(self.lab, "responder")),
                         (2, 1))

    def test_a_server_that_takes_x25519_too(self):
        with Server(self.lab, "-groups", "qkd_x25519mlkem768:X25519") as server:
            self.find("connect", "takes a client without QKD, too .*x25519", "QKD groups only",
                      *self.words(server), outcome="warning")
        with Server(self.lab) as server:
            self.assert_sound(*self.words(server))

    def test_a_server_without_qkd(self):
        with Server(self.lab, "-groups", "X25519") as server:
            self.find("connect", "handshake failure", "Groups have one of ours",
                      *self.words(server))

    def test_a_server_without_qkd_and_a_client_that_does_not_insist(self):
        self.set("Groups = qkd_x25519mlkem768:X25519", "tls")
        with Server(self.lab, "-groups", "X25519") as server:
            cure = self.find("connect", "went without QKD: TLSv1.3, group x25519",
                             r"only QKD groups stand in section \[tls\]", *self.words(server))
        self.assertIn("MinProtocol", cure)

    def test_a_server_of_tls_1_2(self):
        with Tls12(self.lab) as port:
            self.find("connect", "protocol", "allow TLS 1.3", "--connect", f"localhost:{port}")
        with Server(self.lab) as server:
            self.assert_sound(*self.words(server))

    def test_a_server_with_a_mistake_of_its_own(self):
        with Server(self.lab, conf=self.lab.conf_with("bob", cert="/nonexistent.pem")) as server:
            self.find("connect", "alert internal error", "qkdctl doctor with its file",
                      *self.words(server))
        with Server(self.lab) as server:
            self.assert_sound(*self.words(server))

    def test_nobody_listens(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
            self.find("connect", "connect: Connection refused", "start the TLS server",
                      "--connect", f"127.0.0.1:{port}")

    def test_an_address_that_is_none(self):
        self.find("connect", "is no HOST:PORT", "--connect HOST:PORT", "--connect", "localhost:x")


class Tls12:
    """s_server of TLS 1.2 alone."""

    def __init__(self, lab):
        self._lab = lab

    def __enter__(self):
        cert, key = self._lab.pki("localhost")
        self._out = tempfile.TemporaryFile("w+", encoding="utf-8")
        self._process = subprocess.Popen(
            [OPENSSL35.program, "s_server", "-accept", "127.0.0.1:0", "-cert", cert, "-key", key,
             "-tls1_2"], env=OPENSSL35.env(OPENSSL_CONF="/dev/null"), stdin=subprocess.PIPE,
            stdout=self._out, stderr=subprocess.STDOUT)
        return wait_until(self._port, "s_server accepting")

    def _port(self):
        self._out.seek(0)
        match = re.search(r"^ACCEPT .*:(\d+)", self._out.read(), re.M)
        return int(match[1]) if match else None

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()
        self._process.stdin.close()
        self._out.close()


class Relay:
    """Passes each TCP connection on, octet by octet."""

    def __init__(self, here, there):
        self._here, self._there = here, there

    def __enter__(self):
        self._listener = socket.create_server(self._here)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near = self._listener.accept()[0]
                far = socket.create_connection(self._there)
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    @staticmethod
    def _pass(one, other):
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    unittest.main()
