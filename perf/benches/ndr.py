# SPDX-License-Identifier: BSD-3-Clause
"""ndr: the highest rate that loses nothing (RFC 2544 throughput), over memif, from a free-running generator.

Forwarders take turns within a round, so that what the machine does meanwhile meets all of them. A search during which the
two virtual CPUs were far apart is thrown away and repeated.
"""
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import lab
from harness.bench import Context
from harness.lab import Distance, Dwcp, Excuses, Forwarder, Found, Generator, L3fwd, Tables, Testpmd

NAME = "ndr"
HELP = "the highest rate without loss, over memif, beside testpmd and l3fwd"
TARGETS = lab.TARGETS

RESOLUTION = 0.02
TRIES = 3


@dataclass(frozen=True)
class Case:
    name: str
    frames: str
    destinations: Path
    subjects: Sequence[Forwarder]
    quick: bool = False


def _cases(ctx: Context) -> list[Case]:
    t = Tables.of(ctx)
    small, full = t.destinations("small", t.small), t.destinations("full", t.full)
    ours = Dwcp(ctx, "dwcp")
    ours.build(t.routes("small", t.small))
    ours_full = Dwcp(ctx, "dwcp-full")
    ours_full.build(t.routes("full", t.full))
    peers: list[Forwarder] = [Testpmd(ctx, "io"), *([] if ctx.quick else [Testpmd(ctx, "macswap")])]
    if Path(ctx.program("perf/peers/l3fwd")).exists():
        peers.append(L3fwd(ctx, "l3fwd-lpm", "lpm", t.small))
    else:
        ctx.say("without l3fwd: build/perf/peers/l3fwd is not built (perf/peers/build)")
    cases = []
    for size in lab.FRAMES:
        cases.append(Case(f"{size}-1k", size, small, [ours, *peers], size == "64B"))
        cases.append(Case(f"{size}-full", size, full, [ours_full], size == "64B"))
    return cases


@dataclass
class Bench:
    ctx: Context
    distance: Distance
    rounds: int
    seconds: float
    thrown: int = 0

    def search(self, case: Case, s: Forwarder, excuses: Excuses) -> Found:
        args = [*lab.FRAMES[case.frames], "--destinations", str(case.destinations)]
        for attempt in range(TRIES):
            near = self.distance.near(lab.PATIENCE_S)
            with s, Generator(self.ctx, s, args) as gen:
                best = lab.search(s, gen, self.seconds, RESOLUTION, excuses)
            near &= self.distance.near()
            if near or self.ctx.quick:
                return best
            self.thrown += 1
        self.ctx.say(f"{case.name}: {s.name}: the CPUs do not stay close together; measured far apart")
        return best

    def measure(self, case: Case) -> None:
        found: dict[str, list[float]] = {}
        limits: dict[str, list[str]] = {}
        excuses = {s.name: Excuses() for s in case.subjects}
        for _ in range(self.rounds):
            for s in case.subjects:
                best = self.search(case, s, excuses[s.name])
                found.setdefault(s.name, []).append(best.pps / 1e6)
                limits.setdefault(s.name, []).append(best.limit)
                if s.name == "testpmd-io-32":
                    found.setdefault("generator-max", []).append(best.highest_offered / 1e6)
        for name, samples in found.items():
            self.ctx.row(case.name, name, "Mpps", samples)
        for name, e in excuses.items():
            limit = ", ".join(f"{n} × {w}" for w, n in sorted(Counter(limits[name]).items()))
            self.ctx.say(f"{case.name}: {name}: limit: {limit}; {e.text()}")


def run(ctx: Context) -> None:
    bench = Bench(ctx, Distance(ctx), *((1, 0.2) if ctx.quick else (3, 0.5)))
    for case in _cases(ctx):
        if (case.quick or not ctx.quick) and ctx.only in case.name:
            bench.measure(case)
    ctx.say(f"{bench.thrown} searches thrown away because the CPUs were far apart; nearest {bench.distance.nearest:.0f} ns")
