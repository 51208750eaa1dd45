# SPDX-License-Identifier: BSD-3-Clause
"""Do swaps cost packets, or does the machine? Events (losses, absences) of a run, those that begin within swaps counted
against those that begin outside of them, and how likely chance alone puts so many within.

Each swap comes at a random moment of its period, and a machine that takes the CPU away does not know it: had the swap come at
another moment, it would have met about as many events. So each is moved to another random moment of its own period, all of them
many times: p is how often as many events begin within the moved swaps as within the real ones. It is a randomisation
test: it asks nothing of the machine, neither steadiness nor events that are independent, as a binomial count would.
An event counts where it begins, so its own length favours neither side. No event is excused: what a swap causes lies
within it, and the moved ones miss it.
"""
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.paced import Run

STALL_NS = 100000
MERGE_MS = 3.0  # a full ring loses again and again until it has been emptied: one event
MARGIN_NS = 1000000  # behind the end of a swap
MOVES = 4999


@dataclass(frozen=True)
class Event:
    slice: int  # in which it begins
    lost: int


def _merge(found: Sequence[Event], merge: int) -> list[Event]:
    events: list[Event] = []
    last = -1 << 30
    for e in found:
        if e.slice - last > merge:
            events.append(e)
        else:
            events[-1] = Event(events[-1].slice, events[-1].lost + e.lost)
        last = e.slice
    return events


def losses(run: Run) -> list[Event]:
    """Where packets were lost: from the last poll before on."""
    found = [Event(max(0, i - int(gap / run.slice_ns)), lost)
             for i, (lost, _, gap, _) in enumerate(run.slices) if lost]
    return _merge(sorted(found, key=lambda e: e.slice), int(MERGE_MS * 1e6 / run.slice_ns))


def stalls(run: Run) -> list[Event]:
    """Where the worker did not poll for 100 us or longer."""
    return [Event(max(0, i - int(gap / run.slice_ns)), lost)
            for i, (lost, _, gap, _) in enumerate(run.slices) if gap >= STALL_NS]


def within(run: Run, spans: Sequence[tuple[int, int]], margin_ns: int = MARGIN_NS) -> bytearray:
    """One byte a slice: 1 where a span (CLOCK_MONOTONIC, from, to) is under way, a slice before and @margin_ns after included."""
    n = len(run.slices)
    inside = bytearray(n)
    for begin, end in spans:
        first, last = max(0, run.at(begin) - 1), min(n, run.at(end + margin_ns) + 1)
        if first < last:
            inside[first:last] = b"\1" * (last - first)
    return inside


@dataclass(frozen=True)
class Period:
    """A stretch of time in which the swap could have come at any other moment."""
    at: list[int]  # events
    inside: bytes


@dataclass
class Count:
    """Events within and outside of swaps, over runs."""
    periods: list[Period] = field(default_factory=list)

    def add(self, events: Sequence[Event], inside: bytearray, period: int) -> None:
        """@period: slices."""
        at = sorted(min(e.slice, len(inside) - 1) for e in events)
        for begin in range(0, len(inside), period):
            part = bytes(inside[begin:begin + period])
            self.periods.append(Period([a - begin for a in at if begin <= a < begin + period], part))

    @property
    def n(self) -> int:
        return sum(len(p.at) for p in self.periods)

    @property
    def inside(self) -> int:
        return sum(p.inside[a] for p in self.periods for a in p.at)

    @property
    def share(self) -> float:
        """Of the time that is within."""
        return sum(sum(p.inside) for p in self.periods) / max(1, sum(len(p.inside) for p in self.periods))

    @property
    def expected(self) -> float:
        """Within, by chance."""
        return sum(len(p.at) * sum(p.inside) / len(p.inside) for p in self.periods)

    @property
    def p(self) -> float:
        """How often swaps at other moments would have met as many events."""
        busy = [p for p in self.periods if p.at and any(p.inside)]
        rng, seen, reached = random.Random(MOVES), self.inside, 0
        for _ in range(MOVES if seen else 0):
            total = 0
            for period in busy:
                by, n = int(rng.random() * len(period.inside)), len(period.inside)
                total += sum(period.inside[(a + by) % n] for a in period.at)
            reached += total >= seen
        return (1 + reached) / (1 + MOVES) if seen else 1.0

    def text(self) -> str:
        return (f"{self.inside} of {self.n} begin within swaps, {self.expected:.1f} by chance "
                f"({self.share * 100:.1f} % of the time), p = {self.p:.2g}")
