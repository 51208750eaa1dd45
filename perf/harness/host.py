# SPDX-License-Identifier: BSD-3-Clause
"""What a bench needs of the machine, and gives back at the end: huge pages, a directory, processes, CPUs."""
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

HUGE_2M = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")


class HostError(Exception):
    """Something that only the user can mend; the text says how."""


def cpu_worker() -> int:
    """The CPU that the measured worker has for itself: the last of those we may use."""
    return max(os.sched_getaffinity(0))


def cpu_other() -> int:
    return min(os.sched_getaffinity(0))


class Proc:
    """A process of ours in a session of its own; its output in a file. Ended by pid, never by name."""

    def __init__(self, argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None,
                 cpus: Sequence[int] | None = None, hurry: bool = False, stdin: int = subprocess.DEVNULL) -> None:
        self.log = log
        self.name = Path(argv[0]).name

        def child() -> None:
            if cpus:
                os.sched_setaffinity(0, cpus)
            if hurry:
                try:
                    os.setpriority(os.PRIO_PROCESS, 0, -20)
                    Path("/proc/self/autogroup").write_text("-20", encoding="ascii")
                except OSError:
                    pass  # a container may forbid it: noisier then
        with open(log, "wb") as out:
            self.popen = subprocess.Popen(list(argv), stdin=stdin, stdout=out, stderr=subprocess.STDOUT,
                                          env={**os.environ, **(env or {})}, start_new_session=True, preexec_fn=child)

    def alive(self) -> bool:
        return self.popen.poll() is None

    def tail(self, n: int = 12) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-n:])

    def stop(self, sig: int = signal.SIGTERM, timeout: float = 5.0) -> int:
        if self.alive():
            self.popen.send_signal(sig)
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            return self.popen.wait()


class Host:
    """Context manager. On the way out, interrupted or not, everything is as it was."""

    def __init__(self, huge_pages: int) -> None:
        self.want = huge_pages
        self.before: int | None = None
        self.procs: list[Proc] = []

    def __enter__(self) -> "Host":
        self.tmp = Path(tempfile.mkdtemp(prefix="dwcp-perf-"))
        signal.signal(signal.SIGTERM, self._interrupted)
        try:
            self._huge_pages()
        except HostError:
            shutil.rmtree(self.tmp, ignore_errors=True)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for p in self.procs:
            p.stop()
        if self.before is not None:
            HUGE_2M.write_text(str(self.before), encoding="ascii")
        shutil.rmtree(self.tmp, ignore_errors=True)

    @staticmethod
    def _interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    def _huge_pages(self) -> None:
        have = int(HUGE_2M.read_text(encoding="ascii"))
        if have >= self.want:
            return
        try:
            HUGE_2M.write_text(str(self.want), encoding="ascii")
        except OSError as e:
            raise HostError(f"needs {self.want} huge pages of 2 MB, there are {have}; as root: "
                            f"echo {self.want} > {HUGE_2M}") from e
        self.before = have
        got = int(HUGE_2M.read_text(encoding="ascii"))
        if got < self.want:
            HUGE_2M.write_text(str(have), encoding="ascii")
            raise HostError(f"the kernel has room for {got} of {self.want} huge pages of 2 MB; free memory or reboot")

    def start(self, argv: Sequence[str], name: str, **kwargs: object) -> Proc:
        p = Proc(argv, self.tmp / f"{name}.log", **kwargs)
        self.procs.append(p)
        return p

    def stop(self, p: Proc, sig: int = signal.SIGTERM) -> int:
        self.procs.remove(p)
        return p.stop(sig)
