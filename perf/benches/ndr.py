# SPDX-License-Identifier: BSD-3-Clause
"""ndr: the highest rate that loses nothing (RFC 2544 throughput), over memif, from a free-running generator.

Forwarders take turns within a round, so that what the machine does meanwhile meets all of them. A search during which the
machine was much slower than in others is thrown away, told, and repeated.
"""
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import distance, generator, routers
from harness.bench import Context
from harness.distance import Distance
from harness.generator import FRAMES, Generator
from harness.lossfree import Excuses, Found, search, steady
from harness.routers import Dwcp, Forwarder, L3fwd, Testpmd
from harness.tables import Tables

NAME = "ndr"
HELP = "the highest rate without loss, over memif, beside testpmd and l3fwd"
TARGETS = [*routers.TARGETS, *generator.TARGETS, *distance.TARGETS]
MINUTES = 5

RESOLUTION = 0.02
EXTRA = 1  # round, for what was thrown away


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
    for size in FRAMES:
        cases.append(Case(f"{size}-1k", size, small, [ours, *peers], size == "64B"))
        cases.append(Case(f"{size}-full", size, full, [ours_full], size == "64B"))
    return cases


def _kept(found: Sequence[Found]) -> list[Found]:
    return steady(found, lambda f: f.speed)


@dataclass
class Bench:
    ctx: Context
    distance: Distance
    rounds: int
    seconds: float

    def search(self, case: Case, s: Forwarder, excuses: Excuses) -> Found:
        args = [*FRAMES[case.frames], "--destinations", str(case.destinations)]
        self.distance.near(distance.PATIENCE_S)
        with s, Generator(self.ctx, s, args) as gen:
            return search(s, gen, self.seconds, RESOLUTION, excuses)

    def measure(self, case: Case) -> None:
        found: dict[str, list[Found]] = {s.name: [] for s in case.subjects}
        excuses = {s.name: Excuses() for s in case.subjects}
        for turn in range(self.rounds + (0 if self.ctx.quick else EXTRA)):
            for s in case.subjects:
                if self.ctx.late and found[s.name]:
                    continue
                if turn < self.rounds or len(_kept(found[s.name])) < self.rounds:
                    found[s.name].append(self.search(case, s, excuses[s.name]))
        for name, all_found in found.items():
            kept = _kept(all_found)
            self.ctx.row(case.name, name, "Mpps", [f.pps / 1e6 for f in kept])
            limits = ", ".join(f"{n} × {w}" for w, n in sorted(Counter(f.limit for f in kept).items()))
            thrown = ", ".join(f"{f.pps / 1e6:.2f}" for f in all_found if f not in kept)
            self.ctx.say(f"{case.name}: {name}: limit: {limits}; {excuses[name].text()}"
                         + (f"; thrown away, the machine was slower: {thrown}" if thrown else ""))
            if name == "testpmd-io-32":
                self.ctx.row(case.name, "generator-max", "Mpps", [f.most_accepted / 1e6 for f in kept])


def run(ctx: Context) -> None:
    bench = Bench(ctx, Distance(ctx), *((1, 0.2) if ctx.quick else (3, 0.3)))
    for case in _cases(ctx):
        if (case.quick or not ctx.quick) and ctx.only in case.name:
            bench.measure(case)
