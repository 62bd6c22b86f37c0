# SPDX-License-Identifier: Apache-2.0
"""Load on both APIs at both sides that takes it calmly when key servers die under it."""
import base64
import contextlib
import http.client
import json
import queue
import random
import ssl
import threading
import time

import etsi004
import harness

PATH = "/api/v1/keys/"
PAUSE_S = 0.02
SIZES = (256, 256, 256, 512, 1024, 4096)
BROKEN = (OSError, ssl.SSLError, http.client.HTTPException, etsi004.Closed, harness.HarnessError)


class Http:
    """A kept connection of an SAE to its key server's ETSI 014."""

    def __init__(self, sites, sae):
        self._port = int(sites.url(sites.site_of(sae)).rsplit(":", 1)[1])
        self._context = sites.tls_context(sae)
        self._connection = None

    def call(self, method, path, body=None):
        """(code, object), or an exception of BROKEN."""
        try:
            if self._connection is None:
                self._connection = http.client.HTTPSConnection(
                    "127.0.0.1", self._port, context=self._context, timeout=harness.LIMIT_S)
            headers = {"Content-Type": "application/json"} if body else {}
            self._connection.request(method, PATH + path, body and json.dumps(body), headers)
            answer = self._connection.getresponse()
            octets = answer.read()
        except BROKEN:
            self.close()
            raise
        return answer.status, json.loads(octets) if octets else None

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def keys_of(body):
    return [(("014", key["key_ID"]), base64.b64decode(key["key"])) for key in body["keys"]]


class Worker(threading.Thread):
    """Does one thing again and again; `pause` and `go_on` stop it between two of them."""

    def __init__(self, record, seed):
        super().__init__(daemon=True)
        self.record, self.random = record, random.Random(seed)
        self._stop_now = threading.Event()
        self._may_run = threading.Event()
        self._idle = threading.Event()
        self.error = None

    def pause(self):
        """Returns when nothing is under way."""
        self._may_run.clear()
        if not self._idle.wait(4 * harness.LIMIT_S):
            raise harness.HarnessError(f"{self.name} does not end its request")

    def go_on(self):
        self._idle.clear()
        self._may_run.set()

    def end(self):
        self._stop_now.set()
        self._may_run.set()
        self.join(4 * harness.LIMIT_S)

    def run(self):
        while not self._stop_now.is_set():
            if not self._may_run.is_set():
                self._idle.set()
                self._may_run.wait()
                continue
            try:
                self.step()
            except BROKEN:
                self.record.count("calls cut off")
                self.reset()
                time.sleep(PAUSE_S)
            except Exception as error:  # pylint: disable=broad-except  (told by the driver)
                self.error = error
                self._idle.set()
                return
        self.reset()
        self._idle.set()

    def step(self):
        raise NotImplementedError

    def reset(self):
        raise NotImplementedError


class Initiator(Worker):
    """Reserves keys and hands their IDs to the responder's worker, or keeps them for later."""

    def __init__(self, sites, record, seed, sae, peer):
        super().__init__(record, seed)
        self.side, self._peer = sites.site_of(sae), peer
        self._http = Http(sites, sae)
        self.ids = queue.SimpleQueue()

    def step(self):
        number, size = self.random.choice((1, 1, 2, 5, 10)), self.random.choice(SIZES)
        code, body = self._http.call("GET", f"{self._peer}/enc_keys?number={number}&size={size}")
        self.record.count(f"014 enc_keys {code}")
        if code != 200:
            time.sleep(PAUSE_S)
            return
        keys = keys_of(body)
        for name, octets in keys:
            self.record.reserve(self.side, name, octets)
        if self.random.random() < 0.7:  # the others are claimed after the next crash
            self.ids.put([name for name, _ in keys])
        time.sleep(self.random.random() * PAUSE_S)

    def reset(self):
        self._http.close()


