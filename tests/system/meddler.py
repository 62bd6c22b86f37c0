# SPDX-License-Identifier: Apache-2.0
"""Key servers of ETSI GS QKD 014 that get one thing wrong: a proxy before each of our own, which
passes everything on but for what its kind changes."""
import base64
import contextlib
import hashlib
import json
import pathlib
import re
import socket
import ssl
import uuid

import harness
from tcp_server import TcpServer, require_certificates

LARGEST_BODY = 1 << 20


class Request:
    def __init__(self, method, path, headers, body, raw):
        self.method, self.path, self.headers, self.body, self.raw = method, path, headers, body, raw

    @property
    def call(self):
        """"status", "enc_keys", "dec_keys", or another last segment of the path."""
        return self.path.partition("?")[0].rsplit("/", 1)[-1]

    def json(self):
        """The body as an object; {} when it is none."""
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(self.body)
            if isinstance(value, dict):
                return value
        return {}

    def ids(self):
        """The key IDs of a claim, in lower case."""
        if match := re.search(r"[?&]key_ID=([^&]*)", self.path):
            return [match[1].lower()]
        entries = self.json().get("key_IDs")
        if not isinstance(entries, list):
            return []
        return [str(entry.get("key_ID")).lower() for entry in entries if isinstance(entry, dict)]

    def with_path(self, path):
        return Request(self.method, path, self.headers, self.body,
                       self.raw.replace(self.path.encode(), path.encode(), 1))

    def with_json(self, value):
        body = json.dumps(value).encode()
        head = self.raw.partition(b"\r\n\r\n")[0]
        head = re.sub(rb"(?i)\r\nContent-Length: \d+", b"", head)
        raw = head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        return Request(self.method, self.path, self.headers, body, raw)


class Answer:
    def __init__(self, code, headers, body):
        self.code, self.headers, self.body = code, headers, body

    def json(self):
        return json.loads(self.body)

    def with_json(self, value):
        return Answer(self.code, {**self.headers, "content-type": "application/json"},
                      json.dumps(value).encode())

    def octets(self):
        headers = {**self.headers, "content-length": len(self.body)}
        lines = [f"HTTP/1.1 {self.code} x"] + [f"{name}: {headers[name]}" for name in headers]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


def not_found():
    return Answer(400, {"content-type": "application/json", "cache-control": "no-store"},
                  b'{"message": "one or more keys specified are not found on KME"}')


class Stream:
    """A connection read by lines and counts."""

    def __init__(self, connection):
        self.connection, self.held = connection, b""

    def until(self, mark):
        while mark not in self.held:
            self._more()
        taken, _, self.held = self.held.partition(mark)
        return taken + mark

    def count(self, number):
        while len(self.held) < number:
            self._more()
        taken, self.held = self.held[:number], self.held[number:]
        return taken

    def _more(self):
        more = self.connection.recv(65536)
        if not more:
            raise ConnectionError
        self.held += more

    def head(self):
        """(first line, headers in lower case, octets)."""
        octets = self.until(b"\r\n\r\n")
        lines = octets.decode("latin-1").split("\r\n")
        return lines[0], {name.lower(): value.strip() for name, value in
                          (line.split(":", 1) for line in lines[1:] if line)}, octets

    def answer(self):
        line, headers, _ = self.head()
        body = self.count(int(headers.get("content-length", 0)))
        headers.pop("content-length", None)
        return Answer(int(line.split()[1]), headers, body)


class Honest:
    """Changes nothing. A kind of its own overrides one of these."""
    minimum_version = ssl.TLSVersion.TLSv1_2
    verify = ssl.CERT_REQUIRED
    everybody = None  # the SAE whose certificate is used for whoever comes

    def request(self, request):
        """What is asked of our key server instead."""
        return request

    def answer(self, request, answer, ask):
        """What is answered instead; ask(request) asks our key server something else."""
        return answer


