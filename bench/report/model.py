# SPDX-License-Identifier: Apache-2.0
"""What a report is made of."""
import dataclasses
import operator

HOLDS = {"at most": operator.le, "at least": operator.ge, "exactly": operator.eq}


@dataclasses.dataclass(frozen=True)
class Claim:
    """A promise, and what was measured; claims of one text are one promise. `number` is its place
    in the list of promises, `how` one of HOLDS; `base` is what `arm` is compared with."""
    number: int
    text: str
    how: str
    bound: float
    measured: float
    arm: str
    base: str
    unit: str = ""

    @property
    def held(self):
        return HOLDS[self.how](self.measured, self.bound)

    @property
    def strain(self):
        """How near the bound is; of several arms the one with the most is the worst."""
        if self.how == "exactly":
            return abs(self.measured - self.bound)
        return self.measured / self.bound if self.how == "at most" else -self.measured


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of texts or numbers below a head."""
    head: tuple
    rows: list


@dataclasses.dataclass(frozen=True)
class Chart:
    """An SVG file; `alt` says in words what it shows."""
    name: str
    alt: str
    svg: str


@dataclasses.dataclass
class Section:
    """`parts` are paragraphs, Tables and Charts in their order; `figures` goes into the JSON."""
    title: str
    parts: list = dataclasses.field(default_factory=list)
    claims: list = dataclasses.field(default_factory=list)
    figures: dict = dataclasses.field(default_factory=dict)
    failed: str = ""  # why there are no figures


@dataclasses.dataclass(frozen=True)
class Scale:
    """How much is measured."""
    handshakes: int
    fresh: int          # handshakes in new processes
    slow: int           # handshakes beside each delay without a pool
    paced: int          # handshakes beside each delay with one
    far: int
    slices: int         # of processes side by side
    slice_handshakes: int
    counted: int
    outages: int
    failing: int        # failed handshakes in each outage
    hellos: int
    hellos_limit_ms: int
    streams: int        # calls beside open streams
    flood_rate_per_s: int


FULL = Scale(handshakes=1000, fresh=300, slow=20, paced=200, far=150, slices=10,
             slice_handshakes=50, counted=1000, outages=8, failing=200, hellos=10000,
             hellos_limit_ms=25000, streams=3000, flood_rate_per_s=1000)
QUICK = Scale(handshakes=20, fresh=5, slow=2, paced=10, far=5, slices=2, slice_handshakes=5,
              counted=40, outages=1, failing=10, hellos=200, hellos_limit_ms=2000, streams=100,
              flood_rate_per_s=200)
