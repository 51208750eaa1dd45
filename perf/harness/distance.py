# SPDX-License-Identifier: BSD-3-Clause
"""Where the two CPUs are."""
import time

from harness.bench import Context
from harness.host import cpu_other, cpu_worker

PATIENCE_S = 8
TARGETS = ["perf/gen/cpu_distance"]


class Distance:
    """Virtual CPUs move: between two core complexes a packet costs 2.5 times as much to hand over. Measured with nothing
    running; what was measured far apart is not compared with what was measured close together."""
    NEAR = 1.5

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.nearest = float("inf")

    def ns(self) -> float:
        found = float(self.ctx.call([self.ctx.program("perf/gen/cpu_distance"), str(cpu_other()), str(cpu_worker())]))
        self.nearest = min(self.nearest, found)
        return found

    def near(self, patience_s: float = 0) -> bool:
        end = time.monotonic() + patience_s
        while self.ns() > self.NEAR * self.nearest:
            if time.monotonic() > end:
                return False
            time.sleep(0.5)
        return True
