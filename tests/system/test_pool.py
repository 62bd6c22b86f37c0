# SPDX-License-Identifier: Apache-2.0
"""Keys that an initiator reserves ahead of their use (settings pool and pool-max-age-s), counted at
the key servers."""
import re
import subprocess
import time
import unittest

from fake_kme import FakeKme, good
from harness import (BUILD, OPENSSL35, Lab, Server, delivered, handshake_keys, metric, qkdctl,
                     run_client, wait_until)

GROUP = "qkd_x25519mlkem768"
PROBE = BUILD / "tests" / "bin" / "evp_probe"
RECONNECTS = 6  # handshakes of one s_client with -reconnect


def reserved(lab, api="014"):
    return int(sum(metric(url, "qkd_kme_keys_delivered_total", api=api, role="initiator")
                   for url in (lab.kme_a_admin, lab.kme_b_admin)))


def requests(lab, method):
    return int(metric(lab.kme_a_admin, "qkd_kme_requests_total", method=method))


def summary(log):
    """(reserved ahead, used, too old, lost at the end) as the log tells."""
    match = re.search(r"reserved ahead: (\d+) keys, of which (\d+) were used, (\d+) grew too old, "
                      r"(\d+) are lost now", log)
    return tuple(map(int, match.groups())) if match else None


