# SPDX-License-Identifier: BSD-3-Clause
"""Routers and their peers between two memif sockets, in.sock and out.sock of their directory.

The worker has the last CPU for itself; control thread and generator share the first, unless there are more CPUs.
"""
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import frames
from harness.api import api
from harness.bench import Context
from harness.host import HostError, Proc, cpu_other, cpu_worker
from harness.memif_config import MemifConfig, memif_args

RING_LOG2 = 13
START_S = 30
TARGETS = ["dataplane/dwcp-dataplane", "control/cli/dwcp-cli", "perf/source/table_dump"]


@dataclass(frozen=True)
class Gaps:
    """Absences of the worker: how many of 100 us or longer, and the sum of those of 5 ms or longer."""
    n: int
    long_ns: int

    def since(self, before: "Gaps") -> "Gaps":
        return Gaps(self.n - before.n, self.long_ns - before.long_ns)


class Forwarder:
    """Something between two memif sockets. start() and stop() in turn, as often as wanted."""

    def __init__(self, ctx: Context, name: str) -> None:
        self.ctx = ctx
        self.name = name
        self.dir = ctx.host.tmp / f"lab-{name}"
        self.dir.mkdir(exist_ok=True)
        self.proc: Proc | None = None

    @property
    def sockets(self) -> tuple[Path, Path]:
        return self.dir / "in.sock", self.dir / "out.sock"

    def argv(self) -> Sequence[str]:
        raise NotImplementedError

    def ready(self) -> bool:
        return all(s.is_socket() for s in self.sockets)

    def gaps(self) -> Gaps:
        """As far as the forwarder knows."""
        return Gaps(0, 0)

    def start(self) -> "Forwarder":
        for s in self.sockets:
            s.unlink(missing_ok=True)
        self.proc = self.ctx.host.start(self.argv(), self.name, hurry=True, stdin=subprocess.PIPE)
        end = time.monotonic() + START_S
        while not self.ready():
            if not self.proc.alive() or time.monotonic() > end:
                raise HostError(f"{self.name} did not start:\n{self.proc.tail()}")
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        if self.proc:
            self.ctx.host.stop(self.proc)
            if self.proc.popen.stdin:
                self.proc.popen.stdin.close()
        self.proc = None

    def __enter__(self) -> "Forwarder":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Dwcp(Forwarder):
    """The dataplane; without an agent unless the caller starts one with the same config."""

    def __init__(self, ctx: Context, name: str, idle: str = "poll", ring_log2: int = RING_LOG2, extra: str = "") -> None:
        super().__init__(ctx, name)
        self.run = self.dir / "run"
        self.state = self.dir / "state"
        self.state.mkdir(exist_ok=True)
        self.config = MemifConfig(self.dir, name, ["in", "out"], ring_log2, idle, extra=extra).write()

    def build(self, routes: Path, output: Path | None = None) -> Path:
        """A generation file; by default the one that the dataplane restores when it starts."""
        output = output or self.state / "generation"
        self.ctx.call([self.ctx.program("control/cli/dwcp-cli"), "tables", "build", "--config", str(self.config),
                       "--routes", str(routes), "--output", str(output)])
        return output

    def argv(self) -> Sequence[str]:
        return [self.ctx.program("dataplane/dwcp-dataplane"), "--config", str(self.config)]

    def ready(self) -> bool:
        return super().ready() and "control.ready" in self.proc.log.read_text(encoding="utf-8", errors="replace")

    def get(self, target: str) -> Any:
        return api(self.run / "dataplane.sock", "GET", target)[1]

    def gaps(self) -> Gaps:
        workers = self.get("/v1/stats")["workers"]
        return Gaps(sum(w["gaps"] for w in workers), sum(w["long_gap_ns"] for w in workers))

    def start(self) -> "Dwcp":
        super().start()
        generation = (self.state / "generation").exists()
        if generation and self.get("/v1/status")["generation"] == 0:
            raise HostError(f"{self.name}: the generation was not restored:\n{self.proc.tail()}")
        return self


class Testpmd(Forwarder):
    def __init__(self, ctx: Context, mode: str, burst: int = 32, ring_log2: int = RING_LOG2) -> None:
        super().__init__(ctx, f"testpmd-{mode}-{burst}")
        self.mode, self.burst, self.ring_log2 = mode, burst, ring_log2

    def argv(self) -> Sequence[str]:
        vdevs = [f"--vdev=net_memif{i},{memif_args(s, self.ring_log2)}" for i, s in enumerate(self.sockets)]
        ring = 1 << self.ring_log2
        return ["dpdk-testpmd", f"--lcores=0@{cpu_other()},1@{cpu_worker()}", "--in-memory", "--no-pci", "--no-telemetry",
                f"--file-prefix=perf-{os.getpid()}-{self.name}", "--log-level=*:4", "-m", "256", *vdevs, "--",
                f"--forward-mode={self.mode}", f"--burst={self.burst}", f"--rxd={ring}", f"--txd={ring}",
                "--total-num-mbufs=32768", "--auto-start", "--no-lsc-interrupt"]


class L3fwd(Forwarder):
    """rte_lpm holds few long prefixes, hence small tables; its main thread is the worker."""

    def __init__(self, ctx: Context, name: str, lookup: str, table: dict[int, list[frames.Prefix]],
                 binary: str = "l3fwd", ring_log2: int = RING_LOG2) -> None:
        super().__init__(ctx, name)
        self.program, self.lookup, self.ring_log2 = ctx.program(f"perf/peers/{binary}"), lookup, ring_log2
        self.rules = {f: self.dir / f"rules.v{f}" for f in (4, 6)}
        for family, path in self.rules.items():
            path.write_text("".join(f"R{frames.prefix_text(family, p)} 1\n" for p in table[family]), encoding="ascii")

    def argv(self) -> Sequence[str]:
        vdevs = [f"--vdev=net_memif{i},{memif_args(s, self.ring_log2)}" for i, s in enumerate(self.sockets)]
        return [self.program, f"--lcores=0@{cpu_worker()}", "--in-memory", "--no-pci", "--no-telemetry",
                f"--file-prefix=perf-{os.getpid()}-{self.name}", "--log-level=*:4", "-m", "512", *vdevs, "--", "-p", "3", "-P",
                "--config=(0,0,0),(1,0,0)", "--parse-ptype", f"--lookup={self.lookup}",
                f"--rule_ipv4={self.rules[4]}", f"--rule_ipv6={self.rules[6]}"]
