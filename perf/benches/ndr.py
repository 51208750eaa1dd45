# SPDX-License-Identifier: BSD-3-Clause
"""ndr: the highest rate that loses nothing (RFC 2544 throughput), over memif, from a free-running generator.

Forwarders take turns within a round, so that what the machine does meanwhile meets all of them.
"""
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import lab
from harness.bench import Context
from harness.lab import Dwcp, Excuses, Forwarder, Generator, L3fwd, Tables, Testpmd

NAME = "ndr"
HELP = "the highest rate without loss, over memif, beside testpmd and l3fwd"
TARGETS = lab.TARGETS

RESOLUTION = 0.02


@dataclass(frozen=True)
class Case:
    name: str
    frames: str
    destinations: Path
    subjects: Sequence[Forwarder]
    quick: bool = False


def _cases(ctx: Context) -> list[Case]:
    t = Tables(ctx)
    small, full = t.destinations("small", t.small), t.destinations("full", t.full)
    ours = Dwcp(ctx, "dwcp")
    ours.build(t.routes("small", t.small))
    ours_full = Dwcp(ctx, "dwcp-full")
    ours_full.build(t.routes("full", t.full))
    floor, macswap = Testpmd(ctx, "io"), Testpmd(ctx, "macswap")
    peers: list[Forwarder] = [floor, macswap]
    if Path(ctx.program("perf/peers/l3fwd")).exists():
        peers.append(L3fwd(ctx, "l3fwd-lpm", "lpm", t.small))
    else:
        ctx.say("without l3fwd: build/perf/peers/l3fwd is not built (perf/peers/build)")
    cases = []
    for size in lab.FRAMES:
        cases.append(Case(f"{size}-1k", size, small, [ours, *peers], size == "64B"))
        cases.append(Case(f"{size}-full", size, full, [ours_full], size == "64B"))
    return cases


def _limit(ctx: Context, case: Case, ours: float, generator: float) -> None:
    """Whose limit is it? Below nine tenths of what the generator manages against a forwarder that does nothing: ours."""
    share = ours / generator if generator else 0
    who = "the worker's" if share < 0.9 else "the generator's"
    ctx.say(f"{case.name}: the limit is {who}: {ours / 1e6:.2f} of {generator / 1e6:.2f} Mpps against testpmd io")


def _measure(ctx: Context, case: Case, rounds: int, seconds: float, generator_max: dict[str, float]) -> None:
    found: dict[str, list[float]] = {}
    excuses = {s.name: Excuses() for s in case.subjects}
    for _ in range(rounds):
        for s in case.subjects:
            args = [*lab.FRAMES[case.frames], "--destinations", str(case.destinations)]
            with s, Generator(ctx, s, args) as gen:
                best = lab.search(s, gen, seconds, RESOLUTION, excuses[s.name])
            found.setdefault(s.name, []).append(best.pps / 1e6)
            if s.name.startswith("testpmd-io"):
                generator_max[case.frames] = max(generator_max.get(case.frames, 0), best.highest_offered)
                found.setdefault("generator-max", []).append(best.highest_offered / 1e6)
    for name, samples in found.items():
        ctx.row(case.name, name, "Mpps", samples)
    for name, e in excuses.items():
        ctx.say(f"{case.name}: {name}: {e.text()}")
    ours = max(x for n, xs in found.items() if n.startswith("dwcp") for x in xs)
    _limit(ctx, case, ours * 1e6, generator_max.get(case.frames, 0))


def run(ctx: Context) -> None:
    only = os.environ.get("PERF_NDR_CASES", "").split()
    rounds, seconds = (1, 0.25) if ctx.quick else (3, 1.0)
    generator_max: dict[str, float] = {}
    for case in _cases(ctx):
        if (case.quick or not ctx.quick) and (not only or case.name in only):
            _measure(ctx, case, rounds, seconds, generator_max)
