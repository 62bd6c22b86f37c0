# SPDX-License-Identifier: Apache-2.0
"""ETSI GS QKD 014 at the key server, initiator's side: status and enc_keys. The numbers are those
of the project's list of server checks."""
import re
import unittest

from kme_sites import Case

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")


class Status(Case):
    def test_s14_05_status_has_all_members_with_their_types(self):
        sites = self.sites()
        answer = sites.call("alice", "bob/status")
        self.assertEqual(answer.code, 200)
        self.assertEqual(answer.headers["content-type"], "application/json")
        self.assertEqual({name: type(value) for name, value in answer.json().items()}, {
            "source_KME_ID": str, "target_KME_ID": str, "master_SAE_ID": str,
            "slave_SAE_ID": str, "key_size": int, "stored_key_count": int, "max_key_count": int,
            "max_key_per_request": int, "max_key_size": int, "min_key_size": int,
            "max_SAE_ID_count": int})

    def test_s14_06_status_names_caller_and_slave(self):
        status = self.sites().call("alice", "%62ob/status").json()
        self.assertEqual(status["master_SAE_ID"], "alice")
        self.assertEqual(status["slave_SAE_ID"], "bob")
        self.assertEqual(status["source_KME_ID"], "kme-a")
        self.assertEqual(status["target_KME_ID"], "kme-b")

    def test_s14_07_status_values_are_in_order(self):
        status = self.sites().call("alice", "bob/status").json()
        self.assertLessEqual(status["min_key_size"], status["key_size"])
        self.assertLessEqual(status["key_size"], status["max_key_size"])
        self.assertLessEqual(status["stored_key_count"], status["max_key_count"])
        self.assertGreaterEqual(status["max_key_per_request"], 1)
        self.assertEqual(status["max_SAE_ID_count"], 8)

    def test_s14_08_post_on_status_is_405_with_allow(self):
        answer = self.sites().call("alice", "bob/status", {})
        self.assert_refused(answer, 405)
        self.assertEqual(answer.headers["allow"], "GET")


