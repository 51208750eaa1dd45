# SPDX-License-Identifier: BSD-3-Clause
"""traffic_gen, connected to a router; run after run without a new connection."""
import json
import os
import selectors
import subprocess
from collections.abc import Sequence
from pathlib import Path

from harness.bench import Context
from harness.host import HostError, cpu_other
from harness.routers import RING_LOG2, Forwarder

TARGETS = ["perf/gen/traffic_gen"]


FRAMES = {"64B": ["--size", "60"], "imix": ["--pattern", "imix"], "1500B": ["--size", "1514"]}


class Generator:
    """traffic_gen, connected to a forwarder; run after run without a new connection."""

    def __init__(self, ctx: Context, router: Forwarder, args: Sequence[str], ring_log2: int = RING_LOG2) -> None:
        self.ctx = ctx
        self.log = ctx.host.tmp / "traffic_gen.log"
        sockets = router.sockets
        argv = [ctx.program("perf/gen/traffic_gen"), "--in", str(sockets[0]), "--out", str(sockets[1]), "--cpu",
                str(cpu_other()), "--ring", str(ring_log2), *args]
        with open(self.log, "wb") as err:
            self.proc = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err, text=True,
                                         start_new_session=True)
        for path, what in ((f"/proc/{self.proc.pid}/autogroup", "-20"),):
            try:
                os.setpriority(os.PRIO_PROCESS, self.proc.pid, -20)
                Path(path).write_text(what, encoding="ascii")
            except OSError:
                pass  # a container may forbid it: noisier then

    def __enter__(self) -> "Generator":
        return self

    def __exit__(self, *_: object) -> None:
        self.proc.terminate()
        try:
            self.proc.communicate(timeout=5)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            self.proc.kill()
            self.proc.wait()

    def begin(self, rate_pps: float, seconds: float) -> None:
        """A run whose result finish() brings; 0: as fast as it goes."""
        assert self.proc.stdin
        try:
            self.proc.stdin.write(f"run {'max' if rate_pps == 0 else max(1, int(rate_pps))} {seconds}\n")
            self.proc.stdin.flush()
        except BrokenPipeError:
            pass  # finish() says why

    def finish(self, timeout: float) -> dict:
        assert self.proc.stdout
        with selectors.DefaultSelector() as s:
            s.register(self.proc.stdout, selectors.EVENT_READ)
            line = self.proc.stdout.readline() if s.select(timeout) else ""
        result = json.loads(line) if line else {"error": "no answer"}
        if "error" in result:
            raise HostError(f"traffic_gen: {result['error']}\n{self.log.read_text(encoding='utf-8')}")
        return result

    def run(self, rate_pps: float, seconds: float) -> dict:
        self.begin(rate_pps, seconds)
        return self.finish(seconds + 15)
