#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The search for a loss-free rate, against routers whose rate is known: simulated ones, with a CPU that vanishes."""
import random
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "perf"))
from harness.host import HostError  # noqa: E402
from harness.lossfree import Excuses, loss_explained, search, steady  # noqa: E402
from harness.routers import Gaps  # noqa: E402

RING = 8192


class Router:
    """Forwards up to capacity_pps; away for some ms at random, which a gap counter may tell."""
    name = "simulated"

    def __init__(self, capacity_pps: float, stalls_per_s: float = 0, stall_ms: float = 0, counts: bool = False,
                 always_loses: bool = False) -> None:
        self.capacity, self.stalls_per_s, self.stall_ms, self.counts = capacity_pps, stalls_per_s, stall_ms, counts
        self.always_loses = always_loses
        self.seen = Gaps(0, 0)

    def gaps(self) -> Gaps:
        return self.seen if self.counts else Gaps(0, 0)


class Generator:
    def __init__(self, router: Router, most_pps: float, seed: int = 1) -> None:
        self.router, self.most = router, most_pps
        self.rng = random.Random(seed)
        self.runs = 0

    def run(self, rate: float, seconds: float) -> dict:
        self.runs += 1
        r = self.router
        offered = min(rate or self.most, self.most)
        sent = int(offered * seconds)
        stalls = sum(self.rng.random() < r.stalls_per_s / 1000 for _ in range(int(seconds * 1000)))
        stall_s = r.stall_ms / 1000
        rejected = stalls * max(0, int(offered * stall_s) - RING)
        wait = 2000.0
        if stalls:
            r.seen = Gaps(r.seen.n + stalls, r.seen.long_ns + int(stalls * stall_s * 1e9) * (r.stall_ms >= 5))
        if offered > r.capacity:
            rejected += max(0, int((offered - r.capacity) * seconds) - RING)
            wait = RING / r.capacity * 1e9
        lost = rejected + (7 if r.always_loses else 0)
        return {"sent": sent, "rejected": rejected, "received": sent - lost, "lost": lost, "offered_pps": offered,
                "received_pps": (sent - lost) / seconds, "away": 0, "away_us": 0, "max_away_us": 0,
                "latency_ns": {"p50": wait / 2, "p90": wait, "p99": wait, "p999": wait,
                               "max": max(wait, stall_s * 1e9 if stalls else 0)}}


class Search(unittest.TestCase):
    def find(self, router: Router, most: float = 20e6, seed: int = 1) -> tuple[float, str, Excuses]:
        excuses = Excuses()
        f = search(router, Generator(router, most, seed), 0.5, 0.02, excuses)
        return f.pps, f.limit, excuses

    def test_capacity_to_two_percent(self) -> None:
        for capacity in (3e5, 1e6, 4.7e6, 13.2e6):
            pps, limit, excuses = self.find(Router(capacity))
            # what a ring holds is not lost: half a second at 2 % above 300 kpps fits
            self.assertLessEqual(pps, capacity + RING / 0.5)
            self.assertGreaterEqual(pps, capacity * 0.97)
            self.assertEqual((limit, excuses.repeated), ("forwarder", 0))

    def test_generator_is_the_limit(self) -> None:
        pps, limit, _ = self.find(Router(30e6), most=16e6)
        self.assertGreaterEqual(pps, 15.5e6)
        self.assertLessEqual(pps, 16e6)
        self.assertEqual(limit, "generator (sending)")

    def test_absences_are_repeated_and_told(self) -> None:
        told = 0
        for seed in range(20):
            pps, _, excuses = self.find(Router(8e6, stalls_per_s=2, stall_ms=4), seed=seed)
            told += excuses.repeated
            self.assertEqual(sum(excuses.why.values()), excuses.repeated)
            self.assertLessEqual(pps, 8.1e6)
            self.assertGreaterEqual(pps, 7.4e6 if not excuses.given_up else 1e6)
        self.assertGreater(told, 20)

    def test_absences_that_the_worker_counts(self) -> None:
        whys = [self.find(Router(8e6, 2, 6, counts=True), seed=seed)[2].why for seed in range(10)]
        self.assertGreater(sum(w.get("worker away (its own gap counter)", 0) for w in whys), 5)

    def test_one_that_never_comes_clean_is_given_up(self) -> None:
        with self.assertRaises(HostError):
            self.find(Router(8e6, always_loses=True))

    def test_overload_is_no_excuse(self) -> None:
        gen = Generator(Router(5e6), 20e6)
        for rate in (5.2e6, 6e6, 10e6, 20e6):
            r = gen.run(rate, 0.5)
            self.assertGreater(r["lost"], 0)
            self.assertIsNone(loss_explained(r, Gaps(0, 0)))

    def test_more_lost_than_arrives_in_the_wait_is_no_excuse(self) -> None:
        r = Generator(Router(5e6), 20e6).run(1e6, 0.5) | {"lost": 100000}
        r["latency_ns"]["max"] = 4e6
        self.assertIsNone(loss_explained(r, Gaps(2, 0)))
        self.assertIsNotNone(loss_explained(r | {"lost": 12000}, Gaps(2, 0)))

    def test_steady(self) -> None:
        self.assertEqual(steady([10, 4, 9, 7.6, 7.4], lambda x: x), [10, 9, 7.6])


if __name__ == "__main__":
    unittest.main(verbosity=2)
