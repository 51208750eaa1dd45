#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""test_harness - what perf/run, perf/compare and perf/gate make of figures: rows, budgets, verdicts, exit codes.

Measures nothing, needs no root.
"""
import contextlib
import io
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "perf"))
sys.dont_write_bytecode = True
from harness import compare, gate, main  # noqa: E402
from harness.bench import Context  # noqa: E402
from harness.budgets import FEATURES, Judged, budgets_judge, budgets_load, budgets_table  # noqa: E402
from harness.host import HostError  # noqa: E402
from harness.rows import Row, number_text, row_merge, row_of, rows_load, rows_table, table_text  # noqa: E402


def row(median: float, low: float | None = None, high: float | None = None, unit: str = "cycles",
        subject: str = "parse", n: int = 5) -> Row:
    return Row("stage", "ip4-burst32", subject, unit, median if low is None else low, median,
               median if high is None else high, n)


def context(rows: list[Row] | None = None) -> Context:
    return Context(root=ROOT, build=ROOT / "build", host=None, quick=True, bench="stage", rows=rows or [])


class Temporary(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory(prefix="dwcp-harness-")
        self.addCleanup(directory.cleanup)
        self.tmp = Path(directory.name)

    def file(self, text: str, name: str = "file") -> Path:
        path = self.tmp / name
        path.write_text(text, encoding="utf-8")
        return path


class Rows(Temporary):
    def test_of_samples(self) -> None:
        r = row_of("stage", "c", "s", "cycles", [3.0, 1.0, 2.0], 0.5)
        self.assertEqual((r.min, r.median, r.max, r.n, r.floor), (1.0, 2.0, 3.0, 3, 0.5))
        self.assertEqual(r.key, "stage/c/s/cycles")

    def test_five_digits_but_all_of_bytes(self) -> None:
        self.assertEqual(row_of("b", "c", "s", "cycles", [1.23456789]).median, 1.2346)
        self.assertEqual(row_of("b", "c", "s", "bytes", [123456789]).median, 123456789)

    def test_merge_is_over_restarts(self) -> None:
        merged = row_merge([row(10, 1, 99), row(12, 1, 99), row(11, 1, 99)])
        self.assertEqual((merged.min, merged.median, merged.max, merged.n), (10, 11, 12, 3))

    def test_merge_of_one_keeps_its_spread(self) -> None:
        self.assertEqual(row_merge([row(10, 9, 11)]), row(10, 9, 11))

    def test_merge_of_floors(self) -> None:
        with_floor = [Row("b", "c", "s", "u", 1, 1, 1, 1, f) for f in (3.0, None, 5.0)]
        self.assertEqual(row_merge(with_floor).floor, 4.0)

    def test_programs_rows_by_key(self) -> None:
        lines = [json.dumps({"case": "c", "subject": s, "unit": "cycles", "min": 1, "median": m, "max": 9, "n": 3,
                             "floor": None}) for s, m in (("rx", 2), ("tx", 5), ("rx", 4))]
        ctx = context()
        ctx.rows_of_programs([f"{lines[0]}\n{lines[1]}\n", lines[2]])
        self.assertEqual([(r.key, r.median, r.n) for r in ctx.rows],
                         [("stage/c/rx/cycles", 3, 2), ("stage/c/tx/cycles", 5, 3)])

    def test_file_round_trip(self) -> None:
        text = "\n".join([json.dumps({"machine": {"cpu": "x"}}), row(5).json(), json.dumps({"budget": "b", "value": 1})])
        machine, rows, budgets = rows_load(str(self.file(text + "\n")))
        self.assertEqual((machine, rows, budgets), ({"cpu": "x"}, [row(5)], [{"budget": "b", "value": 1}]))

    def test_file_keeps_samples(self) -> None:
        r = row_of("stage", "c", "s", "cycles", [3.0, 1.0, 2.0])
        self.assertEqual(r.samples, (1.0, 2.0, 3.0))
        self.assertEqual(rows_load(str(self.file(r.json() + "\n")))[1], [r])

    def test_bad_line_is_named(self) -> None:
        for bad in ("not json", '{"bench": "b"}', "[1]", '{"bench":1,"x":2}'):
            with self.assertRaisesRegex(ValueError, r"file:2: not a row"):
                rows_load(str(self.file(row(5).json() + "\n" + bad + "\n")))

    def test_text(self) -> None:
        self.assertEqual([number_text(x) for x in (None, 0, 0.1234, 9.99, 12.34, 12345.6)],
                         ["", "0", "0.123", "9.99", "12.3", "12,346"])
        self.assertEqual(table_text(["name", "n"], [["a", "1"], ["bbbbb", "22"]], 1),
                         "name    n\na       1\nbbbbb  22")
        self.assertIn("over floor", rows_table([row(5)]))


class Budgets(Temporary):
    GOOD = "# comment\n\nfast at_most 20 stage:ip4-burst32:parse:cycles  # why\n" \
           "ratio at_least 1.5 fib:a:ours:Mpps / fib:a:theirs:Mpps\n"

    def test_load(self) -> None:
        fast, ratio = budgets_load(self.file(self.GOOD))
        self.assertEqual((fast.name, fast.at_least, fast.bound, len(fast.metric)), ("fast", False, 20, 1))
        self.assertEqual((ratio.at_least, ratio.bound, len(ratio.metric)), (True, 1.5, 2))

    def test_bad_lines_are_named(self) -> None:
        metric = "stage:a:b:c"
        for bad in ("x", f"x at_most {metric}", f"x below 3 {metric}", f"x at_most three {metric}",
                    f"x at_most 3 {metric} {metric}", f"x at_most 3 {metric} : {metric}", "x at_most 3 stage:a:b",
                    f"x at_most 3 {metric} / {metric} / {metric}", f"x at_most 3 {metric} where",
                    f"x at_most 3 {metric} where sse9", f"x at_most 3 where {metric}", f"x at_most 3 {metric} when avx2"):
            with self.subTest(bad), self.assertRaisesRegex(ValueError, r"file:2: expected NAME"):
                budgets_load(self.file(f"# first\n{bad}\n"))

    def test_the_projects_own(self) -> None:
        budgets_load(ROOT / "perf/budgets")

    def judge(self, text: str, rows: list[Row], benches: set[str]) -> list[tuple[str, bool | None]]:
        return [(j.budget.name, None if j.value is None else j.budget.holds(j.value))
                for j in budgets_judge(budgets_load(self.file(text)), rows, benches)]

    def test_judge(self) -> None:
        self.assertEqual(self.judge(self.GOOD, [row(20)], {"stage"}), [("fast", True)])
        self.assertEqual(self.judge(self.GOOD, [row(20.1)], {"stage"}), [("fast", False)])

    def test_missing_row_is_no_pass(self) -> None:
        judged, = budgets_judge(budgets_load(self.file(self.GOOD)), [], {"stage"})
        self.assertIsNone(judged.value)
        self.assertFalse(judged.ok)
        self.assertIs(json.loads(judged.json())["holds"], False)
        self.assertIn("NOT MEASURED", budgets_table([judged]))

    WHERE = "ours at_most 1 fib:a:dwcp:cycles / fib:a:peer-avx512:cycles where avx512\n"

    def where(self, rows: list[Row], flags: set[str]) -> Judged:
        judged, = budgets_judge(budgets_load(self.file(self.WHERE)), rows, {"fib"}, frozenset(flags))
        return judged

    def test_not_about_this_cpu_is_said(self) -> None:
        judged = self.where([], {"avx2", "avx512f"})
        self.assertTrue(judged.ok)
        self.assertEqual(judged.verdict, "not applicable: this CPU has no avx512bw, avx512dq")
        self.assertEqual(json.loads(judged.json()), {"budget": "ours", "value": None, "at_most": 1.0, "holds": None,
                                                     "not_applicable": "this CPU has no avx512bw, avx512dq"})
        self.assertIn("not applicable", budgets_table([judged]))

    def test_missing_row_on_a_cpu_that_has_it_is_no_pass(self) -> None:
        only_ours = [Row("fib", "a", "dwcp", "cycles", 1, 1, 1, 1)]
        for rows in ([], only_ours):
            judged = self.where(rows, FEATURES["avx512"])
            self.assertFalse(judged.ok)
            self.assertEqual(judged.verdict, "NOT MEASURED")

    def test_where_is_judged_like_any_other(self) -> None:
        for ours, ok in ((1, True), (3, False)):
            rows = [Row("fib", "a", s, "cycles", v, v, v, 1) for s, v in (("dwcp", ours), ("peer-avx512", 2))]
            self.assertEqual(self.where(rows, FEATURES["avx512"]).ok, ok)

    def test_ratio(self) -> None:
        def mpps(subject: str, v: float) -> Row:
            return Row("fib", "a", subject, "Mpps", v, v, v, 1)
        self.assertEqual(self.judge(self.GOOD, [mpps("ours", 3), mpps("theirs", 2)], {"fib"}), [("ratio", True)])
        self.assertEqual(self.judge(self.GOOD, [mpps("ours", 2.9), mpps("theirs", 2)], {"fib"}), [("ratio", False)])
        self.assertEqual(self.judge(self.GOOD, [mpps("ours", 3), mpps("theirs", 0)], {"fib"}), [("ratio", None)])

    def test_bench_that_did_not_run_is_not_judged(self) -> None:
        self.assertEqual(self.judge(self.GOOD, [row(99)], {"fib"}), [("ratio", None)])
        self.assertEqual(self.judge(self.GOOD, [row(99)], set()), [])


class Verdicts(unittest.TestCase):
    def verdict(self, before: Row, after: Row, threshold: float = 3.0) -> str:
        return compare.Change(before, after).verdict(threshold)

    def test_same_within_the_threshold(self) -> None:
        self.assertEqual(self.verdict(row(100), row(102.9)), "same")
        self.assertEqual(self.verdict(row(100), row(97.1)), "same")

    def test_apart(self) -> None:
        self.assertEqual(self.verdict(row(100, 99, 101), row(105, 104, 106)), "worse")
        self.assertEqual(self.verdict(row(105, 104, 106), row(100, 99, 101)), "better")

    def test_one_disturbed_restart_hides_nothing(self) -> None:
        self.assertEqual(self.verdict(row(100, 99, 140), row(105, 104, 106)), "worse")

    def test_disturbed_restarts_are_no_slowdown(self) -> None:
        self.assertEqual(self.verdict(row(100, 99, 101), row(105, 99, 140)), "same")

    def test_most_restarts_disturbed_is_said(self) -> None:
        self.assertEqual(self.verdict(row(100, 99, 101), row(135, 99, 140)), "unsure")

    def test_best_and_median_disagree(self) -> None:
        self.assertEqual(self.verdict(row(100, 90, 120), row(105, 80, 110)), "same")

    def test_more_is_better(self) -> None:
        fast, slow = row(100, 60, 101, "Mpps"), row(95, 60, 96, "Mpps")
        self.assertEqual(self.verdict(fast, slow), "worse")
        self.assertEqual(self.verdict(slow, fast), "better")
        self.assertEqual(self.verdict(row(100, 99, 101, "Mpps"), row(95, 60, 101, "Mpps")), "same")

    def of(self, *samples: float, unit: str = "cycles") -> Row:
        return row_of("stage", "ip4-burst32", "parse", unit, samples)

    def test_best_and_median_moved_by_chance(self) -> None:
        """Three fast restarts of eight, and none of the other eight: that happens once in ten."""
        lucky = self.of(100, 101, 102, 109, 109, 110, 130, 131)
        self.assertAlmostEqual(compare.Change(lucky, self.of(108, *[120] * 7)).by_chance, 0.1)
        self.assertEqual(self.verdict(lucky, self.of(108, *[120] * 7)), "unsure")
        self.assertEqual(self.verdict(self.of(108, *[120] * 7), lucky), "unsure")

    def test_parted_samples(self) -> None:
        before, after = self.of(100, 101, 101, 102, 102, 130, 140), self.of(105, 106, 106, 107, 107, 107, 140)
        self.assertEqual(self.verdict(before, after), "worse")
        self.assertEqual(self.verdict(after, before), "better")

    def test_one_disturbed_sample_of_five_hides_nothing(self) -> None:
        self.assertEqual(self.verdict(self.of(100, 100, 101, 101, 140), self.of(105, 105, 106, 106, 106)), "worse")

    def test_parted_where_more_is_better(self) -> None:
        fast, slow = self.of(*range(100, 108), unit="Mpps"), self.of(*range(90, 98), unit="Mpps")
        self.assertEqual(self.verdict(fast, slow), "worse")
        self.assertEqual(self.verdict(slow, fast), "better")

    def test_three_samples_part_nothing(self) -> None:
        self.assertEqual(self.verdict(self.of(100, 103, 130), self.of(105, 108, 108)), "worse")

    def test_the_same_twice_is_seldom_worse(self) -> None:
        """Restarts of a program on a machine with two speeds, dealt out at random."""
        rng = random.Random(20261201)
        worse = 0
        for _ in range(2000):
            dealt = [rng.choice([100, 160]) * rng.uniform(1, 1.1) for _ in range(16)]
            worse += self.verdict(self.of(*dealt[:8]), self.of(*dealt[8:])) == "worse"
        self.assertLess(worse, 2000 * compare.BY_CHANCE)

    def test_threshold(self) -> None:
        self.assertEqual(self.verdict(row(100), row(105), 6), "same")
        self.assertEqual(self.verdict(row(100), row(105), 4), "worse")

    def test_from_zero(self) -> None:
        self.assertEqual(self.verdict(row(0), row(0)), "same")
        self.assertEqual(self.verdict(row(0), row(5)), "worse")
        self.assertEqual(self.verdict(row(0, 0, 100), row(9000)), "worse")

    def test_only_rows_of_both(self) -> None:
        found = compare.changes([row(1), row(2, subject="tx")], [row(3), row(4, subject="rx")])
        self.assertEqual([(c.before.median, c.after.median) for c in found], [(1, 3)])


class Programs(Temporary):
    def rows_file(self, name: str, *rows: Row) -> str:
        return str(self.file("".join(r.json() + "\n" for r in rows), name))

    def program(self, name: str, *argv: str, cpu: str = "") -> subprocess.CompletedProcess:
        pin = ["taskset", "-c", cpu] if cpu else []
        return subprocess.run([*pin, ROOT / "perf" / name, *argv], capture_output=True, text=True, check=False,
                              timeout=60)

    def test_compare(self) -> None:
        a = self.rows_file("a", row(100), row(50, subject="tx"))
        b = self.rows_file("b", row(110), row(50, subject="tx"))
        worse = self.program("compare", a, b)
        self.assertEqual(worse.returncode, 1)
        self.assertRegex(worse.stdout, r"parse .*\+10\.0 % +worse")
        self.assertNotIn(" tx ", worse.stdout)
        self.assertEqual(self.program("compare", b, a).returncode, 0)
        self.assertEqual(self.program("compare", a, a).returncode, 0)
        self.assertEqual(self.program("compare", a, b, "--threshold", "11").returncode, 0)

    def test_compare_json(self) -> None:
        a, b = self.rows_file("a", row(100)), self.rows_file("b", row(110))
        self.assertEqual(json.loads(self.program("compare", a, b, "--json").stdout),
                         {"row": "stage/ip4-burst32/parse/cycles", "before": 100, "after": 110, "percent": 10.0,
                          "verdict": "worse"})

    def test_compare_unsure_is_no_failure(self) -> None:
        done = self.program("compare", self.rows_file("a", row(100, 99, 101)), self.rows_file("b", row(130, 99, 140)))
        self.assertEqual(done.returncode, 0)
        self.assertIn("unsure", done.stdout)

    def test_compare_usage(self) -> None:
        a = self.rows_file("a", row(100))
        for argv in ((), (a,), (a, str(self.tmp / "missing")), (a, str(self.file("no\n", "bad"))),
                     (a, self.rows_file("other", row(1, subject="tx"))), (a, a, "--threshold", "x")):
            with self.subTest(argv):
                self.assertEqual(self.program("compare", *argv).returncode, 2)

    def test_compare_of_two_machines_says_so(self) -> None:
        a = str(self.file(json.dumps({"machine": {"cpu": "one"}}) + "\n" + row(1).json() + "\n", "a"))
        b = str(self.file(json.dumps({"machine": {"cpu": "two"}}) + "\n" + row(1).json() + "\n", "b"))
        self.assertIn("not the same machine: cpu", self.program("compare", a, b).stdout)

    def test_run_list(self) -> None:
        done = self.program("run", "--list")
        self.assertEqual(done.returncode, 0)
        names = [line.split()[0] for line in done.stdout.splitlines()]
        self.assertIn("stage", names)
        self.assertEqual(len(names), len(set(names)))

    def test_run_usage(self) -> None:
        for argv in (("nothing",), ("--bogus",), ("stage", "--json"), ("stage", "--json", "/nonexistent/x")):
            with self.subTest(argv):
                self.assertEqual(self.program("run", *argv).returncode, 2)

    def test_run_needs_two_cpus(self) -> None:
        done = self.program("run", "stage", cpu=str(min(os.sched_getaffinity(0))))
        self.assertEqual(done.returncode, 1)
        self.assertIn("two CPUs", done.stderr)

    def test_gate_usage(self) -> None:
        for argv in (("--bogus",), ("--store", "--history"), ("--store", "--slow", "parse:5")):
            with self.subTest(argv):
                self.assertEqual(self.program("gate", *argv).returncode, 2)


class Report(Temporary):
    """perf/run --check and --json, from what was measured."""
    BUDGET = "fast at_most 20 stage:ip4-burst32:parse:cycles\n"

    def report(self, rows: list[Row], json_file: Path | None = None) -> bool:
        results = main.Results(str(json_file) if json_file else None, {"cpu": "x"})
        with contextlib.redirect_stdout(io.StringIO()):
            return main._report(results, rows, budgets_load(self.file(self.BUDGET)), {"stage"})

    def bench(self, run: Callable[[Context], None]) -> tuple[Context, Path]:
        """A bench that is a function: context and file after it."""
        out, ctx = self.tmp / "out.json", context()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            self.ok = main._bench(ctx, "stage", SimpleNamespace(run=run), main.Results(str(out), {"cpu": "x"}))
        return ctx, out

    def test_kept_when_a_bench_fails(self) -> None:
        def run(ctx: Context) -> None:
            ctx.rows.append(row(19))
            raise HostError("no more")
        _, out = self.bench(run)
        self.assertFalse(self.ok)
        self.assertEqual(rows_load(str(out))[1], [row(19)])

    def test_kept_when_interrupted(self) -> None:
        def run(ctx: Context) -> None:
            ctx.rows.append(row(19))
            raise KeyboardInterrupt
        with self.assertRaises(KeyboardInterrupt):
            self.bench(run)
        self.assertEqual(rows_load(str(self.tmp / "out.json"))[1], [row(19)])

    def test_a_bench_has_its_minutes(self) -> None:
        late = []
        for minutes in (0, 10):
            module = SimpleNamespace(run=lambda ctx: late.append(ctx.late), MINUTES=minutes)
            with contextlib.redirect_stderr(io.StringIO()):
                main._bench(context(), "stage", module, main.Results(None, {}))
        self.assertEqual(late, [True, False])

    def test_all_of_them_are_less_than_a_whole_run(self) -> None:
        self.assertLess(sum(m.MINUTES for m in main._modules().values()), 40)

    def test_nothing_measured_is_a_failure(self) -> None:
        self.bench(lambda ctx: None)
        self.assertFalse(self.ok)

    def test_holds(self) -> None:
        self.assertTrue(self.report([row(19)]))

    def test_missed_or_not_measured(self) -> None:
        self.assertFalse(self.report([row(21)]))
        self.assertFalse(self.report([row(19, subject="tx")]))

    def test_json_can_be_compared(self) -> None:
        out = self.tmp / "out.json"
        self.report([row(19)], out)
        machine, rows, budgets = rows_load(str(out))
        self.assertEqual((machine, rows), ({"cpu": "x"}, [row(19)]))
        self.assertEqual(budgets, [{"budget": "fast", "value": 19, "at_most": 20.0, "holds": True}])
        self.assertEqual(list(self.tmp.glob("*.tmp")), [])


class Gate(Temporary):
    DUMP = "version: 1\ndesc: Trigger: Client Request: {}\nevents: Ir\nsummary: 5\n\ntotals: {}\n"

    def test_dumps(self) -> None:
        self.assertEqual(gate.dump_parse(self.DUMP.format("parse/ip4-burst1", 512)), ("parse/ip4-burst1", 512))
        self.assertIsNone(gate.dump_parse("desc: Trigger: Program termination\ntotals: 7\n"))

    def test_division(self) -> None:
        figures = gate.counts_divide([("parse/a", 100), ("parse/a", 50), ("tx/a", 30)],
                                     "compiler gcc 12\ndpdk 22.11.11\nparse/a 10\nparse/a 20\ntx/a 10\n")
        self.assertEqual(figures.of, {"parse/a": 5.0, "tx/a": 3.0})
        self.assertEqual(figures.tools, {"compiler": "gcc 12", "dpdk": "22.11.11"})

    def test_counts_that_do_not_fit(self) -> None:
        for dumps, said in (([("parse/a", 1)], "tx/a 10\n"), ([], ""), ([("parse/a", 1)], "")):
            with self.subTest(said), self.assertRaises(ValueError):
                gate.counts_divide(dumps, said)

    def test_file_round_trip(self) -> None:
        f = gate.Figures({"compiler": "gcc 12"}, {"parse/a": 111.19, "tx/a": 7.0})
        self.assertEqual(gate.figures_parse(gate.figures_text(f), "x"), f)

    def test_bad_lines_are_named(self) -> None:
        for bad in ("parse 3", "parse/a", "parse/a x", "parse/a 1 2", "parse/a/b 3", "tx/a 2"):
            with self.subTest(bad), self.assertRaisesRegex(ValueError, "x:2: expected"):
                gate.figures_parse(f"tx/a 1\n{bad}\n", "x")

    def test_the_projects_own(self) -> None:
        for path in (gate.STORED, gate.RELEASE):
            f = gate.figures_load(path)
            self.assertTrue(f.of and set(f.tools) == set(gate.TOOLS), path)

    def failing(self, now: dict, stored: dict, release: dict) -> list[str]:
        return [f.name for f in gate.judge(now, stored, release) if f.fails]

    def test_growth(self) -> None:
        self.assertEqual(self.failing({"p/a": 102.9}, {"p/a": 100.0}, {}), [])
        self.assertEqual(self.failing({"p/a": 103.1}, {"p/a": 100.0}, {}), ["p/a"])

    def test_creep_since_the_release(self) -> None:
        self.assertEqual(self.failing({"p/a": 109.9}, {"p/a": 109.0}, {"p/a": 100.0}), [])
        self.assertEqual(self.failing({"p/a": 110.1}, {"p/a": 109.0}, {"p/a": 100.0}), ["p/a"])

    def test_work_may_move_between_stages(self) -> None:
        release = {"p/a": 100.0, "t/a": 100.0, "p/b": 50.0}
        self.assertEqual(self.failing({"p/a": 150.0, "t/a": 50.0}, {"p/a": 150.0, "t/a": 50.0}, release), [])
        self.assertEqual(self.failing({"p/a": 150.0, "t/a": 51.0}, {"p/a": 150.0, "t/a": 51.0}, release), ["p/a"])
        self.assertEqual(self.failing({"p/a": 150.0, "t/a": 50.0}, {"p/a": 100.0, "t/a": 50.0}, release), ["p/a"])

    def test_fall_is_a_hint(self) -> None:
        finding, = gate.judge({"p/a": 90.0}, {"p/a": 100.0}, {"p/a": 100.0})
        self.assertFalse(finding.fails)
        self.assertIn("store it", finding.text)

    def test_new_and_lost_figures_fail(self) -> None:
        self.assertEqual(self.failing({"p/a": 1.0}, {"p/b": 1.0}, {}), ["p/a", "p/b"])
        self.assertEqual(self.failing({"p/a": 1.0}, {"p/a": 1.0}, {"p/gone": 1.0}), [])

    def test_messages(self) -> None:
        for good in ("parse/ip4-burst64 111.19 → 46.89 (-57.8 %)", "    parse/ip4-burst64 111.19 -> 46.89"):
            self.assertTrue(gate.message_explains("dataplane: faster\n\n" + good + "\n", ["parse"]), good)
            self.assertFalse(gate.message_explains("dataplane: faster\n\n" + good + "\n", ["route"]), good)
        for bad in ("dataplane: faster", "perf: store figures of parse", "parse is 3 % faster",
                    "perf: the path of 2 and 3 things", "parse/ip4-burst64 is faster"):
            self.assertFalse(gate.message_explains(bad, ["parse", "path"]), bad)

    def test_diffs(self) -> None:
        self.assertEqual(gate.diff_changed_stages("-parse/ip4-burst1 180.12\n+parse/ip4-burst1 90.00\n"), ["parse"])
        self.assertEqual(gate.diff_changed_stages("-# Instructions\n+# Counted\n+compiler gcc 13\n"), [])

    def test_history(self) -> None:
        self.git("init", "-q")
        self.commit("perf: first figures", "parse/a 1.00\n")
        self.commit("perf: store parse/a 1.00 → 2.00", "parse/a 2.00\n")
        self.commit("perf: a comment", "# why\nparse/a 2.00\n")
        self.assertEqual(self.history(), 0)
        self.commit("dataplane: more", "# why\nparse/a 3.00\n")
        self.assertEqual(self.history(), 1)
        self.assertRegex(self.said, r"[0-9a-f]{12} dataplane: more")

    def test_no_history(self) -> None:
        with self.assertRaises(gate.CannotJudge):
            self.history()

    def git(self, *argv: str) -> None:
        subprocess.run(["git", "-C", self.tmp, "-c", "user.name=t", "-c", "user.email=t@localhost", *argv], check=True,
                       env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CEILING_DIRECTORIES": "/tmp"})

    def commit(self, message: str, figures: str) -> None:
        self.file(figures, "figures")
        self.git("add", "figures")
        self.git("commit", "-q", "-m", message)

    def history(self) -> int:
        root, gate.ROOT = gate.ROOT, self.tmp
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out):
                return gate.history("figures")
        finally:
            gate.ROOT = root
            self.said = out.getvalue()


class Documented(unittest.TestCase):
    def test_exit_codes_are_in_the_help(self) -> None:
        for name, codes in (("compare", "012"), ("gate", "012")):
            text = (ROOT / "perf" / name).read_text(encoding="utf-8")
            said = re.search(r"Exit code: ([^\"]*)", text)
            self.assertTrue(said and all(c in said[1] for c in codes), name)


if __name__ == "__main__":
    unittest.main()