class PoolCase(unittest.TestCase):
    def probe(self, conf, *steps):
        """What a process that takes these steps logged."""
        log = self.lab.temp / "probe.log"
        log.unlink(missing_ok=True)
        done = subprocess.run([PROBE, GROUP, *steps], capture_output=True, text=True, check=False,
                              env=OPENSSL35.env(conf, f"debug:{log}"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return log.read_text(encoding="utf-8")


class Etsi014(PoolCase):
    def setUp(self):
        self.lab = self.enterContext(Lab())

    def test_a_client_reserves_at_most_the_pool_more_than_it_uses(self):
        conf = self.lab.conf_with("alice", pool=4, initiator="client")
        with Server(self.lab, "-num_tickets", "0") as server:
            client = run_client(self.lab, server.port, "-reconnect", "-no_ticket", conf=conf)
            self.assertTrue(client.connected, str(client))
            used = len(handshake_keys(client.log))
            self.assertEqual(used, RECONNECTS)
            self.assertEqual(delivered(self.lab, "responder"), used)
            self.assertLessEqual(reserved(self.lab), used + 4)
            ahead, from_pool, too_old, lost = summary(client.log)
            self.assertEqual(ahead, from_pool + too_old + lost)
            self.assertGreater(from_pool, 0)
            self.assertEqual(len({key[2] for key in handshake_keys(server.log())}), used)

    def test_a_process_of_one_handshake_reserves_one_key(self):
        conf = self.lab.conf_with("alice", pool=64, initiator="client")
        with Server(self.lab) as server:
            for count in range(1, 4):
                self.assertTrue(run_client(self.lab, server.port, conf=conf).connected)
                self.assertEqual(reserved(self.lab), count)

    def test_a_server_reserves_ahead_for_its_clients(self):
        client_conf = self.lab.conf_with("alice", initiator="server")
        with Server(self.lab, "-num_tickets", "0",
                    conf=self.lab.conf_with("bob", pool=8, initiator="server")) as server:
            for _ in range(3):
                client = run_client(self.lab, server.port, "-reconnect", "-no_ticket",
                                    conf=client_conf)
                self.assertTrue(client.connected, str(client))
            used = 3 * RECONNECTS
            wait_until(lambda: len(handshake_keys(server.log())) == used, "the server's log")
            self.assertEqual(delivered(self.lab, "responder"), used)
            self.assertLessEqual(reserved(self.lab), used + 8)
            self.assertLess(int(metric(self.lab.kme_b_admin, "qkd_kme_requests_total",
                                       method="enc_keys")), used)

    def test_most_handshakes_ask_the_initiators_key_server_for_nothing(self):
        self.probe(self.lab.conf_with("alice", pool=32, initiator="client"), *["generate"] * 60)
        self.assertLessEqual(requests(self.lab, "enc_keys"), 8)
        self.assertLessEqual(reserved(self.lab), 60 + 32)

    def test_what_the_status_allows_is_kept_to(self):
        path = self.lab.dir / "kme-a.conf"
        path.write_text(path.read_text(encoding="utf-8") +
                        "limits = { max_keys_per_request = 3; };\n", encoding="utf-8")
        self.lab.stop("kme-a")
        self.lab.up()
        log = self.probe(self.lab.conf_with("alice", pool=32, initiator="client"),
                         *["generate"] * 30)
        self.assertNotIn("no keys ahead of need", log)
        self.assertGreaterEqual(requests(self.lab, "status"), 1)
        self.assertEqual(int(metric(self.lab.kme_a_admin, "qkd_kme_requests_total",
                                    method="enc_keys", outcome="ok")),
                         requests(self.lab, "enc_keys"))

    def test_a_key_that_was_kept_too_long_is_not_used(self):
        conf = self.lab.conf_with("alice", pool=4, pool_max_age_s=1, initiator="client")
        log = self.lab.temp / "old.log"
        with subprocess.Popen([PROBE, GROUP, "generate", "generate", "generate", "wait", "generate"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                              env=OPENSSL35.env(conf, f"info:{log}")) as process:
            self.assertEqual(process.stdout.readline(), "waiting\n")
            time.sleep(1.1)  # until they are too old
            process.stdin.write("\n")
            process.stdin.close()
            self.assertEqual(process.wait(), 0)
        text = log.read_text(encoding="utf-8")
        self.assertIn("key lost: reserved ahead and too old for the key server", text)
        self.assertGreater(summary(text)[2], 0)

    def test_a_forked_child_uses_none_of_its_parents_keys(self):
        conf = self.lab.conf_with("alice", pool=8, initiator="client")
        log = self.probe(conf, "generate", "generate", "generate", "fork-generate", "generate")
        made = re.findall(r"key lost: reserved and never used, key_id=(\S+)", log)
        self.assertEqual(len(made), len(set(made)), "one key in two processes")
        pids = set(re.findall(r"qkd\[(\d+)\] info key lost: reserved and never used", log))
        self.assertEqual(len(pids), 2)

    def test_an_empty_key_server_gives_no_keys_ahead_and_the_pool_recovers(self):
        with FakeKme(self.lab, refuse_batches) as kme:
            log = self.probe(self.lab.conf_with("alice", kme=kme.url, pool=8, initiator="client"),
                             *["generate"] * 20)
            self.assertIn("no keys ahead of need", log)
            self.assertIn("it answered HTTP 503", log)

    def test_answers_that_are_no_keys_do_not_keep_handshakes_from_their_own(self):
        for number, body in enumerate(('{"keys": []}', '{"keys": [{"key_ID": 1}]}', "x" * 100000,
                                       '{"max_key_per_request": "many"}')):
            with self.subTest(number=number), \
                    FakeKme(self.lab, lambda request, body=body: bad_batches(request, body)) as kme:
                conf = self.lab.conf_with("alice", kme=kme.url, pool=8, initiator="client")
                log = self.probe(conf, *["generate"] * 6)
                self.assertIn("no keys ahead of need", log)


def is_batch(request):
    return request.is_reservation and request.json().get("number", 1) > 1


def refuse_batches(request):
    if is_batch(request):
        request.answer(503, {"message": "no keys"})
    elif request.path.endswith("/status"):
        request.answer(200, {"max_key_per_request": 128, "stored_key_count": 1})
    else:
        good(request)


def bad_batches(request, body):
    if is_batch(request):
        request.answer(200, body)
    elif request.path.endswith("/status"):
        request.answer(200, body if "max_key" in body else {"max_key_per_request": 128})
    else:
        good(request)


class Etsi004(PoolCase):
    def setUp(self):
        self.lab = self.enterContext(Lab(api="004"))

    def test_streams_are_opened_ahead_and_each_is_used_once(self):
        conf = self.lab.conf_with("alice", pool=4)
        with Server(self.lab, "-num_tickets", "0") as server:
            client = run_client(self.lab, server.port, "-reconnect", "-no_ticket", conf=conf)
            self.assertTrue(client.connected, str(client))
            self.assertEqual(len(handshake_keys(client.log)), RECONNECTS)
            self.assertGreater(summary(client.log)[1], 0)
            wait_until(lambda: len(handshake_keys(server.log())) == RECONNECTS, "the server's log")
            ids = [key[2] for key in handshake_keys(server.log())]
            self.assertEqual(sorted(ids), sorted(key[2] for key in handshake_keys(client.log)))
            self.assertEqual(len(set(ids)), RECONNECTS)

    def test_a_pool_with_a_connection_for_each_call_is_a_mistake(self):
        conf = self.lab.conf_with("alice", pool=4, etsi004_dialect="w2")
        done = subprocess.run([PROBE, GROUP, "generate"], capture_output=True, text=True,
                              check=False, env=OPENSSL35.env(conf))
        self.assertIn("pool = '4' needs kept connections", done.stderr)
        self.assertNotEqual(done.returncode, 0)


class Doctor(unittest.TestCase):
    def test_each_key_server_of_a_site_is_examined(self):
        with Lab() as lab, FakeKme(lab) as other:
            conf = lab.conf_with("alice", kme=f"{lab.kme_a_014}, {other.url}")
            done = qkdctl("doctor", "--config", conf)
            self.assertIn(f"{lab.kme_a_014}: ", done.stdout)
            self.assertRegex(done.stdout, rf"wrong +{re.escape(other.url)}: ")
            self.assertEqual(done.returncode, 1)


if __name__ == "__main__":
    unittest.main()
