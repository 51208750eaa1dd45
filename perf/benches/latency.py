# SPDX-License-Identifier: BSD-3-Clause
"""latency: from before a packet is sent to after it came back, at shares of the loss-free rate; also while tables are swapped.

A run counts only when 90 % of the loss-free rate loses nothing before and after it; those of a machine that was much slower
than in other rounds are left out, and told. Beside it testpmd io, at the same shares of its own rate.
"""
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from harness import distance, generator, publisher, routers
from harness.bench import Context
from harness.distance import Distance
from harness.generator import FRAMES, Generator
from harness.host import HostError
from harness.lossfree import LossFree, steady
from harness.publisher import Publisher
from harness.routers import Dwcp, Forwarder, Testpmd
from harness.tables import Tables

NAME = "latency"
HELP = "rx to tx percentiles at 10, 50, 90 % of the loss-free rate, idle poll and adaptive, and during swaps"
TARGETS = [*routers.TARGETS, *generator.TARGETS, *distance.TARGETS, *publisher.TARGETS]
MINUTES = 4

SHARES = (10, 50, 90)
PERCENTILES = ("p50", "p99", "p999", "max")
SWAPS_PER_S = 10.0
TRIES = 3


@dataclass
class Sample:
    pps: float  # loss-free rate of then
    by_share: dict[int, dict]


@dataclass
class Bench:
    ctx: Context
    distance: Distance
    args: Sequence[str]
    shares: Sequence[int]
    seconds: float
    unsteady: int = 0

    def shares_run(self, s: Forwarder, gen: Generator, pps: float, swap: Sequence[Path]) -> dict[int, dict]:
        found = {}
        for share in self.shares:
            with Publisher(self.ctx, s.dir / "run", swap, SWAPS_PER_S, self.seconds + 1) if swap else nullcontext() as p:
                found[share] = gen.run(pps * share / 100, self.seconds)
                if p and not p.result(self.seconds + 30)["swaps"]:
                    raise HostError("the publisher has swapped no table")
        return found

    def sample(self, s: Forwarder, swap: Sequence[Path]) -> Sample | None:
        self.distance.near(distance.PATIENCE_S)
        with s, Generator(self.ctx, s, self.args) as gen:
            free = LossFree(s, gen)
            for _ in range(1 if self.ctx.late else TRIES):
                pps = free.rate() / free.SHARE
                sample = Sample(pps, self.shares_run(s, gen, pps, swap))
                if free.holds():
                    return sample
                self.unsteady += 1
        return None


def run(ctx: Context) -> None:
    rounds, seconds = (1, 0.4) if ctx.quick else (3, 1.0)
    t = Tables.of(ctx)
    args = [*FRAMES["64B"], "--destinations", str(t.destinations("full", t.full))]
    poll, adaptive, floor = Dwcp(ctx, "dwcp"), Dwcp(ctx, "dwcp-adaptive", idle="adaptive"), Testpmd(ctx, "io")
    generations = [poll.build(t.routes(f"full{k}", t.full, k), poll.dir / f"generation{k}") for k in (1, 2)]
    for d in (poll, adaptive):
        (d.state / "generation").write_bytes(generations[0].read_bytes())
    bench = Bench(ctx, Distance(ctx), args, (50,) if ctx.quick else SHARES, seconds)
    cases: list[tuple[str, str, Forwarder, Sequence[Path]]] = [
        ("plain", "testpmd-io", floor, []), ("poll", "dwcp", poll, []), ("adaptive", "dwcp", adaptive, []),
        ("swaps", "dwcp", poll, generations)]
    cases = [c for c in cases if ctx.only in c[0]]
    found: dict[str, list[Sample]] = {}
    for _ in range(rounds):
        for name, _, s, swap in cases:
            if ctx.late and found.get(name):
                continue
            sample = bench.sample(s, swap)
            found.setdefault(name, []).extend([sample] if sample else [])
    for name, subject, _, _ in cases:
        if not found[name]:
            ctx.say(f"{name}: no run in which 90 % of the loss-free rate lost nothing before and after: no rows")
            continue
        kept = steady(found[name], lambda s: s.pps)
        for share in bench.shares:
            for p in PERCENTILES:
                ctx.row(f"{name}-{share}", subject, f"{p}_us", [s.by_share[share]["latency_ns"][p] / 1e3 for s in kept])
        lost = {share: [s.by_share[share]["lost"] for s in kept] for share in bench.shares}
        ctx.say(f"{name}: loss-free {', '.join(f'{s.pps / 1e6:.2f}' for s in kept)} Mpps, left out "
                f"{len(found[name]) - len(kept)}; lost {lost}")
    ctx.say(f"{bench.unsteady} runs repeated because 90 % of the loss-free rate lost packets afterwards")
