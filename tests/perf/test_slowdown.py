#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""test_slowdown - stage_bench --slow is exact; with DWCP_TEST_FULL=1 also: a stage that takes 5 % longer is found by
stage_bench and perf/compare, and none is found where none is.

usage: test_slowdown.py BUILD_DIR

By default each stage waits for its share of what it has just worked, and says so: that is so on any machine. That 5 % more
instructions are found is test_gate.py's. What only time can show takes a minute and a machine that is not busy. Three programs, restart by restart, in random order within each turn, so that the machine is the same for all and nothing
that comes and goes on it is always one's: the plain one, the plain one again, one with --slow. What a few turns leave open,
more of them decide. Cases whose tables fit the L2: what other machines on the same host leave of a shared L3 is not what is
tested here.
"""
import contextlib
import json
import os
import random
import re
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
from harness.rows import rows_load  # noqa: E402

STAGES = ("parse", "route", "rewrite", "tx")
CASES = ("ip4-64k-burst32", "ip4-64k-burst64", "mixed-burst64")
PERCENT = 5
RESTARTS = 8
ROUNDS = 3
LOOKS = 4  # each after so many more restarts
EXACT_PERCENT = 0.1  # of the stage, how far what it waits may be from what was asked for
NOISY_PERCENT = 3.0  # a plain program whose restarts differ by more shows no 5 %
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


def exact(build: Path, stage: str) -> bool:
    argv = [build / "perf/stage/stage_bench", "-j", "-r", "1", "-C", str(cpu_worker()), "--slow", f"{stage}:{PERCENT}"]
    done = subprocess.run(argv + [w for c in CASES for w in ("-c", c)], capture_output=True, text=True, check=False,
                          timeout=60)
    found = [float(x) for x in re.findall(rf": {stage} slower by ([\d.]+) %$", done.stderr, re.M)]
    print(f"{stage}: slower by {', '.join(map(str, found))} %")
    return (done.returncode == 0 and len(found) == len(CASES)
            and all(abs(x - PERCENT) <= EXACT_PERCENT for x in found))


class Outputs:
    """Of all restarts so far."""

    def __init__(self, ctx: Context, stage: str) -> None:
        self.ctx = ctx
        self.of: dict[str, list[str]] = {"plain": [], "again": [], "slowed": []}
        self.slow = {"slowed": f"{stage}:{PERCENT}"}

    def add(self) -> None:
        for _ in range(RESTARTS):
            for name in random.sample(list(self.of), len(self.of)):
                self.of[name].append(restart(self.ctx, self.slow.get(name)))

    def files(self, tmp: Path) -> dict[str, Path]:
        return {name: result(self.ctx, outputs, tmp / f"{name}.json") for name, outputs in self.of.items()}


def spread_percent(path: Path, stage: str) -> float:
    """Of the plain program: how far the stage's middle restart is from its best, in the worst case."""
    _, rows, _ = rows_load(str(path))
    return max((r.median / r.min - 1) * 100 for r in rows if r.subject == stage)


def check(ctx: Context, stage: str, tmp: Path) -> int:
    """Exit code. What is said to be slower and is not is wrong whatever the machine does; 5 % are hidden by more noise than
    that."""
    outputs = Outputs(ctx, stage)
    for _ in range(LOOKS):
        outputs.add()
        files = outputs.files(tmp)
        same = wrong_of_same(*compare(files["plain"], files["again"]))
        hidden = wrong_of_slowed(stage, *compare(files["plain"], files["slowed"]))
        if not same and not hidden:
            return 0
        print(*same, *hidden, sep="\n", flush=True)
    spread = spread_percent(files["plain"], stage)
    if same or spread <= NOISY_PERCENT:
        return 1
    print(f"skipped: restarts of the same program differ by {spread:.1f} %: {PERCENT} % can't be seen")
    return 77


def main() -> int:
    options = json.loads((Path(sys.argv[1]) / "meson-info/intro-buildoptions.json").read_text(encoding="utf-8"))
    if any(o["name"] == "buildtype" and o["value"] != "release" for o in options):
        print("skipped: what is not optimised is not timed")
        return 77
    if not all([exact(Path(sys.argv[1]), stage) for stage in STAGES]):
        print(f"--slow is not within {EXACT_PERCENT} of {PERCENT} %")
        return 1
    if os.environ.get("DWCP_TEST_FULL") != "1":
        return 0
    with contextlib.ExitStack() as stack:
        tmp = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dwcp-slowdown-")))
        try:
            host = stack.enter_context(Host(HUGE_PAGES))
        except HostError as e:
            print(f"without huge pages: {e}")
            host = None
        ctx = Context(root=ROOT, build=Path(sys.argv[1]), host=host, quick=True, bench="stage")
        codes = [check(ctx, s, tmp) for s in STAGES]
        return 1 if 1 in codes else max(codes)


if __name__ == "__main__":
    sys.exit(main())
