# SPDX-License-Identifier: BSD-3-Clause
"""reload: what full-table swaps cost the traffic, and how long until a change is in force.

Effective blocked time as FD.io CSIT's reconfiguration tests define it: packets lost ÷ rate offered. Runs without swaps take
turns with runs with them, and each is cut into windows, so that what the machine itself loses can be told from what a swap
loses: in a window in which the worker's CPU was there all the time, nothing may be lost.
"""
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import lab
from harness.bench import Context
from harness.host import HostError, cpu_other
from harness.lab import Distance, Dwcp, Generator, LossFree, Publisher, Tables

NAME = "reload"
HELP = "blocked time, loss and adoption time of full-table swaps at 90 % of the loss-free rate"
TARGETS = [*lab.TARGETS, *lab.RELOAD_TARGETS, "control/dwcp-agent"]

ADOPT_S = 60.0
TRIES = 4
PRESENT_MIN = 5  # windows without an absence of the worker that a verdict needs
WINDOW_S = 0.15


@dataclass
class Window:
    """A short run: short enough that the worker's CPU is there all the time in many of them."""
    traffic: dict
    gaps: int  # of 100 us or longer, by the worker's own clock
    swaps: int


@dataclass
class Sample:
    windows: list[Window]
    swaps: dict | None

    def total(self, key: str) -> int:
        return sum(w.traffic[key] for w in self.windows)

    @property
    def offered_pps(self) -> float:
        return self.total("sent") / self.seconds

    @property
    def seconds(self) -> float:
        return sum(w.traffic["sent"] / w.traffic["offered_pps"] for w in self.windows)

    def present(self) -> list[Window]:
        """Those in which the worker was there all the time, and, where there were to be swaps, a swap as well."""
        return [w for w in self.windows if w.gaps == 0 and (w.swaps or not self.swaps)]


@dataclass
class Swaps:
    """One dataplane; runs with and without swaps in turn, at one rate for all or at 90 % of what it does now."""
    ctx: Context
    d: Dwcp
    args: Sequence[str]
    generations: Sequence[Path]
    rounds: int
    seconds: float
    fixed_pps: float = 0
    huge: bool = False
    thrown: int = 0

    def window(self, gen: Generator, rate: float) -> Window:
        gaps, swaps = self.d.gaps(), self.d.adoptions()
        r = gen.run(rate, WINDOW_S)
        return Window(r, self.d.gaps().since(gaps).n, self.d.adoptions() - swaps)

    def windows(self, gen: Generator, rate: float, seconds: float) -> list[Window]:
        end = time.monotonic() + seconds
        found = []
        while not found or time.monotonic() < end:
            found.append(self.window(gen, rate))
        return found

    def sample_at(self, gen: Generator, rate: float, per_s: float) -> Sample:
        if per_s == 0:
            return Sample(self.windows(gen, rate, self.seconds), None)
        # few swaps a second: longer, for as many windows with one
        seconds = self.seconds * (4 if per_s < 10 else 1)
        with Publisher(self.ctx, self.d, self.generations, per_s, seconds, self.huge) as p:
            s = Sample(self.windows(gen, rate, seconds), p.result(seconds + 30))
        if not s.swaps["swaps"]:
            raise HostError("the publisher has swapped no table")
        return s

    def sample(self, gen: Generator, free: LossFree, per_s: float) -> Sample | None:
        """At 90 %: only what lies between two trials of that rate that lost nothing."""
        if self.fixed_pps:
            return self.sample_at(gen, self.fixed_pps, per_s)
        for attempt in range(TRIES):
            s = self.sample_at(gen, free.rate(), per_s)
            if free.holds():
                return s
            self.thrown += 1
        return None

    def run(self, suffix: str, per_second: Sequence[float]) -> None:
        found: dict[float, list[Sample]] = {}
        with self.d, Generator(self.ctx, self.d, self.args) as gen:
            free = LossFree(self.d, gen)
            for _ in range(self.rounds):
                for per_s in per_second:
                    s = self.sample(gen, free, per_s)
                    found.setdefault(per_s, []).extend([s] if s else [])
        for per_s, samples in found.items():
            self.rows(f"swaps-{per_s:g}{suffix}", samples)
        if not self.fixed_pps:
            self.ctx.say(f"{free.searches} searches for the loss-free rate, last {free.pps / 1e6:.2f} Mpps; {self.thrown} runs "
                         f"thrown away because 90 % of it lost packets afterwards; {free.excuses.text()}")

    def rows(self, case: str, samples: Sequence[Sample]) -> None:
        def row(unit: str, values: Sequence[float]) -> None:
            self.ctx.row(case, "dwcp", unit, values)
        if not samples:
            self.ctx.say(f"{case}: no run in which 90 % of the loss-free rate lost nothing before and after: no rows")
            return
        row("Mpps", [s.offered_pps / 1e6 for s in samples])
        row("lost", [s.total("lost") for s in samples])
        # without enough of them it is not measured, which no budget takes for a pass
        if sum(len(s.present()) for s in samples) >= PRESENT_MIN:
            row("lost_present", [sum(w.traffic["lost"] for w in s.present()) for s in samples])
        row("blocked_us", [s.total("lost") / s.offered_pps * 1e6 for s in samples])
        row("gaps/s", [sum(w.gaps for w in s.windows) / s.seconds for s in samples])
        swaps = [s.swaps for s in samples if s.swaps]
        if swaps:
            row("swaps/s", [s["swaps_per_s"] for s in swaps])
            row("adopt_ms", [s["adopt_us"]["p50"] / 1e3 for s in swaps])
            row("adopt_max_ms", [s["adopt_us"]["max"] / 1e3 for s in swaps])
        self.say(case, [w for s in samples for w in s.windows], swaps)

    def say(self, case: str, windows: Sequence[Window], swaps: Sequence[dict]) -> None:
        text = []
        for what, some in (("with", [w for w in windows if w.swaps]), ("without", [w for w in windows if not w.swaps])):
            there = [w for w in some if w.gaps == 0]
            if some:
                text.append(f"{len(some)} windows {what} swaps, {sum(w.traffic['lost'] > 0 for w in some)} lost packets; worker "
                            f"there all the time in {len(there)}, {sum(w.traffic['lost'] > 0 for w in there)} lost packets")
        if swaps:
            text.append(f"{sum(s['swaps'] for s in swaps)} swaps of {swaps[0]['table_bytes'] / 2**20:.1f} MiB, of which "
                        f"{swaps[0]['shared_fib_bytes']} bytes of FIB were there already")
        self.ctx.say(f"{case}: {'; '.join(text)}")


