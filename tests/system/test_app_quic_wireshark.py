# SPDX-License-Identifier: Apache-2.0
"""wireshark/qkd.lua shows the key IDs of QUIC connections, whose first packets anybody can read."""
import pathlib
import tempfile
import unittest

from capture import SERVER, UdpRecorder, udp_packets, write_pcap
from harness import handshake_keys
from recipe import FLOWS, Recipe
from test_wireshark import ZERO_ID, shares_of


def behind_retry(pieces):
    """The connection from the client's second beginning on. OpenSSL's server answers each packet
    of a long first hello with a Retry, of which the client takes the first (RFC 9000, 17.2.5.2).
    Wireshark 4.0 takes the last, and cannot read packets of the first beginning behind a Retry."""
    retry = next(data for sender, data in pieces if sender == SERVER and data[0] & 0xF0 == 0xF0)
    to_id = 6 + retry[5]
    connection_id = retry[to_id:to_id + 1 + retry[to_id]]  # with its length
    return [(sender, data) for sender, data in pieces
            if (data[0] & 0xF0 != 0xF0 if sender == SERVER else
                data[0] & 0x80 == 0 or data[5:].startswith(connection_id))]


class QuicInWireshark(unittest.TestCase):
    def setUp(self):
        self.pcap = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "test.pcap"

    def record(self, recipe):
        """(datagrams of one connection, its key ID in the logs of both ends)."""
        recipe.run("build")
        recipe.start("server", ready=lambda: recipe.logs().count("quic-server: ready"))
        with UdpRecorder(8443) as recorder:
            recipe.blocks["client"] = recipe.blocks["client"].replace(
                "localhost:8443", f"127.0.0.1:{recorder.port}")
            recipe.run("client")
        keys = handshake_keys(recipe.run("check").stdout)
        self.assertEqual(len(keys), 2, keys)
        self.assertEqual(keys[0][2], keys[1][2])
        return recorder.pieces, keys[0][2]

    def test_key_ids_in_quic_are_those_that_both_ends_logged(self):
        for api, initiator in FLOWS:
            with self.subTest(api=api, initiator=initiator), \
                    Recipe("quic", api=api, initiator=initiator) as recipe:
                pieces, key_id = self.record(recipe)
                write_pcap(self.pcap, udp_packets(behind_retry(pieces), 40000))
                offered = key_id if initiator == "client" else ZERO_ID
                want = [(role, "qkd_x25519mlkem768", shown, f"{initiator}-initiated")
                        for role, shown in (("client", offered), ("server", key_id))]
                found = shares_of(self.pcap)
                # A packet that was sent again shows the same once more.
                self.assertEqual(list(dict.fromkeys(found)), want)


if __name__ == "__main__":
    unittest.main()
