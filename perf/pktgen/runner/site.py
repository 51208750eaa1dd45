# SPDX-License-Identifier: BSD-3-Clause
"""Where the load goes: the lab on this machine, or ports that lead to a router elsewhere. What both have in common."""
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from harness.host import HostError

from runner.lab import Lab, Snapshot, Swapper

SETTLE_S = 2.0


@dataclass(frozen=True)
class Nics:
    """Another machine's router, reached through our ports."""
    tx: str
    rx: str
    mac: str
    swap_command: str | None


class Site:
    def __init__(self, lab: Lab | None, nics: Nics | None) -> None:
        self.lab, self.nics = lab, nics
        self.mac = lab.mac if lab else nics.mac
        self.before: Snapshot | None = None
        self.under_way = False
        self.swapper: Swapper | None = None

    def devices(self) -> list[tuple[str, str]]:
        """(name, DPDK device) of the ports to send from and to receive on."""
        if self.lab:
            ports = self.lab.ports
            return [(n, f"net_memif{i},role=client,id=0,socket={self.lab.socket(n)},socket-abstract=no,bsize=2048,"
                        "rsize=12")
                    for i, n in ((0, ports[0]), (len(ports) - 1, ports[-1]))]
        return [("tx", self.nics.tx), ("rx", self.nics.rx)]

    def _swap(self) -> Callable[[], None]:
        if self.lab:
            return self.lab.swap
        if not self.nics.swap_command:
            raise HostError("swapping tables on another machine needs --swap-command")
        count = iter(range(1, 1 << 30))

        def command() -> None:
            done = subprocess.run([*self.nics.swap_command.split(), str(next(count))], capture_output=True, text=True,
                                  timeout=300, check=False)
            if done.returncode:
                raise HostError(f"{self.nics.swap_command} failed ({done.returncode}): {done.stderr[-500:]}")
        return command

    def begin(self, during: str | None) -> None:
        """A measurement begins."""
        self.under_way = True
        self.before = self.lab.snapshot() if self.lab else None
        if during == "swap":
            self.swapper = Swapper(self._swap())
            self.swapper.start()

    def abort(self) -> None:
        self.under_way = False
        if self.swapper:
            self.swapper.ending.set()
            self.swapper.join(10)
            self.swapper = None

    def finish(self, offered_pps: float) -> dict[str, float]:
        """It has ended: what only the router and the runner know of it."""
        known: dict[str, float] = {}
        self.under_way = False
        if self.swapper:
            known["swaps"], self.swapper = self.swapper.stop(), None
        if not self.lab:
            return known
        after = self._quiet()
        gap_us = after.gap_us - self.before.gap_us
        known |= {"gaps": after.gaps - self.before.gaps, "gap_us": gap_us,
                  "excusable": int(gap_us * offered_pps / 1e6), "accounting_difference": after.difference}
        for reason, n in after.drops.items():
            if n > self.before.drops.get(reason, 0):
                known[f"drop_{reason}"] = n - self.before.drops.get(reason, 0)
        return known

    def _quiet(self) -> Snapshot:
        """Counters agree when nothing is under way; that takes a moment."""
        until = time.monotonic() + SETTLE_S
        while True:
            now = self.lab.snapshot()
            if now.difference == 0 or time.monotonic() > until:
                return now
            time.sleep(0.05)
