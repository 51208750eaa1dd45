# SPDX-License-Identifier: BSD-3-Clause
"""perf/run: arguments, building, the benches in order, what came out."""
import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from harness.bench import Context
from harness.budgets import Budget, Judged, budgets_judge, budgets_load, budgets_table
from harness.card import card, card_text
from harness.host import Host, HostError
from harness.rows import Row, rows_table

ROOT = Path(__file__).resolve().parents[2]
ORDER = ["fib", "stage", "forward", "ndr", "latency", "reload"]
HUGE_PAGES = 1280


def _modules() -> dict[str, ModuleType]:
    names = {p.stem for p in (ROOT / "perf/benches").glob("*.py")} - {"__init__"}
    ordered = [n for n in ORDER if n in names] + sorted(names - set(ORDER))
    found = {n: importlib.import_module(f"benches.{n}") for n in ordered}
    return {n: m for n, m in found.items() if hasattr(m, "run")}


def _build(build: Path, targets: Sequence[str]) -> None:
    if not (build / "build.ninja").exists():
        subprocess.run(["meson", "setup", str(build), str(ROOT), "-Dbuildtype=release"], check=True,
                       stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", str(build), "--quiet", *targets], check=True, stdout=sys.stderr)


def _parse(argv: Sequence[str], doc: str) -> argparse.Namespace:
    p = argparse.ArgumentParser(prog="perf/run", description=doc, usage=argparse.SUPPRESS,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("bench", nargs="*")
    p.add_argument("--quick", action="store_true")
    p.add_argument("--case", default="", metavar="TEXT")
    p.add_argument("--check", action="store_true")
    p.add_argument("--json", metavar="FILE")
    p.add_argument("--list", action="store_true")
    p.add_argument("--build", default=str(ROOT / "build"), metavar="DIR")
    return p.parse_args(argv)


class Results:
    """The file of --json: whole after each bench, so that what was measured is kept whatever happens then."""

    def __init__(self, path: str | None, machine: dict) -> None:
        self.path, self.machine = path, machine

    def write(self, rows: Sequence[Row], judged: Sequence[Judged] = ()) -> None:
        if not self.path:
            return
        temporary = Path(f"{self.path}.tmp")
        with open(temporary, "w", encoding="utf-8") as f:
            print(json.dumps({"machine": self.machine}), file=f)
            for o in (*rows, *judged):
                print(o.json(), file=f)
        temporary.replace(self.path)


def _bench(ctx: Context, name: str, module: ModuleType, results: Results) -> bool:
    """Also when it fails or is interrupted, what it has measured is shown and written."""
    ctx.bench = name
    ctx.say("begins")
    before, begin = len(ctx.rows), time.monotonic()
    ctx.end = begin + 60 * getattr(module, "MINUTES", float("inf"))
    failed = ""
    try:
        module.run(ctx)
    except HostError as e:
        failed = str(e)
    finally:
        if len(ctx.rows) > before:
            print(rows_table(ctx.rows[before:]), end="\n\n", flush=True)
        results.write(ctx.rows)
    if not failed and len(ctx.rows) == before:
        failed = "nothing was measured (is --case part of a case's name?)"
    ctx.say(f"FAILED: {failed}" if failed else f"took {time.monotonic() - begin:.0f} s")
    return not failed


def _measure(ctx: Context, modules: dict[str, ModuleType], results: Results) -> list[str]:
    """Every bench; one that fails does not take the others' figures with it. Return: those that failed."""
    return [name for name, module in modules.items() if not _bench(ctx, name, module, results)]


def _report(results: Results, rows: Sequence[Row], budgets: Sequence[Budget], benches: set[str]) -> bool:
    """Return: every budget that these benches can judge holds, or is not about this CPU."""
    judged = budgets_judge(budgets, rows, benches)
    if judged:
        print(budgets_table(judged))
    results.write(rows, judged)
    return all(j.ok for j in judged)


def run(argv: Sequence[str], doc: str) -> int:
    args = _parse(argv, doc)
    modules = _modules()
    if args.list:
        for name, m in modules.items():
            print(f"{name:10}{m.HELP}")
        return 0
    unknown = [b for b in args.bench if b not in modules]
    if unknown:
        print(f"perf/run: no bench {unknown[0]}; there are: {' '.join(modules)}", file=sys.stderr)
        return 2
    if args.json and not Path(args.json).resolve().parent.is_dir():
        print(f"perf/run: --json {args.json}: no such directory", file=sys.stderr)
        return 2
    try:
        budgets = budgets_load(ROOT / "perf/budgets")
    except (OSError, ValueError) as e:
        print(f"perf/run: {e}", file=sys.stderr)
        return 2
    chosen = {n: m for n, m in modules.items() if not args.bench or n in args.bench}
    build = Path(args.build).resolve()
    if len(os.sched_getaffinity(0)) < 2:
        print("perf/run: needs two CPUs: one is the measured worker's alone", file=sys.stderr)
        return 1
    try:
        _build(build, sorted({t for m in chosen.values() for t in m.TARGETS}))
        machine = card(ROOT)
        print(card_text(machine), end="\n\n", flush=True)
        results = Results(args.json, machine)
        with Host(HUGE_PAGES) as host:
            ctx = Context(ROOT, build, host, args.quick, only=args.case)
            failed = _measure(ctx, chosen, results)
        holds = _report(results, ctx.rows, budgets, set(chosen))
    except HostError as e:
        print(f"perf/run: {e}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as e:
        print(f"perf/run: building failed ({' '.join(map(str, e.cmd))})", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("perf/run: interrupted; everything is as it was" +
              (f", {args.json} has what was measured" if args.json else ""), file=sys.stderr)
        return 130
    if failed:
        print(f"perf/run: failed: {' '.join(failed)}", file=sys.stderr)
    return 1 if failed or (args.check and not holds) else 0
