# SPDX-License-Identifier: BSD-3-Clause
"""reload: what full-table swaps cost the traffic, and how long until a change is in force.

The packets of swaps-N come by the clock into a receive ring in the dataplane's process (harness/paced.py), at 90 % of what
the worker keeps up with; losses and absences that begin within swaps are held against those outside (harness/excess.py).
Tables are on 2 MB pages, as on a machine that has some free; swaps-10-small: as on one that has none, packets included.
At 1 Mpps, between two memif ports, the rings outlast the machine's absences: there nothing may be lost at all.
"""
import random
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from harness import agent, frames, generator, publisher, routers
from harness.agent import Agent
from harness.bench import Context
from harness.excess import Count, Event, losses, stalls, within
from harness.forwarders import Load, dwcp_config
from harness.generator import FRAMES, Generator
from harness.host import HostError
from harness.paced import Paced, Run
from harness.publisher import Publisher
from harness.routers import Dwcp
from harness.tables import SEED, Tables

NAME = "reload"
HELP = "loss, absences, speed and adoption time under full-table swaps"
TARGETS = [*routers.TARGETS, *generator.TARGETS, *publisher.TARGETS, *agent.TARGETS, "perf/source/libsource.so"]
MINUTES = 6

RING = 4096
SHARE = 0.9
LOOK_S = 1.5
KEPT_UP = 0.1  # of 10 ms windows may have been slower
REST_S = 0.25  # at 100 a second swaps fill the time: they rest as long as they go on, so that there is an outside
SPARSE = 50  # a second: up to here each swap has a period of its own
N_FLOWS = 1 << 16
RATES = {1: 10.0, 10: 5.0, 100: 3.0}  # swaps a second: seconds of a run
PLAIN_S = 3.0


@dataclass
class Sample:
    run: Run
    times: Sequence[tuple[int, int, int]]  # of each swap, CLOCK_MONOTONIC: first byte sent, in force, old tables gone
    swaps: dict
    per_s: float

    @property
    def period(self) -> int:
        """Slices in which a swap, or REST_S of them, could have come at any other moment."""
        seconds = 1 / self.per_s if 0 < self.per_s <= SPARSE else 2 * REST_S
        return int(seconds * 1e9 / self.run.slice_ns)

    def count(self, events: Callable[[Run], Sequence[Event]], into: Count | None = None) -> Count:
        into = into or Count()
        into.add(events(self.run), self.inside, self.period)
        return into

    @property
    def inside(self) -> bytearray:
        return within(self.run, [(begin, done) for begin, _, done in self.times])

    def wait_us(self, where: int) -> float | None:
        """What waited, in time: median over slices within (1) or outside (0)."""
        found = [waits for (_, waits, _, _), i in zip(self.run.slices, self.inside) if i == where]
        return statistics.median(found) / self.run.rate_pps * 1e6 if found else None


@dataclass
class Swaps:
    """One paced dataplane; runs without swaps and with so many a second in turn."""
    ctx: Context
    p: Paced
    run_dir: Path
    generations: Sequence[Path]

    def publisher(self, per_s: float, seconds: float) -> Publisher:
        rest = ["--rest", str(REST_S)] if per_s > SPARSE else ["--scatter"]
        return Publisher(self.ctx, self.run_dir, self.generations, per_s, seconds, ["--times", *rest])

    def rate(self) -> float:
        """90 % of what the worker keeps up with, without swaps, as of now."""
        return SHARE * sorted(self.p.speeds(LOOK_S))[int(KEPT_UP * LOOK_S / self.p.WINDOW_S)]

    def sample(self, per_s: float, seconds: float) -> Sample:
        rate = self.rate()
        with self.publisher(per_s, seconds + 1) if per_s else nullcontext() as pub:
            run = self.p.run(rate, RING, seconds)
            swaps = pub.result(seconds + 30) if pub else {}
        times = [t for t in swaps.pop("times_ns", []) if t[2] > run.begin_ns and run.at(t[0]) < len(run.slices)]
        if per_s and not times:
            raise HostError("the publisher has swapped no table")
        return Sample(run, times, swaps, per_s)

    def speed(self, seconds: float) -> float:
        """Packets taken in a slice within swaps ÷ outside, when there are always more."""
        with self.publisher(100, seconds + 1) as pub:
            run = self.p.run_most(seconds)
            times = pub.result(seconds + 30)["times_ns"]
        inside = within(run, [(t[0], t[2]) for t in times], 0)
        taken = [statistics.median(n for (_, n, _, _), i in zip(run.slices, inside) if i == where) for where in (1, 0)]
        return taken[0] / taken[1]

    def rows(self, case: str, samples: Sequence[Sample]) -> None:
        def row(unit: str, values: Sequence[float]) -> None:
            self.ctx.row(case, "dwcp", unit, values)
        runs = [s.run for s in samples]
        lost, gone = Count(), Count()
        for s in samples:
            s.count(losses, lost)
            s.count(stalls, gone)
        row("Mpps", [r.arrived / r.seconds / 1e6 for r in runs])
        row("lost", [r.lost for r in runs])
        row("blocked_us", [r.lost / r.rate_pps * 1e6 for r in runs])
        row("forwarded_wrong", [abs(r.given - r.returned) + r.disorder for r in runs])
        row("losses/s", [len(losses(r)) / r.seconds for r in runs])
        row("stalls/s", [len(stalls(r)) / r.seconds for r in runs])
        row("wait_us", [s.wait_us(0) for s in samples])
        off = [f for r in runs for (_, _, gap, f) in r.slices if gap >= 100000]
        self.ctx.say(f"{case}: losses: {lost.text()}; absences: {gone.text()}; in {sum(f >= 50000 for f in off)} of "
                     f"{len(off)} the kernel says that the thread had no CPU for 50 us or longer")
        if samples[0].times:
            row("loss_p", [lost.p])
            row("stall_p", [gone.p])
            row("wait_swap_us", [s.wait_us(1) for s in samples])
            row("swaps/s", [len(s.times) / s.run.seconds * (2 if "-100" in case else 1) for s in samples])
            row("adopt_ms", [s.swaps["adopt_us"]["p50"] / 1e3 for s in samples])
            row("adopt_max_ms", [s.swaps["adopt_us"]["max"] / 1e3 for s in samples])

    def measure(self, suffix: str, rounds: int, seconds_of: dict[int, float]) -> None:
        found: dict[int, list[Sample]] = {}
        for n in range(rounds):
            if found and self.ctx.late:
                break
            for per_s, seconds in seconds_of.items():
                found.setdefault(per_s, []).append(self.sample(per_s, seconds))
            self.ctx.say(f"round {n + 1} of {rounds}: {', '.join(f'{s[-1].run.rate_pps / 1e6:.1f}' for s in found.values())} Mpps")
        for per_s, samples in found.items():
            self.rows(f"swaps-{per_s}{suffix}", samples)


