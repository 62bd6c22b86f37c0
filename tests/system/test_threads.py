# SPDX-License-Identifier: Apache-2.0
"""Many threads of one process make handshakes while first one key server dies and returns, then
the other: handshakes fail only meanwhile, and no key is used twice. `make thread-test` is the long
form, under ThreadSanitizer."""
import unittest

import thread_load
from harness import LIMIT_S, Lab

HANDSHAKES, THREADS = 400, 16


class Threads(unittest.TestCase):
    def check(self, api, initiator):
        with Lab(rate_bps=thread_load.RATE_BPS) as lab:
            figures = thread_load.measure(lab, api, initiator, HANDSHAKES, THREADS, 2 * LIMIT_S)
        self.assertEqual(figures.wrong(), [])

    def test_014_where_the_client_is_the_initiator(self):
        self.check("014", "client")

    def test_014_where_the_server_is_the_initiator(self):
        self.check("014", "server")

    def test_004(self):
        self.check("004", "client")

    def test_threads_share_what_was_reserved_ahead(self):
        for api, initiator in thread_load.WAYS:
            with self.subTest(api=api, initiator=initiator), \
                    Lab(rate_bps=thread_load.RATE_BPS) as lab:
                figures = thread_load.measure(lab, api, initiator, HANDSHAKES, THREADS,
                                              2 * LIMIT_S, away=(), pool=32)
                self.assertEqual(figures.wrong(), [])


if __name__ == "__main__":
    unittest.main()
