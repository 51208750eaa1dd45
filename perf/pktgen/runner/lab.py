# SPDX-License-Identifier: BSD-3-Clause
"""One machine: the router between two memif ports (or on one), its tables, its API. A worker alone on the last CPU."""
import ipaddress
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness import frames
from harness.api import api
from harness.host import Host, HostError, cpu_other
from harness.memif_config import MemifConfig
from harness.tables import FIRST_HOP, N_HOPS, SEED

MAC = "02:00:00:00:00:aa"  # the port takes all: it is promiscuous
RING_LOG2 = 12
N_DESTINATIONS = 65536
# What Pktgen's ranges go over (backend/pktgen/profile.lua): always in the table.
TEST_NETWORKS = [f"198.{18 + i // 256}.{i % 256}.0/24" for i in range(512)] + ["2001:2::/48"]
START_S, ADOPT_S = 30, 120


@dataclass(frozen=True)
class Snapshot:
    """What the router knows at one moment."""
    gaps: int
    gap_us: int
    difference: int
    drops: dict[str, int]


class Lab:
    def __init__(self, host: Host, build: Path, n_prefixes: int, table_dump: Callable[[], str], huge: bool,
                 one_port: bool) -> None:
        self.host, self.build, self.huge = host, build, huge
        self.ports = ["in"] if one_port else ["in", "out"]
        self.dir = host.tmp
        self.mac = MAC
        self.destinations = self.dir / "destinations"
        self.k = 0
        self._table(n_prefixes, table_dump)

    # ---- tables ------------------------------------------------------------------------------------------------------

    def _table(self, n_prefixes: int, table_dump: Callable[[], str]) -> None:
        rng = random.Random(SEED)
        full = frames.prefixes_parse(table_dump())
        if n_prefixes:
            full = {f: frames.routes_sample(rng, f, full[f], min(n, len(full[f])))
                    for f, n in ((4, n_prefixes), (6, n_prefixes // 6 + 1))}
        texts = {frames.prefix_text(f, p): None for f in (4, 6) for p in full[f]}
        self.prefixes = list(texts | dict.fromkeys(TEST_NETWORKS))
        found = [str(ipaddress.IPv4Address(a)) for a in frames.destinations(rng, 4, full[4], N_DESTINATIONS)]
        found += [str(ipaddress.IPv6Address(a)) for a in frames.destinations(rng, 6, _global(full[6]), N_DESTINATIONS)]
        self.destinations.write_text("\n".join(found) + "\n", encoding="ascii")
        for k in (0, 1):
            self._routes_write(k, self.dir / f"table{k}.routes")
        os.link(self.dir / "table0.routes", self.dir / "table.routes")

    def _routes_write(self, k: int, path: Path) -> None:
        """Prefix i goes to next hop (i + k) mod 64: another one in each table."""
        net = len(self.ports)
        hops = [FIRST_HOP + i for i in range(N_HOPS)]
        with open(path, "w", encoding="ascii") as f:
            for i, prefix in enumerate(self.prefixes):
                hop = hops[(i + k) % N_HOPS]
                f.write(f"{prefix} via {f'fd00:{net}::{hop:x}' if ':' in prefix else f'10.0.{net}.{hop}'}\n")

    def swap(self) -> None:
        """The other table, all of it; back when every worker has it."""
        before = self.generation()
        self.k += 1
        new = self.dir / "next.routes"
        os.link(self.dir / f"table{self.k % 2}.routes", new)
        new.rename(self.dir / "table.routes")
        self.call("agent", "POST", "/v1/config/reload")
        self._wait(lambda: self._adopted() > before, "the next table")

    def _adopted(self) -> int:
        """Its answer has been sent: every worker has left the table before."""
        history = self.call("dataplane", "GET", "/v1/tables/history?limit=1")["history"]
        if history and history[0]["result"] != "adopted":
            raise HostError(f"the router refused a table: {history[0]}")
        return history[0]["generation"] if history else 0

    # ---- the router --------------------------------------------------------------------------------------------------

    def _config(self) -> Path:
        memory = 'huge_pages = "on"; size_mb = 512' if self.huge else 'huge_pages = "off"; size_mb = 128'
        table = f'route_files: ( {{ name = "table"; path = "{self.dir}/table.routes"; }} );'
        return MemifConfig(self.dir, "load", self.ports, RING_LOG2, memory=memory, tables_max_mb=512, extra=table).write()

    def socket(self, port: str) -> Path:
        return self.dir / f"{port}.sock"

    def start(self) -> None:
        for name in ("run", "state"):
            (self.dir / name).mkdir()
        config = str(self._config())
        self.dataplane = self.host.start([str(self.build / "dataplane/dwcp-dataplane"), "--config", config],
                                         "dataplane", hurry=True)
        self._wait(lambda: "control.ready" in self.dataplane.log.read_text(errors="replace"), "the dataplane", START_S)
        self.agent = self.host.start([str(self.build / "control/dwcp-agent"), "--config", config], "agent",
                                     cpus=[cpu_other()])
        self._wait(lambda: self._adopted() >= 1, "the first table")

    def _wait(self, done: Callable[[], bool], what: str, seconds: float = ADOPT_S) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for p in (self.dataplane, getattr(self, "agent", self.dataplane)):
                if not p.alive():
                    raise HostError(f"{p.name} has ended:\n{p.tail()}")
            if done():
                return
            time.sleep(0.02)
        raise HostError(f"waited {seconds:g} s for {what}; the router said last:\n{self.dataplane.tail()}")

    def call(self, program: str, method: str, path: str) -> dict:
        status, answer = api(self.dir / f"run/{program}.sock", method, path)
        if status != 200:
            raise HostError(f"{program} answers {path} with {status}: {answer}")
        return answer

    def generation(self) -> int:
        return self.call("dataplane", "GET", "/v1/status")["generation"]

    def snapshot(self) -> Snapshot:
        stats = self.call("dataplane", "GET", "/v1/stats")
        drops = self.call("dataplane", "GET", "/v1/drops")
        return Snapshot(sum(w["long_gaps"] for w in stats["workers"]),
                        sum(w["long_gap_ns"] for w in stats["workers"]) // 1000,
                        stats["accounting"]["difference"],
                        {d["reason"]: d["packets"] for d in drops["drops"]})


def _global(prefixes: list[frames.Prefix]) -> list[frames.Prefix]:
    return [p for p in prefixes if p[0] >> 125 == 1]


class Swapper(threading.Thread):
    """Calls swap() again and again until stop(), which returns how often it was done, or raises what went wrong."""

    def __init__(self, swap: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self.swap, self.count, self.error = swap, 0, None
        self.ending = threading.Event()

    def run(self) -> None:
        try:
            while not self.ending.is_set():
                self.swap()
                self.count += 1
        except Exception as e:  # noqa: BLE001  (whatever it is, the main thread has to hear it)
            self.error = e

    def stop(self) -> int:
        self.ending.set()
        self.join(ADOPT_S)
        if self.error:
            raise self.error
        return self.count