class Meddler(TcpServer):
    """A proxy before the key server of one site, of one kind."""

    def __init__(self, sites, site, kind):
        super().__init__()
        self._sites, self._site, self._kind = sites, site, kind
        self._context = require_certificates(sites.pki(f"kme-{site}"), sites.ca)
        self._context.verify_mode = kind.verify
        self._context.minimum_version = kind.minimum_version
        if kind.minimum_version < ssl.TLSVersion.TLSv1_2:
            self._context.set_ciphers("ALL:@SECLEVEL=0")

    def url(self, _):
        """Where it is, for use like the sites' own."""
        return f"https://localhost:{self.port}"

    def serve(self, connection):
        with contextlib.suppress(OSError, ConnectionError, ValueError):
            connection.settimeout(harness.LIMIT_S)
            with self._context.wrap_socket(connection, server_side=True) as near:
                sae = self._kind.everybody or self._sae_of(near)
                if sae is None:
                    Stream(near).head()
                    near.sendall(Answer(401, {"connection": "close"}, b"").octets())
                    return
                with self._connect(sae) as far:
                    self._relay(Stream(near), Stream(far), sae)
        connection.close()

    def _sae_of(self, near):
        """The one name of the client's certificate that we have a key for."""
        subject = near.getpeercert().get("subject", ())
        names = [value for part in subject for name, value in part if name == "commonName"]
        if len(names) != 1 or not pathlib.Path(self._sites.pki(names[0])[1]).exists():
            return None
        return names[0]

    def _connect(self, sae):
        port = int(self._sites.url(self._site).rsplit(":", 1)[1])
        raw = socket.create_connection(("127.0.0.1", port), timeout=harness.LIMIT_S)
        return self._sites.tls_context(sae).wrap_socket(raw, server_hostname="localhost")

    def _relay(self, near, far, sae):
        while True:
            line, headers, head = near.head()
            method, path, _ = line.split(" ")
            length = int(headers.get("content-length", 0))
            if length > LARGEST_BODY:
                far.connection.sendall(head)
                near.connection.sendall(far.answer().octets())
                return
            if headers.get("expect", "").lower() == "100-continue":
                near.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                head = re.sub(rb"(?i)\r\nExpect: [^\r]*", b"", head)
            body = near.count(length)
            if headers.get("transfer-encoding", "").lower() == "chunked":
                body = near.until(b"\r\n0\r\n\r\n")
            answer = self._one(Request(method, path, headers, body, head + body), far, sae)
            near.connection.sendall(answer.octets())
            if answer.headers.get("connection", "").lower() == "close":
                return

    def _one(self, request, far, sae):
        request.sae = sae

        def ask(other):
            far.connection.sendall(other.raw)
            return far.answer()

        return self._kind.answer(request, ask(self._kind.request(request)), ask)


# --- kinds -----------------------------------------------------------------------------------

def change_keys(answer, change):
    """The answer with its list of keys changed in place."""
    if answer.code != 200:
        return answer
    value = answer.json()
    change(value["keys"])
    return answer.with_json(value)


class OldTls(Honest):
    minimum_version = ssl.TLSVersion.TLSv1


class AnybodyIsAlice(Honest):
    verify = ssl.CERT_NONE
    everybody = "alice"


class HeaderIsIdentity(Honest):
    def answer(self, request, answer, ask):
        if request.call != "status" or "x-sae-id" not in request.headers or answer.code != 200:
            return answer
        return answer.with_json({**answer.json(), "master_SAE_ID": request.headers["x-sae-id"]})


class StatusTypes(Honest):
    def answer(self, request, answer, ask):
        if request.call != "status" or answer.code != 200:
            return answer
        return answer.with_json({**answer.json(), "max_SAE_ID_count": "0"})


class StatusSwapsNames(Honest):
    def answer(self, request, answer, ask):
        if request.call != "status" or answer.code != 200:
            return answer
        value = answer.json()
        value["master_SAE_ID"], value["slave_SAE_ID"] = \
            value["slave_SAE_ID"], value["master_SAE_ID"]
        return answer.with_json(value)


class CountsNothing(Honest):
    def answer(self, request, answer, ask):
        if request.call != "status" or answer.code != 200:
            return answer
        return answer.with_json({**answer.json(), "stored_key_count": 20})


class WrongLength(Honest):
    def answer(self, request, answer, ask):
        def cut(keys):
            for key in keys:
                octets = base64.b64decode(key["key"])[:-1] or b"\0\0"
                key["key"] = base64.b64encode(octets).decode()
        return change_keys(answer, cut) if request.call.endswith("_keys") else answer


class IgnoresSize(Honest):
    def request(self, request):
        if request.call != "enc_keys":
            return request
        value = request.json()
        if value.pop("size", None) is not None:
            request = request.with_json(value)
        return request.with_path(re.sub(r"([?&])size=[^&]*", r"\1", request.path))


class UpperCaseIds(Honest):
    def answer(self, request, answer, ask):
        def shout(keys):
            for key in keys:
                key["key_ID"] = key["key_ID"].upper()
        return change_keys(answer, shout) if request.call.endswith("_keys") else answer


class IdsOfKeys(Honest):
    """The key ID is a digest of the key."""

    def __init__(self):
        self._true = {}

    def request(self, request):
        if request.call != "dec_keys":
            return request
        for false, true in list(self._true.items()):
            for one in (false, false.upper()):
                request = request.with_path(request.path.replace(one, true))
                if one.encode() in request.body:
                    body = request.body.replace(one.encode(), true.encode())
                    request = Request(request.method, request.path, request.headers, body,
                                      request.raw.replace(request.body, body))
        return request

    def answer(self, request, answer, ask):
        def rename(keys):
            for key in keys:
                octets = base64.b64decode(key["key"])
                if len(octets) < 16:
                    continue
                false = str(uuid.UUID(bytes=hashlib.sha1(octets).digest()[:16], version=4))
                self._true[false] = key["key_ID"]
                key["key_ID"] = false
        return change_keys(answer, rename) if request.call.endswith("_keys") else answer


class KeyTwice(Honest):
    """The last key of several has the octets of the first."""

    def answer(self, request, answer, ask):
        def repeat(keys):
            keys[-1]["key"] = keys[0]["key"]
        return change_keys(answer, repeat) if request.call == "enc_keys" else answer


