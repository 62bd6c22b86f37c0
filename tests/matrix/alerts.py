# SPDX-License-Identifier: Apache-2.0
"""What each version makes of a failure: the alert at the other end, and the reasons on the queue
of the end that failed."""
import contextlib
import re
import socket
import threading

import harness
import tls_wire

ID_BYTES = 16
UNKNOWN_ID = bytes.fromhex("0123456789ab4def8123456789abcdef")
ILLEGAL_PARAMETER, INTERNAL_ERROR, BAD_RECORD_MAC = 47, 80, 20
GROUP = "qkd_x25519"


def shorter(share):
    return share[:-1]


def unknown_id(share):
    return share[:-ID_BYTES] + UNKNOWN_ID


def zero_key(share):
    return bytes(len(share) - ID_BYTES) + share[-ID_BYTES:]


def other_key(share):
    return bytes([9]) + bytes(len(share) - ID_BYTES - 1) + share[-ID_BYTES:]


# What; who fails; change of the client's share, of the server's; a setting of the one who fails;
# the alert that it must send; what its error queue must say.
CASES = (
    ("share too short", "server", shorter, None, {}, ILLEGAL_PARAMETER,
     "public key has 31 octets instead of 32"),
    ("public key of zeros", "server", zero_key, None, {}, ILLEGAL_PARAMETER, f"group {GROUP}"),
    ("unknown key ID", "server", unknown_id, None, {}, ILLEGAL_PARAMETER,
     "the peer's key ID is not acceptable"),
    ("KME cannot be reached", "server", None, None, {"kme": "https://localhost:1"}, INTERNAL_ERROR,
     "KME localhost:1"),
    ("wrong setting", "server", None, None, {"cert": "/nonexistent.pem"}, INTERNAL_ERROR,
     "cert: cannot open"),
    ("share too short", "client", None, shorter, {}, INTERNAL_ERROR, "its key share has"),
    ("other key ID", "client", None, unknown_id, {}, INTERNAL_ERROR,
     "the server answered with another key ID"),
    ("KME cannot be reached", "client", None, None, {"kme": "https://localhost:1"}, INTERNAL_ERROR,
     "KME localhost:1"),
    ("wrong setting", "client", None, None, {"cert": "/nonexistent.pem"}, INTERNAL_ERROR,
     "cert: cannot open"),
    ("other ciphertext", "client", None, other_key, {}, BAD_RECORD_MAC, ""),
)


def alert_in(text):
    """The number of the alert that came from the other end, or None."""
    match = re.search(r"SSL alert number (\d+)", text)
    return int(match[1]) if match else None


def first_reason(text):
    """What libssl itself put on the queue, the first after our reason."""
    match = re.search(r"error:0A[0-9A-F]{6}:SSL routines:[^:]*:([^:]*):", text)
    return match[1] if match else "-"


class FirstRecord:
    """A server that reads one record of one connection and hangs up."""

    def __enter__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(harness.LIMIT_S)
        self.port = self._listener.getsockname()[1]
        self.octets = b""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        return self

    def _read(self):
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            with connection, connection.makefile("rb") as stream:
                connection.settimeout(harness.LIMIT_S)
                head = stream.read(5)
                self.octets = head + stream.read(int.from_bytes(head[3:5], "big"))

    def __exit__(self, *_):
        self._thread.join()
        self._listener.close()

    def alert(self):
        """The number, where the record is a fatal alert."""
        return self.octets[6] if self.octets[:1] == b"\x15" and self.octets[5:6] == b"\2" else None


def fail_before_hello(lab, at, settings):
    """A client that cannot make its ClientHello: (its text, the alert that it sends instead)."""
    with FirstRecord() as server:
        client = harness.run_client(lab, server.port, groups=GROUP, openssl=at,
                                    conf=at.conf(lab, "alice", **settings))
    return client.stderr, server.alert()


def fail_in_handshake(lab, at, who, changes, settings):
    """One handshake that must fail: (text of the end that fails, alert at the other end)."""
    server_conf = at.conf(lab, "bob", **(settings if who == "server" else {}))
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(harness.Server(lab, "-groups", GROUP, conf=server_conf,
                                                    openssl=at))
        proxy = stack.enter_context(tls_wire.Proxy(server.port, *changes))
        client = harness.run_client(lab, proxy.port, conf=at.conf(lab, "alice"), groups=GROUP,
                                    openssl=at)
        if client.connected:
            raise harness.HarnessError(f"a handshake where none can be: {client}")
        if who == "server":
            return server.stderr(), alert_in(client.stderr)
        return client.stderr, harness.wait_until(lambda: alert_in(server.stderr()),
                                                 f"alert at the server of {at.name}")


def run(report, installations):
    """All cases on every version; the number of failing handshakes."""
    rows = []
    with harness.Lab() as lab:
        for what, who, change_client, change_server, settings, alert, text in CASES:
            row = [who, what]
            for at in installations:
                if who == "client" and settings:
                    failing, got = fail_before_hello(lab, at, settings)
                else:
                    failing, got = fail_in_handshake(lab, at, who, (change_client, change_server),
                                                     settings)
                row.append(f"{got} {first_reason(failing)}")
                if got != alert or text not in failing:
                    report.fail(f"{what} at the {who}, OpenSSL {at.name}: alert {alert} and "
                                f"'{text}' wanted, alert {got} came", failing)
            rows.append(row)
    report.table("What fails at which end; on each version the alert that the other end gets, and "
                 "libssl's own reason behind ours", ["at the", "what"] +
                 [at.name for at in installations], rows)
    return len(rows) * len(installations)
