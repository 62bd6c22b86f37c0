# SPDX-License-Identifier: Apache-2.0
"""GET /state.json: complete, bounded, and without octets of keys."""
import base64
import json
import unittest

import harness
from streams_case import StreamCase


class State(StreamCase):
    @staticmethod
    def state(sites, site="a"):
        return json.loads(harness.http_get(getattr(sites, f"kme_{site}_admin") + "/state.json"))

    def test_figures_agree_with_the_metrics(self):
        sites = self.sites()
        ids = [one for one, _ in sites.reserve(number=4)]
        sites.claim(*ids)
        sites.claim(ids[0])
        sites.freeze()
        for site, sae in (("a", "alice"), ("b", "bob")):
            state = self.state(sites, site)
            link, = state["links"]
            for name in ("available_bits", "open_bits", "resting_bits"):
                self.assertEqual(link[name], sites.metric(site, f"qkd_kme_{name}"), name)
            self.assertEqual(link["generated_bits"], sites.generated(site))
            self.assertEqual(link["lost_bits"].keys(),
                             {"peer_restart", "link", "expired", "displaced", "mismatch",
                              "surplus", "closed", "crash"})
            one = next(one for one in state["saes"] if one["sae"] == sae)
            for role in ("initiator", "responder"):
                self.assertEqual(one["delivered"]["014"][role],
                                 sites.metric(site, "qkd_kme_keys_delivered_total", api="014",
                                              role=role, sae=sae))
        claims = next(one for one in state["requests"] if one["method"] == "dec_keys")
        self.assertEqual((claims["api"], claims["answered"], claims["refused"]), ("014", 1, 1))
        self.assertGreater(claims["p99_us"], 0)
        self.assertEqual([(one["sae"], one["method"], one["count"]) for one in state["errors"]],
                         [("bob", "dec_keys", 1)])
        self.assertEqual((state["simulated"], state["health"]["ok"]), (True, True))
        self.assertGreater(state["process"]["resident_bytes"], 1000000)

    def test_the_newest_hundred_streams_are_listed_and_all_are_counted(self):
        sites = self.sites_004()
        alice = self.client(sites, "alice")
        ids = []
        for _ in range(103):
            ids.append(alice.open("bob", timeout=30000).ksid)
        streams = self.state(sites)["streams"]
        self.assertEqual((streams["total"], streams["states"]["local_only"]), (103, 103))
        listed = [bytes.fromhex(one["Key_stream_ID"].replace("-", ""))
                  for one in streams["newest"]]
        self.assertEqual(listed, ids[:2:-1])

    def test_the_saes_seen_last_are_listed_and_all_are_counted(self):
        names = [f"sae-{i}" for i in range(300)]
        sites = self.sites(saes={"kme-a": names + ["alice", "mallory"], "kme-b": ["bob", "carol"]})
        sites.call("mallory", "bob/status")
        sites.call("alice", "bob/status")
        state = self.state(sites)
        self.assertEqual((state["saes_total"], len(state["saes"])), (302, 256))
        self.assertEqual([one["sae"] for one in state["saes"][:2]], ["alice", "mallory"])
        self.assertIsNone(state["saes"][2]["last_seen_s"])

    def test_no_octets_of_keys_are_in_it(self):
        sites = self.sites()
        octets = [key for _, key in sites.reserve(number=20)]
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        for index in range(20):
            octets += [client.get_key(ksid, index).key for client in (alice, bob)]
        text = harness.http_get(sites.kme_a_admin + "/state.json").lower()
        for key in octets:
            self.assertNotIn(key.hex(), text)
            self.assertNotIn(base64.b64encode(key).decode().rstrip("=").lower(), text)


if __name__ == "__main__":
    unittest.main()
