# SPDX-License-Identifier: BSD-3-Clause
"""Programs that forward what the source shim gives them, each started the way its users would, and how fast they do it."""
import mmap
import os
import struct
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.bench import Context
from harness.host import HostError, Proc, cpu_other, cpu_worker
from harness.tables import FIRST_HOP, N_HOPS

PAGE = struct.Struct("<3Q")
SAMPLE = struct.Struct("<5Q")
SAMPLE_AT, SAMPLE_BYTES, PAGE_BYTES = 128, 128, 128 + 8 * 128
START_S = 60  # a full table takes l3fwd most of it


@dataclass(frozen=True)
class Load:
    """What is to be forwarded: the same for every program."""
    source: Path
    device: str = "ring"  # "ring", "null"; "pcap" without the shim's frames
    fill: int = 0  # mbufs in flight beyond a burst
    workers: int = 1
    capture: Path | None = None


@dataclass(frozen=True)
class Forwarder:
    """argv gets the directory, the load and the EAL arguments that all share."""
    name: str
    argv: Sequence[str]
    main_works: bool = False  # its main thread is the first worker


@dataclass
class Window:
    cycles: float  # a packet, of one worker
    mpps: float  # of all workers
    fresh: float  # share of mbufs that did not come back


@dataclass
class Page:
    """The shim's counters, mapped."""
    path: Path
    map: mmap.mmap = field(init=False)

    def open(self) -> bool:
        try:
            if self.path.stat().st_size < PAGE_BYTES:
                return False
            with open(self.path, "rb") as f:
                self.map = mmap.mmap(f.fileno(), PAGE_BYTES, prot=mmap.PROT_READ)
        except OSError:
            return False
        return True

    def sample(self, queue: int) -> tuple[int, int, int, int]:
        """tsc, packets, polls, fresh: of one moment."""
        at = SAMPLE_AT + queue * SAMPLE_BYTES
        while True:
            seq, *rest = SAMPLE.unpack_from(self.map, at)
            if seq % 2 == 0 and SAMPLE.unpack_from(self.map, at)[0] == seq:
                return tuple(rest)  # type: ignore[return-value]

    @property
    def tsc_hz(self) -> int:
        return PAGE.unpack_from(self.map, 0)[0]

    @property
    def opackets(self) -> int:
        return PAGE.unpack_from(self.map, 0)[2]

    def received(self, n_queues: int) -> int:
        return sum(self.sample(q)[1] for q in range(n_queues))

    def window(self, seconds: float, n_queues: int) -> Window:
        before = [self.sample(q) for q in range(n_queues)]
        time.sleep(seconds)
        after = [self.sample(q) for q in range(n_queues)]
        tsc = [a[0] - b[0] for a, b in zip(after, before)]
        packets = [a[1] - b[1] for a, b in zip(after, before)]
        if min(tsc) <= 0 or min(packets) <= 0:
            raise HostError("the worker made no progress")
        fresh = sum(a[3] - b[3] for a, b in zip(after, before)) / sum(packets)
        mpps = sum(p * self.tsc_hz / t / 1e6 for p, t in zip(packets, tsc))
        return Window(sum(t / p for t, p in zip(tsc, packets)) / n_queues, mpps, fresh)


def _eal(f: Forwarder, load: Load) -> list[str]:
    cpus = ([] if f.main_works else [cpu_other()]) + [cpu_worker(), cpu_other()][:load.workers]
    lcores = ",".join(f"{i}@{c}" for i, c in enumerate(cpus))
    vdev = {"ring": "net_ring0", "null": "net_null0",
            "pcap": f"net_pcap0,rx_pcap={load.capture},infinite_rx=1"}[load.device]
    return ["--in-memory", "--no-pci", "--no-telemetry", f"--file-prefix=perf-{os.getpid()}-{f.name}",
            f"--lcores={lcores}", "-m", "1400", f"--vdev={vdev}", "--log-level=*:4"]


def testpmd(mode: str, burst: int) -> Forwarder:
    return Forwarder(f"testpmd-{mode}-{burst}",
                     ["dpdk-testpmd", "{eal}", "--", f"--forward-mode={mode}", "--nb-cores={workers}", f"--burst={burst}",
                      "--rxq={workers}", "--txq={workers}", "--total-num-mbufs=16384", "--auto-start", "--no-lsc-interrupt"])


def l3fwd(ctx: Context, lookup: str, rules4: Path, rules6: Path, binary: str = "l3fwd", simd: str = "") -> Forwarder:
    name = f"{binary}-{lookup}{simd and '-avx512'}"
    return Forwarder(name,
                     [ctx.program(f"perf/peers/{binary}"), "{eal}", *([simd] if simd else []), "--", "-p", "1", "-P",
                      "--config={queues}", "--parse-ptype", f"--lookup={lookup}", f"--rule_ipv4={rules4}",
                      f"--rule_ipv6={rules6}"], main_works=True)


