# SPDX-License-Identifier: BSD-3-Clause
"""Prefixes, the routes that are made of them, and destinations inside; the same in every run."""
import random
from pathlib import Path

from harness import frames
from harness.bench import Context

SEED = 20261121
N_HOPS = 64
FIRST_HOP = 16


def address4(a: int) -> str:
    return f"{a >> 24}.{a >> 16 & 255}.{a >> 8 & 255}.{a & 255}"


def prefix4(p: frames.Prefix) -> str:
    return f"{address4(p[0])}/{p[1]}"


class Tables:
    """Made once a run."""

    made: dict[Path, "Tables"] = {}

    @classmethod
    def of(cls, ctx: Context) -> "Tables":
        """One for all benches of a run."""
        if ctx.host.tmp not in cls.made:
            cls.made[ctx.host.tmp] = cls(ctx)
        return cls.made[ctx.host.tmp]

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.dir = ctx.host.tmp / "lab-tables"
        self.dir.mkdir(exist_ok=True)
        self.full = frames.prefixes_parse(ctx.call([ctx.program("perf/source/table_dump")]))
        self.small = {f: frames.routes_sample(random.Random(SEED), f, self.full[f], 1000) for f in (4, 6)}

    def destinations(self, name: str, table: dict[int, list[frames.Prefix]], n: int = 65536) -> Path:
        path = self.dir / f"{name}.addresses"
        if path.exists():
            return path
        dst = frames.destinations(random.Random(SEED), 4, table[4], n)
        path.write_text("".join(f"{address4(d)}\n" for d in dst), encoding="ascii")
        return path

    def routes(self, name: str, table: dict[int, list[frames.Prefix]], k: int = 0) -> Path:
        """Route file of table k: other next hops than any other k, and without another fiftieth of the prefixes."""
        path = self.dir / f"{name}.routes"
        if path.exists():
            return path
        rng = random.Random(SEED + k)
        thin = k and len(table[4]) > 10000
        with open(path, "w", encoding="ascii") as f:
            f.write(f"0.0.0.0/0 via 10.0.2.{FIRST_HOP + k % N_HOPS}\n::/0 via fd00:2::{FIRST_HOP + k % N_HOPS:x}\n")
            for family, via in ((4, "10.0.2.{}"), (6, "fd00:2::{:x}")):
                hops = [via.format(FIRST_HOP + i) for i in range(N_HOPS)]
                text = prefix4 if family == 4 else lambda p: frames.prefix_text(6, p)
                f.writelines(f"{text(p)} via {hops[(i + k) % N_HOPS]}\n"
                             for i, p in enumerate(table[family])
                             if p[1] > 0 and not (thin and rng.random() < 0.02))
        return path
