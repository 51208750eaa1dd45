# SPDX-License-Identifier: BSD-3-Clause
"""fib: lookups, memory, building and changing, against rte_lpm, rte_fib and rte_fib6, in one process a table."""
from harness.bench import Context

NAME = "fib"
HELP = "lookups, memory, build and update against rte_lpm, rte_fib, rte_fib6"
TARGETS = ["perf/fib/fib_bench"]
MINUTES = 5
NAMES = {1000: "1k", 100000: "100k", 0: "full"}


def run(ctx: Context) -> None:
    restarts, rounds = (1, 2) if ctx.quick else (3, 3)
    sizes = (1000, 0) if ctx.quick else (1000, 100000, 0)
    for family in (4, 6):
        for size in sizes:
            if ctx.only not in f"ip{family}-{NAMES[size]}":
                continue
            ctx.say(f"IPv{family}, {size or 'all'} routes")
            updates = ["-u"] if size == 0 else []
            argv = [ctx.program("perf/fib/fib_bench"), "-j", "-f", str(family), "-s", str(size), "-r", str(rounds), *updates]
            outputs: list[str] = []
            while len(outputs) < restarts and not (outputs and ctx.late):
                outputs.append(ctx.call(argv))
            ctx.rows_of_programs(outputs)
