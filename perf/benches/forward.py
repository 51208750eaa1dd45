# SPDX-License-Identifier: BSD-3-Clause
"""forward: the whole program beside what one would use instead, on the same core, with the same packets and price of I/O.

Programs take turns within a round; the floor (testpmd that forwards without looking) is measured at both ends of each, and
a round in which it has moved by more than a cycle is thrown away and repeated, as many times as there are rounds; then the
best of them are kept, and told. A sample is the median of the windows of one start.
"""
import random
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness import frames
from harness.bench import Context
from harness.forwarders import (Forwarder, Load, dwcp, dwcp_config, forward, l3fwd, l3fwd_graph, testpmd)
from harness.host import HostError
from harness.tables import FIRST_HOP, N_HOPS

NAME = "forward"
HELP = "cycles a packet and Mpps a core of the whole program against testpmd, l3fwd, l3fwd-graph"
TARGETS = ["dataplane/dwcp-dataplane", "control/cli/dwcp-cli", "perf/source/libsource.so", "perf/source/table_dump"]
MINUTES = 13

SEED = 20261121
FLOOR_MOVE = 1.0  # cycles: 3 % of what the forwarders take
SIMD512 = "--force-max-simd-bitwidth=512"
RINGFUL = 900  # mbufs in flight: net_ring has room for 1,023


@dataclass(frozen=True)
class Case:
    name: str
    load: Load
    peers: Sequence[Forwarder]
    quick: bool = False  # one of those that budgets are about


class Tables:
    """All inputs, made once a run: tables in every program's syntax, destinations, our generation files."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.dir = ctx.host.tmp / "tables"
        self.dir.mkdir(exist_ok=True)
        rng = random.Random(SEED)
        text = ctx.call([ctx.program("perf/source/table_dump")])
        self.full = frames.prefixes_parse(text)
        self.small = {f: frames.routes_sample(rng, f, self.full[f], 1000) for f in (4, 6)}
        self.everywhere = frames.routes_everywhere(rng, 1000)
        self.rng = rng

    def rules(self, name: str, routes4: Sequence[frames.Prefix], routes6: Sequence[frames.Prefix]) -> tuple[Path, Path]:
        """l3fwd's two rule files."""
        paths = []
        for family, routes in ((4, routes4), (6, routes6)):
            path = self.dir / f"{name}.v{family}"
            path.write_text("".join(f"R{frames.prefix_text(family, p)} 0\n" for p in routes), encoding="ascii")
            paths.append(path)
        return paths[0], paths[1]

    def dwcp(self, name: str, load: Load, routes4: Sequence[frames.Prefix], routes6: Sequence[frames.Prefix],
             default: bool) -> Forwarder:
        """Next hops at random out of 64, so that each packet's comes from memory."""
        path = self.dir / name
        config = dwcp_config(self.ctx, path, load)
        with open(path / "routes", "w", encoding="ascii") as f:
            if default:
                f.write(f"0.0.0.0/0 via 10.0.2.{FIRST_HOP}\n::/0 via fd00:2::{FIRST_HOP:x}\n")
            for family, routes in ((4, routes4), (6, routes6)):
                via = "10.0.2.{}" if family == 4 else "fd00:2::{:x}"
                f.writelines(f"{frames.prefix_text(family, p)} via {via.format(FIRST_HOP + self.rng.randrange(N_HOPS))}\n"
                             for p in routes if p[1] > 0)
        self.ctx.call([self.ctx.program("control/cli/dwcp-cli"), "tables", "build", "--config", str(config), "--routes",
                       str(path / "routes"), "--output", str(path / "state/generation")])
        return dwcp(self.ctx, "dwcp", config)

    def source(self, name: str, family: int, dst: Sequence[int], lengths: Sequence[int]) -> Path:
        path = self.dir / f"{name}.source"
        frames.source_write(path, family, dst, lengths)
        return path


def _cases_small4(ctx: Context, t: Tables) -> list[Case]:
    dst = frames.destinations(t.rng, 4, t.small[4], 1 << 16)
    rules = t.rules("small", t.small[4], t.small[6])
    # l3fwd-graph's routes are compiled in
    peers = ctx.build / "perf/peers"
    peers.mkdir(parents=True, exist_ok=True)
    (peers / "graph_routes.inc").write_text(
        "".join(f"{{{p[0]:#x}, {p[1]}, 0}},\n" for p in t.small[4]), encoding="ascii")
    subprocess.run([str(ctx.root / "perf/peers/build"), str(peers)], check=False, stderr=subprocess.DEVNULL)
    all_peers = [l3fwd(ctx, "lpm", *rules), l3fwd(ctx, "lpm", *rules, binary="l3fwd-64"), l3fwd(ctx, "fib", *rules),
                 l3fwd(ctx, "fib", *rules, simd=SIMD512), l3fwd_graph(ctx)]
    two = all_peers[:1]
    base = Load(t.source("small4", 4, dst, [60]))
    imix = replace(base, source=t.source("imix4", 4, dst, frames.IMIX))
    big = replace(base, source=t.source("big4", 4, dst, [1514]))
    capture = t.dir / "small4.pcap"
    frames.pcap_write(capture, 4, dst[:4096], bytes(6))
    loads = [("ip4-64k-1k", base, all_peers, True), ("ip4-64k-1k-null", replace(base, device="null"), two, False),
             ("ip4-64k-1k-ringful", replace(base, fill=RINGFUL), two, False),
             ("ip4-4k-1k-pcap", replace(base, device="pcap", capture=capture), two, False),
             ("ip4-imix-1k", imix, two, False), ("ip4-1500B-1k", big, two, False),
             ("ip4-64k-1k-2workers", replace(base, workers=2), two, False)]
    return [Case(name, load, [t.dwcp(name, load, t.small[4], t.small[6], False), *peers], quick)
            for name, load, peers, quick in loads]


