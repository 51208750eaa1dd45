# SPDX-License-Identifier: BSD-3-Clause
"""perf/run: arguments, building, the benches in order, what came out."""
import argparse
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from harness.bench import Context
from harness.budgets import Budget, budget_json, budgets_judge, budgets_load, budgets_table
from harness.card import card, card_text
from harness.host import Host, HostError
from harness.rows import rows_table

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


def _measure(ctx: Context, modules: dict[str, ModuleType]) -> list[str]:
    """Every bench; one that fails does not take the others' figures with it. Return: those that failed."""
    failed = []
    for name, module in modules.items():
        ctx.bench = name
        ctx.say("begins")
        before = len(ctx.rows)
        try:
            module.run(ctx)
        except HostError as e:
            failed.append(name)
            ctx.say(f"FAILED: {e}")
        if len(ctx.rows) == before and name not in failed:
            failed.append(name)
            ctx.say("FAILED: nothing was measured (is --case part of a case's name?)")
        if len(ctx.rows) > before:
            print(rows_table(ctx.rows[before:]), end="\n\n", flush=True)
    return failed


def _report(args: argparse.Namespace, machine: dict, ctx: Context, budgets: Sequence[Budget], benches: set[str]) -> bool:
    """Return: every budget that these benches can judge holds."""
    judged = budgets_judge(budgets, ctx.rows, benches)
    if judged:
        print(budgets_table(judged))
    if args.json:
        temporary = Path(f"{args.json}.tmp")
        with open(temporary, "w", encoding="utf-8") as f:
            print(json.dumps({"machine": machine}), file=f)
            for r in ctx.rows:
                print(r.json(), file=f)
            for b, value in judged:
                print(budget_json(b, value), file=f)
        temporary.replace(args.json)
    return all(value is not None and b.holds(value) for b, value in judged)


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
        with Host(HUGE_PAGES) as host:
            ctx = Context(ROOT, build, host, args.quick, only=args.case)
            failed = _measure(ctx, chosen)
        holds = _report(args, machine, ctx, budgets, set(chosen))
    except HostError as e:
        print(f"perf/run: {e}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as e:
        print(f"perf/run: building failed ({' '.join(map(str, e.cmd))})", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("perf/run: interrupted; everything is as it was", file=sys.stderr)
        return 130
    if failed:
        print(f"perf/run: failed: {' '.join(failed)}", file=sys.stderr)
    return 1 if failed or (args.check and not holds) else 0
