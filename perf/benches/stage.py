# SPDX-License-Identifier: BSD-3-Clause
"""stage: cycles a packet of each stage of the path and of all of it, in one process with the real engine and tables."""
import os

from harness.bench import Context
from harness.host import cpu_worker

NAME = "stage"
HELP = "cycles a packet of rx, parse, route, rewrite, tx and the whole path, at bursts of 1, 8, 32 and 64"
TARGETS = ["perf/stage/stage_bench"]
MINUTES = 4
SLOW = "DWCP_STAGE_SLOW"  # STAGE:PERCENT: does the comparison notice?


def run(ctx: Context) -> None:
    restarts, rounds = (5, 3) if ctx.quick else (11, 7)
    slow = ["--slow", os.environ[SLOW]] if SLOW in os.environ else []
    only = ["-c", ctx.only] if ctx.only else []
    ctx.say(f"{restarts} restarts" + (f", slowed: {slow[1]}" if slow else ""))
    argv = [ctx.program(TARGETS[0]), "-j", "-r", str(rounds), "-C", str(cpu_worker()), *only, *slow]
    outputs: list[str] = []
    while len(outputs) < restarts and not (outputs and ctx.late):
        outputs.append(ctx.call(argv))
    ctx.rows_of_programs(outputs)
