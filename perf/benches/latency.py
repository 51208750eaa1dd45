# SPDX-License-Identifier: BSD-3-Clause
"""latency: from before a packet is sent to after it came back, at shares of the loss-free rate; also while tables are swapped.

The floor is testpmd io at the same rate. The rate is that of one quick search, the same for all that is compared.
"""
from collections.abc import Sequence
from pathlib import Path

from harness import lab
from harness.bench import Context
from harness.lab import Distance, Dwcp, Excuses, Forwarder, Generator, Publisher, Tables, Testpmd

NAME = "latency"
HELP = "rx to tx percentiles at 10, 50, 90 % of the loss-free rate, idle poll and adaptive, and during swaps"
TARGETS = [*lab.TARGETS, *lab.RELOAD_TARGETS]

SHARES = (10, 50, 90)
PERCENTILES = ("p50", "p99", "p999", "max")
SWAPS_PER_S = 10.0


def _runs(ctx: Context, distance: Distance, s: Forwarder, args: Sequence[str], rates: Sequence[float], seconds: float,
          swap: Sequence[Path]) -> list[dict]:
    distance.near(lab.PATIENCE_S)
    with s, Generator(ctx, s, args) as gen:
        gen.run(rates[0], 0.2)
        found = []
        for rate in rates:
            if not swap:
                found.append(gen.run(rate, seconds))
                continue
            with Publisher(ctx, s, swap, SWAPS_PER_S, seconds + 1):
                found.append(gen.run(rate, seconds))
        return found


def run(ctx: Context) -> None:
    rounds, seconds = (1, 0.5) if ctx.quick else (3, 1.5)
    distance, t = Distance(ctx), Tables.of(ctx)
    args = [*lab.FRAMES["64B"], "--destinations", str(t.destinations("full", t.full))]
    poll, adaptive, floor = Dwcp(ctx, "dwcp"), Dwcp(ctx, "dwcp-adaptive", idle="adaptive"), Testpmd(ctx, "io")
    generations = [poll.build(t.routes(f"full{k}", t.full, k), poll.dir / f"generation{k}") for k in (1, 2)]
    for s in (poll, adaptive):
        (s.state / "generation").write_bytes(generations[0].read_bytes())
    distance.near(lab.PATIENCE_S)
    with poll, Generator(ctx, poll, args) as gen:
        best = lab.search(poll, gen, 0.25, 0.05, Excuses()).pps
    ctx.say(f"loss-free rate: {best / 1e6:.2f} Mpps (64-byte frames, full table, 64 k flows)")
    shares = (50,) if ctx.quick else SHARES
    rates = [best * share / 100 for share in shares]
    found: dict[tuple[str, str], list[dict]] = {}
    for _ in range(rounds):
        for name, s, swap in (("floor", floor, []), ("poll", poll, []), ("adaptive", adaptive, []),
                              ("poll-swaps", poll, generations)):
            for share, r in zip(shares, _runs(ctx, distance, s, args, rates, seconds, swap)):
                found.setdefault((name, str(share)), []).append(r)
    for (name, share), results in found.items():
        if name == "floor":
            continue
        for p in PERCENTILES:
            floors = [r["latency_ns"][p] / 1e3 for r in found["floor", share]]
            ctx.row(f"{name}-{share}", "dwcp", f"{p}_us", [r["latency_ns"][p] / 1e3 for r in results],
                    sorted(floors)[len(floors) // 2])
    lost = {f"{n}-{s}": [r["lost"] for r in rs] for (n, s), rs in found.items() if any(r["lost"] for r in rs)}
    ctx.say(f"lost packets: {lost or 'none'}")