class EncKeys(Case):
    def test_s14_09_a_plain_get_gives_one_key_of_the_default_size(self):
        sites = self.sites(limits={"default_key_bits": 352})
        (_, key), = sites.call("alice", "bob/enc_keys").keys()
        self.assertEqual(len(key) * 8, sites.call("alice", "bob/status").json()["key_size"])
        self.assertEqual(len(key), 44)

    def test_s14_10_get_with_number_and_size(self):
        keys = self.sites().call("alice", "bob/enc_keys?number=3&size=1024").keys()
        self.assertEqual([len(key) for _, key in keys], [128] * 3)

    def test_s14_11_post_of_an_empty_object_or_body_gives_one_default_key(self):
        sites = self.sites()
        for body in ({}, ""):
            keys = sites.call("alice", "bob/enc_keys", body).keys()
            self.assertEqual([len(key) for _, key in keys], [32])

    def test_s14_12_post_with_number_and_size_ignores_the_query(self):
        keys = self.sites().call("alice", "bob/enc_keys?number=7&size=8",
                                 {"number": 3, "size": 1024}).keys()
        self.assertEqual([len(key) for _, key in keys], [128] * 3)

    def test_s14_13_key_ids_are_unique_random_uuids_in_lower_case(self):
        sites = self.sites()
        ids = [one for _ in range(8) for one, _ in sites.reserve(number=128)]
        self.assertEqual(len(set(ids)), 8 * 128)
        for one in ids:
            self.assertRegex(one, UUID4)

    def test_s14_14_keys_are_padded_base64_of_size_octets(self):
        sites = self.sites()
        sites.stock(2 * 65536)
        for size in (8, 16, 24, 256, 264, 65536):
            answer = sites.call("alice", f"bob/enc_keys?size={size}")
            text = answer.json()["keys"][0]["key"]
            self.assertRegex(text, r"\A[A-Za-z0-9+/]+={0,2}\Z")
            self.assertEqual(len(text) % 4, 0)
            self.assertEqual(len(answer.keys()[0][1]), size // 8)

    def test_s14_15_a_bad_number_is_400(self):
        sites = self.sites()
        sites.freeze()
        before = sites.stored()
        for number in ("0", "-1", "1.5", "129", "x", "", "0x1", "1e1", "99999999999999999999"):
            self.assert_refused(sites.call("alice", f"bob/enc_keys?number={number}"), 400)
        for number in (0, -1, 1.5, 129, "3", None, True, [1]):
            self.assert_refused(sites.call("alice", "bob/enc_keys", {"number": number}), 400)
        self.assert_refused(sites.call("alice", "bob/enc_keys?number=1&number=1"), 400)
        self.assertEqual(sites.stored(), before)

    def test_s14_16_a_bad_size_is_400_and_odd_bits_have_their_message(self):
        sites = self.sites(limits={"min_key_bits": 64, "max_key_bits": 1024})
        for size in ("56", "1032", "0", "-8", "256.0", "big"):
            self.assert_refused(sites.call("alice", f"bob/enc_keys?size={size}"), 400)
        for size in (56, 1032, -8, 256.5, "256"):
            self.assert_refused(sites.call("alice", "bob/enc_keys", {"size": size}), 400)
        for answer in (sites.call("alice", "bob/enc_keys?size=257"),
                       sites.call("alice", "bob/enc_keys", {"size": 257})):
            self.assert_refused(answer, 400, "size shall be a multiple of 8")

    def test_s14_17_an_unknown_mandatory_extension_is_named_and_costs_no_key(self):
        sites = self.sites()
        sites.freeze()
        before = sites.stored()
        answer = sites.call("alice", "bob/enc_keys",
                            {"extension_mandatory": [{"abc_route_type": "direct"}]})
        self.assert_refused(answer, 400, "not all extension_mandatory parameters are supported")
        self.assertIsInstance(answer.json()["details"], list)
        self.assertIn("abc_route_type", str(answer.json()["details"]))
        self.assertEqual(sites.stored(), before)

    def test_s14_19_an_unknown_optional_extension_is_ignored(self):
        answer = self.sites().call("alice", "bob/enc_keys",
                                   {"extension_optional": [{"abc_max_age": 30000}]})
        self.assertEqual(answer.code, 200)

    def test_s14_20_empty_extension_arrays_are_accepted(self):
        answer = self.sites().call("alice", "bob/enc_keys", {
            "extension_mandatory": [], "extension_optional": [], "additional_slave_SAE_IDs": []})
        self.assertEqual(answer.code, 200)

    def test_s14_21_without_multicast_additional_slaves_are_400_and_cost_no_key(self):
        sites = self.sites(limits={"max_additional_saes": 0})
        self.assertEqual(sites.call("alice", "bob/status").json()["max_SAE_ID_count"], 0)
        sites.freeze()
        before = sites.stored()
        self.assert_refused(sites.call("alice", "bob/enc_keys",
                                       {"additional_slave_SAE_IDs": ["carol"]}), 400)
        self.assertEqual(sites.stored(), before)

    def test_s14_22_duplicate_empty_or_own_additional_slaves_are_400(self):
        sites = self.sites()
        for ids in (["carol", "carol"], [""], ["alice"], ["bob"], [7]):
            self.assert_refused(sites.call("alice", "bob/enc_keys",
                                           {"additional_slave_SAE_IDs": ids}), 400)

    def test_s14_23_an_unknown_slave_or_the_caller_itself_is_400(self):
        sites = self.sites()
        for peer in ("nobody", "kme-b", "Bob", "bob%20", "alice", "mallory"):
            for method in ("status", "enc_keys"):
                self.assert_refused(sites.call("alice", f"{peer}/{method}"), 400)

    def test_s14_24_too_little_key_is_503_with_retry_after_and_costs_nothing(self):
        sites = self.sites()
        sites.freeze()
        before = sites.stored()
        answer = sites.call("alice", "bob/enc_keys?number=128&size=65536")
        self.assert_refused(answer, 503)
        self.assertEqual(answer.headers["retry-after"], "60")  # at this rate, never
        self.assertEqual(sites.stored(), before)
        self.assertEqual(len(sites.reserve()), 1)

    def test_retry_after_is_the_time_that_the_link_takes_for_what_is_missing(self):
        sites = self.sites()
        sites.freeze()
        rate_bps = 500000
        sites.edit("kme-a", r"^( *simulated_rate_bps =) \d+;", rf"\1 {rate_bps};")
        sites.reload("kme-a")
        wanted = 128 * 65536
        most = -(-(wanted - sites.metric("a", "qkd_kme_available_bits")) // rate_bps)
        answer = sites.call("alice", "bob/enc_keys?number=128&size=65536")
        least = -(-(wanted - sites.metric("a", "qkd_kme_available_bits")) // rate_bps)
        self.assert_refused(answer, 503)
        self.assertIn(int(answer.headers["retry-after"]), range(int(least), int(most) + 1))
        self.assertGreater(least, 1)

    def test_s14_25_a_reservation_lowers_the_stored_count_by_what_it_took(self):
        sites = self.sites()
        sites.freeze()
        before, bits = sites.stored(), sites.metric("a", "qkd_kme_available_bits")
        sites.reserve(number=3)
        self.assertEqual(sites.stored(), before - 3)
        sites.reserve(number=2, size=264)
        self.assertEqual(sites.stored(), before - 7)
        self.assertEqual(sites.metric("a", "qkd_kme_available_bits"), bits - 7 * 256)
        self.assertEqual(sites.metric("a", "qkd_kme_lost_bits_total", reason="surplus"),
                         2 * (512 - 264))


if __name__ == "__main__":
    unittest.main()
