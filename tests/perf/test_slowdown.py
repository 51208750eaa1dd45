#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""test_slowdown - a stage that takes 5 % longer is found by stage_bench and perf/compare; none is found where none is.

usage: test_slowdown.py BUILD_DIR

Three programs in turn, restart by restart, so that the machine is the same for all: the plain one, the plain one again,
one with --slow. One stage by default, all with DWCP_TEST_FULL=1. Cases whose tables fit the L2: what other machines on
the same host leave of a shared L3 is not what is tested here.
"""
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "perf"))
sys.dont_write_bytecode = True
from harness.bench import Context  # noqa: E402
from harness.card import card  # noqa: E402
from harness.host import Host, HostError, cpu_worker  # noqa: E402

STAGES = ("parse", "route", "rewrite", "tx")
CASES = ("ip4-64k-burst32", "ip4-64k-burst64", "mixed-burst64")
PERCENT = 5
RESTARTS = 7
ROUNDS = 5
ATTEMPTS = 3  # a machine whose CPU is taken away for seconds spoils one
HUGE_PAGES = 64


def restart(ctx: Context, slow: str | None) -> str:
    argv = [ctx.program("perf/stage/stage_bench"), "-j", "-r", str(ROUNDS), "-C", str(cpu_worker())]
    return ctx.call(argv + [w for c in CASES for w in ("-c", c)] + (["--slow", slow] if slow else []), timeout=30)


def result(ctx: Context, outputs: list[str], path: Path) -> Path:
    ctx.rows = []
    ctx.rows_of_programs(outputs)
    lines = [json.dumps({"machine": card(ROOT)}), *(r.json() for r in ctx.rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def compare(before: Path, after: Path) -> tuple[int, list[dict]]:
    done = subprocess.run([ROOT / "perf/compare", before, after, "--all", "--json"], capture_output=True, text=True,
                          check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def stage_of(row: dict) -> str:
    return row["row"].split("/")[2]


def wrong_of_same(code: int, rows: list[dict]) -> list[str]:
    worse = [f"{r['row']} {r['percent']:+.1f} %" for r in rows if r["verdict"] == "worse"]
    if code != 0 or worse or not rows:
        return [f"the same program twice: exit code {code}, worse: {', '.join(worse) or 'none'}"]
    return []


def wrong_of_slowed(stage: str, code: int, rows: list[dict]) -> list[str]:
    found = [r for r in rows if stage_of(r) == stage and r["verdict"] == "worse"]
    others = [r["row"] for r in rows if stage_of(r) not in (stage, "path") and r["verdict"] == "worse"]
    print(f"{stage} {PERCENT} % slower:", ", ".join(f"{r['percent']:+.1f} % {r['verdict']}" for r in rows
                                                   if stage_of(r) == stage), flush=True)
    wrong = []
    if code != 1 or len(found) != len(CASES):
        wrong.append(f"{stage} slowed: found in {len(found)} of {len(CASES)} cases, exit code {code}")
    if others:
        wrong.append(f"{stage} slowed: also said to be worse: {', '.join(others)}")
    return wrong


def attempt(ctx: Context, stage: str, tmp: Path) -> list[str]:
    plain, again, slowed = [], [], []
    for _ in range(RESTARTS):
        plain.append(restart(ctx, None))
        slowed.append(restart(ctx, f"{stage}:{PERCENT}"))
        again.append(restart(ctx, None))
    before = result(ctx, plain, tmp / "plain.json")
    return (wrong_of_same(*compare(before, result(ctx, again, tmp / "again.json")))
            + wrong_of_slowed(stage, *compare(before, result(ctx, slowed, tmp / "slowed.json"))))


def check(ctx: Context, stage: str, tmp: Path) -> bool:
    for _ in range(ATTEMPTS):
        wrong = attempt(ctx, stage, tmp)
        if not wrong:
            return True
        print("\n".join(wrong), flush=True)
    return False


def main() -> int:
    options = json.loads((Path(sys.argv[1]) / "meson-info/intro-buildoptions.json").read_text(encoding="utf-8"))
    if any(o["name"] == "buildtype" and o["value"] != "release" for o in options):
        print("skipped: what is not optimised is not timed")
        return 77
    stages = STAGES if os.environ.get("DWCP_TEST_FULL") == "1" else STAGES[:1]
    with contextlib.ExitStack() as stack:
        tmp = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dwcp-slowdown-")))
        try:
            host = stack.enter_context(Host(HUGE_PAGES))
        except HostError as e:
            print(f"without huge pages: {e}")
            host = None
        ctx = Context(root=ROOT, build=Path(sys.argv[1]), host=host, quick=True, bench="stage")
        return 0 if all([check(ctx, s, tmp) for s in stages]) else 1


if __name__ == "__main__":
    sys.exit(main())
