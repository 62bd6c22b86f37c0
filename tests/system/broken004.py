# SPDX-License-Identifier: Apache-2.0
"""ETSI 004 key servers with one defect each: a proxy before a real one changes what passes.

A defect is a subclass of Sound that overrides request() or answer(). Both see whole frames.
"""
import os
import random
import struct
import threading
import time

from etsi004 import CLOSE, GET_KEY, OPEN_CONNECT, SUCCESS
from proxy004 import (ENDS, INDEX, KEY, KEY_INDEX, KEY_LENGTH, QOS, ROOM, Frame, Sound, Swallow,
                      has_terms, is_key, is_open, key_of, qos_at, with_key)


class OneBufferForAllStreams(Sound):
    """The same index has the same octets in every stream."""

    def __init__(self):
        super().__init__()
        self._keys = {}

    def answer(self, connection, asked, frame):
        if not is_key(frame):
            return frame
        with self.lock:
            key = self._keys.setdefault((frame.number(KEY_INDEX), frame.number(KEY_LENGTH)),
                                        key_of(frame))
        return with_key(frame, key)


class DeliversTwice(Sound):
    """An index that was delivered is delivered again."""

    def __init__(self):
        super().__init__()
        self._seen = {}

    def answer(self, connection, asked, frame):
        if asked.service != GET_KEY:
            return frame
        place = (connection.sae, asked.payload[:20])
        if is_key(frame):
            self._seen[place] = frame
        return self._seen.get(place, frame) if frame.status == 2 else frame


class WrongService(Sound):
    """Answers GET_KEY with the service type of another answer."""

    def answer(self, connection, asked, frame):
        service = CLOSE + 1 if asked.service == GET_KEY else frame.service
        return Frame(frame.version, service, frame.payload)


class WrongVersion(Sound):
    """Answers with its own version instead of the caller's."""

    def answer(self, connection, asked, frame):
        return Frame(b"\3\0\0", frame.service, frame.payload)


class WrongLength(Sound):
    """The length before a key is one too many."""

    def answer(self, connection, asked, frame):
        if not is_key(frame):
            return frame
        return frame.with_number(KEY_LENGTH, frame.number(KEY_LENGTH) + 1)


class IgnoresIndex(Sound):
    """Delivers the next key whatever index was asked for."""

    def __init__(self):
        super().__init__()
        self._next = {}

    def request(self, connection, frame):
        if frame.service != GET_KEY or len(frame.payload) != 24:
            return frame
        return frame.with_number(INDEX, self._next.get((connection.site, frame.ksid), 0))

    def answer(self, connection, asked, frame):
        if not is_key(frame):
            return frame
        place = (connection.site, asked.ksid)
        self._next[place] = self._next.get(place, 0) + 1
        return frame.with_number(KEY_INDEX, asked.number(INDEX))


class KeyOfNoStream(Sound):
    """Makes up a key where there is no stream."""

    def __init__(self):
        super().__init__()
        self._opened = set()

    def answer(self, connection, asked, frame):
        if has_terms(frame):
            self._opened.add(frame.ksid)
        if asked.service == GET_KEY and frame.status == 3 and asked.ksid not in self._opened:
            return frame.with_payload(struct.pack(">III", SUCCESS, asked.number(INDEX), 32) +
                                      os.urandom(32) + bytes(4))
        return frame


class MetadataOverRoom(Sound):
    """Sends its metadata whatever room there is."""

    def request(self, connection, frame):
        if frame.service == GET_KEY and len(frame.payload) == 24 and frame.number(ROOM) > 0:
            return frame.with_number(ROOM, 1024)
        return frame


class ReusesIds(Sound):
    """A closed ID can be opened again."""

    def answer(self, connection, asked, frame):
        if asked.service == OPEN_CONNECT and frame.status == 5:
            with self.lock:
                closed = asked.ksid in getattr(self, "closed", ())
            if closed:
                qos = asked.payload[qos_at(asked):-16]
                return frame.with_payload(struct.pack(">I", 1) + qos + asked.ksid)
        if asked.service == CLOSE and frame.status == SUCCESS:
            with self.lock:
                self.closed = {*getattr(self, "closed", ()), asked.ksid}
        return frame


class OneAtATime(Sound):
    """While one call waits, no other of that key server is served."""

    def __init__(self):
        super().__init__()
        self._busy = {"a": threading.Semaphore(), "b": threading.Semaphore()}

    def may_begin(self, connection):
        if not self._busy[connection.site].acquire(blocking=False):
            return False
        connection.running += 1
        return True

    def ended(self, connection, count):
        count = min(count, connection.running)
        connection.running -= count
        for _ in range(count):
            self._busy[connection.site].release()


class Promises(Sound):
    """Grants what was asked for in one field of the QoS, and does otherwise."""
    field, instead = None, 0

    def __init__(self):
        super().__init__()
        self._promised = {}

    def applies(self, value):
        """Whether this is a wish to be ignored."""
        return value != 0

    def request(self, connection, frame):
        if not is_open(frame):
            return frame
        at = qos_at(frame) + QOS[self.field]
        return frame.with_number(at, self.instead) if self.applies(frame.number(at)) else frame

    def answer(self, connection, asked, frame):
        if not has_terms(frame):
            return frame
        wished = asked.number(qos_at(asked) + QOS[self.field])
        if self.applies(wished):
            wished = self._promised.setdefault(frame.ksid, wished)
        else:
            wished = self._promised.get(frame.ksid, frame.number(4 + QOS[self.field]))
        return frame.with_number(4 + QOS[self.field], wished)


