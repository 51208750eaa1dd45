# SPDX-License-Identifier: BSD-3-Clause
"""A program that is talked to by lines: its stdin and stdout are ours, its stderr goes to a file."""
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.host import HostError


def _hurry() -> None:
    """Before others on its CPU, where that is allowed."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -20)
        Path("/proc/self/autogroup").write_text("-20", encoding="ascii")
    except OSError:
        pass


class Talker:
    """Has what Host wants of a process (stop), so that it is ended with the others."""

    def __init__(self, argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None,
                 hurry: bool = False) -> None:
        self.name = Path(argv[0]).name
        self.log = log
        self.lines: queue.Queue[str | None] = queue.Queue()
        with open(log, "wb") as err:
            self.popen = subprocess.Popen(list(argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err,
                                          text=True, env={**os.environ, **(env or {})}, start_new_session=True,
                                          preexec_fn=_hurry if hurry else None)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.popen.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def tail(self, n: int = 12) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-n:])

    def say(self, line: str) -> None:
        try:
            self.popen.stdin.write(line + "\n")
            self.popen.stdin.flush()
        except OSError as e:
            raise HostError(f"{self.name} has gone:\n{self.tail()}") from e

    def hear(self, timeout: float) -> str | None:
        """The next line; None at the end."""
        try:
            return self.lines.get(timeout=timeout)
        except queue.Empty as e:
            raise HostError(f"{self.name} said nothing for {timeout:g} s:\n{self.tail()}") from e

    def stop(self, sig: int = signal.SIGTERM, timeout: float = 5.0) -> int:
        """Its input ends first: who reads lines goes by itself then."""
        try:
            self.popen.stdin.close()
        except OSError:
            pass
        for action, patience in ((None, 2.0), (sig, timeout)):
            if action:
                self.popen.send_signal(action)
            try:
                return self.popen.wait(patience)
            except subprocess.TimeoutExpired:
                continue
        self.popen.kill()
        return self.popen.wait()
