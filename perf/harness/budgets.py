# SPDX-License-Identifier: BSD-3-Clause
"""perf/budgets: what must hold. One a line: NAME at_least|at_most VALUE METRIC [/ METRIC], metric =
bench:case:subject:unit, its median; with :max behind it the worst of all samples."""
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.rows import Row, number_text, table_text


@dataclass(frozen=True)
class Budget:
    name: str
    at_least: bool
    bound: float
    metric: tuple[str, ...]  # one, or two: the ratio of their medians

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


def budgets_load(path: Path) -> list[Budget]:
    budgets = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        ok = len(words) in (4, 6) and words[1] in ("at_least", "at_most") and (len(words) == 4 or words[4] == "/")
        metric = tuple(words[3::2])
        try:
            if not ok or any(m.removesuffix(":max").count(":") != 3 for m in metric):
                raise ValueError
            budgets.append(Budget(words[0], words[1] == "at_least", float(words[2]), metric))
        except ValueError:
            raise ValueError(f"{path}:{number}: expected NAME at_least|at_most VALUE METRIC [/ METRIC], "
                             "METRIC = bench:case:subject:unit[:max]") from None
    return budgets


def budgets_judge(budgets: Sequence[Budget], rows: Sequence[Row], benches: set[str]) -> list[tuple[Budget, float | None]]:
    """Those whose benches have all run; value None: the row is missing, which is no pass."""
    by_key = {r.key: r for r in rows}
    return [(b, b.value(by_key)) for b in budgets if {m.split(":")[0] for m in b.metric} <= benches]


def budget_json(b: Budget, value: float | None) -> str:
    return json.dumps({"budget": b.name, "value": value, "at_least" if b.at_least else "at_most": b.bound,
                       "holds": value is not None and b.holds(value)})


def budgets_table(judged: Sequence[tuple[Budget, float | None]]) -> str:
    lines = []
    for b, value in judged:
        verdict = "not measured" if value is None else "holds" if b.holds(value) else "MISSED"
        lines.append([b.name, " / ".join(b.metric), number_text(value),
                      f"{'≥' if b.at_least else '≤'} {number_text(b.bound)}", verdict])
    return table_text(["budget", "of", "value", "goal", ""], lines, 2)
