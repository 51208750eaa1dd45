# SPDX-License-Identifier: BSD-3-Clause
"""Result lines of profiles (lua/engine.lua), what they are held to, and how both are shown."""
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from harness.rows import number_text, table_text

RATE_CLOSE = 0.95
# Only the router knows these: where it can't be asked they are no reason to fail.
ROUTERS_OWN = {"accounting_difference"}


@dataclass(frozen=True)
class Bar:
    profile: str
    figure: str
    at_least: float | None = None
    at_most: float | None = None
    case: str | None = None
    over: str | None = None
    across: str | None = None

    @property
    def text(self) -> str:
        where = f" of {self.case}" if self.case else ""
        where += f" / {self.over}" if self.over else ""
        where += f", {self.across} case" if self.across else ""
        return self.figure + where

    @property
    def goal(self) -> str:
        return f"≥ {number_text(self.at_least)}" if self.at_least is not None else f"≤ {number_text(self.at_most)}"

    def holds(self, value: float) -> bool:
        return value >= self.at_least if self.at_least is not None else value <= self.at_most

    def missed_by(self, value: float) -> str:
        bound = self.at_least if self.at_least is not None else self.at_most
        percent = f" ({abs(value / bound - 1) * 100:.1f} %)" if bound else ""
        return number_text(abs(value - bound)) + percent


@dataclass(frozen=True)
class Verdict:
    bar: Bar
    case: str
    value: float | None
    ok: bool
    note: str

    def json(self) -> str:
        bound = {"at_least": self.bar.at_least} if self.bar.at_least is not None else {"at_most": self.bar.at_most}
        return json.dumps({"bar": self.bar.text, "profile": self.bar.profile, "case": self.case, "value": self.value,
                           **bound, "holds": self.ok, "note": self.note})