class Responder(Worker):
    """Claims what the initiator reserved: some at once, some much later."""

    def __init__(self, sites, record, seed, sae, initiator, peer):
        super().__init__(record, seed)
        self.side, self._peer, self._ids = sites.site_of(sae), peer, initiator.ids
        self._http = Http(sites, sae)
        self._later = []

    def claim(self, names):
        """The code of a claim of all these."""
        body = {"key_IDs": [{"key_ID": key_id} for _, key_id in names]}
        try:
            code, answer = self._http.call("POST", f"{self._peer}/dec_keys", body)
        except BROKEN:
            self.record.doubt(names)
            raise
        self.record.count(f"014 dec_keys {code}")
        if code == 200:
            for name, octets in keys_of(answer):
                self.record.claim(self.side, name, octets)
        return code

    def step(self):
        try:
            names = self._ids.get(timeout=PAUSE_S)
        except queue.Empty:
            names = None
        if names is not None:
            self._later.append(names)
        if self._later and (names is None or self.random.random() < 0.8):
            self.claim(self._later.pop(self.random.randrange(len(self._later))))

    def reset(self):
        self._http.close()

    def forget(self):
        """What is left is claimed by somebody else."""
        self._later = []
        with contextlib.suppress(queue.Empty):
            while True:
                self._ids.get_nowait()


class Streams(Worker):
    """Opens key streams, with IDs of the key server's or of its own, and reads positions at both
    ends, in order and out of it. Some streams are left open."""

    KEPT = 8

    def __init__(self, sites, record, seed, opener, joiner):
        super().__init__(record, seed)
        self._sites, self.saes = sites, (opener, joiner)
        self._clients = None
        self._kept = []  # [KSID, next index]
        self.used = []  # KSIDs that were open at both ends

    def _connect(self):
        if self._clients is None:
            first = etsi004.Client(self._sites, self.saes[0])
            try:
                self._clients = (first, etsi004.Client(self._sites, self.saes[1]))
            except BaseException:
                first.drop()
                raise

    def reset(self):
        for client in self._clients or ():
            client.drop()
        self._clients = None
        self._kept = []

    def _open(self):
        opener, joiner = self._clients
        ksid = etsi004.new_id() if self.random.random() < 0.5 else etsi004.NO_ID
        first = opener.open(self.saes[1], ksid=ksid, timeout=1000)
        self.record.count(f"004 open {first.status}")
        if first.status not in (etsi004.SUCCESS, etsi004.PEER_NOT_YET):
            time.sleep(PAUSE_S)
            return None
        ksid = first.ksid if ksid == etsi004.NO_ID else ksid
        second = joiner.open(self.saes[0], ksid=ksid, timeout=1000)
        self.record.count(f"004 join {second.status}")
        if second.status != etsi004.SUCCESS:
            return None
        self.used.append(ksid)
        return [ksid, 0]

    def _read(self, end, ksid, index):
        client = self._clients[end]
        reply = client.get_key(ksid, index, metadata=0)
        self.record.count(f"004 get_key {reply.status}")
        if reply.status == etsi004.SUCCESS:
            self.record.deliver(self._sites.site_of(client.sae), ("004", ksid.hex(), index),
                                reply.key)
        return reply.status

    def step(self):
        self._connect()
        stream = (self._kept.pop(self.random.randrange(len(self._kept)))
                  if self._kept and self.random.random() < 0.6 else self._open())
        if stream is None:
            return
        ksid, begin = stream
        indexes = list(range(begin, begin + self.random.randint(1, 6)))
        if self.random.random() < 0.3:
            self.random.shuffle(indexes)
        for index in indexes:
            for end in self.random.sample((0, 1), 2):
                if self._read(end, ksid, index) not in (etsi004.SUCCESS, etsi004.TIMEOUT):
                    return
        if self.random.random() < 0.1:  # a position is delivered once
            self._read(self.random.randrange(2), ksid, indexes[0])
        if len(self._kept) < self.KEPT and self.random.random() < 0.7:
            self._kept.append([ksid, begin + len(indexes)])
        else:
            for client in self._clients:
                client.close(ksid)
        time.sleep(self.random.random() * PAUSE_S)
