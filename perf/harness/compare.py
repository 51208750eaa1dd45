# SPDX-License-Identifier: BSD-3-Clause
"""Two result files side by side (perf/compare)."""
import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from harness.rows import MORE_IS_BETTER, Row, number_text, rows_load, table_text


# How often labels dealt out at random may part the best samples from the others as the real ones do.
BY_CHANCE = 0.025
SAMPLES_MIN = 4  # fewer can't part that well


def _percent(before: float, after: float) -> float:
    """From nothing to something is more than any percentage."""
    if before:
        return (after / before - 1) * 100
    return math.inf if after > 0 else 0.0


@dataclass(frozen=True)
class Change:
    before: Row
    after: Row

    @property
    def percent(self) -> float:
        """Above 0: more. Whether that is good depends on the unit."""
        return _percent(self.before.median, self.after.median)

    @property
    def best_percent(self) -> float:
        """What disturbs a measurement only ever makes it worse: the best of n samples is the one least disturbed."""
        more = self.before.unit in MORE_IS_BETTER
        before, after = (self.before.max, self.after.max) if more else (self.before.min, self.after.min)
        return _percent(before, after)

    @property
    def by_chance(self) -> float | None:
        """How probable it is that the samples of one run that are better than all of the other's are so many, when both
        are samples of the same. None: too few, or not known.

        k best of n + m that are all of one side: C(n, k) / C(n + m, k). Only what is undisturbed counts, so that disturbed
        restarts hide nothing.
        """
        a, b = self.before.samples, self.after.samples
        if a is None or b is None or min(len(a), len(b)) < SAMPLES_MIN:
            return None
        if self.before.unit in MORE_IS_BETTER:
            a, b = tuple(-x for x in a), tuple(-x for x in b)
        best, other = (a, b) if min(a) < min(b) else (b, a)
        k = sum(x < min(other) for x in best)
        return math.comb(len(best), k) / math.comb(len(a) + len(b), k)

    @property
    def apart(self) -> bool:
        return self.after.min > self.before.max or self.after.max < self.before.min

    def verdict(self, threshold: float) -> str:
        if abs(self.percent) <= threshold:
            return "same"
        best_too = abs(self.best_percent) > threshold and (self.best_percent > 0) == (self.percent > 0)
        if not best_too and not self.apart:
            return "unsure" if abs(self.percent) > 3 * threshold else "same"
        if (self.by_chance or 0) > BY_CHANCE:
            return "unsure"
        return "better" if (self.percent > 0) == (self.before.unit in MORE_IS_BETTER) else "worse"


def changes(before: Sequence[Row], after: Sequence[Row]) -> list[Change]:
    old = {r.key: r for r in before}
    return [Change(old[r.key], r) for r in after if r.key in old]


def _table(found: Sequence[tuple[Change, str]]) -> str:
    lines = [[c.after.bench, c.after.case, c.after.subject, c.after.unit,
              f"{number_text(c.before.median)} ({number_text(c.before.min)} … {number_text(c.before.max)})",
              f"{number_text(c.after.median)} ({number_text(c.after.min)} … {number_text(c.after.max)})",
              f"{c.percent:+.1f} %", verdict] for c, verdict in found]
    return table_text(["bench", "case", "subject", "unit", "before", "after", "change", ""], lines, 4)


def run(argv: Sequence[str], doc: str) -> int:
    p = argparse.ArgumentParser(prog="perf/compare", description=doc, add_help=True,
                                formatter_class=argparse.RawDescriptionHelpFormatter, usage=argparse.SUPPRESS)
    p.add_argument("before")
    p.add_argument("after")
    p.add_argument("--threshold", type=float, default=3.0)
    p.add_argument("--all", action="store_true")
    p.add_argument("--json", action="store_true")
    a = p.parse_args(argv)
    try:
        machine_before, before, _ = rows_load(a.before)
        machine_after, after, _ = rows_load(a.after)
    except (OSError, ValueError) as e:
        print(f"perf/compare: {e}", file=sys.stderr)
        return 2
    judged = [(c, c.verdict(a.threshold)) for c in changes(before, after)]
    if not judged:
        print("perf/compare: no row is in both files", file=sys.stderr)
        return 2
    shown = judged if a.all else [j for j in judged if j[1] != "same"]
    worse = sum(v == "worse" for _, v in judged)
    if a.json:
        for c, v in shown:
            print(json.dumps({"row": c.after.key, "before": c.before.median, "after": c.after.median,
                              "percent": round(c.percent, 2), "verdict": v}))
        return 1 if worse else 0
    for key in ("cpu", "kernel", "simd"):
        if machine_before.get(key) != machine_after.get(key):
            print(f"not the same machine: {key}: {machine_before.get(key)} | {machine_after.get(key)}")
    if shown:
        print(_table(shown))
    only = {r.key for r in before} ^ {r.key for r in after}
    print(f"{len(judged)} rows compared, {worse} worse, {sum(v == 'better' for _, v in judged)} better, "
          f"{sum(v == 'unsure' for _, v in judged)} unsure, "
          f"{sum(v == 'same' for _, v in judged)} the same within {a.threshold:g} % or their spread; "
          f"{len(only)} in one file only")
    return 1 if worse else 0
