# SPDX-License-Identifier: BSD-3-Clause
"""A profile inside Pktgen-DPDK: a terminal for it (it ends without one), its result file followed while it runs."""
import json
import os
import pty
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from harness.host import Host, HostError, Proc, cpu_worker

from runner.capture import capture_empty, sources_count
from runner.fallback import describe, lua_env
from runner.site import Site

SILENCE_S = 120
PCI = re.compile(r"^([0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f]$", re.I)
MEMORY_MB, MEMORY_HUGE_MB = 2560, 768  # 23.03 has several pools of 24,576 packets of 10 kB
ASKED, BURST = 1 << 14, 32  # count.lua's sources; what it sends at once


class Terminal(Proc):
    """A process with a terminal of 132 × 60; what it writes there goes to the log."""

    def __init__(self, argv: Sequence[str], log: Path, env: dict[str, str], cpus: Sequence[int]) -> None:
        self.master, slave = pty.openpty()
        out = log.with_suffix(".screen")
        super().__init__(["/bin/sh", "-c", 'exec "$@" <"$0" >"$0" 2>"$0"', os.ttyname(slave), *argv], log,
                         {"TERM": "xterm", "COLUMNS": "132", "LINES": "60", **env}, cpus=cpus, hurry=True)
        self.name = Path(argv[0]).name
        self.slave = slave
        self.log = out
        out.touch()
        threading.Thread(target=self._drain, daemon=True).start()

    def _drain(self) -> None:
        with open(self.log, "ab", buffering=0) as f:
            while True:
                try:
                    data = os.read(self.master, 65536)
                except OSError:
                    return
                f.write(data)

    def tail(self, n: int = 12) -> str:
        text = self.log.read_text(encoding="utf-8", errors="replace")
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", " ", text)
        return "\n".join(f"    {line.strip()}" for line in text.splitlines()[-4 * n:] if line.strip())

    def stop(self, *args: object, **kwargs: object) -> int:
        code = super().stop(*args, **kwargs)
        for fd in (self.master, self.slave):
            os.close(fd)
        return code


def program() -> str | None:
    return shutil.which("pktgen")


class Pktgen:
    def __init__(self, root: Path, host: Host, site: Site, env: dict[str, str], huge: bool,
                 distinct: int | None) -> None:
        self.root, self.host, self.site, self.huge = root, host, site, huge
        self.results = host.tmp / "results.jsonl"
        self.env = lua_env(root, "pktgen", env)
        self.capture = env.get("DWCP_PKTGEN_CAPTURE")
        self.cpus = [c for c in sorted(os.sched_getaffinity(0)) if not site.lab or c != cpu_worker()]
        self.env |= {"DWCP_PKTGEN_RESULTS": str(self.results), "DWCP_PKTGEN_QUIT": "1", "DWCP_PKTGEN_MAC": site.mac}
        self._distinct(distinct)
        self._ports([d for _, d in site.devices()])

    def _distinct(self, known: int | None) -> None:
        """How many different packets it sends, counted unless it is known; one burst if that can't be."""
        n = known
        if n is None:
            try:
                n = self._count()
            except HostError as e:
                print(f"how many different packets it sends could not be counted: {e}", file=sys.stderr)
                n = BURST
        print(f"Pktgen: {n:,} different packets in range mode", file=sys.stderr, flush=True)
        self.env["DWCP_PKTGEN_DISTINCT"] = str(n)

    def _count(self) -> int:
        """With a driver that frees an mbuf at once, as memif's does."""
        path, nothing = self.host.tmp / "count.pcap", self.host.tmp / "nothing.pcap"
        capture_empty(nothing)
        self._ports([f"net_pcap0,tx_pcap={path},rx_pcap={nothing}"] * 2)
        self.env["DWCP_PKTGEN_DISTINCT"] = str(ASKED)
        for o in self._run(self.root / "perf/pktgen/backend/pktgen/count.lua"):
            if o["event"] == "error":
                raise HostError(o["text"])
        n = sources_count(path)
        path.unlink()
        return n

    def _ports(self, sides: Sequence[str]) -> None:
        """DPDK numbers PCI devices first, by address, then the others as they are named."""
        devices = list(dict.fromkeys(sides))
        self.devices = sorted((d for d in devices if PCI.match(d)), key=str.lower)
        self.devices += [d for d in devices if not PCI.match(d)]
        self.env |= {f"DWCP_PKTGEN_{side}_PORT": str(self.devices.index(d)) for side, d in zip(("TX", "RX"), sides)}

    def _argv(self, profile: Path) -> list[str]:
        lcores = ",".join(f"{i}@{self.cpus[i % len(self.cpus)]}" for i in range(len(self.devices) + 1))
        # it asks for --legacy-mem itself, which excludes --in-memory
        eal = [f"--lcores={lcores}", f"--file-prefix=dwcp-pktgen-{os.getpid()}", "-m",
               str(MEMORY_HUGE_MB if self.huge else MEMORY_MB)]
        eal += ["--huge-unlink"] if self.huge else ["--no-huge"]
        eal += [] if any(PCI.match(d) for d in self.devices) else ["--no-pci"]
        for device in self.devices:
            eal += ["-a", device] if PCI.match(device) else [f"--vdev={device}"]
        matrix = [word for i in range(len(self.devices)) for word in ("-m", f"{i + 1}.{i}")]
        replays = any(c["traffic"].get("capture") for c in describe(self.root, profile)["cases"])
        capture = ["-s", f"{self.env['DWCP_PKTGEN_TX_PORT']}:{self.capture}"] if replays and self.capture else []
        return [program(), *eal, "--", "-P", *matrix, *capture, "-f", str(profile)]

    def _lines(self, p: Terminal) -> Iterator[dict]:
        """As they are written, until the program has ended."""
        heard = time.monotonic()
        with open(self.results, encoding="utf-8") as f:
            part = ""
            while True:
                alive = p.alive()
                part += f.read()
                *whole, part = part.split("\n")
                for line in whole:
                    heard = time.monotonic()
                    yield json.loads(line)
                if not alive:
                    return
                if time.monotonic() > heard + SILENCE_S:
                    raise HostError(f"pktgen wrote no result for {SILENCE_S} s:\n{p.tail()}")
                time.sleep(0.02)

    def _run(self, profile: Path) -> Iterator[dict]:
        """Every line that the profile says."""
        self.results.write_text("")
        p = Terminal(self._argv(profile), self.host.tmp / "pktgen.log", self.env, self.cpus)
        self.host.procs.append(p)
        ended, tail = False, ""
        try:
            for o in self._lines(p):
                ended = ended or o["event"] in ("end", "error")
                yield o
            tail = p.tail()
        finally:
            self.host.stop(p)
        if not ended:
            raise HostError(f"pktgen ended before {profile.name} did:\n{tail}")

    def run(self, profile: Path, line_cb: Callable[[dict], None]) -> None:
        try:
            for o in self._run(profile):
                if o["event"] == "offer":
                    self.site.begin(o.get("during"))
                elif o["event"] in ("result", "trial") and self.site.under_way:
                    o |= self.site.finish(o["offered_pps"])
                line_cb(o)
        finally:
            self.site.abort()