class SwapsKeys(Honest):
    def answer(self, request, answer, ask):
        def swap(keys):
            keys[0]["key"], keys[-1]["key"] = keys[-1]["key"], keys[0]["key"]
        return change_keys(answer, swap) if request.call == "dec_keys" else answer


class Unordered(Honest):
    def answer(self, request, answer, ask):
        return change_keys(answer, list.reverse) if request.call == "dec_keys" else answer


class PartialDelivery(Honest):
    """Delivers what it can when it has too little."""

    def answer(self, request, answer, ask):
        if answer.code != 503:
            return answer
        return ask(request.with_path(request.path.partition("?")[0]))


class Redelivers(Honest):
    def __init__(self):
        self._delivered = {}

    def answer(self, request, answer, ask):
        if request.call != "dec_keys":
            return answer
        place = (request.sae, tuple(request.ids()))
        if answer.code == 200:
            self._delivered[place] = answer
        return self._delivered.get(place, answer)


class ConsumesOnRefusal(Honest):
    """A batch that is refused costs the keys that were right."""

    def answer(self, request, answer, ask):
        if request.call == "dec_keys" and answer.code == 400 and b"not found" in answer.body:
            for one in request.ids():
                ask(request.with_json({"key_IDs": [{"key_ID": one}]}))
        return answer


class LateAtTheOtherEnd(Honest):
    """What is claimed for the first time is not there yet."""

    def __init__(self):
        self._asked = set()

    def request(self, request):
        ids = request.ids()
        request.early = (request.call == "dec_keys" and request.sae == "bob" and len(ids) == 1 and
                         "/alice/" in request.path and ids[0] not in self._asked and
                         re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", ids[0]))
        self._asked.update(ids)
        if not request.early:
            return request
        other = request.with_path(request.path.replace("dec_keys", "status"))
        return Request("GET", other.path, {}, b"",
                       f"GET {other.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    def answer(self, request, answer, ask):
        return not_found() if request.early else answer


class NotFoundIs404(Honest):
    def answer(self, request, answer, ask):
        if request.call == "dec_keys" and answer.code == 400 and b"not found" in answer.body:
            return Answer(404, answer.headers, b'{"message": "Key not found"}')
        return answer


class NoErrorBody(Honest):
    def answer(self, request, answer, ask):
        return answer if answer.code == 200 else Answer(answer.code, answer.headers, b"")


class HtmlErrors(Honest):
    def answer(self, request, answer, ask):
        if answer.code in (200, 401):
            return answer
        return Answer(answer.code, {**answer.headers, "content-type": "text/html"},
                      b"<html><title>Error</title></html>")


class ErrorsInDetail(Honest):
    def answer(self, request, answer, ask):
        if answer.code in (200, 401):
            return answer
        return answer.with_json({"detail": answer.json()["message"]})


class LeaksOn401(Honest):
    """Says no, and what it should not."""

    def __init__(self):
        self._keys = {}

    def answer(self, request, answer, ask):
        if request.call == "enc_keys" and answer.code == 200:
            self._keys.update({key["key_ID"]: key["key"] for key in answer.json()["keys"]})
        if request.call != "dec_keys" or answer.code != 401:
            return answer
        return answer.with_json({"keys": [{"key_ID": one, "key": self._keys.get(one, "AA==")}
                                          for one in request.ids()]})


class NoCacheControl(Honest):
    def answer(self, request, answer, ask):
        answer.headers.pop("cache-control", None)
        return answer


class ClosesAlways(Honest):
    def answer(self, request, answer, ask):
        answer.headers["connection"] = "close"
        return answer


class BrokenJsonIsNone(Honest):
    """A body that cannot be read counts as no body."""

    def answer(self, request, answer, ask):
        broken = request.call == "enc_keys" and request.body and b"JSON" in answer.body
        return ask(request.with_json({})) if answer.code == 400 and broken else answer


class ExtraSlavesAreIgnored(Honest):
    def request(self, request):
        value = request.json()
        if request.call == "enc_keys" and value.pop("additional_slave_SAE_IDs", None) is not None:
            return request.with_json(value)
        return request


class AnySlaveWillDo(Honest):
    """Whoever asks gets a key that waits for somebody else."""

    def __init__(self):
        self._keys = {}

    def answer(self, request, answer, ask):
        if request.call == "enc_keys" and answer.code == 200:
            self._keys.update({key["key_ID"]: key for key in answer.json()["keys"]})
        known = [self._keys[one] for one in request.ids() if one in self._keys]
        if request.call != "dec_keys" or answer.code != 401 or not known:
            return answer
        return Answer(200, answer.headers, b"").with_json({"keys": known})


class WantsSlash(Honest):
    """Knows its paths only with a slash at their end."""

    def request(self, request):
        path, mark, query = request.path.partition("?")
        if not path.endswith("/"):
            return request.with_path(path + "/nothing")
        return request.with_path(path[:-1] + mark + query)