class IgnoresChunkSize(Promises):
    """All keys have 32 octets."""
    field, instead = "chunk", 32

    def applies(self, value):
        return 0 < value <= 8192


class IgnoresMaxBps(Promises):
    """Delivers as fast as it can."""
    field = "max_bps"


class IgnoresTtl(Promises):
    """Keeps keys for its own time."""
    field = "ttl"


class HangsOnMalformed(Sound):
    """Says nothing to a request that it does not understand."""

    def request(self, connection, frame):
        good = {OPEN_CONNECT: is_open(frame), GET_KEY: len(frame.payload) == 24,
                CLOSE: len(frame.payload) == 16}
        if not good.get(frame.service, True):
            raise Swallow
        return frame


class IgnoresUnknownServices(Sound):
    """Passes over a service type that it does not know."""

    def request(self, connection, frame):
        if frame.service not in (OPEN_CONNECT, GET_KEY, CLOSE):
            raise Swallow
        return frame


class AsksNobodysName(Sound):
    """Whoever has a certificate of the authority may use all streams."""

    def identity(self, connection):
        return ENDS[connection.site]


class AsksForNoCertificate(Sound):
    """Any client may use all streams of its site."""
    verify = False

    def identity(self, connection):
        return connection.sae


class OtherOctetsAtOneEnd(Sound):
    """One bit of each key is another at one of the two ends."""

    def answer(self, connection, asked, frame):
        if connection.site == "a" or not is_key(frame):
            return frame
        key = key_of(frame)
        return with_key(frame, key[:-1] + bytes([key[-1] ^ 1]))


class StreamsEndWithTheirConnection(Sound):
    """A lost connection closes what was opened over it."""

    def answer(self, connection, asked, frame):
        if has_terms(frame):
            connection.streams.append(frame.ksid)
        return frame

    def gone(self, connection):
        with connection.proxy.reach(connection.sae) as closing:
            for ksid in connection.streams:
                closing.sendall(Frame(b"\1\0\1", CLOSE, ksid).octets())
                closing.recv(12)


class NeedsWholeRequests(Sound):
    """Takes what one read gives for a whole request."""
    whole_reads = True


class NeverTellsThatNobodyIsThere(Sound):
    """Status 0 where 1 is due."""

    def answer(self, connection, asked, frame):
        if has_terms(frame) and frame.status == 1:
            return frame.with_number(0, SUCCESS)
        return frame


class WaitsForGigabytes(Sound):
    """Believes any payload length and waits for so much."""
    believes_lengths = True


class SecondGetsItsOwnQos(Sound):
    """Who joins a stream is told what it asked for itself."""

    def answer(self, connection, asked, frame):
        if not has_terms(frame) or asked.ksid == bytes(16) or frame.status != SUCCESS:
            return frame
        return frame.with_number(4 + QOS["ttl"], asked.number(qos_at(asked) + QOS["ttl"]))


class AgeIsTheTimeOfDay(Sound):
    """Metadata has the milliseconds since 1970 for an age."""

    def answer(self, connection, asked, frame):
        end = KEY + frame.number(KEY_LENGTH) if is_key(frame) else 0
        if end == 0 or frame.number(end) == 0 or asked.number(ROOM) < 100:
            return frame
        metadata = b'{"age": %d, "hops": 0}' % (time.time() * 1000)
        return frame.with_payload(frame.payload[:end] + struct.pack(">I", len(metadata)) + metadata)


class CloseAlwaysSucceeds(Sound):
    """Status 0 for a CLOSE of what is closed."""

    def answer(self, connection, asked, frame):
        return frame.with_payload(bytes(4)) if frame.service == CLOSE + 1 else frame


class NoKeyInsteadOfTimeout(Sound):
    """Says at the Timeout that there is not enough key."""

    def answer(self, connection, asked, frame):
        late = asked.service == GET_KEY and frame.status == 6
        return frame.with_number(0, 2) if late else frame


class OpensAgainWhatIsInUse(Sound):
    """Whoever opens a stream that both have opened joins it, too."""

    def answer(self, connection, asked, frame):
        if asked.service == OPEN_CONNECT and frame.status == 5 and connection.sae == "bob":
            qos = asked.payload[qos_at(asked):-16]
            return frame.with_payload(struct.pack(">I", SUCCESS) + qos + asked.ksid)
        return frame


class MutatesAnswers(Sound):
    """Changes octets of a third of its answers, and their lengths; the same ones for each seed."""

    def __init__(self, seed):
        super().__init__()
        self._random = random.Random(seed)
        self.mutated = 0

    def answer(self, connection, asked, frame):
        with self.lock:
            if self._random.randrange(3) > 0:
                return frame
            self.mutated += 1
            payload = bytearray(frame.payload)
            for _ in range(self._random.randrange(1, 5)):
                payload[self._random.randrange(len(payload))] = self._random.randrange(256)
            cut = self._random.choice((0, 0, 1, 4, len(payload)))
            payload = payload[:len(payload) - cut] + self._random.randbytes(
                self._random.choice((0, 0, 1, 4, 60000)))
            return Frame(frame.version, self._random.choice((frame.service, 0)), bytes(payload))