def paced_dataplane(ctx: Context, t: Tables, name: str, huge: str = "on",
                    preload: Sequence[str] = ()) -> tuple[Paced, Path, list[Path]]:
    """Not started yet; its run directory; two full generations, the first of which it has from the start."""
    source = t.dir / "paced.source"
    if not source.exists():
        dst = frames.destinations(random.Random(SEED), 4, t.full[4], N_FLOWS)
        frames.source_write(source, 4, dst, [60])
    path = ctx.host.tmp / name
    config = dwcp_config(ctx, path, Load(source), huge)
    generations = []
    for k in (1, 2):
        generations.append(path / f"generation{k}")
        ctx.call([ctx.program("control/cli/dwcp-cli"), "tables", "build", "--config", str(config), "--routes",
                  str(t.routes(f"full{k}", t.full, k)), "--output", str(generations[-1])])
    (path / "state/generation").write_bytes(generations[0].read_bytes())
    argv = [ctx.program("dataplane/dwcp-dataplane"), "--config", str(config)]
    return Paced(ctx, name, argv, source, preload), path / "run", generations


def _paced(ctx: Context, t: Tables, name: str, suffix: str, seconds_of: dict[int, float], huge: str) -> None:
    rounds = 1 if ctx.quick else 5
    p, run_dir, generations = paced_dataplane(ctx, t, f"dwcp-{name}", huge)
    with p:
        swaps = Swaps(ctx, p, run_dir, generations)
        swaps.measure(suffix, rounds, seconds_of)
        if not suffix:
            ctx.row("speed-100", "dwcp", "ratio", [swaps.speed(2.0) for _ in range(rounds)])


def _fixed(ctx: Context, t: Tables) -> None:
    """1 Mpps over memif, a generator with sequence numbers on the other CPU."""
    rounds, seconds = (1, 1.0) if ctx.quick else (5, 3.0)
    d = Dwcp(ctx, "dwcp-1Mpps")
    generations = [d.build(t.routes(f"full{k}", t.full, k), d.dir / f"generation{k}") for k in (1, 2)]
    (d.state / "generation").write_bytes(generations[0].read_bytes())
    found: dict[float, list[tuple[dict, dict]]] = {}
    with d, Generator(ctx, d, [*FRAMES["64B"], "--destinations", str(t.destinations("full", t.full))]) as gen:
        for _ in range(rounds):
            for per_s in (0, 10, 100):
                with Publisher(ctx, d.run, generations, per_s, seconds + 0.5) if per_s else nullcontext() as p:
                    r = gen.run(1e6, seconds)
                    found.setdefault(per_s, []).append((r, p.result(seconds + 30) if p else {}))
    for per_s, samples in found.items():
        ctx.row(f"swaps-{per_s}-1Mpps", "dwcp", "Mpps", [r["offered_pps"] / 1e6 for r, _ in samples])
        ctx.row(f"swaps-{per_s}-1Mpps", "dwcp", "lost", [r["lost"] for r, _ in samples])
        if per_s:
            ctx.row(f"swaps-{per_s}-1Mpps", "dwcp", "swaps/s", [s["swaps_per_s"] for _, s in samples])


def _agent(ctx: Context, t: Tables) -> None:
    d = Dwcp(ctx, "dwcp-agent")
    routes = [t.routes(f"full{k}", t.full, k) for k in (1, 2)]
    a = Agent(ctx, d, routes[0])
    n_full, n_routes = (1, 4) if ctx.quick else (5, 40)
    with d, a:
        ctx.row("agent-full", "dwcp", "ms", [a.table_replace(routes[(k + 1) % 2]) for k in range(n_full)])
        ctx.row("agent-route", "dwcp", "ms", [a.route(i) for i in range(n_routes)])


def run(ctx: Context) -> None:
    t = Tables.of(ctx)
    seconds_of = {0: PLAIN_S, **RATES}
    if ctx.quick:
        seconds_of = {0: 1.0, 1: 2.0, 10: 1.0, 100: 1.0}
    if ctx.only in "paced":
        _paced(ctx, t, "paced", "", seconds_of, "on")
    if ctx.only in "small" and not ctx.quick:
        _paced(ctx, t, "small", "-small", {0: PLAIN_S, 10: RATES[10]}, "off")
    if ctx.only in "1Mpps":
        _fixed(ctx, t)
    if ctx.only in "agent":
        _agent(ctx, t)