@dataclass
class Profile:
    """What one profile's run said."""
    name: str
    backend: str = ""
    bars: list[Bar] = field(default_factory=list)
    results: list[dict] = field(default_factory=list)
    rates: dict[str, float] = field(default_factory=dict)  # asked for, by case
    skipped: dict[str, str] = field(default_factory=dict)
    error: str = ""
    ended: bool = False

    def line(self, o: dict) -> None:
        event = o.get("event")
        if event == "profile":
            self.backend = o["backend"]
            self.bars += [Bar(self.name, **bar) for bar in o["bars"]]
            rates = {c["name"]: c["load"].get("rate_pps") for c in o["cases"]}
            self.rates = {name: rate for name, rate in rates.items() if isinstance(rate, (int, float))}
        elif event == "result":
            self.results.append(o)
        elif event == "skipped":
            self.skipped[o["case"]] = o["why"]
        elif event == "error":
            self.error = o["text"]
        elif event == "end":
            self.ended = True

    def cases(self) -> list[str]:
        return list(dict.fromkeys(r["case"] for r in self.results))

    def run_of(self, case: str, bar: Bar) -> dict | None:
        """The run of a case that a bar judges: the median one of what should be much, the worst of what should not."""
        runs = [r for r in self.results if r["case"] == case and bar.figure in r]
        if not runs:
            return None
        if bar.at_most is not None:
            return max(runs, key=lambda r: r[bar.figure] - r.get("excusable", 0))
        return sorted(runs, key=lambda r: r[bar.figure])[len(runs) // 2]

    def value(self, case: str, bar: Bar) -> float | None:
        run = self.run_of(case, bar)
        return None if run is None else run[bar.figure]


def profiles_of_lines(lines: Iterable[str]) -> list[Profile]:
    """Raises ValueError at a line that no profile writes."""
    found: dict[str, Profile] = {}
    for number, line in enumerate(lines, 1):
        try:
            o = json.loads(line)
            if not isinstance(o, dict):
                raise TypeError("no object")
            if "event" in o:
                found.setdefault(o["profile"], Profile(o["profile"])).line(o)
        except (ValueError, KeyError, TypeError) as e:
            raise ValueError(f"line {number} is not a profile's: {e}") from e
    return list(found.values())


# ---- bars ------------------------------------------------------------------------------------------------------------


def _excused(run: dict, bar: Bar) -> str:
    """Loss that the worker's own clock explains: the scheduler kept it from the CPU. Said, never hidden."""
    if bar.figure != "lost" or bar.at_most is None or run["lost"] - run.get("excusable", 0) > bar.at_most:
        return ""
    return (f"EXCUSED: the worker was kept from its CPU for {number_text(run['gap_us'])} us, in which "
            f"{number_text(run['excusable'])} packets arrive")


def _judge_one(p: Profile, bar: Bar, case: str) -> Verdict:
    value = p.value(case, bar)
    if value is not None and bar.over:
        base = p.value(bar.over, bar)
        value = value / base if base else None
    if value is None:
        known = bar.figure in ROUTERS_OWN
        return Verdict(bar, case, None, known, "not known: the router was not asked" if known else "NOT MEASURED")
    if bar.holds(value):
        return Verdict(bar, case, value, True, "holds")
    excuse = "" if bar.over else _excused(p.run_of(case, bar), bar)
    return Verdict(bar, case, value, bool(excuse), excuse or f"MISSED by {bar.missed_by(value)}")


def _judge_across(p: Profile, bar: Bar) -> Verdict:
    """The cases are compared with each other, each by the median of its rounds."""
    values = [v for v in (p.value(case, bar) for case in p.cases()) if v is not None]
    if len(values) < 2 or max(values) <= 0:
        return Verdict(bar, "all", None, False, "NOT MEASURED")
    value = min(values) / max(values)
    ok = bar.holds(value)
    return Verdict(bar, "all", value, ok, "holds" if ok else f"MISSED by {bar.missed_by(value)}")


def judge(p: Profile) -> list[Verdict]:
    """Each bar on each case that it speaks of. A case that was left out is not judged."""
    verdicts = []
    for bar in p.bars:
        if bar.across:
            verdicts.append(_judge_across(p, bar))
            continue
        named = [c for c in (bar.case, bar.over) if c]
        if any(c in p.skipped for c in named):
            continue
        verdicts += [_judge_one(p, bar, c) for c in ([bar.case] if bar.case else p.cases())]
    return verdicts


def failed(p: Profile, verdicts: Sequence[Verdict]) -> list[str]:
    """Why this profile is no pass; nothing when it is."""
    why = [f"{p.name}: {p.error}"] if p.error else []
    if not p.error and not p.ended:
        why.append(f"{p.name}: did not end")
    if p.ended and not p.results and not p.skipped:
        why.append(f"{p.name}: no results")
    return why + [f"{p.name}: {v.bar.text} ({v.case}) is {number_text(v.value) or '?'}, the bar {v.bar.goal}: {v.note}"
                  for v in verdicts if not v.ok]


# ---- text ------------------------------------------------------------------------------------------------------------


def _mpps(r: dict, figure: str) -> str:
    return f"{r[figure] / 1e6:.3f}" if figure in r else ""


def _us(r: dict, figure: str) -> str:
    return number_text(r[figure] / 1000) if figure in r else ""


def _drops(r: dict) -> str:
    """What the router itself dropped, by its reason."""
    named = {k[5:]: v for k, v in r.items() if k.startswith("drop_")}
    return ", ".join(f"{v:,} {k}" for k, v in sorted(named.items(), key=lambda item: -item[1]))


def results_table(p: Profile) -> str:
    lines = [[p.name, r["case"], _mpps(r, "offered_pps"), _mpps(r, "received_pps"), number_text(r["lost"]),
              number_text(r["lost_ppm"]), _us(r, "latency_p50_ns"), _us(r, "latency_p99_ns"),
              number_text(r.get("gap_us")), f"{r['sources']:,}" if "sources" in r else "", str(r.get("swaps", ""))]
             for r in p.results]
    header = ["profile", "case", "offered", "received", "lost", "ppm", "p50 us", "p99 us", "away us", "sources", "swaps"]
    text = table_text(header, lines, 2)
    notes = [f"{p.name}  {r['case']}: dropped by the router: {_drops(r)}" for r in p.results if _drops(r)]
    for r in p.results:
        share = r["offered_pps"] / p.rates.get(r["case"], r["offered_pps"] or 1)
        if share < RATE_CLOSE:
            notes.append(f"{p.name}  {r['case']}: only {share * 100:.0f} % of the rate asked for was sent")
    notes += [f"{p.name}  {case}: left out: {why}" for case, why in p.skipped.items()]
    return "\n".join([text, *notes])


def verdicts_table(verdicts: Sequence[Verdict]) -> str:
    lines = [[v.bar.profile, v.case, v.bar.text, number_text(v.value), v.bar.goal, v.note] for v in verdicts]
    rows = table_text(["profile", "case", "bar", "value", "goal", ""], lines, 3).splitlines()
    return "\n".join(rows)
