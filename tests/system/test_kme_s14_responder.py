# SPDX-License-Identifier: Apache-2.0
"""ETSI GS QKD 014 at the key server, responder's side: dec_keys. The numbers are those of the
project's list of server checks."""
import threading
import unittest
import uuid

import harness
from kme_sites import NOT_FOUND, Case, exchange, request


class DecKeys(Case):
    def assert_not_found(self, answer):
        self.assert_refused(answer, 400, NOT_FOUND)

    def assert_unauthorised(self, answer):
        self.assertEqual(answer.code, 401, answer)
        self.assertEqual(answer.body, b"")
        self.assertNotIn("content-type", answer.headers)

    def test_s14_26_the_same_octets_come_in_request_order(self):
        sites = self.sites()
        keys = sites.reserve(number=5, size=320)[::-1]
        answer = sites.claim(*(one for one, _ in keys))
        self.assertEqual(answer.keys(), keys)

    def test_s14_26_both_sites_reserve_and_claim_alike(self):
        sites = self.sites()
        keys = sites.reserve(number=2, sae="bob", peer="alice")
        answer = sites.claim(*(one for one, _ in keys), sae="alice", peer="bob")
        self.assertEqual(answer.keys(), keys)

    def test_s14_27_get_works_for_one_id_and_needs_one(self):
        sites = self.sites()
        (one, key), = sites.reserve()
        for query in ("", "?", "?key_ID=", "?key_id=" + one, f"?key_ID={one}&key_ID={one}"):
            self.assert_refused(sites.call("bob", "alice/dec_keys" + query), 400)
        self.assertEqual(sites.call("bob", f"alice/dec_keys?key_ID={one}").keys(), [(one, key)])

    def test_s14_28_others_get_401_and_the_key_stays_for_its_slave(self):
        sites = self.sites()
        (one, key), = sites.reserve()
        self.assert_unauthorised(sites.claim(one, sae="carol"))
        self.assert_unauthorised(sites.claim(one, sae="alice"))
        self.assert_unauthorised(sites.claim(one, sae="alice", peer="bob"))
        self.assert_unauthorised(sites.claim(one, sae="mallory"))
        self.assertEqual(sites.claim(one).keys(), [(one, key)])

    def test_s14_29_one_unauthorised_id_refuses_the_batch(self):
        sites = self.sites()
        (own, own_key), = sites.reserve()
        (foreign, foreign_key), = sites.reserve(peer="carol")
        self.assert_unauthorised(sites.claim(own, foreign))
        self.assertEqual(sites.claim(own).keys(), [(own, own_key)])
        self.assertEqual(sites.claim(foreign, sae="carol").keys(), [(foreign, foreign_key)])

    def test_s14_29_unauthorised_wins_over_unknown(self):
        sites = self.sites()
        (foreign, _), = sites.reserve(peer="carol")
        self.assert_unauthorised(sites.claim(str(uuid.uuid4()), foreign))

    def test_s14_30_one_unknown_id_refuses_the_batch_and_takes_nothing(self):
        sites = self.sites()
        keys = sites.reserve(number=2)
        ids = [one for one, _ in keys]
        self.assert_not_found(sites.claim(ids[0], str(uuid.uuid4()), ids[1]))
        self.assertEqual(sites.claim(*ids).keys(), keys)

    def test_s14_31_a_second_claim_is_refused(self):
        sites = self.sites()
        (one, _), = sites.reserve()
        self.assertEqual(sites.claim(one).code, 200)
        self.assert_not_found(sites.claim(one))
        self.assert_not_found(sites.claim(one, sae="carol"))

    def test_s14_32_of_concurrent_claims_exactly_one_succeeds(self):
        sites = self.sites()
        claimants = 8
        for _ in range(5):
            (one, _), = sites.reserve()
            connections = [sites.connect("bob") for _ in range(claimants)]
            start, codes = threading.Barrier(claimants), []

            def claim(connection):
                start.wait()
                answer, = exchange(connection, request(f"alice/dec_keys?key_ID={one}"))
                codes.append(answer.code)

            threads = [threading.Thread(target=claim, args=(c,)) for c in connections]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for connection in connections:
                connection.close()
            self.assertEqual(sorted(codes), [200] + [400] * (claimants - 1))

    def test_s14_33_another_master_in_the_url_never_gets_the_key(self):
        sites = self.sites()
        (one, key), = sites.reserve()
        for master in ("mallory", "carol", "bob", "nobody", "Alice"):
            self.assert_not_found(sites.claim(one, peer=master))
        self.assertEqual(sites.claim(one).keys(), [(one, key)])

    def test_s14_34_malformed_ids_are_400_and_upper_case_matches(self):
        sites = self.sites()
        (one, key), = sites.reserve()
        for bad in (one[:-1], one + "0", one.replace("-", ""), "{" + one + "}", "urn:uuid:" + one,
                    "g" + one[1:], " " + one[1:]):
            self.assert_refused(sites.claim(bad), 400)
        self.assertEqual(sites.claim(one.upper()).keys(), [(one, key)])

    def test_s14_35_duplicate_ids_are_400(self):
        sites = self.sites()
        (one, key), = sites.reserve()
        self.assert_refused(sites.claim(one, one), 400)
        self.assert_refused(sites.claim(one, one.upper()), 400)
        self.assertEqual(sites.claim(one).keys(), [(one, key)])

    def test_s14_36_more_ids_than_the_limit_are_400(self):
        sites = self.sites(limits={"max_keys_per_request": 4})
        ids = [one for one, _ in sites.reserve(number=4)]
        self.assert_refused(sites.claim(*ids, str(uuid.uuid4())), 400)
        self.assertEqual(len(sites.claim(*ids).keys()), 4)

    def test_s14_37_ids_as_strings_are_400(self):
        sites = self.sites()
        (one, _), = sites.reserve()
        for body in ({"key_IDs": [one]}, {"key_IDs": one}, {"key_IDs": []}, {},
                     {"key_IDs": [{}]}, {"key_IDs": [{"key_ID": 7}]}, ""):
            self.assert_refused(sites.call("bob", "alice/dec_keys", body), 400)
        self.assertEqual(sites.claim(one).code, 200)


