# SPDX-License-Identifier: BSD-3-Clause
"""The config of a router between memif sockets on one machine: its worker alone on the last CPU."""
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.host import cpu_other, cpu_worker
from harness.tables import FIRST_HOP, N_HOPS


def memif_args(path: Path, ring_log2: int) -> str:
    return f"role=server,id=0,socket={path},socket-abstract=no,bsize=2048,rsize={ring_log2}"


@dataclass(frozen=True)
class MemifConfig:
    """Port i of @ports is 10.0.i.1 and fd00:i::1 (from 1 on) with the socket NAME.sock in @dir; next hops are behind the
    last one."""
    dir: Path
    name: str
    ports: Sequence[str]
    ring_log2: int
    idle: str = "poll"
    memory: str = 'huge_pages = "on"; size_mb = 512'
    tables_max_mb: int = 1024
    extra: str = ""

    def socket(self, port: str) -> Path:
        return self.dir / f"{port}.sock"

    def _port(self, name: str, net: int) -> str:
        ring = 1 << self.ring_log2
        return (f'  {{ name = "{name}"; twin = "off"; device = "memif"; args = "{memif_args(self.socket(name), self.ring_log2)}"; '
                f'promiscuous = true; rx_ring = {ring}; tx_ring = {ring}; '
                f'addresses = [ "10.0.{net}.1/24", "fd00:{net}::1/64" ]; }}')

    def _hops(self) -> str:
        net = len(self.ports)
        return ",\n".join(f'  {{ port = "{self.ports[-1]}"; address = "{a}"; mac = "02:00:00:00:01:{h:02x}"; }}'
                          for h in range(FIRST_HOP, FIRST_HOP + N_HOPS)
                          for a in (f"10.0.{net}.{h}", f"fd00:{net}::{h:x}"))

    def write(self) -> Path:
        ports = ",\n".join(self._port(name, net) for net, name in enumerate(self.ports, 1))
        path = self.dir / "dwcp.conf"
        path.write_text(f"""node: {{ name = "perf"; state_dir = "{self.dir}/state"; run_dir = "{self.dir}/run"; }};
dataplane: {{ workers = [{cpu_worker()}]; control_cpu = {cpu_other()}; idle = "{self.idle}";
  file_prefix = "perf-{os.getpid()}-{self.name}";
  icmp: {{ errors_pps = 0; }}; memory: {{ {self.memory}; mbufs = 32768; }};
  tables: {{ memory_max_mb = {self.tables_max_mb}; lock = false; }}; }};
{self.extra}
ports: (
{ports}
);
neighbours: (
{self._hops()}
);
""", encoding="utf-8")
        return path
