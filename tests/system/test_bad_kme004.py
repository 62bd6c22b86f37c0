# SPDX-License-Identifier: Apache-2.0
"""A client of ETSI 004: what it sends, what it accepts, and what a key server can get wrong.

Tests named c04_NN prove that line of the client's list. Line 25 is read as one connection for each
thread that waits: OPEN_CONNECT and GET_KEY of a claim travel together over it.
"""
import base64
import socket
import unittest

from fake_kme import FakeKme
from fake_kme004 import (CLOSE, GET_KEY, IN_USE, INSUFFICIENT, METADATA, NO_LINK, NO_PEER, OPEN,
                         QOS, SUCCESS, TIMEOUT, ZERO, FakeKme004, frame, good)
from harness import Lab, Server, handshake_keys, run_client, wait_until

GROUP = "qkd_x25519mlkem768"


class Switch:
    """A behaviour that can be changed while the key server runs."""

    def __init__(self):
        self.to = good

    def __call__(self, call):
        return self.to(call)


def only_for(service, behaviour, joins=None):
    """The behaviour for one service, good for the others; joins=True: for an OPEN_CONNECT with
    an ID only."""
    def behave(call):
        wanted = call.service == service and (joins is None or (call.stream_id != ZERO) == joins)
        return (behaviour if wanted else good)(call)
    return behave


def refuse(status, *numbers):
    return lambda call: call.refuse(status, *numbers)


def octets(data):
    return lambda call: data


