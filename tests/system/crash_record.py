# SPDX-License-Identifier: Apache-2.0
"""What two key servers have delivered, kept as hashes, and what must never be seen in it."""
import collections
import hashlib
import threading
import time

BLOCK_BYTES = 32


def digest(octets):
    return hashlib.sha256(octets).digest()


class Record:
    """Everything that any SAE has received at a side, by name: ("014", key ID) or
    ("004", KSID, index). `faults` are sentences; empty is good."""

    def __init__(self):
        self._lock = threading.Lock()
        self._delivered = {"a": {}, "b": {}}
        self._blocks = {"a": set(), "b": set()}
        self.faults = []
        self.counts = collections.Counter()
        # Keys that an initiator has and its responder has not: name -> (when, bits, side).
        self.reserved = {}
        self._claimed = {"a": collections.deque(maxlen=50), "b": collections.deque(maxlen=50)}
        self._doubtful = set()  # a claim was sent and its answer never came
        self.lost = []  # (age at the crash in seconds, bits) of each key that nobody can claim

    def deliver(self, side, name, octets):
        """Notes what an SAE was given at a side."""
        other = "b" if side == "a" else "a"
        value = digest(octets)
        pieces = {digest(octets[at:at + BLOCK_BYTES])
                  for at in range(0, len(octets) - BLOCK_BYTES + 1, BLOCK_BYTES)}
        with self._lock:
            self.counts[f"{name[0]} delivered"] += 1
            if name in self._delivered[side]:
                self.faults.append(f"{name} was delivered twice at {side}")
            if pieces & self._blocks[side]:
                self.faults.append(f"octets of {name} were delivered before at {side}")
            self._delivered[side][name] = value
            self._blocks[side] |= pieces
            if name in self._delivered[other]:
                self.counts[f"{name[0]} pairs"] += 1
                if self._delivered[other][name] != value:
                    self.faults.append(f"the two ends of {name} differ")

    def reserve(self, side, name, octets):
        """An initiator's key, which its responder may now claim."""
        with self._lock:
            self.reserved[name] = (time.monotonic(), len(octets) * 8, side)
        self.deliver(side, name, octets)

    def claim(self, side, name, octets):
        with self._lock:
            self.reserved.pop(name, None)
            self._doubtful.discard(name)
            self._claimed[side].append(name)
        self.deliver(side, name, octets)

    def recent_claims(self, side, number):
        """Keys that responders at a side have, spread over the last ones."""
        with self._lock:
            return list(self._claimed[side])[::max(1, len(self._claimed[side]) // number)][:number]

    def doubt(self, names):
        """Claims whose answer was cut off: they may have been delivered, or not."""
        with self._lock:
            self._doubtful.update(names)

    def give_up(self, name, crash):
        """A claim was refused although all is well again."""
        with self._lock:
            reserved_at, bits, _ = self.reserved.pop(name)
            if name in self._doubtful:
                self._doubtful.discard(name)
                self.counts["014 answers cut off"] += 1
            else:
                self.counts["014 lost"] += 1
                self.lost.append((crash - reserved_at, bits))

    def fault(self, sentence):
        with self._lock:
            self.faults.append(sentence)

    def count(self, what, number=1):
        with self._lock:
            self.counts[what] += number

    def unclaimed(self, initiator_side):
        """Names of keys that initiators of a side have reserved."""
        with self._lock:
            return [name for name, (_, _, side) in self.reserved.items() if side == initiator_side]
