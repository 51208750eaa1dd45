# SPDX-License-Identifier: BSD-3-Clause
"""Do swaps cost packets, or does the machine? Events (losses, absences) of a run, those that begin within swaps counted
against those that begin outside of them, and how likely chance alone puts so many within.

A machine that takes the CPU away does not know of swaps: had they been a little earlier or later, they would have met
about as many events. So the pattern of swaps is shifted along its run, at random and many times: p is how often as many
events begin within it as within the real one. Events that come in clusters do not matter to that, as they would to a
binomial count. An event counts where it begins, so its own length favours neither side. No event is excused: what a swap
causes lies within, and the shifted ones miss it.
"""
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.paced import Run

STALL_NS = 100000
MERGE_MS = 3.0  # a full ring loses again and again until it has been emptied: one event
MARGIN_NS = 1000000  # behind the end of a swap
SHIFTS = 4999


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


@dataclass
class Count:
    """Events within and outside, over runs."""
    runs: list[tuple[list[int], bytearray]] = field(default_factory=list)

    def add(self, events: Sequence[Event], inside: bytearray) -> None:
        self.runs.append(([min(e.slice, len(inside) - 1) for e in events], inside))

    @property
    def n(self) -> int:
        return sum(len(at) for at, _ in self.runs)

    @property
    def inside(self) -> int:
        return sum(inside[e] for at, inside in self.runs for e in at)

    @property
    def share(self) -> float:
        """Of the time that is within."""
        return sum(map(sum, (i for _, i in self.runs))) / max(1, sum(len(i) for _, i in self.runs))

    def _shifted(self, rng: random.Random) -> int:
        total = 0
        for at, inside in self.runs:
            by, n = rng.randrange(len(inside)), len(inside)
            total += sum(inside[(e + by) % n] for e in at)
        return total

    @property
    def p(self) -> float:
        """How often swaps at other moments, as many and as far apart, would have met as many events."""
        if not self.inside:
            return 1.0
        rng, seen = random.Random(SHIFTS), self.inside
        return (1 + sum(self._shifted(rng) >= seen for _ in range(SHIFTS))) / (1 + SHIFTS)

    def text(self) -> str:
        return (f"{self.inside} of {self.n} begin within swaps, {self.n * self.share:.1f} by chance "
                f"({self.share * 100:.1f} % of the time), p = {self.p:.2g}")
