# SPDX-License-Identifier: Apache-2.0
"""qkdctl with ETSI 004 in a laboratory, as a user meets it."""
import json
import re
import subprocess
import unittest

import harness
from harness import Lab, qkdctl, wait_until


class Initiator:
    """get-key over ETSI 004 as the initiator, in the background: stream_id, and result() when
    the responder has come."""

    def __init__(self, conf, *words):
        self._process = subprocess.Popen([harness.QKDCTL, "get-key", "--json", "--config", conf,
                                          *map(str, words)], stdout=subprocess.PIPE,
                                         stderr=subprocess.PIPE, text=True,
                                         env=harness.child_env())

    def __enter__(self):
        self.said = self._process.stderr.readline()
        match = re.match(r"Key_stream_ID (\S+) \(tell the peer: qkdctl get-key --key-id \1\)$",
                         self.said)
        if not match:
            self.__exit__()
            raise harness.HarnessError(f"get-key: {self.said}")
        self.stream_id = match[1]
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()

    def result(self):
        """(exit status, standard output, standard error)."""
        out, err = self._process.communicate(timeout=3 * harness.LIMIT_S)
        return self._process.returncode, out, err

    def keys(self):
        """The keys of its JSON."""
        code, out, err = self.result()
        if code != 0:
            raise harness.HarnessError(f"get-key: exit {code}: {err}")
        return json.loads(out)["keys"]


# Whoever waits, waits for a program to start.
PATIENT = ("--timeout-ms", 15000)


class Streams(unittest.TestCase):
    """get-key and status over ETSI 004."""

    def streams(self, lab):
        """[{state: how many} of kme-a, of kme-b], without those of which there are none."""
        status = json.loads(qkdctl("lab", "status", lab.dir, "--json", check=True).stdout)
        return [{state: count for state, count in server["streams"].items() if count}
                for server in status["servers"]]

    def join(self, lab, sae, stream_id, *words):
        """get-key as the responder of a stream; the CompletedProcess."""
        return qkdctl("get-key", "--config", lab.conf(sae), *PATIENT, "--key-id", stream_id,
                      *words)

    def test_both_ends_get_the_same_octets_and_leave_no_stream(self):
        with Lab(api="004") as lab:
            for one, other in (("alice", "bob"), ("bob", "alice")):
                words = ("--number", 3, "--index", 2, "--show-key")
                with Initiator(lab.conf(one), *PATIENT, *words, "--size-bits", 512) as initiator:
                    done = self.join(lab, other, initiator.stream_id, "--json", *words)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    value = json.loads(done.stdout)
                    self.assertEqual(value["role"], "responder")
                    self.assertEqual(value["keys"], initiator.keys())
                    self.assertEqual([(key["Key_stream_ID"], key["index"], key["size_bits"])
                                      for key in value["keys"]],
                                     [(initiator.stream_id, index, 512) for index in (2, 3, 4)])
                    self.assertEqual(len({key["key_hex"] for key in value["keys"]}), 3)
                    self.assertEqual({len(key["key_hex"]) for key in value["keys"]}, {128})
            wait_until(lambda: self.streams(lab) == [{}, {}], "no stream left")

    def test_keys_are_hidden_unless_asked_for(self):
        with Lab(api="004") as lab:
            with Initiator(lab.conf("alice"), *PATIENT) as initiator:
                done = self.join(lab, "bob", initiator.stream_id)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(done.stdout,
                                 rf"^{initiator.stream_id} index 0\s+256 bits\s+"
                                 r"\(hidden; --show-key prints it\)$")
                self.assertEqual(initiator.keys(), [{"Key_stream_ID": initiator.stream_id,
                                                     "index": 0, "size_bits": 256}])

    def test_closed_stream_cannot_be_joined_again(self):
        with Lab(api="004") as lab:
            with Initiator(lab.conf("alice"), *PATIENT) as initiator:
                self.assertEqual(self.join(lab, "bob", initiator.stream_id).returncode, 0)
                initiator.keys()
            again = self.join(lab, "bob", initiator.stream_id)
            self.assertEqual((again.returncode, again.stdout), (1, ""))
            self.assertIn("refused OPEN_CONNECT", again.stderr)
            self.assertIn(f"localhost:{lab.base_port + 11}", again.stderr)

    def test_stream_that_nobody_opened_gives_no_key_and_the_reason(self):
        with Lab(api="004") as lab:
            done = qkdctl("get-key", "--key-id", "00112233-4455-4667-8899-aabbccddeeff",
                          "--show-key", conf=lab.conf("bob"))
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("the peer has not opened the stream", done.stderr)

    def test_initiator_whose_peer_does_not_come_says_so_and_closes(self):
        with Lab(api="004") as lab:
            done = qkdctl("get-key", conf=lab.conf("alice"))
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stdout, r"^Key_stream_ID \S+ \(tell the peer: .*\)\n$")
            self.assertIn("the peer has not opened the stream", done.stderr)
            wait_until(lambda: self.streams(lab) == [{}, {}], "no stream left")

    def test_lab_status_shows_the_stream_of_an_initiator_that_waits(self):
        with Lab(api="004") as lab:
            with Initiator(lab.conf("alice"), *PATIENT) as initiator:
                wait_until(lambda: self.streams(lab) == [{"local_only": 1}, {"peer_only": 1}],
                           "one stream, waiting for bob")
                table = qkdctl("lab", "status", lab.dir, check=True).stdout
                self.assertRegex(table, r"kme-a\s+\d+\s+running\s+up\s+\d+ %\s+\d+\s+0\s+0\s+1\s+1000000")
                self.assertEqual(self.join(lab, "bob", initiator.stream_id).returncode, 0)
                initiator.keys()

    def test_status_tells_what_the_key_server_grants_and_leaves_no_stream(self):
        with Lab(api="004") as lab:
            value = json.loads(qkdctl("status", "--json", conf=lab.conf("alice"),
                                      check=True).stdout)
            self.assertEqual(value["key_server"], f"etsi004://localhost:{lab.base_port + 1}")
            self.assertEqual((value["source"], value["destination"]), ("sae://alice", "sae://bob"))
            self.assertTrue(value["open"])
            self.assertRegex(value["Key_stream_ID"], r"^[0-9a-f-]{36}$")
            self.assertEqual([value["QoS"][name] for name in ("Key_chunk_size", "Timeout", "TTL")],
                             [32, 1000, 60])
            table = qkdctl("status", "--config", lab.conf("bob"), check=True).stdout
            self.assertRegex(table, r"size of a key\s+256 bits")
            self.assertRegex(table, r"source \(our end\)\s+sae://bob")
            wait_until(lambda: self.streams(lab) == [{}, {}], "no stream left")


if __name__ == "__main__":
    unittest.main()
