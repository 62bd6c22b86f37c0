# SPDX-License-Identifier: Apache-2.0
"""wireshark/qkd.lua shows in captures what both ends logged, and stands what a capture may hold."""
import pathlib
import random
import shutil
import subprocess
import tempfile
import unittest

from capture import CLIENT, SERVER, TcpRecorder, tcp_packets, write_pcap
from harness import (LIMIT_S, OPENSSL35, ROOT, SYSTEM_OPENSSL, HarnessError, Lab, Server,
                     child_env, handshake_keys, run_client)
from tls_wire import change_hello

SCRIPT = ROOT / "wireshark" / "qkd.lua"
KEM_GROUPS = ("qkd_mlkem512", "qkd_mlkem768", "qkd_mlkem1024", "qkd_x25519mlkem768",
              "qkd_secp256r1mlkem768", "qkd_secp384r1mlkem1024")
ECDH_GROUPS = ("qkd_x25519", "qkd_secp256r1", "qkd_secp384r1")
ZERO_ID = "00000000-0000-0000-0000-000000000000"
SHARE = ("qkd.group_name", "qkd.key_id", "qkd.flow")


def run_tshark(pcap, *options, script=SCRIPT):
    """The CompletedProcess of tshark with the dissector."""
    program = shutil.which("tshark")
    if program is None:
        raise unittest.SkipTest("tshark is not installed (scripts/setup.sh installs it)")
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run([program, "-n", "-r", pcap, "-X", f"lua_script:{script}", *options],
                              env=child_env(HOME=home), capture_output=True, text=True,
                              errors="replace", stdin=subprocess.DEVNULL, timeout=3 * LIMIT_S,
                              check=False)
    if done.returncode != 0:
        raise HarnessError(f"tshark: exit {done.returncode}\n{done.stderr}")
    return done


def check_no_lua_error(done):
    if "Lua Error" in done.stdout + done.stderr:
        raise HarnessError(f"the dissector failed\n{done.stdout[:2000]}{done.stderr[:2000]}")


def dissect(pcap, *names, options=()):
    """One {name: [values]} for each frame with something of ours."""
    words = [word for name in names for word in ("-e", name)]
    done = run_tshark(pcap, "-Y", "qkd", "-T", "fields", "-E", "aggregator=;", *words, *options)
    check_no_lua_error(done)
    return [{name: value.split(";") if value else []
             for name, value in zip(names, line.split("\t"))}
            for line in done.stdout.splitlines()]


def shares_of(pcap, options=()):
    """[(role, group, key ID, flow)] of all key shares in a capture; "" where a role has none."""
    found = []
    for frame in dissect(pcap, "qkd.share_role", *SHARE, options=options):
        count = len(frame["qkd.share_role"])
        columns = [frame[name] + [""] * (count - len(frame[name])) for name in SHARE]
        found += zip(frame["qkd.share_role"], *columns)
    return found


def experts_of(pcap):
    """The names of our expert infos, a list for each frame with something of ours."""
    names = ("qkd.bad_length", "qkd.zero_answer", "qkd.other_key_id", "qkd.limit")
    return [[name for name in names if frame[name]] for frame in dissect(pcap, *names)]


def vector(content, width):
    return len(content).to_bytes(width, "big") + content


def client_hello(*shares):
    """A record with a ClientHello of these (code point, octets), which also lists their groups."""
    numbers = b"".join(number.to_bytes(2, "big") for number, _ in shares)
    entries = b"".join(number.to_bytes(2, "big") + vector(octets, 2) for number, octets in shares)
    extensions = [(51, vector(entries, 2)), (10, vector(numbers, 2)), (43, b"\x02\x03\x04")]
    body = (b"\x03\x03" + bytes(32) + b"\0" + vector(b"\x13\x01", 2) + b"\x01\0" +
            vector(b"".join(kind.to_bytes(2, "big") + vector(content, 2)
                            for kind, content in extensions), 2))
    return b"\x16\x03\x01" + vector(b"\x01" + vector(body, 3), 2)


def split_records(data, most):
    """The same handshake messages in plain records of at most `most` octets; what follows the
    first record stays as it is."""
    length = int.from_bytes(data[3:5], "big")
    body, rest = data[5:5 + length], data[5 + length:]
    return b"".join(data[:3] + vector(body[at:at + most], 2)
                    for at in range(0, len(body), most)) + rest


