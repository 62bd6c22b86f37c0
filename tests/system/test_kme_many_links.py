# SPDX-License-Identifier: Apache-2.0
"""Key servers with several links: keys and streams over each, and what one link is to the others."""
import contextlib
import socket
import ssl
import threading
import unittest
import uuid

import etsi004
import harness
from kme_sites import NOT_FOUND, Case, request
from kme_three import ThreeSites

PAIRS = (("alice", "bob"), ("bob", "alice"), ("alice", "dave"), ("dave", "alice"),
         ("carol", "erin"), ("erin", "carol"))


class Three(Case):
    def three(self, **options):
        return self.enterContext(ThreeSites(**options))


class Links(Three):
    def test_keys_are_delivered_over_each_link_in_both_directions(self):
        sites = self.three()
        for master, slave in PAIRS:
            keys = sites.reserve(number=3, sae=master, peer=slave)
            answer = sites.claim(*(one for one, _ in keys), sae=slave, peer=master)
            self.assertEqual(answer.keys(), keys, f"{master} {slave}")
        for master, slave in PAIRS:
            status = sites.call(master, f"{slave}/status").json()
            self.assertEqual(status["target_KME_ID"], f"kme-{sites.site_of(slave)}")

    def test_a_reservation_costs_its_own_link_only(self):
        sites = self.three()
        sites.freeze()
        before = sites.available("a", "kme-b"), sites.available("a", "kme-c")
        sites.reserve(number=4, sae="alice", peer="dave")
        self.assertEqual(sites.available("a", "kme-b"), before[0])
        self.assertEqual(sites.available("a", "kme-c"), before[1] - 4 * 256)

    def test_saes_of_one_site_get_no_keys_for_each_other(self):
        sites = self.three()
        for master, slave in (("alice", "mallory"), ("dave", "erin")):
            self.assert_refused(sites.call(master, f"{slave}/enc_keys"), 400)

    def test_a_key_is_claimed_with_its_own_master_only(self):
        sites = self.three()
        (one, key), = sites.reserve(sae="alice", peer="dave")
        for master in ("bob", "mallory", "nobody"):
            self.assert_refused(sites.claim(one, sae="dave", peer=master), 400, NOT_FOUND)
        for master in ("alice", "bob", "nobody"):
            self.assertEqual(sites.claim(one, sae="erin", peer=master).code, 401, master)
        self.assertEqual(sites.claim(one, sae="dave", peer="alice").keys(), [(one, key)])

    def test_healthz_names_the_link_that_is_down_and_the_others_go_on(self):
        sites = self.three()
        sites.relay_c.cut()
        sites.wait_for_links(False, "ac")
        self.assertEqual(harness.http_get(f"{sites.kme_a_admin}/healthz"),
                         "no link to peer key server kme-c\n")
        self.assertEqual(harness.http_get(f"{sites.kme_c_admin}/healthz"),
                         "no link to peer key server kme-a\n")
        self.assertEqual(harness.http_get(f"{sites.kme_b_admin}/healthz"), "ok\n")
        self.assert_refused(sites.call("alice", "dave/enc_keys"), 503,
                            "no link to peer key server kme-c")
        keys = sites.call("alice", "bob/enc_keys").keys()
        self.assertEqual(sites.claim(keys[0][0]).keys(), keys)
        sites.relay_c.mend()
        sites.wait_for_links(True, "ac")

    def test_one_address_tells_the_peers_apart_by_their_certificates(self):
        sites = self.three()
        for name in ("alice", "kme-c", "localhost"):
            with socket.create_connection(("127.0.0.1", sites.base_port + sites.C_LINK_OFFSET),
                                          harness.LIMIT_S) as raw:
                context = sites.tls_context(name)
                with contextlib.suppress(ssl.SSLError, ConnectionError):
                    with context.wrap_socket(raw, server_hostname="localhost") as tls:
                        self.assertEqual(tls.recv(1), b"", name)
        for name in ("alice", "kme-c"):
            harness.wait_until(lambda name=name: f"the certificate of '{name}' is no peer's" in
                               sites.log("kme-c"), name)
        sites.wait_for_links(True, "ab", "ac", "bc")

    def test_a_stream_id_is_one_streams_over_all_links(self):
        sites = self.three()
        ksid = uuid.uuid4().bytes
        alice, mallory = (self.enterContext(etsi004.Client(sites, name))
                          for name in ("alice", "mallory"))
        bob, dave = (self.enterContext(etsi004.Client(sites, name)) for name in ("bob", "dave"))
        self.assertIn(alice.open("bob", ksid=ksid, timeout=100).status,
                      (etsi004.SUCCESS, etsi004.PEER_NOT_YET))
        self.assertEqual(mallory.open("dave", ksid=ksid, timeout=100).status, etsi004.IN_USE)
        self.assertEqual(dave.open("alice", ksid=ksid, timeout=2000).status, etsi004.IN_USE)
        self.assertEqual(bob.open("alice", ksid=ksid, timeout=30000).status, etsi004.SUCCESS)
        one, other = alice.get_key(ksid, 0), bob.get_key(ksid, 0)
        self.assertEqual((one.status, one.key), (etsi004.SUCCESS, other.key))

    def test_streams_run_over_each_link(self):
        sites = self.three()
        keys = set()
        for master, slave in PAIRS:
            first, second = (self.enterContext(etsi004.Client(sites, name))
                             for name in (master, slave))
            ksid = first.open(slave, timeout=30000).ksid
            self.assertEqual(second.open(master, ksid=ksid, timeout=30000).status, etsi004.SUCCESS)
            one, other = first.get_key(ksid, 0), second.get_key(ksid, 0)
            self.assertEqual((one.status, one.key), (etsi004.SUCCESS, other.key))
            keys.add(one.key)
        self.assertEqual(len(keys), len(PAIRS))


