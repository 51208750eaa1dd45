# SPDX-License-Identifier: BSD-3-Clause
"""table_publisher: full tables in turn, in the place of an agent."""
import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from harness.bench import Context
from harness.host import HostError, cpu_other

START_S = 30
TARGETS = ["perf/reload/table_publisher"]


class Publisher:
    """Full tables, published in turn in an agent's place, from entering until @seconds are over or it is left."""

    def __init__(self, ctx: Context, run_dir: Path, generations: Sequence[Path], per_s: float, seconds: float,
                 options: Sequence[str] = ()) -> None:
        self.ctx = ctx
        self.argv = [ctx.program("perf/reload/table_publisher"), "--run-dir", str(run_dir), "--rate", str(per_s),
                     "--seconds", str(seconds), *options, *map(str, generations)]

    def __enter__(self) -> "Publisher":
        self.proc = self.ctx.host.start(self.argv, "publisher", cpus=[cpu_other()])
        end = time.monotonic() + START_S
        while "begins" not in self.proc.log.read_text(encoding="utf-8", errors="replace"):
            if not self.proc.alive() or time.monotonic() > end:
                raise HostError(f"table_publisher did not begin:\n{self.proc.tail()}")
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self.ctx.host.stop(self.proc)

    def result(self, timeout: float) -> dict:
        try:
            status = self.proc.popen.wait(timeout)
        except subprocess.TimeoutExpired as e:
            raise HostError(f"table_publisher does not end:\n{self.proc.tail()}") from e
        if status != 0:
            raise HostError(f"table_publisher failed:\n{self.proc.tail()}")
        return json.loads(self.proc.log.read_text(encoding="utf-8").strip().splitlines()[-1])
