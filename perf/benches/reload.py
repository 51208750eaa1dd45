# SPDX-License-Identifier: BSD-3-Clause
"""reload: what full-table swaps cost the traffic, and how long until a change is in force.

Effective blocked time as FD.io CSIT's reconfiguration tests define it: packets lost ÷ rate offered. Runs without swaps take
turns with runs with them, so that what the machine itself loses can be told from what a swap loses.
"""
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from harness import lab
from harness.bench import Context
from harness.host import HostError, cpu_other
from harness.lab import Distance, Dwcp, Excuses, Generator, Publisher, Tables

NAME = "reload"
HELP = "blocked time, loss and adoption time of full-table swaps at 90 % of the loss-free rate"
TARGETS = [*lab.TARGETS, *lab.RELOAD_TARGETS, "control/dwcp-agent"]

ADOPT_S = 60.0


def _swaps(ctx: Context, d: Dwcp, gen: Generator, generations: Sequence[Path], rate: float, per_s: float,
           seconds: float) -> tuple[dict, dict | None, int]:
    """Return: what the generator counted, what the publisher did, how many gaps of 100 us or longer the worker had."""
    def gaps() -> int:
        return sum(w["gaps"] for w in d.get("/v1/stats")["workers"])
    if per_s == 0:
        before = gaps()
        return gen.run(rate, seconds), None, gaps() - before
    with Publisher(ctx, d, generations, per_s, seconds) as p:
        before = gaps()
        gen.begin(rate, seconds + 0.2)
        r = gen.finish(seconds + 20)
        return r, p.result(seconds + 30), gaps() - before


def _blocked(ctx: Context, suffix: str, d: Dwcp, distance: Distance, args: Sequence[str], generations: Sequence[Path],
             per_second: Sequence[float], rounds: int, seconds: float) -> None:
    distance.near(lab.PATIENCE_S)
    found: dict[float, list[tuple[dict, dict | None, int]]] = {}
    with d, Generator(ctx, d, args) as gen:
        best = lab.search(d, gen, 0.25, 0.05, Excuses()).pps
        ctx.say(f"loss-free rate{suffix}: {best / 1e6:.2f} Mpps; swaps at 90 % of it")
        for _ in range(rounds):
            for per_s in per_second:
                found.setdefault(per_s, []).append(_swaps(ctx, d, gen, generations, 0.9 * best, per_s, seconds))
    if not distance.near():
        ctx.say("the CPUs moved apart meanwhile: loss here may be the slower machine's")
    for per_s, runs in found.items():
        case = f"swaps-{per_s:g}{suffix}"
        results = [r for r, _, _ in runs]
        ctx.row(case, "dwcp", "lost", [r["lost"] for r in results])
        ctx.row(case, "dwcp", "blocked_us", [r["lost"] / r["offered_pps"] * 1e6 for r in results])
        ctx.row(case, "dwcp", "p999_us", [r["latency_ns"]["p999"] / 1e3 for r in results])
        swaps = [s for _, s, _ in runs if s]
        if swaps:
            ctx.row(case, "dwcp", "swaps/s", [s["swaps_per_s"] for s in swaps])
            ctx.row(case, "dwcp", "adopt_ms", [s["adopt_us"]["p50"] / 1e3 for s in swaps])
            ctx.row(case, "dwcp", "adopt_max_ms", [s["adopt_us"]["max"] / 1e3 for s in swaps])
        away = ", ".join(f"{r['away_us'] / 1e3:.0f}" for r in results)
        ctx.say(f"{case}: gaps of the worker ≥ 100 us: {', '.join(str(g) for _, _, g in runs)}; generator away ms: {away}"
                + (f"; {sum(s['swaps'] for s in swaps)} swaps of {swaps[0]['table_bytes'] >> 20} MiB, shared FIB bytes "
                   f"{swaps[0]['shared_fib_bytes']}" if swaps else ""))


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


def _agent(ctx: Context, t: Tables, routes: Sequence[Path]) -> None:
    d = Dwcp(ctx, "dwcp-agent")
    agent = Agent(ctx, d, routes[0])
    n_full, n_routes = (1, 4) if ctx.quick else (5, 40)
    with d, agent:
        ctx.row("agent-full", "dwcp", "ms", [agent.table_replace(routes[(k + 1) % 2]) for k in range(n_full)])
        ctx.row("agent-route", "dwcp", "ms", [agent.route(i) for i in range(n_routes)])


def run(ctx: Context) -> None:
    t = Tables(ctx)
    distance = Distance(ctx)
    args = [*lab.FRAMES["64B"], "--destinations", str(t.destinations("full", t.full))]
    routes = [t.routes(f"full{k}", t.full, k) for k in (1, 2)]
    rounds, seconds = (1, 1.0) if ctx.quick else (5, 3.0)
    variants = (("", "", False), ("-huge", 'agent: { chunk_kb = 2048; };', True))
    for suffix, extra, huge in variants[:1] if ctx.quick else variants:
        d = Dwcp(ctx, f"dwcp{suffix}", extra=extra)
        generations = [d.build(r, d.dir / f"generation{k}") for k, r in enumerate(routes)]
        (d.state / "generation").write_bytes(generations[0].read_bytes())
        per_second = (0, 10) if ctx.quick else (0, 1, 10, 100) if not huge else (0, 10)
        _blocked(ctx, suffix, d, distance, args, generations, per_second, rounds, seconds)
    _agent(ctx, t, routes)