class Wireshark(unittest.TestCase):
    def setUp(self):
        self.pcap = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "test.pcap"

    def write(self, *connections, **options):
        write_pcap(self.pcap, *[tcp_packets(pieces, 40000 + number, **options)
                                for number, pieces in enumerate(connections)])

    def record(self, *clients, groups, openssl=OPENSSL35, initiator="client", settings=""):
        """Handshakes with these -groups each; (recorded connections, [(keys that the client
        logged, keys that the server logged)])."""
        logged = []
        with Lab() as lab, Server(lab, "-groups", groups, openssl=openssl,
                                  conf=lab.conf_with("bob", extra=settings)) as server, \
                TcpRecorder(server.port) as recorder:
            conf = lab.conf_with("alice", initiator=initiator, extra=settings)
            for words in clients:
                seen = len(handshake_keys(server.log()))
                client = run_client(lab, recorder.port, conf=conf, groups=words, openssl=openssl)
                self.assertTrue(client.connected, str(client))
                logged.append((handshake_keys(client.log), handshake_keys(server.log())[seen:]))
        self.assertEqual(len(recorder.conversations), len(clients))
        return recorder.conversations, logged

    def one(self, group="qkd_x25519mlkem768", initiator="client"):
        """(pieces, key ID) of one recorded handshake."""
        connections, logged = self.record(group, groups=group, initiator=initiator)
        return connections[0], logged[0][0][0][2]

    def check_all(self, groups, openssl):
        for flow in ("client", "server"):
            connections, logged = self.record(*groups, groups=":".join(groups), openssl=openssl,
                                              initiator=flow)
            self.write(*connections)
            found = shares_of(self.pcap)
            self.assertEqual(len(found), 2 * len(groups), found)
            for group, keys, client, server in zip(groups, logged, found[0::2], found[1::2]):
                with self.subTest(group=group, flow=flow):
                    (of_client,), (of_server,) = keys
                    self.assertEqual(of_client[2], of_server[2])
                    offered = of_client[2] if flow == "client" else ZERO_ID
                    name = f"{flow}-initiated"
                    self.assertEqual(client, ("client", group, offered, name))
                    self.assertEqual(server, ("server", group, of_server[2], name))

    def test_key_ids_of_all_groups_are_those_that_both_ends_logged(self):
        self.check_all(KEM_GROUPS + ECDH_GROUPS, OPENSSL35)

    def test_key_ids_on_the_systems_openssl_are_those_that_both_ends_logged(self):
        self.check_all(ECDH_GROUPS, SYSTEM_OPENSSL)

    def test_a_retry_request_and_the_hello_behind_it_are_shown(self):
        connections, logged = self.record("qkd_mlkem768:qkd_x25519", groups="qkd_x25519")
        self.write(*connections)
        first, retry, second, answer = shares_of(self.pcap)
        key_id = logged[0][1][-1][2]
        self.assertEqual((first[:2], first[3]), (("client", "qkd_mlkem768"), "client-initiated"))
        self.assertNotIn(first[2], (key_id, ZERO_ID))
        self.assertEqual(retry, ("retry", "qkd_x25519", "", ""))
        self.assertEqual(second, ("client", "qkd_x25519", key_id, "client-initiated"))
        self.assertEqual(answer, ("server", "qkd_x25519", key_id, "client-initiated"))

    def test_shares_in_small_segments_and_small_records_are_put_together(self):
        pieces, key_id = self.one("qkd_mlkem1024")
        want = [(role, "qkd_mlkem1024", key_id, "client-initiated") for role in ("client", "server")]
        small = [(sender, split_records(data, 90) if sender == CLIENT and number == 0 else data)
                 for number, (sender, data) in enumerate(pieces)]
        for connection, segment_bytes in ((pieces, 60), (small, 1400), (small, 7)):
            self.write(connection, segment_bytes=segment_bytes)
            self.assertEqual(shares_of(self.pcap), want, f"segments of {segment_bytes}")

    def test_of_several_shares_only_ours_are_named_in_the_order_of_the_hello(self):
        for groups in ("*X25519:*qkd_x25519", "*qkd_x25519:*X25519:*qkd_mlkem512"):
            connections, logged = self.record(groups, groups="qkd_x25519")
            self.write(*connections)
            found = shares_of(self.pcap)
            key_id = logged[0][1][-1][2]
            self.assertEqual([row[1] for row in found if row[0] == "client"],
                             [word[1:] for word in groups.split(":") if "qkd" in word])
            self.assertEqual([row[2] for row in found if row[1] == "qkd_x25519"], [key_id] * 2)
            self.assertEqual(found[-1], ("server", "qkd_x25519", key_id, "client-initiated"))

    def test_groups_on_offer_are_named(self):
        connections, _ = self.record("qkd_x25519:X25519:qkd_mlkem512", groups="qkd_x25519")
        self.write(*connections)
        hello = dissect(self.pcap, "qkd.supported_group", "qkd.supported_group_name")[0]
        self.assertEqual(hello["qkd.supported_group"], ["0xfe10", "0x304a"])
        self.assertEqual(hello["qkd.supported_group_name"], ["qkd_x25519", "qkd_mlkem512"])

    def test_shares_that_the_ends_refuse_are_marked(self):
        pieces, key_id = self.one()
        (_, hello), (_, answer) = pieces[:2]
        length = 5 + int.from_bytes(answer[3:5], "big")

        def changed(change):
            return change_hello(answer[:length], change) + answer[length:]

        other = changed(lambda share: share[:-1] + bytes([share[-1] ^ 1]))
        zero = changed(lambda share: share[:-16] + bytes(16))
        for name, first, second, want in (
                ("whole", hello, answer, [[], []]),
                ("other ID", hello, other, [[], ["qkd.other_key_id"]]),
                ("zero ID", hello, zero, [[], ["qkd.zero_answer"]]),
                ("answer of 10", hello, changed(lambda share: share[:10]), [[], ["qkd.bad_length"]]),
                ("hello without an ID", change_hello(hello, lambda share: share[:-16]),
                 answer, [["qkd.bad_length"], []])):
            with self.subTest(name):
                self.write([(CLIENT, first), (SERVER, second)])
                self.assertEqual(experts_of(self.pcap), want)
        self.assertIn(key_id, str(shares_of(self.pcap)))

    def test_an_answer_without_its_hello_has_an_unknown_flow(self):
        pieces, key_id = self.one(initiator="server")
        self.write([piece for piece in pieces if piece[0] == SERVER])
        self.assertEqual(shares_of(self.pcap),
                         [("server", "qkd_x25519mlkem768", key_id, "unknown")])

    def test_flows_stay_when_frames_are_looked_at_a_second_time(self):
        (client, key_1), (server, key_2) = self.one(), self.one(initiator="server")
        self.write(client, server)
        once = shares_of(self.pcap)
        self.assertEqual([row[2] for row in once], [key_1, key_1, ZERO_ID, key_2])
        self.assertEqual(shares_of(self.pcap, options=["-2"]), once)

    def test_other_code_points_come_from_the_preference(self):
        connections, logged = self.record("qkd_mlkem768", groups="qkd_mlkem768",
                                          settings="codepoint-qkd_mlkem768 = 0xFE77")
        self.write(*connections)
        self.assertEqual(dissect(self.pcap, "qkd.share_role"), [])
        found = shares_of(self.pcap, ["-o", "qkd.codepoints:qkd_mlkem768=0xFE77"])
        self.assertEqual([row[1:3] for row in found],
                         [("qkd_mlkem768", logged[0][0][0][2])] * 2)
        done = run_tshark(self.pcap, "-o", "qkd.codepoints:qkd_nothing=0xFE77")
        self.assertIn("qkd_nothing=0xFE77", done.stderr)

    def test_hellos_at_the_edges_are_bounded(self):
        key_id = bytes(range(1, 17))
        for name, shares, want, marks in (
                ("none", [], [], []),
                ("only the ID", [(0xFE10, key_id)], [("client", "qkd_x25519", "", "")],
                 [["qkd.bad_length"]]),
                ("empty", [(0xFE10, b""), (0xFE00, b"")],
                 [("client", "qkd_x25519", "", ""), ("client", "qkd_efrodo640aes", "", "")],
                 [["qkd.bad_length"]]),
                ("any length where it varies", [(0x0A0A, b"\0"), (0xFE00, b"x" + key_id)],
                 [("client", "qkd_efrodo640aes", "01020304-0506-0708-090a-0b0c0d0e0f10",
                   "client-initiated")], [[]])):
            with self.subTest(name):
                self.write([(CLIENT, client_hello(*shares))])
                self.assertEqual(shares_of(self.pcap), want)
                self.assertEqual(experts_of(self.pcap), marks)
        self.write([(CLIENT, client_hello(*[(0xFE10, bytes(48))] * 200))])
        self.assertEqual(len(shares_of(self.pcap)), 64)
        self.assertEqual(experts_of(self.pcap), [["qkd.limit"]])

    def mutants(self, pieces, count):
        """Connections whose hellos were damaged in `count` ways, always the same ones."""
        draw = random.Random(1)
        for _ in range(count):
            damaged = []
            for sender, data in pieces:
                data = bytearray(data)
                for _ in range(draw.randrange(1, 5)):
                    data[draw.randrange(len(data))] = draw.choice((0, 1, 0x7F, 0xFF, 51, 0xFE))
                if draw.random() < 0.2:
                    del data[draw.randrange(len(data)):]
                damaged.append((sender, bytes(data)))
            yield damaged

    def test_no_damaged_capture_raises_an_error_in_lua(self):
        pieces, _ = self.one("qkd_x25519")
        whole = [(CLIENT, client_hello((0xFE10, bytes(48)), (0xFE00, bytes(48)))),
                 (SERVER, next(data for sender, data in pieces if sender == SERVER)[:200])]
        self.write(*self.mutants(whole, 1000))
        check_no_lua_error(run_tshark(self.pcap, "-V", "-Y", "qkd"))
        self.assertGreater(len(shares_of(self.pcap)), 500)

    def test_an_error_in_lua_would_be_seen(self):
        self.write([(CLIENT, client_hello((0xFE10, bytes(48))))])
        broken = self.pcap.with_name("broken.lua")
        broken.write_text(SCRIPT.read_text(encoding="utf-8").replace(
            "local role = state.is_client", "local role = nil + 1 and state.is_client"),
            encoding="utf-8")
        with self.assertRaisesRegex(HarnessError, "the dissector failed"):
            check_no_lua_error(run_tshark(self.pcap, "-V", script=broken))


if __name__ == "__main__":
    unittest.main()
