# SPDX-License-Identifier: BSD-3-Clause
"""What a bench gets (Context) and is: a module of benches/ with NAME, HELP, TARGETS (ninja), MINUTES and run(ctx).

MINUTES is how long it may go on measuring: after that ctx.late, and whoever repeats what the machine has spoiled makes do
with what there is. All of them together are less than the 40 minutes of a whole run."""
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.host import Host, HostError
from harness.rows import Row, row_merge, row_of


@dataclass
class Context:
    root: Path
    build: Path
    host: Host
    quick: bool
    bench: str = ""
    only: str = ""  # part of the names of the cases that are wanted
    rows: list[Row] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    end: float = float("inf")  # of the bench, monotonic

    @property
    def late(self) -> bool:
        return time.monotonic() > self.end

    def say(self, text: str) -> None:
        print(f"[{time.monotonic() - self.started:6.1f} s] {self.bench}: {text}", file=sys.stderr, flush=True)

    def row(self, case: str, subject: str, unit: str, samples: Sequence[float], floor: float | None = None) -> None:
        self.rows.append(row_of(self.bench, case, subject, unit, samples, floor))

    def rows_of_programs(self, outputs: Sequence[str]) -> None:
        """JSON lines {"case","subject","unit","min","median","max","n","floor"} of restarts of one program."""
        found: dict[str, list[Row]] = {}
        for text in outputs:
            for line in text.splitlines():
                r = Row(bench=self.bench, **json.loads(line))
                found.setdefault(r.key, []).append(r)
        self.rows += [row_merge(rows) for rows in found.values()]

    def program(self, path: str) -> str:
        return str(self.build / path)

    def call(self, argv: Sequence[str], timeout: float = 300, cpus: Sequence[int] | None = None) -> str:
        """Run to the end; stdout. Raises HostError with what it said when it fails."""
        pin = ["taskset", "-c", ",".join(map(str, cpus))] if cpus else []
        try:
            done = subprocess.run([*pin, *argv], capture_output=True, text=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired as e:
            raise HostError(f"{argv[0]} took longer than {timeout:g} s") from e
        if done.returncode != 0:
            raise HostError(f"{' '.join(argv)} failed ({done.returncode}):\n{done.stderr[-2000:]}")
        return done.stdout
