# SPDX-License-Identifier: BSD-3-Clause
"""The machine card: without it a figure says nothing."""
import datetime
import os
import re
import subprocess
from pathlib import Path


def _read(path: str, default: str = "?") -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return default


def _cpuinfo(field: str) -> str:
    m = re.search(rf"^{field}\s*:\s*(.*)$", _read("/proc/cpuinfo", ""), re.M)
    return m.group(1).strip() if m else "?"


def _output(*argv: str) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "?"


def _caches() -> str:
    found = []
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        kind = {"Data": "d", "Instruction": "i"}.get(_read(str(index / "type")), "")
        found.append(f"L{_read(str(index / 'level'))}{kind} {_read(str(index / 'size'))}")
    return ", ".join(found) or "?"


def card(root: Path) -> dict[str, str]:
    flags = set(_cpuinfo("flags").split())
    simd = [f for f in ("avx2", "avx512f", "avx512_vpopcntdq") if f in flags]
    with open("/proc/meminfo", encoding="utf-8") as f:
        memory_kb = int(f.readline().split()[1])
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": f"{_cpuinfo('model name')}, family {_cpuinfo('cpu family')} model {_cpuinfo('model')}",
        "cpus": f"{os.cpu_count()}" + (", virtual" if "hypervisor" in flags else ""),
        "caches": _caches(),
        "simd": " ".join(simd) or "none",
        "memory": f"{memory_kb / 2**20:.1f} GiB",
        "kernel": os.uname().release,
        "dpdk": _output("pkg-config", "--modversion", "libdpdk"),
        "compiler": _output("cc", "--version").split("\n")[0],
        "commit": _output("git", "-C", str(root), "describe", "--always", "--dirty"),
        "load": _read("/proc/loadavg").split(" ")[0],
    }


def card_text(c: dict[str, str]) -> str:
    return "\n".join(f"{k:>9}  {v}" for k, v in c.items())
