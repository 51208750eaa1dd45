# SPDX-License-Identifier: BSD-3-Clause
"""perf/budgets: what must hold. One a line: NAME at_least|at_most VALUE METRIC [/ METRIC] [where FEATURE], metric =
bench:case:subject:unit, its median; with :max behind it the worst of all samples.

A budget with a feature is about a CPU that has it; elsewhere it is shown as not applicable, and why. That is asked of the
CPU and not of the rows: where the CPU has the feature, a row that is missing is a failure like any other."""
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.rows import Row, number_text, table_text


# What a program asks for before it takes the path that a budget is about (rte_fib and rte_fib6: AVX-512 F, BW, DQ).
FEATURES = {"avx2": {"avx2"}, "avx512": {"avx512f", "avx512bw", "avx512dq"}}


def cpu_flags() -> frozenset[str]:
    found = re.search(r"^flags\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(encoding="ascii"), re.M)
    return frozenset(found[1].split()) if found else frozenset()


@dataclass(frozen=True)
class Budget:
    name: str
    at_least: bool
    bound: float
    metric: tuple[str, ...]  # one, or two: the ratio of their medians
    where: str = ""  # a feature that the CPU must have

    def value(self, rows: dict[str, Row]) -> float | None:
        """None: not measured."""
        found = [self._one(rows, m) for m in self.metric]
        if any(v is None for v in found):
            return None
        if len(found) == 1:
            return found[0]
        return found[0] / found[1] if found[1] else None

    @staticmethod
    def _one(rows: dict[str, Row], metric: str) -> float | None:
        row = rows.get("/".join(metric.split(":")[:4]))
        if row is None:
            return None
        return row.max if metric.endswith(":max") else row.median

    def holds(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound


def _parse(line: str) -> Budget | None:
    words = line.split("#")[0].split()
    if not words:
        return None
    where = ""
    if len(words) > 2 and words[-2] == "where":
        where, words = words[-1], words[:-2]
        if where not in FEATURES:
            raise ValueError
    if len(words) not in (4, 6) or words[1] not in ("at_least", "at_most") or (len(words) == 6 and words[4] != "/"):
        raise ValueError
    metric = tuple(words[3::2])
    if any(m.removesuffix(":max").count(":") != 3 for m in metric):
        raise ValueError
    return Budget(words[0], words[1] == "at_least", float(words[2]), metric, where)


def budgets_load(path: Path) -> list[Budget]:
    budgets = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            b = _parse(line)
        except ValueError:
            raise ValueError(f"{path}:{number}: expected NAME at_least|at_most VALUE METRIC [/ METRIC] [where FEATURE], "
                             f"METRIC = bench:case:subject:unit[:max], FEATURE = {' or '.join(FEATURES)}") from None
        budgets += [b] if b else []
    return budgets


@dataclass(frozen=True)
class Judged:
    budget: Budget
    value: float | None  # None: not measured
    not_here: str = ""  # why it is not applicable

    @property
    def ok(self) -> bool:
        return bool(self.not_here) or (self.value is not None and self.budget.holds(self.value))

    @property
    def verdict(self) -> str:
        if self.not_here:
            return f"not applicable: {self.not_here}"
        return "NOT MEASURED" if self.value is None else "holds" if self.ok else "MISSED"

    def json(self) -> str:
        b = self.budget
        return json.dumps({"budget": b.name, "value": self.value, "at_least" if b.at_least else "at_most": b.bound,
                           "holds": None if self.not_here else self.ok,
                           **({"not_applicable": self.not_here} if self.not_here else {})})


def budgets_judge(budgets: Sequence[Budget], rows: Sequence[Row], benches: set[str],
                  flags: frozenset[str] | None = None) -> list[Judged]:
    """Those whose benches were to run; a row that is missing is no pass. @flags: of the CPU, this one's if not given."""
    by_key = {r.key: r for r in rows}
    flags = cpu_flags() if flags is None else flags
    judged = []
    for b in budgets:
        if not {m.split(":")[0] for m in b.metric} <= benches:
            continue
        lacking = sorted(FEATURES[b.where] - flags) if b.where else []
        judged.append(Judged(b, b.value(by_key), f"this CPU has no {', '.join(lacking)}" if lacking else ""))
    return judged


def budgets_table(judged: Sequence[Judged]) -> str:
    lines = [[j.budget.name, " / ".join(j.budget.metric), number_text(j.value),
              f"{'≥' if j.budget.at_least else '≤'} {number_text(j.budget.bound)}", j.verdict] for j in judged]
    return table_text(["budget", "of", "value", "goal", ""], lines, 2)
