# SPDX-License-Identifier: BSD-3-Clause
"""A row is one measured figure: what, of whom, how often, how far apart. Rows are all that a bench hands over."""
import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass

# More of these is better; of all other units less is.
MORE_IS_BETTER = {"Mpps", "pps", "Mlookups/s", "ratio", "percent_of_ideal", "Gbps", "packets", "swaps/s"}


@dataclass(frozen=True)
class Row:
    """min, median, max over n independent samples (restarts, not polls); floor: what the harness costs, same unit."""
    bench: str
    case: str
    subject: str
    unit: str
    min: float
    median: float
    max: float
    n: int
    floor: float | None = None
    samples: tuple[float, ...] | None = None  # all of them, in order of size; None: not kept

    @property
    def key(self) -> str:
        return f"{self.bench}/{self.case}/{self.subject}/{self.unit}"

    def json(self) -> str:
        return json.dumps(asdict(self))


def row_of(bench: str, case: str, subject: str, unit: str, samples: Sequence[float],
           floor: float | None = None) -> Row:
    digits = 5
    short = [float(f"{s:.{digits}g}") if unit != "bytes" else s for s in samples]
    return Row(bench, case, subject, unit, min(short), statistics.median(short), max(short), len(short),
               None if floor is None else float(f"{floor:.{digits}g}"), tuple(sorted(short)))


def row_merge(rows: Sequence[Row]) -> Row:
    """Rows of several restarts of the same program → one: the median of medians, and their spread."""
    if len(rows) == 1:
        return rows[0]
    r = rows[0]
    floors = [x.floor for x in rows if x.floor is not None]
    return row_of(r.bench, r.case, r.subject, r.unit, [x.median for x in rows],
                  statistics.median(floors) if floors else None)


def rows_load(path: str) -> tuple[dict, list[Row], list[dict]]:
    """The machine, the rows and the budgets of a result file. Raises ValueError with the line that is wrong."""
    machine: dict = {}
    rows, budgets = [], []
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            try:
                o = json.loads(line)
                if "machine" in o:
                    machine = o["machine"]
                elif "budget" in o:
                    budgets.append(o)
                else:
                    rows.append(Row(**{**o, "samples": tuple(o["samples"]) if o.get("samples") else None}))
            except (ValueError, TypeError) as e:
                raise ValueError(f"{path}:{number}: not a row of perf/run: {e}") from e
    return machine, rows, budgets


def number_text(x: float | None) -> str:
    if x is None:
        return ""
    if x == 0 or abs(x) >= 1e4:
        return f"{x:,.0f}"
    return f"{x:.3g}" if abs(x) < 10 else f"{x:.1f}"


def table_text(header: Sequence[str], lines: Sequence[Sequence[str]], n_left: int) -> str:
    """Columns as wide as needed; the first n_left to the left, figures to the right."""
    widths = [max(len(r[i]) for r in [header, *lines]) for i in range(len(header))]

    def one(cells: Sequence[str]) -> str:
        return "  ".join(c.ljust(w) if i < n_left else c.rjust(w)
                         for i, (c, w) in enumerate(zip(cells, widths))).rstrip()
    return "\n".join(one(r) for r in [header, *lines])


def rows_table(rows: Sequence[Row]) -> str:
    lines = []
    for r in rows:
        over = None if r.floor is None else r.median - r.floor
        lines.append([r.bench, r.case, r.subject, r.unit, number_text(r.median), number_text(r.min),
                      number_text(r.max), str(r.n), number_text(r.floor), number_text(over)])
    return table_text(["bench", "case", "subject", "unit", "median", "min", "max", "n", "floor", "over floor"],
                      lines, 4)