class Multicast(Three):
    def multicast(self, sites, slaves, sae="alice", **more):
        asked_bits = more.get("number", 1) * more.get("size", 256)
        sites.stock(max(1024 * 16, 2 * asked_bits), sites.site_of(sae))
        return sites.call(sae, f"{slaves[0]}/enc_keys",
                          {"additional_slave_SAE_IDs": slaves[1:], **more})

    def test_s14_38_each_slave_gets_each_key_once(self):
        sites = self.three()
        slaves = ["bob", "dave", "carol", "erin"]
        for size in (256, 264, 65536):
            answer = self.multicast(sites, slaves, number=2, size=size)
            self.assertEqual(answer.code, 200, answer)
            keys = answer.keys()
            ids = [one for one, _ in keys]
            self.assertEqual([len(key) for _, key in keys], [size // 8] * 2)
            for slave in slaves:
                self.assertEqual(sites.claim(*ids, sae=slave, peer="alice").keys(), keys, slave)
                self.assert_refused(sites.claim(ids[0], sae=slave, peer="alice"), 400, NOT_FOUND)

    def test_s14_38_who_was_not_named_gets_401_until_the_last_has_it(self):
        sites = self.three()
        (one, key), = self.multicast(sites, ["bob", "dave"]).keys()
        for stranger in ("carol", "erin", "alice", "mallory"):
            master = "bob" if sites.site_of(stranger) == "a" else "alice"
            self.assertEqual(sites.claim(one, sae=stranger, peer=master).code, 401, stranger)
        self.assertEqual(sites.claim(one, sae="dave", peer="alice").keys(), [(one, key)])
        self.assert_refused(sites.claim(one, sae="erin", peer="alice"), 400, NOT_FOUND)
        self.assertEqual(sites.claim(one, sae="carol", peer="alice").code, 401)
        self.assertEqual(sites.claim(one, sae="bob", peer="alice").keys(), [(one, key)])

    def test_s14_38_what_some_have_not_claimed_expires(self):
        sites = self.three(limits={"key_lifetime_s": 1})
        (one, _), = self.multicast(sites, ["bob", "carol", "dave"]).keys()
        for site in "bc":
            harness.wait_until(lambda site=site: sites.metric(
                site, "qkd_kme_lost_bits_total", reason="expired", peer="kme-a") == 256, "expiry")
        for slave in ("bob", "carol", "dave"):
            self.assert_refused(sites.claim(one, sae=slave, peer="alice"), 400, NOT_FOUND)

    def test_a_multicast_key_takes_as_much_of_each_link(self):
        sites = self.three()
        sites.freeze()
        before = [sites.available("a", f"kme-{peer}") for peer in "bc"]
        self.assertEqual(self.multicast(sites, ["bob", "carol"], number=3).code, 200)
        self.assertEqual([sites.available("a", f"kme-{peer}") for peer in "bc"],
                         [before[0] - 3 * 256, before[1]])
        self.assertEqual(self.multicast(sites, ["bob", "dave", "erin"], number=3).code, 200)
        self.assertEqual([sites.available("a", f"kme-{peer}") for peer in "bc"],
                         [before[0] - 6 * 256, before[1] - 3 * 256])

    def test_a_link_that_lacks_key_or_is_down_refuses_all_of_it(self):
        sites = self.three()
        sites.freeze()
        before = [sites.available("a", f"kme-{peer}") for peer in "bc"]
        blocks = int(before[1]) // 256
        for _ in range(blocks // 128):
            sites.call("alice", "dave/enc_keys?number=128&size=256")
        sites.call("alice", f"dave/enc_keys?number={blocks % 128}&size=256")
        answer = self.multicast_now(sites, ["bob", "dave"])
        self.assert_refused(answer, 503, "not enough key material is available")
        self.assertEqual(sites.available("a", "kme-b"), before[0])
        sites.relay_c.cut()
        sites.wait_for_links(False, "ac")
        answer = self.multicast_now(sites, ["bob", "dave"])
        self.assert_refused(answer, 503, "no link to peer key server kme-c")
        self.assertEqual(sites.available("a", "kme-b"), before[0])

    def multicast_now(self, sites, slaves):
        return sites.call("alice", f"{slaves[0]}/enc_keys",
                          {"additional_slave_SAE_IDs": slaves[1:]})

    def test_s14_21_22_what_is_no_audience_is_400_and_costs_nothing(self):
        sites = self.three(limits={"max_additional_saes": 2})
        sites.freeze()
        self.assertEqual(sites.call("alice", "bob/status").json()["max_SAE_ID_count"], 2)
        before = [sites.available("a", f"kme-{peer}") for peer in "bc"]
        for ids in (["carol", "dave", "erin"], ["dave", "dave"], [""], ["alice"], ["bob"], [7],
                    ["nobody"], ["mallory"], ["x" * 256], "dave"):
            self.assert_refused(sites.call("alice", "bob/enc_keys",
                                           {"additional_slave_SAE_IDs": ids}), 400)
        self.assertEqual([sites.available("a", f"kme-{peer}") for peer in "bc"], before)
        self.assertEqual(self.multicast_now(sites, ["bob", "carol", "dave"]).code, 200)

    def test_the_initiator_hears_of_a_key_when_the_other_key_servers_have_it(self):
        sites = self.three(limits={"hold_ms": 60000})
        sites.freeze()
        before = sites.available("a", "kme-c")
        answers = []
        sites.relay_c.hold()
        asking = threading.Thread(
            target=lambda: answers.append(self.multicast_now(sites, ["bob", "dave"])))
        asking.start()
        harness.wait_until(lambda: sites.available("a", "kme-c") < before, "the reservation")
        keys = sites.call("alice", "bob/enc_keys").keys()  # others do not wait for it
        self.assertEqual(sites.claim(keys[0][0]).keys(), keys)
        self.assertEqual(answers, [])
        sites.relay_c.release()
        asking.join(harness.LIMIT_S)
        (one, key), = answers[0].keys()
        for slave in ("dave", "bob"):
            self.assertEqual(sites.claim(one, sae=slave, peer="alice").keys(), [(one, key)])

    def test_an_initiator_that_goes_away_meanwhile_is_counted_and_costs_nobody_else(self):
        sites = self.three(limits={"hold_ms": 60000})
        sites.freeze()
        before = sites.available("a", "kme-c")
        sites.relay_c.hold()
        body = b'{"additional_slave_SAE_IDs": ["dave"]}'
        with sites.connect("alice") as connection:
            connection.sendall(request("bob/enc_keys", "POST", body,
                                       ["Content-Type: application/json"]))
            harness.wait_until(lambda: sites.available("a", "kme-c") < before, "the reservation")
        harness.wait_until(lambda: sites.metric("a", "qkd_kme_requests_total", method="enc_keys",
                                                outcome="aborted") == 1, "the abort")
        sites.relay_c.release()
        self.assertEqual(self.multicast_now(sites, ["bob", "dave"]).code, 200)

    def test_a_relayed_key_that_is_late_arrives_over_the_next_connection(self):
        sites = self.three(limits={"hold_ms": 100})
        sites.freeze()
        sites.relay_c.hold()
        (one, key), = self.multicast_now(sites, ["bob", "dave"]).keys()
        self.assertEqual(sites.claim(one, sae="bob", peer="alice").keys(), [(one, key)])
        sites.relay_c.cut()
        sites.wait_for_links(False, "ac")
        sites.relay_c.mend()
        sites.wait_for_links(True, "ac")
        self.assertEqual(sites.claim(one, sae="dave", peer="alice").keys(), [(one, key)])


class Restarts(Three):
    def test_what_a_key_servers_links_hold_outlives_a_clean_restart_of_it(self):
        sites = self.three(durable=("kme-a", "kme-b"))
        sites.freeze()
        (one, key), = sites.call("alice", "bob/enc_keys", {
            "additional_slave_SAE_IDs": ["dave", "erin"]}).keys()
        (other, other_key), = sites.reserve(sae="bob", peer="dave")
        self.assertEqual(sites.claim(one, sae="dave", peer="alice").keys(), [(one, key)])
        before = [sites.available("c", f"kme-{peer}") for peer in "ab"]
        sites.stop("kme-c")
        sites.wait_for_link_down("ac", "bc")
        sites.start("kme-c")
        sites.wait_for_links(True, "ab", "ac", "bc")
        self.assertEqual([sites.available("c", f"kme-{peer}") for peer in "ab"], before)
        self.assert_refused(sites.claim(one, sae="dave", peer="alice"), 400, NOT_FOUND)
        self.assertEqual(sites.claim(one, sae="erin", peer="alice").keys(), [(one, key)])
        self.assertEqual(sites.claim(other, sae="dave", peer="bob").keys(), [(other, other_key)])
        self.assertEqual(sites.claim(one, sae="bob", peer="alice").keys(), [(one, key)])
        for site in "abc":
            self.assertEqual(sites.metric(site, "qkd_kme_lost_bits_total", reason="mismatch"), 0)

    def test_a_restart_without_a_store_costs_its_own_links_only(self):
        sites = self.three()
        sites.freeze()
        before = sites.available("a", "kme-b")
        sites.kill("kme-c")
        sites.wait_for_link_down("ac", "bc")
        sites.edit("kme-c", r"^( *simulated_rate_bps =) 0;", r"\1 1000000;")
        for name in ("kme-a", "kme-b"):
            sites.edit(name, r'(?s)(peer_kme_id = "kme-c".*?simulated_rate_bps =) 0;', r"\1 1000000;")
            sites.reload(name)
        sites.start("kme-c")
        self.assertEqual(sites.available("a", "kme-b"), before)
        self.assertEqual(sites.metric("a", "qkd_kme_lost_bits_total", reason="peer_restart",
                                      peer="kme-b"), 0)
        self.assertGreater(sites.metric("a", "qkd_kme_lost_bits_total", reason="peer_restart",
                                        peer="kme-c"), 0)


if __name__ == "__main__":
    unittest.main()