def l3fwd_graph(ctx: Context) -> Forwarder:
    return Forwarder("l3fwd-graph", [ctx.program("perf/peers/l3fwd-graph"), "{eal}", "--", "-p", "1", "-P",
                                     "--config={queues_worker}"])


def dwcp(ctx: Context, name: str, config: Path) -> Forwarder:
    return Forwarder(name, [ctx.program("dataplane/dwcp-dataplane"), "--config", str(config)])


def dwcp_config(ctx: Context, path: Path, load: Load, huge: str = "on") -> Path:
    """A dataplane with one port and no agent; its tables are the file `generation` in path/state."""
    device, args = {"ring": ("ring", ""), "null": ("null", ""),
                    "pcap": ("pcap", f'args = "rx_pcap={load.capture},infinite_rx=1";')}[load.device]
    cpus = ", ".join(str(c) for c in [cpu_worker(), cpu_other()][:load.workers])
    hops = ", ".join(f'{{ port = "p0"; address = "10.0.2.{h}"; mac = "02:00:00:00:01:{h:02x}"; }}, '
                     f'{{ port = "p0"; address = "fd00:2::{h:x}"; mac = "02:00:00:00:01:{h:02x}"; }}' for h in range(FIRST_HOP, FIRST_HOP + N_HOPS))
    (path / "state").mkdir(parents=True, exist_ok=True)
    config = path / "dwcp.conf"
    config.write_text(f"""node: {{ name = "perf"; state_dir = "{path}/state"; run_dir = "{path}/run"; }};
dataplane: {{ workers = [{cpus}]; control_cpu = {cpu_other()}; idle = "poll"; file_prefix = "perf-{os.getpid()}-dwcp";
  memory: {{ huge_pages = "{huge}"; size_mb = 1024; mbufs = 16384; }};
  tables: {{ memory_max_mb = 512; lock = false; }}; }};
ports: ( {{ name = "p0"; twin = "off"; device = "{device}"; {args} promiscuous = {'true' if load.device == 'pcap' else 'false'};
  addresses = [ "10.0.2.1/24", "fd00:2::1/64" ]; }} );
neighbours: ( {hops} );
""", encoding="utf-8")
    return config


def _argv(f: Forwarder, load: Load) -> list[str]:
    queues = ",".join(f"(0,{i},{i})" for i in range(load.workers))
    queues_worker = ",".join(f"(0,{i},{i + 1})" for i in range(load.workers))
    out: list[str] = []
    for a in f.argv:
        if a == "{eal}":
            out += _eal(f, load)
        else:
            out.append(a.replace("{workers}", str(load.workers)).replace("{queues}", queues)
                       .replace("{queues_worker}", queues_worker))
    return out


def _wait(page: Page, proc: Proc, load: Load) -> None:
    end = time.monotonic() + START_S
    opened = False
    while time.monotonic() < end and proc.alive():
        opened = opened or page.open()
        if opened and all(page.sample(q)[1] > 2000000 for q in range(load.workers)):
            return
        time.sleep(0.02)
    raise HostError(f"{proc.name} does not forward:\n{proc.tail()}")


def forward(ctx: Context, shim: str, f: Forwarder, load: Load, windows: int, seconds: float) -> list[Window]:
    """One start of one program: so many windows of its steady state."""
    page = Page(ctx.host.tmp / "page")
    page.path.unlink(missing_ok=True)
    env = {"LD_PRELOAD": shim, "SOURCE_FILE": str(load.source), "SOURCE_PAGE": str(page.path),
           "SOURCE_FILL": str(load.fill), "SOURCE_STAMP": "0" if load.device == "pcap" else "1"}
    proc = ctx.host.start(_argv(f, load), f.name, env=env, hurry=True, stdin=subprocess.PIPE)
    try:
        _wait(page, proc, load)
        sent, received = page.opackets, page.received(load.workers)
        found = [page.window(seconds, load.workers) for _ in range(windows)]
        if load.device != "ring":
            sent, received = page.opackets - sent, page.received(load.workers) - received
            if sent < 0.8 * received:  # the shim reads the device's counter every 100 ms only
                raise HostError(f"{f.name} does not forward all packets: sent {sent} of {received}\n{proc.tail()}")
        if load.device == "ring" and max(w.fresh for w in found) > 0.001:
            raise HostError(f"{f.name} does not forward all packets: {max(w.fresh for w in found):.1%} were lost\n"
                            f"{proc.tail()}")
        return found
    finally:
        ctx.host.stop(proc)