class Waiting(Case):
    """A claim that is earlier than the news of its key."""

    def claim_in_thread(self, sites, one):
        answers = []
        thread = threading.Thread(target=lambda: answers.append(sites.claim(one)))
        thread.start()
        return thread, answers

    def test_s14_47_an_early_claim_waits_for_the_assignment(self):
        sites = self.sites(limits={"hold_ms": 60000})
        sites.freeze()
        sites.relay.hold()
        (one, key), = sites.reserve()
        thread, answers = self.claim_in_thread(sites, one)
        thread.join(0.3)
        self.assertTrue(thread.is_alive())
        sites.relay.release()
        thread.join(harness.LIMIT_S)
        self.assertEqual(answers[0].keys(), [(one, key)])

    def test_s14_47_the_wait_is_bounded_and_takes_nothing(self):
        sites = self.sites(limits={"hold_ms": 200})
        sites.freeze()
        sites.relay.hold()
        (one, key), = sites.reserve()
        self.assert_refused(sites.claim(one), 400, NOT_FOUND)
        sites.relay.release()
        harness.wait_until(lambda: sites.claim(one).code == 200, "the assignment")

    def test_s14_47_random_ids_are_not_waited_for(self):
        sites = self.sites(limits={"hold_ms": 60000})
        for _ in range(20):
            self.assert_refused(sites.claim(str(uuid.uuid4())), 400, NOT_FOUND)

    def test_s14_47_of_two_that_wait_for_one_key_one_gets_it(self):
        sites = self.sites(limits={"hold_ms": 60000})
        sites.freeze()
        sites.relay.hold()
        (one, _), = sites.reserve()
        waiting = [self.claim_in_thread(sites, one) for _ in range(2)]
        waiting[0][0].join(0.3)
        sites.relay.release()
        for thread, _ in waiting:
            thread.join(harness.LIMIT_S)
        self.assertEqual(sorted(answers[0].code for _, answers in waiting), [200, 400])

    def test_s14_47_an_sae_that_goes_away_while_it_waits_costs_no_key(self):
        sites = self.sites(limits={"hold_ms": 60000})
        sites.freeze()
        sites.relay.hold()
        (one, key), = sites.reserve()
        with sites.connect("bob") as connection:
            connection.sendall(request(f"alice/dec_keys?key_ID={one}"))
            harness.wait_until(lambda: sites.metric("b", "qkd_kme_connections_total") >= 1, "TLS")
        harness.wait_until(lambda: sites.metric("b", "qkd_kme_requests_total",
                                                outcome="aborted") == 1, "the abort")
        sites.relay.release()
        self.assertEqual(sites.claim(one).keys(), [(one, key)])


if __name__ == "__main__":
    unittest.main()
