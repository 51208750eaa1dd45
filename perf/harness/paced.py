# SPDX-License-Identifier: BSD-3-Clause
"""A dataplane whose packets come by the clock into a receive ring in its own process (perf/source/pace.h): at any rate,
from no other CPU, each loss with its time. Runs of it, and where in time they lost packets."""
import mmap
import os
import struct
import subprocess
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.bench import Context
from harness.host import HostError, Proc

N_SLICES = 1 << 19
SLICE = struct.Struct("<4I")
ORDERS = struct.Struct("<3Q")
ORDER, COUNTS_AT, SLICES_AT = struct.Struct("<Q"), 128, 256
COUNTS = struct.Struct("<13Q")
PAGE_BYTES = SLICES_AT + N_SLICES * SLICE.size
MAX_PPS = (1 << 64) - 1
RUN_MAX_S = 50
START_S, ANSWER_S = 60, 10


@dataclass(frozen=True)
class Run:
    """Of every slice of time: packets lost, most that waited, longest time without a poll and how much of that the thread
    had no CPU (ns)."""
    rate_pps: float
    seconds: float
    begin_ns: int
    slice_ns: float
    arrived: int
    lost: int
    given: int
    returned: int
    disorder: int
    slices: Sequence[tuple[int, int, int, int]]

    def at(self, ns: float) -> int:
        """The slice of a moment (CLOCK_MONOTONIC)."""
        return int((ns - self.begin_ns) / self.slice_ns)


class Paced:
    """Context manager: a program under the source shim, one port (net_ring), one worker."""
    WINDOW_S = 0.01

    def __init__(self, ctx: Context, name: str, argv: Sequence[str], source: Path, preload: Sequence[str] = ()) -> None:
        self.ctx, self.name, self.argv, self.source = ctx, name, argv, source
        self.preload = [*preload, ctx.program("perf/source/libsource.so")]
        self.path = ctx.host.tmp / f"{name}.pace"
        self.proc: Proc | None = None

    def __enter__(self) -> "Paced":
        with open(self.path, "wb") as f:
            f.truncate(PAGE_BYTES)
        with open(self.path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), PAGE_BYTES)
        self.order = 0
        env = {"LD_PRELOAD": ":".join(self.preload), "SOURCE_FILE": str(self.source), "SOURCE_PACE": str(self.path),
               "SOURCE_PAGE": str(self.ctx.host.tmp / f"{self.name}.page")}
        self.proc = self.ctx.host.start(self.argv, self.name, env=env, hurry=True, stdin=subprocess.PIPE)
        self._order(MAX_PPS, 1, START_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.ctx.host.stop(self.proc)
        self.proc.popen.stdin.close()
        self.map.close()
        self.path.unlink(missing_ok=True)

    def _counts(self) -> tuple[int, ...]:
        return COUNTS.unpack_from(self.map, COUNTS_AT)

    def _order(self, rate_pps: int, ring: int, patience_s: float = ANSWER_S) -> None:
        """Tell it, and wait until the worker has seen it."""
        self.order += 1
        ORDERS.pack_into(self.map, 0, self.order - 1, rate_pps, ring)
        ORDER.pack_into(self.map, 0, self.order)
        end = time.monotonic() + patience_s
        while self._counts()[0] != self.order:
            if not self.proc.alive() or time.monotonic() > end:
                raise HostError(f"{self.name} does not poll:\n{self.proc.tail()}")
            time.sleep(0.001)

    def speeds(self, seconds: float) -> list[float]:
        """What the worker takes when there is always more, packets a second of each 10 ms."""
        self._order(MAX_PPS, 1)
        found = []
        begin, before = time.monotonic(), self._counts()[3]
        for _ in range(int(seconds / self.WINDOW_S)):
            time.sleep(self.WINDOW_S)
            now, given = time.monotonic(), self._counts()[3]
            found.append((given - before) / (now - begin))
            begin, before = now, given
        self._order(0, 1)
        self._settle()
        return found

    def begin(self, rate_pps: float, ring: int) -> None:
        self.map[SLICES_AT:] = bytes(PAGE_BYTES - SLICES_AT)
        self._order(int(rate_pps), ring)

    def _settle(self) -> tuple[int, ...]:
        """What was given has come back, or does not."""
        end = time.monotonic() + 1
        while True:
            counts = self._counts()
            if counts[3] == counts[4] or time.monotonic() > end:
                return counts
            time.sleep(0.001)

    def finish(self, rate_pps: float) -> Run:
        self._order(0, 1)
        (_, arrived, lost, given, returned, disorder, _, begin_ns, _, no_mbuf, end_ns, elapsed, slice_tsc) = self._settle()
        if no_mbuf:
            raise HostError(f"{self.name}: no mbuf for a packet, {no_mbuf} times")
        n = min(elapsed // slice_tsc, N_SLICES)
        raw = array("I", self.map[SLICES_AT:SLICES_AT + n * SLICE.size])
        slices = list(zip(raw[0::4], raw[1::4], raw[2::4], raw[3::4]))
        slice_ns = (end_ns - begin_ns) * slice_tsc / elapsed
        return Run(rate_pps, (end_ns - begin_ns) / 1e9, begin_ns, slice_ns, arrived, lost, given, returned, disorder, slices)

    def run(self, rate_pps: float, ring: int, seconds: float) -> Run:
        self.begin(rate_pps, ring)
        time.sleep(min(seconds, RUN_MAX_S))
        return self.finish(rate_pps)

    def run_most(self, seconds: float) -> Run:
        """Nothing waits and nothing can be lost: the second figure of a slice is what was taken in it."""
        return self.run(MAX_PPS, 1, seconds)