def _cases_full4(ctx: Context, t: Tables) -> list[Case]:
    """Ours holds the full table; l3fwd LPM 1,000 routes that cover the same destinations: it takes no more."""
    rules = t.rules("everywhere", t.everywhere, t.small[6])
    lpm = [l3fwd(ctx, "lpm", *rules), l3fwd(ctx, "lpm", *rules, binary="l3fwd-64"), l3fwd(ctx, "fib", *rules)]
    n = 1 << 17 if ctx.quick else 1 << 20
    cases = []
    for name, dst in (("ip4-full", frames.destinations(t.rng, 4, t.full[4], n)),
                      ("ip4-full-uniform", frames.destinations_uniform(t.rng, n))):
        load = Load(t.source(name, 4, dst, [60]))
        peers = list(lpm)
        if not ctx.quick and name == "ip4-full":
            full = t.rules("full", t.full[4], t.small[6])
            peers += [l3fwd(ctx, "fib", *full, binary="l3fwd-fulltable"),
                      l3fwd(ctx, "fib", *full, binary="l3fwd-fulltable", simd=SIMD512)]
        cases.append(Case(name, load, [t.dwcp(name, load, t.full[4], t.full[6], True), *peers], name == "ip4-full"))
    return cases


def _cases6(ctx: Context, t: Tables) -> list[Case]:
    rules = t.rules("small6", t.small[4], t.small[6])
    peers = [l3fwd(ctx, "lpm", *rules), l3fwd(ctx, "fib", *rules), l3fwd(ctx, "fib", *rules, simd=SIMD512)]
    small = Load(t.source("small6", 6, frames.destinations(t.rng, 6, t.small[6], 1 << 16), [80]))
    n = 1 << 17 if ctx.quick else 1 << 20
    full = Load(t.source("full6", 6, frames.destinations(t.rng, 6, t.full[6], n), [80]))
    return [Case("ip6-64k-1k", small, [t.dwcp("ip6-64k-1k", small, t.small[4], t.small[6], False), *peers]),
            Case("ip6-full", full, [t.dwcp("ip6-full", full, t.full[4], t.full[6], True), *peers])]


def _round(ctx: Context, case: Case, floors: Sequence[Forwarder], windows: int, seconds: float) -> tuple[dict[str, list], float]:
    """One start of each, and by how much the floor has moved from the beginning to the end."""
    shim = ctx.program("perf/source/libsource.so")
    found: dict[str, list] = {}

    def one(f: Forwarder) -> None:
        found.setdefault(f.name, []).append(forward(ctx, shim, f, case.load, windows, seconds))
    for f in [*floors, *case.peers, floors[0]]:
        one(f)
    begin, end = (statistics.median(w.cycles for w in ws) for ws in found[floors[0].name])
    return found, abs(end - begin)


def _case(ctx: Context, case: Case) -> None:
    rounds, windows, seconds = (1, 2, 0.15) if ctx.quick else (5 if case.quick else 3, 3, 0.3)
    floors = [testpmd("io", 32), testpmd("io", 64), *([] if ctx.quick else [testpmd("macswap", 64)])]
    found: list[tuple[float, dict[str, list]]] = []
    # two workers share the CPUs with everything else: their floor moves all the time, and is shown as it is
    bound = float("inf") if ctx.quick or case.load.workers > 1 else FLOOR_MOVE
    while sum(moved <= bound for moved, _ in found) < rounds and len(found) < 2 * rounds and not (found and ctx.late):
        figures, moved = _round(ctx, case, floors, windows, seconds)
        found.append((moved, figures))
    found.sort(key=lambda f: f[0])
    kept = [figures for _, figures in found[:rounds]]
    moved = sum(m > bound for m, _ in found[:rounds])
    ctx.say(f"{case.name}: {len(kept)} rounds, {len(found) - len(kept)} thrown away because the floor moved by more"
            + (f"; KEPT, because there were no better ones: {moved} in which it moved by {FLOOR_MOVE:g} to "
               f"{found[len(kept) - 1][0]:.1f} cycles" if moved else ""))
    for name in kept[0]:
        cycles = [statistics.median(w.cycles for ws in k[name] for w in ws) for k in kept]
        mpps = [statistics.median(w.mpps for ws in k[name] for w in ws) for k in kept]
        burst64 = name.startswith(("dwcp", "l3fwd-64", "testpmd-io-64", "testpmd-macswap"))
        floor_name = floors[1 if burst64 else 0].name
        floor = statistics.median(statistics.median(w.cycles for ws in k[floor_name] for w in ws) for k in kept)
        ctx.row(case.name, name, "cycles", cycles, floor)
        ctx.row(case.name, name, "Mpps", mpps)


def run(ctx: Context) -> None:
    t = Tables(ctx)
    failed: list[str] = []
    for case in [*_cases_small4(ctx, t), *_cases_full4(ctx, t), *_cases6(ctx, t)]:
        if ctx.only not in case.name or not (case.quick or ctx.only or not ctx.quick):
            continue
        have = [p for p in case.peers if "/peers/" not in p.argv[0] or Path(p.argv[0]).exists()]
        missing = [p.name for p in case.peers if p not in have]
        if missing:
            ctx.say(f"{case.name}: without {', '.join(missing)}: not built (package dpdk-doc has the sources)")
        try:
            _case(ctx, replace(case, peers=have))
        except HostError as e:
            failed.append(case.name)
            ctx.say(f"{case.name}: FAILED: {e}")
    if failed:
        raise HostError(f"no figures of {', '.join(failed)}")
