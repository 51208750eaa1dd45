#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Does perf/run reload find a router that a swap makes stand still, and none in one that does not? A real dataplane under
swaps, as it is and with stall.c: 200 us at each swap, which its ring mostly holds, and 5 ms, which it does not.

usage: test_reload.py BUILD_DIR
"""
import os
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "perf"))
from benches import reload  # noqa: E402
from harness.bench import Context  # noqa: E402
from harness.excess import losses, stalls  # noqa: E402
from harness.host import Host, HostError  # noqa: E402
from harness.tables import Tables  # noqa: E402

TARGETS = [*reload.TARGETS, "tests/perf/libstall.so"]
BUDGET = 0.001
HUGE_PAGES = 1024
CTX: Context


class Small(Tables):
    """2,000 routes: a swap takes a millisecond or two, so there is time outside of them."""

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self.full = {f: p[::len(p) // 1000] for f, p in self.full.items()}


class Reload(unittest.TestCase):
    tables: Small

    @classmethod
    def setUpClass(cls) -> None:
        cls.tables = Small(CTX)

    def chances(self, name: str, stall_us: int, per_s: float = 20, seconds: float = 3) -> tuple[float, float]:
        """p of the losses and of the absences."""
        preload = [CTX.program("tests/perf/libstall.so")] if stall_us else []
        os.environ["STALL_US"] = str(stall_us)
        p, run_dir, generations = reload.paced_dataplane(CTX, self.tables, name, preload=preload)
        with p:
            s = reload.Swaps(CTX, p, run_dir, generations).sample(per_s, seconds)
        self.assertGreater(len(s.times), per_s * seconds * 0.8)
        self.assertEqual((s.run.given, s.run.disorder), (s.run.returned, 0))
        self.assertLessEqual(s.run.given + s.run.lost, s.run.arrived)
        lost, gone = s.count(losses), s.count(stalls)
        print(f"{name}: losses: {lost.text()}; absences: {gone.text()}")
        return lost.p, gone.p

    def test_short_stall_is_found(self) -> None:
        self.assertLess(self.chances("stall-200us", 200)[1], BUDGET)

    def test_loss_is_found(self) -> None:
        lost, gone = self.chances("stall-5ms", 5000)
        self.assertLess(lost, BUDGET)
        self.assertLess(gone, BUDGET)

    def test_nothing_is_found_where_nothing_is(self) -> None:
        # one in a thousand finds something by chance
        self.assertTrue(any(self.chances(f"plain-{n}", 0)[1] >= BUDGET for n in range(2)))


def main() -> int:
    global CTX
    build = Path(sys.argv.pop(1)).resolve()
    if os.geteuid() != 0 or len(os.sched_getaffinity(0)) < 2:
        print("SKIP: needs root, for huge pages, and two CPUs")
        return 77
    subprocess.run(["ninja", "-C", str(build), "--quiet", *TARGETS], check=True)
    try:
        with Host(HUGE_PAGES) as host:
            CTX = Context(ROOT, build, host, True, "test")
            return 0 if unittest.main(exit=False, verbosity=2).result.wasSuccessful() else 1
    except HostError as e:
        print(f"SKIP: {e}")
        return 77


if __name__ == "__main__":
    sys.exit(main())