class Agent:
    """The real agent beside a dataplane."""

    def __init__(self, ctx: Context, d: Dwcp, routes: Path) -> None:
        self.ctx, self.d = ctx, d
        self.table = d.dir / "table.routes"
        os.link(routes, self.table)
        with open(d.config, "a", encoding="utf-8") as f:
            print(f'route_files: ( {{ name = "table"; path = "{self.table}"; }} );', file=f)

    def __enter__(self) -> "Agent":
        self.proc = self.ctx.host.start([self.ctx.program("control/dwcp-agent"), "--config", str(self.d.config)], "agent",
                                        cpus=[cpu_other()])
        self.wait(0)
        return self

    def __exit__(self, *_: object) -> None:
        self.ctx.host.stop(self.proc)

    def adopted(self) -> dict:
        """The newest generation that every worker uses."""
        rows = self.d.get("/v1/tables/history?limit=1")["history"]
        return rows[0] if rows else {"generation": 0, "result": "none"}

    def wait(self, before: int) -> dict:
        end = time.monotonic() + ADOPT_S
        while time.monotonic() < end:
            row = self.adopted()
            if row["generation"] > before and row["result"] == "adopted":
                return row
            time.sleep(0.01)
        raise HostError(f"no generation after {before} was adopted:\\n{self.proc.tail()}")

    def call(self, method: str, target: str, body: str | None = None) -> None:
        socket = self.d.run / "agent.sock"
        revision = lab.api(socket, "GET", "/v1/status")[1]["intent_revision"] if "reload" not in target else None
        status, answer = lab.api(socket, method, target, body, revision)
        if status != 200:
            raise HostError(f"dwcp-agent: {method} {target}: {status} {answer}")

    def change(self, act: Callable[[], None]) -> float:
        """Last input event → adopted by every worker, ms."""
        before = self.adopted()["generation"]
        act()
        return self.wait(before)["event_to_adopted_us"] / 1e3

    def table_replace(self, routes: Path) -> float:
        def act() -> None:
            temporary = self.table.with_suffix(".new")
            os.link(routes, temporary)
            temporary.replace(self.table)
            self.call("POST", "/v1/config/reload")
        return self.change(act)

    def route(self, i: int) -> float:
        prefix = f"198.18.{i // 2 % 256}.0/24"
        if i % 2:
            return self.change(lambda: self.call("DELETE", f"/v1/routes?prefix={prefix}"))
        body = f'{{"prefix": "{prefix}", "type": "unicast", "paths": [{{"gateway": "10.0.2.{lab.FIRST_HOP + i % 64}"}}]}}'
        return self.change(lambda: self.call("PUT", "/v1/routes", body))


def _agent(ctx: Context, routes: Sequence[Path]) -> None:
    d = Dwcp(ctx, "dwcp-agent")
    agent = Agent(ctx, d, routes[0])
    n_full, n_routes = (1, 4) if ctx.quick else (5, 40)
    with d, agent:
        ctx.row("agent-full", "dwcp", "ms", [agent.table_replace(routes[(k + 1) % 2]) for k in range(n_full)])
        ctx.row("agent-route", "dwcp", "ms", [agent.route(i) for i in range(n_routes)])


def run(ctx: Context) -> None:
    t = Tables.of(ctx)
    distance = Distance(ctx)
    args = [*lab.FRAMES["64B"], "--destinations", str(t.destinations("full", t.full))]
    routes = [t.routes(f"full{k}", t.full, k) for k in (1, 2)]
    rounds, seconds = (1, 0.7) if ctx.quick else (5, 3.0)
    parts = [("share", "", "", 0.0, (0, 1, 10, 100)), ("1Mpps", "-1Mpps", "", 1e6, (0, 10, 100)),
             ("huge", "-huge", "agent: { chunk_kb = 2048; };", 0.0, (0, 10))]
    for name, suffix, extra, fixed, per_second in parts:
        if ctx.only not in name or (ctx.quick and name != "share"):
            continue
        d = Dwcp(ctx, f"dwcp-{name}", extra=extra)
        generations = [d.build(r, d.dir / f"generation{k}") for k, r in enumerate(routes)]
        (d.state / "generation").write_bytes(generations[0].read_bytes())
        distance.near(lab.PATIENCE_S)
        swaps = Swaps(ctx, d, args, generations, rounds, seconds, fixed, huge=name == "huge")
        swaps.run(suffix, (1, 10) if ctx.quick else per_second)
    if ctx.only in "agent":
        _agent(ctx, routes)
