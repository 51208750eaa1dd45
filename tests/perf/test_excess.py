#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What perf/run reload makes of a timeline: which events there are, when they begin, and whether swaps are to blame."""
import random
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "perf"))
from harness.excess import Count, Event, losses, stalls, within  # noqa: E402
from harness.paced import Run  # noqa: E402

SLICE = 100000
BEGIN = 5 * 10**9
PERIOD = 1000  # slices: ten swaps a second
BUDGET = 0.001


def run_of(n: int, events: dict[int, tuple[int, int]]) -> Run:
    """@events: slice → lost, ns without a poll that end there."""
    slices = [(events[i][0], 0, events[i][1], 0) if i in events else (0, 0, 0, 0) for i in range(n)]
    return Run(1e7, n * SLICE / 1e9, BEGIN, SLICE, 0, 0, 0, 0, 0, slices)


class Events(unittest.TestCase):
    def test_a_loss_begins_at_the_last_poll_before(self) -> None:
        self.assertEqual(losses(run_of(200, {100: (500, 4200000)})), [Event(58, 500)])

    def test_a_full_ring_that_goes_on_losing_is_one(self) -> None:
        self.assertEqual(losses(run_of(200, {100: (500, 0), 110: (3, 0), 125: (4, 0)})), [Event(100, 507)])
        self.assertEqual(losses(run_of(200, {100: (500, 0), 140: (3, 0)})), [Event(100, 500), Event(140, 3)])

    def test_stalls(self) -> None:
        r = run_of(200, {10: (0, 99999), 50: (0, 100000), 90: (7, 2000000)})
        self.assertEqual(stalls(r), [Event(49, 0), Event(70, 7)])

    def test_within(self) -> None:
        inside = within(run_of(100, {}), [(BEGIN + 20 * SLICE, BEGIN + 30 * SLICE)], 5 * SLICE)
        self.assertEqual([i for i, x in enumerate(inside) if x], list(range(19, 36)))

    def test_a_swap_that_overlaps_the_ends(self) -> None:
        inside = within(run_of(10, {}), [(BEGIN - 10**9, BEGIN + 2 * SLICE), (BEGIN + 8 * SLICE, BEGIN + 10**9),
                                         (BEGIN + 2 * 10**9, BEGIN + 3 * 10**9)], 0)
        self.assertEqual(list(inside), [1, 1, 1, 0, 0, 0, 0, 1, 1, 1])


class Blame(unittest.TestCase):
    """20 s with ten swaps a second at random moments, 10 ms each."""
    N = 200 * PERIOD

    def swaps(self, rng: random.Random) -> list[int]:
        return [k * PERIOD + rng.randrange(PERIOD - 100) for k in range(self.N // PERIOD)]

    def chance(self, events: list[int], swaps: list[int]) -> float:
        inside = bytearray(self.N)
        for s in swaps:
            inside[s:s + 100] = b"\1" * 100
        c = Count()
        c.add([Event(e, 1) for e in events], inside, PERIOD)
        return c.p

    def noise(self, rng: random.Random, per_s: float, cluster: int = 1) -> list[int]:
        found = []
        for _ in range(int(per_s * 20 / cluster)):
            at = rng.randrange(self.N - 200)
            found += [at + rng.randrange(150) for _ in range(cluster)]
        return found

    def test_a_machine_that_knows_nothing_of_swaps(self) -> None:
        for cluster in (1, 10):
            rngs = [random.Random(seed) for seed in range(4)]
            found = [self.chance(self.noise(rng, 10, cluster), self.swaps(rng)) for rng in rngs]
            self.assertGreaterEqual(min(found), BUDGET)
            self.assertLessEqual(sum(p < 0.1 for p in found), 2)

    def test_every_swap(self) -> None:
        rng = random.Random(1)
        swaps = self.swaps(rng)
        self.assertLess(self.chance(self.noise(rng, 30) + [s + 40 for s in swaps], swaps), BUDGET)

    def test_one_swap_in_eight(self) -> None:
        for seed in range(2):
            rng = random.Random(seed)
            swaps = self.swaps(rng)
            self.assertLess(self.chance(self.noise(rng, 3) + [s + 40 for s in swaps[::8]], swaps), BUDGET)

    def test_nothing_within(self) -> None:
        self.assertEqual(self.chance([], [100]), 1)

    def test_in_phase_with_the_clock(self) -> None:
        """Events of a timer, always at the same moment of a period."""
        for seed in range(2):
            swaps = self.swaps(random.Random(seed))
            self.assertGreaterEqual(self.chance(list(range(40, self.N, 40)), swaps), BUDGET)


if __name__ == "__main__":
    unittest.main(verbosity=2)
