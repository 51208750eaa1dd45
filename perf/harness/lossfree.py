# SPDX-License-Identifier: BSD-3-Clause
"""Trials, and the search for the highest rate that loses nothing (RFC 2544, 26.1)."""
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.generator import Generator
from harness.host import HostError
from harness.routers import Forwarder, Gaps


@dataclass
class Excuses:
    """Losses that the machine explains, counted: none is passed over in silence."""
    trials: int = 0
    repeated: int = 0
    given_up: int = 0
    why: dict[str, int] = field(default_factory=dict)

    def note(self, why: str) -> None:
        self.repeated += 1
        self.why[why] = self.why.get(why, 0) + 1

    def text(self) -> str:
        reasons = ", ".join(f"{n} × {w}" for w, n in sorted(self.why.items()))
        return (f"{self.trials} trials, {self.repeated} of them repeated{': ' if reasons else ''}{reasons}"
                f"{f'; {self.given_up} rates given up' if self.given_up else ''}")


def loss_explained(r: dict, gaps: Gaps) -> str | None:
    """Whether a CPU that was not there explains what a trial has lost; None: the forwarder is too slow.

    One that is too slow has its rings full all the time: then the longest wait is not far above what one packet in ten
    waits. One whose CPU was away makes a few packets wait long, and loses no more than arrives meanwhile. The generator's
    own absence is no excuse: what is not sent is not lost.
    """
    rate = r["offered_pps"]
    waits = r["latency_ns"]
    if gaps.long_ns * rate / 1e9 >= r["lost"]:
        return "worker away (its own gap counter)"
    if waits["max"] > 4 * waits["p90"] and 4 * waits["max"] * rate / 1e9 >= r["lost"]:
        return "worker away (a wait far beyond all others)"
    return None


def trial(router: Forwarder, gen: Generator, rate: float, seconds: float, excuses: Excuses, repeats: int = 8) -> dict:
    """One trial; again while it has lost packets for which the machine is to blame. The result has "explained"."""
    for attempt in range(repeats + 1):
        before = router.gaps()
        r = gen.run(rate, seconds)
        excuses.trials += 1
        r["explained"] = None
        if r["lost"] == 0:
            return r
        r["explained"] = loss_explained(r, router.gaps().since(before))
        if r["explained"] is None:
            return r
        if attempt < repeats:
            excuses.note(r["explained"])
    excuses.given_up += 1
    return r


@dataclass
class Found:
    """The result of a search: the highest rate that lost nothing, in packets offered a second, and what ended it.
    most_accepted: what the forwarder's ring took at full speed. speed: what came back at full speed, before or after, whichever is less: how fast the machine was meanwhile."""
    pps: float
    most_accepted: float
    limit: str
    speed: float


def _limit(r: dict, reached: bool) -> str:
    if r["lost"] == 0 and not reached:
        return "generator (sending)"
    return "forwarder" if r["rejected"] >= r["lost"] / 2 else "generator (receiving)"


def offered_present(r: dict) -> float:
    """Packets a second while the generator had its CPU: its clock stands still while it has not."""
    return r["sent"] / max(1e-9, r["sent"] / max(1.0, r["offered_pps"]) - r["away_us"] / 1e6)


def search(router: Forwarder, gen: Generator, seconds: float, resolution: float, excuses: Excuses,
           say: Callable[[str], None] = lambda _: None) -> Found:
    """RFC 2544 §26.1 by bisection: the highest rate without loss, to within the resolution."""
    most = gen.run(0, seconds)
    high = most["received_pps"] * 1.1
    pps, low, known_bad, limit = 0.0, 0.0, high, "generator (sending)"
    rate = most["received_pps"] * 0.8
    while known_bad - low > resolution * known_bad:
        r = trial(router, gen, rate, seconds, excuses)
        offered = offered_present(r)
        reached = offered >= rate * 0.98
        say(f"{rate / 1e6:.3f} Mpps: lost {r['lost']}{'' if reached else f', only {offered / 1e6:.3f} offered'}")
        if r["lost"] == 0:
            pps = max(pps, min(rate, offered))
        if r["lost"] == 0 and reached:
            low = rate
        else:
            known_bad, limit = rate, _limit(r, reached)
            low = max(low, min(pps, known_bad * 0.999)) if r["lost"] == 0 else low
        if low == 0 and known_bad < high / 1000:
            raise HostError(f"{router.name}: loses packets at any rate: {json.dumps(r)}")
        rate = (low + known_bad) / 2 if low else known_bad * 0.7
    speed = min(most["received_pps"], gen.run(0, seconds)["received_pps"])
    accepted = most["offered_pps"] * (1 - most["rejected"] / max(1, most["sent"]))
    return Found(pps, accepted, limit, speed)


STEADY = 0.75


def steady(found: Sequence[Any], speed: Callable[[Any], float]) -> list[Any]:
    """Those from when the machine was not much slower than it ever was."""
    return [f for f in found if speed(f) >= STEADY * max(map(speed, found))]


class LossFree:
    """The loss-free rate of a running forwarder as of now: a machine whose CPUs move has more than one."""
    TRIAL_S, RESOLUTION, SHARE = 0.25, 0.05, 0.9

    def __init__(self, router: Forwarder, gen: Generator) -> None:
        self.router, self.gen = router, gen
        self.pps = 0.0
        self.searches = 0
        self.excuses = Excuses()

    def holds(self) -> bool:
        """Does a trial at 90 % of it lose nothing?"""
        return trial(self.router, self.gen, self.SHARE * self.pps, self.TRIAL_S, self.excuses)["lost"] == 0

    def rate(self) -> float:
        """90 % of it; searched for when the one that is known holds no longer."""
        for _ in range(4):
            if self.pps and self.holds():
                break
            self.searches += 1
            self.pps = search(self.router, self.gen, self.TRIAL_S, self.RESOLUTION, self.excuses).pps
        return self.SHARE * self.pps
