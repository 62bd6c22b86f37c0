# SPDX-License-Identifier: Apache-2.0
"""A short form of `make crash-test`: each thing that can go wrong, once. And that the record which it
goes by sees what it must."""
import os
import unittest

import crash_record
import crash_run


class Crash(unittest.TestCase):
    SEED = "test"

    def run_rounds(self, *events, quiet=False):
        with crash_run.CrashRun(self.SEED) as run:
            for event in events:
                run.round(event, quiet)
        self.assertEqual(run.record.faults, [])
        for what in ("014 pairs", "004 pairs"):  # there was load, and it went through
            self.assertGreater(run.record.counts[what], len(events), run.record.counts)
        return run

    def test_killed_key_servers_deliver_nothing_twice_and_nothing_unequal(self):
        self.run_rounds("kill a", "kill b", "kill both")

    def test_a_cut_link_loses_no_key(self):
        run = self.run_rounds("cut link", "stall link")
        self.assertEqual(run.record.lost, [])

    def test_keys_at_rest_survive_the_death_of_both(self):
        run = self.run_rounds("kill both", quiet=True)
        self.assertEqual(run.record.lost, [])


class Record(unittest.TestCase):
    def setUp(self):
        self.record = crash_record.Record()
        self.octets = os.urandom(64)
        self.record.reserve("a", ("014", "one"), self.octets)

    def assert_fault(self, says):
        self.assertEqual(len(self.record.faults), 1, self.record.faults)
        self.assertIn(says, self.record.faults[0])

    def test_equal_ends_are_a_pair(self):
        self.record.claim("b", ("014", "one"), self.octets)
        self.assertEqual((self.record.counts["014 pairs"], self.record.faults), (1, []))
        self.assertEqual(self.record.unclaimed("a"), [])

    def test_unequal_ends_are_a_fault(self):
        self.record.claim("b", ("014", "one"), os.urandom(64))
        self.assert_fault("differ")

    def test_a_second_delivery_at_a_side_is_a_fault(self):
        self.record.claim("b", ("014", "one"), self.octets)
        self.record.claim("b", ("014", "one"), os.urandom(64))
        self.assertIn("was delivered twice at b", self.record.faults[0])

    def test_octets_under_two_names_are_a_fault(self):
        self.record.deliver("a", ("004", "stream", 0), self.octets[32:])
        self.assert_fault("were delivered before at a")

    def test_a_key_that_nobody_can_claim_is_lost(self):
        self.record.give_up(("014", "one"), crash=0)
        self.assertEqual([bits for _, bits in self.record.lost], [512])

    def test_a_claim_whose_answer_was_cut_off_is_not_a_loss(self):
        self.record.doubt([("014", "one")])
        self.record.give_up(("014", "one"), crash=0)
        self.assertEqual((self.record.lost, self.record.counts["014 answers cut off"]), ([], 1))


if __name__ == "__main__":
    unittest.main()