# What; service; behaviour; what the error must say. At the client as initiator.
REFUSALS = (
    ("no QKD connection", OPEN, refuse(NO_LINK), "it refused OPEN_CONNECT"),
    ("time is up", OPEN, refuse(TIMEOUT), "it refused OPEN_CONNECT"),
    ("in use", OPEN, refuse(IN_USE), "it refused OPEN_CONNECT"),
    ("QoS cannot be met", OPEN, lambda call: call.opened(QOS, ZERO), "it refused OPEN_CONNECT"),
    ("QoS not met, but opened", OPEN, lambda call: call.opened(QOS, b"\1" * 16),
     "it refused OPEN_CONNECT"),
    ("an unknown status", OPEN, refuse(9), "KME localhost"),
    ("a stream of zeros", OPEN, lambda call: call.opened(SUCCESS, ZERO), "the ID of zeros"),
    ("a chunk of 16 octets", OPEN, lambda call: call.opened(SUCCESS, b"\1" * 16, chunk=16),
     "grants chunks of 16 octets instead of 32"),
    ("another message", OPEN, octets(frame(GET_KEY + 1, bytes(4))), "a message of type 0x05"),
    ("no message of this protocol", OPEN, octets(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
     "its answer exceeds"),
    ("a cut answer", OPEN, octets(frame(OPEN + 1, bytes(4 + 284))), "KME localhost"),
    ("a payload of 4 GiB", OPEN, octets(b"\1\0\1\3\xff\xff\xff\xff"), "its answer exceeds"),
    ("insufficient key", GET_KEY, refuse(INSUFFICIENT), "it refused GET_KEY"),
    ("no peer", GET_KEY, refuse(NO_PEER), "it refused GET_KEY"),
    ("the link is down", GET_KEY, refuse(NO_LINK), "it refused GET_KEY"),
    ("its time is up", GET_KEY, refuse(TIMEOUT), "it refused GET_KEY"),
    ("a refusal as the C reference writes it", GET_KEY,
     lambda call: call.refuse(INSUFFICIENT, call.index, 0, 0), "it refused GET_KEY"),
    ("a key of 16 octets", GET_KEY, lambda call: call.key(b"k" * 16), "16 octets instead of 32"),
    ("a key of 64 octets", GET_KEY, lambda call: call.key(b"k" * 64), "64 octets instead of 32"),
    ("no key at all", GET_KEY, lambda call: call.key(b""), "KME localhost"),
    ("a key of zeros", GET_KEY, lambda call: call.key(bytes(32)), "a key of zeros"),
    ("another index", GET_KEY, lambda call: call.key(b"k" * 32, index=7), "with index 7"),
    ("a lie about the key's length", GET_KEY, lambda call: call.answer(
        b"\0\0\0\0" + b"\0\0\0\0" + b"\xff\xff\xff\xf0" + b"k" * 32 + bytes(4)), "KME localhost"),
    ("a lie about the metadata's length", GET_KEY, lambda call: call.answer(
        bytes(8) + b"\0\0\0\x20" + b"k" * 32 + b"\0\0\x10\0"), "KME localhost"),
    ("octets behind the answer", GET_KEY, lambda call: call.answer(
        bytes(8) + b"\0\0\0\x20" + b"k" * 32 + bytes(4) + b"more"), "KME localhost"),
)


class Client004(unittest.TestCase):
    def setUp(self):
        self.switch = Switch()
        self.lab = self.enterContext(Lab(up=False))

    def conf(self, name, kme, **settings):
        return self.lab.conf_with(name, **{"kme": kme.url, "initiator": "client",
                                           "timeout_ms": 3000, **settings})

    def handshake(self, kme, server=None, **settings):
        if server is None:
            with Server(self.lab, conf=self.conf("bob", kme, **settings)) as server:
                return run_client(self.lab, server.port, groups=GROUP,
                                  conf=self.conf("alice", kme, **settings)), server
        return run_client(self.lab, server.port, groups=GROUP,
                          conf=self.conf("alice", kme, **settings)), server

    def assert_connected(self, kme, **settings):
        client, server = self.handshake(kme, **settings)
        self.assertTrue(client.connected, f"{client}{server.stderr()}")
        return client, server

    def test_every_refusal_fails_the_initiators_handshake_with_the_reason(self):
        with FakeKme004(self.lab, self.switch) as kme, \
                FakeKme004(self.lab) as other, \
                Server(self.lab, conf=self.conf("bob", other)) as server:
            for what, service, behaviour, text in REFUSALS:
                with self.subTest(what=what):
                    self.switch.to = only_for(service, behaviour)
                    client, _ = self.handshake(kme, server)
                    self.assertFalse(client.connected, str(client))
                    for part in (GROUP, "peer bob", "KME ", text):
                        # The responder's key server knows no stream of another's.
                        if service == OPEN:
                            self.assertIn(part, client.stderr)

    def test_every_refusal_fails_the_responders_handshake_with_the_reason(self):
        with FakeKme004(self.lab, self.switch) as kme, \
                Server(self.lab, conf=self.conf("bob", kme)) as server:
            for what, service, behaviour, text in REFUSALS:
                with self.subTest(what=what):
                    seen = len(server.stderr())
                    self.switch.to = only_for(service, behaviour, True if service == OPEN else None)
                    client, _ = self.handshake(kme, server)
                    self.assertFalse(client.connected, str(client))
                    for part in (GROUP, "peer alice", "KME ", text):
                        self.assertIn(part, server.stderr()[seen:])
            self.switch.to = good
            client, _ = self.handshake(kme, server)
            self.assertTrue(client.connected, f"{client}{server.stderr()}")

    def test_every_refusal_of_the_key_fails_the_initiators_handshake_with_the_reason(self):
        """The responder has its key; the initiator is refused afterwards."""
        with FakeKme004(self.lab, self.switch) as kme, \
                Server(self.lab, conf=self.conf("bob", kme)) as server:
            for what, service, behaviour, text in REFUSALS:
                if service != GET_KEY:
                    continue
                with self.subTest(what=what):
                    asked = set()

                    def behave(call, behaviour=behaviour, asked=asked):
                        if call.service == GET_KEY and call.stream_id in asked:
                            return behaviour(call)
                        if call.service == GET_KEY:
                            asked.add(call.stream_id)
                        return good(call)
                    self.switch.to = behave
                    client, _ = self.handshake(kme, server)
                    self.assertFalse(client.connected, str(client))
                    for part in (GROUP, "peer bob", "KME ", text):
                        self.assertIn(part, client.stderr)

    def test_c04_01_a_stream_without_an_id_is_opened_with_zeros_and_named_by_the_answer(self):
        with FakeKme004(self.lab) as kme:
            client, _ = self.assert_connected(kme)
            opened = [stream_id for service, stream_id in kme.calls if service == OPEN]
            self.assertEqual(opened[0], ZERO)
            self.assertEqual(opened[1].hex(), handshake_keys(client.log)[0][2].replace("-", ""))

    def test_c04_02_both_wire_profiles_are_spoken_by_configuration(self):
        for profile in ("w1", "w2"):
            with FakeKme004(self.lab, profile=profile) as kme:
                self.assert_connected(kme, etsi004_dialect=profile)

    def refused(self, service, behaviour, text):
        """A handshake whose responder's key server behaves like this."""
        with FakeKme004(self.lab, self.switch) as kme:
            self.switch.to = only_for(service, behaviour, True if service == OPEN else None)
            client, server = self.handshake(kme)
            self.assertFalse(client.connected, str(client))
            self.assertIn(text, server.stderr())

    def test_c04_03_refusals_may_be_short_or_complete(self):
        self.refused(OPEN, refuse(IN_USE), "it refused OPEN_CONNECT")
        self.refused(GET_KEY, refuse(INSUFFICIENT), "it refused GET_KEY")
        self.refused(GET_KEY, lambda call: call.refuse(INSUFFICIENT, call.index, 0, 0),
                     "it refused GET_KEY")

    def test_c04_05_27_the_granted_chunk_is_what_counts(self):
        for chunk in (0, 1, 16, 33, 1 << 20, 0xFFFFFFFF):
            self.refused(OPEN, lambda call, chunk=chunk: call.opened(
                SUCCESS, call.stream_id, chunk=chunk), f"grants chunks of {chunk} octets")

    def test_c04_06_a_key_of_another_length_is_refused(self):
        for size in (1, 31, 33, 8192):
            self.refused(GET_KEY, lambda call, size=size: call.key(b"k" * size),
                         f"{size} octets instead of 32")

    def test_c04_07_another_index_than_asked_for_is_refused(self):
        for index in (1, 0xFFFFFFFF):
            self.refused(GET_KEY, lambda call, index=index: call.key(b"k" * 32, index=index),
                         f"answered index 0 with index {index}")

    def test_c04_08_lengths_that_lie_are_refused(self):
        for length in (b"\0\0\0\x1f", b"\0\0\0\x21", b"\xff\xff\xff\xff", b"\xff\xff\xff\xe0"):
            self.refused(GET_KEY, lambda call, length=length: call.answer(
                bytes(8) + length + b"k" * 32 + bytes(4)), "KME localhost")

    def test_c04_13_14_a_position_and_a_stream_are_used_once(self):
        with FakeKme004(self.lab) as kme, Server(self.lab, conf=self.conf("bob", kme)) as server:
            for _ in range(3):
                self.assertTrue(self.handshake(kme, server)[0].connected)
            wait_until(lambda: kme.count(CLOSE) == 6, "all streams closed")
            self.assertEqual(len(kme.streams), 3)
            for stream_id, keys in kme.streams.items():
                self.assertEqual(list(keys), [0])
                self.assertEqual(kme.calls.count((GET_KEY, stream_id)), 2, "once at each end")
                self.assertEqual(kme.calls.count((OPEN, stream_id)), 1)

    def test_c04_16_room_for_metadata_is_offered_only_where_it_is_demanded(self):
        for dialect, room in (("w1", 0), ("qubip", 1024)):
            rooms = set()

            def note(call, rooms=rooms):
                if call.service == GET_KEY:
                    rooms.add(call.room)
                return good(call)
            with FakeKme004(self.lab, note) as kme:
                self.assert_connected(kme, etsi004_dialect=dialect)
            self.assertEqual(rooms, {room})

    def test_c04_22_a_status_that_nobody_knows_is_a_failure(self):
        for status in (9, 0xFFFFFFFF):
            self.refused(OPEN, refuse(status), "KME localhost")
            self.refused(GET_KEY, refuse(status), "KME localhost")

    def test_c04_23_a_key_of_zeros_is_an_error(self):
        self.refused(GET_KEY, lambda call: call.key(bytes(32)), "a key of zeros")

    def test_c04_25_a_process_has_one_connection_while_it_waits_for_one_key(self):
        with FakeKme004(self.lab) as kme, Server(self.lab, conf=self.conf("bob", kme)) as server:
            for _ in range(3):
                self.assertTrue(self.handshake(kme, server)[0].connected)
            self.assertEqual(kme.connections, 1 + 3)

    def test_c04_26_a_connection_that_is_lost_while_a_call_waits_loses_no_key(self):
        asked = []

        def drop_the_initiators(call):
            if call.service == GET_KEY:
                asked.append(call.stream_id)
                if len(asked) == 2:
                    call.connection.shutdown(socket.SHUT_RDWR)
                    return None
            return good(call)
        with FakeKme004(self.lab, drop_the_initiators) as kme:
            self.assert_connected(kme)
            self.assertEqual(len(asked), 3)

    def test_c04_04_status_7_opens_only_in_the_dialect_that_means_it(self):
        def qubip(call):
            if call.service == OPEN and call.stream_id == ZERO:
                answer = good(call)
                stream_id = answer[-16:]
                return call.opened(QOS, stream_id)
            return good(call)
        with FakeKme004(self.lab, qubip) as kme:
            client, _ = self.handshake(kme)
            self.assertFalse(client.connected)
            self.assert_connected(kme, etsi004_dialect="qubip")

    def test_c04_09_10_after_silence_the_connection_is_not_used_again(self):
        with FakeKme004(self.lab, self.switch) as kme, \
                Server(self.lab, conf=self.conf("bob", kme, timeout_ms=300)) as server:
            self.switch.to = lambda call: good(call) if call.stream_id == ZERO else None
            client, _ = self.handshake(kme, server)
            self.assertFalse(client.connected)
            self.assertIn("the time budget ended", server.stderr())
            self.switch.to = good
            client, _ = self.handshake(kme, server)
            self.assertTrue(client.connected, f"{client}{server.stderr()}")

    def test_c04_11_what_may_pass_is_asked_for_again(self):
        for status in (INSUFFICIENT, NO_PEER):
            asked = {}

            def late(call, status=status, asked=asked):
                if call.service == GET_KEY:
                    asked[call.stream_id] = asked.get(call.stream_id, 0) + 1
                    if asked[call.stream_id] < 3:
                        return call.refuse(status)
                return good(call) if call.service != OPEN or call.stream_id == ZERO else \
                    call.opened(SUCCESS, call.stream_id)
            with FakeKme004(self.lab, late) as kme:
                self.assert_connected(kme)

    def test_c04_12_a_server_that_insists_on_metadata_gets_room_for_it(self):
        def insisting(call):
            if call.service == GET_KEY and call.room < 33:
                return call.refuse(METADATA, 33)
            answer = good(call)
            return call.key(answer[8 + 12:8 + 12 + 32], metadata=b"x" * 33) \
                if call.service == GET_KEY else answer
        with FakeKme004(self.lab, insisting) as kme:
            self.assert_connected(kme)

    def test_c04_15_the_responder_joins_with_the_id_it_was_sent(self):
        with FakeKme004(self.lab) as kme:
            self.assert_connected(kme)
            joined = [stream_id for service, stream_id in kme.calls
                      if service == OPEN and stream_id != ZERO]
            self.assertEqual(joined, list(kme.streams))

    def test_c04_17_metadata_is_not_looked_at(self):
        for metadata in (b'{"age": 1795443700127, "hops": 0}', b"\xff\xfe", b"{", b"{}"):
            def with_metadata(call, metadata=metadata):
                answer = good(call)
                return call.key(answer[20:52], metadata=metadata) \
                    if call.service == GET_KEY else answer
            with FakeKme004(self.lab, with_metadata) as kme:
                self.assert_connected(kme)

    def test_c04_18_a_stream_is_closed_on_every_way_out(self):
        with FakeKme004(self.lab, self.switch) as kme, \
                Server(self.lab, conf=self.conf("bob", kme)) as server:
            client, _ = self.handshake(kme, server)
            self.assertTrue(client.connected)
            wait_until(lambda: kme.count(CLOSE) == 2, "both ends close")
            self.switch.to = only_for(GET_KEY, refuse(NO_LINK))
            self.handshake(kme, server)
            wait_until(lambda: kme.count(CLOSE) == 4, "both ends close after a refusal")

    def test_c04_18_a_stream_that_we_were_refused_is_not_closed(self):
        """It may be one of our own, whose ID a stranger repeated to our server."""
        with FakeKme004(self.lab, self.switch) as kme, FakeKme004(self.lab) as other, \
                Server(self.lab, conf=self.conf("bob", kme)) as server:
            self.switch.to = only_for(OPEN, refuse(IN_USE), joins=True)
            client, _ = self.handshake(other, server)
            self.assertFalse(client.connected)
            wait_until(lambda: kme.count(GET_KEY) == 1, "both calls at the key server")
            self.switch.to = good
            self.assertFalse(self.handshake(other, server)[0].connected)
            self.assertNotIn((CLOSE, kme.calls[0][1]), kme.calls)

    def test_a_server_that_never_answers_close_is_understood(self):
        with FakeKme004(self.lab, lambda call: None if call.service == CLOSE else good(call)) \
                as kme, Server(self.lab, conf=self.conf("bob", kme)) as server:
            for _ in range(4):
                client, _ = self.handshake(kme, server)
                self.assertTrue(client.connected, f"{client}{server.stderr()}")

    def test_c04_18_a_stream_that_was_offered_in_vain_is_closed(self):
        with FakeKme004(self.lab) as kme, \
                Server(self.lab, "-groups", "X25519", conf=self.conf("bob", kme)) as server:
            client = run_client(self.lab, server.port, conf=self.conf("alice", kme), groups=GROUP)
            self.assertFalse(client.connected)
            wait_until(lambda: kme.count(CLOSE) == 1, "the offered stream is closed")

    def test_c04_19_the_stream_goes_on_after_its_connection_was_lost(self):
        def drop_after_open(call):
            octets_of_answer = good(call)
            if call.service == OPEN and call.stream_id == ZERO:
                call.connection.sendall(octets_of_answer)
                call.connection.close()
                return None
            return octets_of_answer
        with FakeKme004(self.lab, drop_after_open) as kme:
            self.assert_connected(kme)

    def test_c04_20_uris_are_short_and_printable(self):
        with FakeKme004(self.lab) as kme:
            for value in ("alice", "sae://" + "a" * 250, "sae://al ice"):
                client, _ = self.handshake(kme, source_uri=value)
                self.assertFalse(client.connected)
                self.assertIn("source-uri = '", client.stderr)
            self.assert_connected(kme, source_uri="client://a", destination_uri="server://b")

    def test_c04_21_the_servers_certificate_is_verified(self):
        with FakeKme004(self.lab) as kme:
            client, _ = self.handshake(kme, ca=self.lab.pki("alice")[0])
            self.assertFalse(client.connected)
            self.assertIn("certificate", client.stderr)

    def test_c04_24_no_key_is_logged(self):
        with FakeKme004(self.lab) as kme:
            client, server = self.assert_connected(kme)
            for keys in kme.streams.values():
                for text in (keys[0].hex(), base64.b64encode(keys[0]).decode()):
                    self.assertNotIn(text, client.log + client.stderr + server.log())

    def test_an_initiating_server_is_refused_in_the_settings(self):
        with FakeKme004(self.lab) as kme:
            client, _ = self.handshake(kme, initiator="server")
            self.assertFalse(client.connected)
            self.assertIn("initiator = 'server' needs ETSI 014", client.stderr)

    def test_a_client_that_asks_a_server_with_004_to_reserve_is_refused_with_the_reason(self):
        with FakeKme004(self.lab) as kme, FakeKme(self.lab) as kme014, \
                Server(self.lab, conf=self.conf("bob", kme)) as server:
            client = run_client(self.lab, server.port, groups=GROUP, conf=self.lab.conf_with(
                "alice", kme=kme014.url, initiator="server"))
            self.assertFalse(client.connected)
            self.assertIn("the client asks us to reserve the key", server.stderr())

    def test_a_stream_nobody_knows_is_refused_with_the_reason(self):
        """A client at a key server with 014, a server at one with 004."""
        with FakeKme004(self.lab) as kme, FakeKme(self.lab) as kme014, \
                Server(self.lab, conf=self.conf("bob", kme)) as server:
            client = run_client(self.lab, server.port, groups=GROUP, conf=self.lab.conf_with(
                "alice", kme=kme014.url, initiator="client"))
            self.assertFalse(client.connected)
            self.assertIn("alert illegal parameter", client.stderr)
            self.assertIn("it refused GET_KEY", server.stderr())


if __name__ == "__main__":
    unittest.main()
