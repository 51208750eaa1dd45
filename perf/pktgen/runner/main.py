# SPDX-License-Identifier: BSD-3-Clause
"""perf/pktgen/run: arguments, building, the profiles in order, what came out."""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.card import card, card_text
from harness.host import Host, HostError
from harness.tables import SEED
from runner import pktgen
from runner.capture import capture_copy, capture_make
from runner.fallback import Fallback, describe
from runner.lab import Lab
from runner.results import Bar, Profile, failed, judge, profiles_of_lines, results_table, verdicts_table
from runner.site import Nics, Site

ROOT = Path(__file__).resolve().parents[3]
PROFILES = ROOT / "perf/pktgen/profiles"
ORDER = ["throughput", "search", "imix", "sources", "syn-flood", "udp-flood", "replay", "swap"]
LAB_TARGETS = ["dataplane/dwcp-dataplane", "control/dwcp-agent", "perf/source/table_dump"]
GENERATOR = "perf/gen/traffic_gen"
HUGE_PAGES = 1024
QUICK_PREFIXES = 2000
MAC = re.compile(r"^([0-9a-f]{2}:){5}[0-9a-f]{2}$", re.I)
BAR = re.compile(r"^([\w-]+):(\w+)(>=|<=)([\d.]+)$")
CAPTURE_FRAMES = 8192
CPUS_TWO_PORTS = 4  # the router's worker, Pktgen's main thread and one for each port


class Usage(Exception):
    pass


def _parse(argv: Sequence[str], doc: str) -> argparse.Namespace:
    p = argparse.ArgumentParser(prog="perf/pktgen/run", description=doc, usage=argparse.SUPPRESS,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("profile", nargs="*")
    p.add_argument("--backend", choices=("auto", "pktgen", "fallback"), default="auto")
    for flag in ("--quick", "--list", "--no-build"):
        p.add_argument(flag, action="store_true")
    for option in ("--json", "--capture", "--tx-pci", "--rx-pci", "--dut", "--swap-command", "--judge"):
        p.add_argument(option)
    p.add_argument("--bar", action="append", default=[])
    p.add_argument("--distinct", type=int)
    p.add_argument("--prefixes", type=int)
    p.add_argument("--build", default=str(ROOT / "build"))
    return p.parse_args(argv)


def _profile_paths(names: Sequence[str]) -> list[Path]:
    there = {p.stem: p for p in PROFILES.glob("*.lua")}
    if not names:
        return [there[n] for n in [*ORDER, *sorted(set(there) - set(ORDER))] if n in there]
    paths = []
    for name in names:
        path = there.get(name, Path(name))
        if not path.is_file():
            raise Usage(f"no profile {name}; there are: {' '.join(sorted(there))}")
        paths.append(path.resolve())
    return paths


def _bars(texts: Sequence[str]) -> dict[str, list[Bar]]:
    found: dict[str, list[Bar]] = {}
    for text in texts:
        m = BAR.match(text)
        if not m:
            raise Usage(f"--bar {text}: expected PROFILE:FIGURE>=NUMBER (or <=)")
        bound = float(m[4])
        bar = Bar(m[1], m[2], bound if m[3] == ">=" else None, bound if m[3] == "<=" else None)
        found.setdefault(m[1], []).append(bar)
    return found


def _nics(a: argparse.Namespace) -> Nics | None:
    if not a.tx_pci:
        if a.rx_pci or a.dut:
            raise Usage("--rx-pci and --dut go with --tx-pci")
        return None
    if not a.dut or not MAC.match(a.dut):
        raise Usage("--dut: the MAC address of the router's port that is sent to")
    return Nics(a.tx_pci, a.rx_pci or a.tx_pci, a.dut, a.swap_command)


def _backend(wanted: str) -> str:
    if wanted == "auto":
        return "pktgen" if pktgen.program() else "fallback"
    if wanted == "pktgen" and not pktgen.program():
        raise HostError("no program pktgen on $PATH; --backend fallback does without")
    return wanted


def _list(paths: Sequence[Path]) -> None:
    for path in paths:
        o = describe(ROOT, path)
        print(f"{o['profile']:12}{o['about']}")


def _build(build: Path, targets: Sequence[str]) -> None:
    if not (build / "build.ninja").exists():
        subprocess.run(["meson", "setup", str(build), str(ROOT), "-Dbuildtype=release"], check=True,
                       stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", str(build), "--quiet", *targets], check=True, stdout=sys.stderr)


# ---- running ---------------------------------------------------------------------------------------------------------


class Run:
    """One invocation: the profiles, and every line that they said."""

    def __init__(self, a: argparse.Namespace, host: Host, backend: str, nics: Nics | None) -> None:
        self.a, self.host = a, host
        self.build = Path(a.build).resolve()
        self.huge = host.want > 0
        os.environ["RUNTIME_DIRECTORY"] = str(host.tmp)  # where DPDK's programs leave their directories
        # Pktgen has a thread that spins for each port: two on one CPU take turns, and what comes meanwhile is lost.
        one_port = backend == "pktgen" and len(os.sched_getaffinity(0)) < CPUS_TWO_PORTS
        lab = None if nics else self._lab(one_port)
        self.site = Site(lab, nics)
        env = {"DWCP_PKTGEN_QUICK": "1" if a.quick else "0", **self._capture()}
        if backend == "pktgen":
            self.backend: Fallback | pktgen.Pktgen = pktgen.Pktgen(ROOT, host, self.site, env, self.huge, a.distinct)
        else:
            self.backend = Fallback(ROOT, self.build / GENERATOR, host, self.site, env)
        self.lines: list[dict] = []

    def _lab(self, one_port: bool) -> Lab:
        n = self.a.prefixes if self.a.prefixes is not None else QUICK_PREFIXES if self.a.quick else 0
        lab = Lab(self.host, self.build, n, self._table_dump, self.huge, one_port)
        lab.start()
        print(f"one machine: {len(lab.prefixes):,} routes, {len(lab.ports)} memif ports, "
              f"{'huge' if self.huge else 'small'} pages", file=sys.stderr)
        return lab

    def _table_dump(self) -> str:
        return subprocess.run([str(self.build / "perf/source/table_dump")], capture_output=True, text=True,
                              check=True).stdout

    def _capture(self) -> dict[str, str]:
        if self.a.capture:
            source = Path(self.a.capture)
        elif self.site.lab:
            source = self.host.tmp / "made.pcap"
            capture_make(source, self.site.lab.destinations.read_text().split(), CAPTURE_FRAMES, SEED)
        else:
            return {}
        copy = self.host.tmp / "replay.pcap"
        longest = capture_copy(source, copy, self.site.mac)
        return {"DWCP_PKTGEN_CAPTURE": str(copy), "DWCP_PKTGEN_CAPTURE_MAX": str(longest + 4)}

    def one(self, path: Path, more: dict[str, list[Bar]]) -> Profile:
        p = Profile(path.stem)

        def line(o: dict) -> None:
            self.lines.append(o)
            p.line(o)
            if o["event"] == "profile":
                p.name = o["profile"]
                p.bars = [replace(b, profile=p.name) for b in [*p.bars, *more.get(p.name, [])]]
            elif o["event"] == "offer":
                rate = f"{o['rate_pps']:,} a second" if o["rate_pps"] else "as many as go"
                print(f"{o['profile']}: {o['case']}: {rate}, {o['seconds']} s", file=sys.stderr, flush=True)
        try:
            self.backend.run(path, line)
        except HostError as e:
            p.error = p.error or str(e)
        return p


def _say(p: Profile) -> list[str]:
    verdicts = judge(p)
    why = failed(p, verdicts)
    print(results_table(p), end="\n\n")
    if verdicts:
        print(verdicts_table(verdicts), end="\n\n")
    sys.stdout.flush()
    return why


def _json_write(path: str, machine: dict, lines: Sequence[dict], profiles: Sequence[Profile]) -> None:
    temporary = Path(f"{path}.tmp")
    with open(temporary, "w", encoding="utf-8") as f:
        print(json.dumps({"machine": machine}), file=f)
        for o in lines:
            print(json.dumps(o), file=f)
        for p in profiles:
            for v in judge(p):
                print(v.json(), file=f)
    temporary.replace(path)


def _end(why: Sequence[str]) -> int:
    for text in why:
        print(f"perf/pktgen/run: {text}", file=sys.stderr)
    return 1 if why else 0


def _judge(path: str, more: dict[str, list[Bar]]) -> int:
    with open(path, encoding="utf-8") as f:
        profiles = profiles_of_lines(f)
    if not profiles:
        raise ValueError("no result lines in it")
    why = []
    for p in profiles:
        p.bars += more.get(p.name, [])
        why += _say(p)
    return _end(why)


def _measure(a: argparse.Namespace, paths: Sequence[Path], backend: str, nics: Nics | None) -> int:
    targets = ([] if nics else LAB_TARGETS) + ([GENERATOR] if backend == "fallback" else [])
    if targets and not a.no_build:
        _build(Path(a.build).resolve(), targets)
    more = _bars(a.bar)
    machine = card(ROOT)
    print(card_text(machine), end="\n\n", flush=True)
    with Host(0 if a.quick else HUGE_PAGES) as host:
        run = Run(a, host, backend, nics)
        profiles, why = [], []
        try:
            for path in paths:
                profiles.append(run.one(path, more))
                why += _say(profiles[-1])
        finally:  # interrupted, too: what was measured is kept
            if a.json:
                _json_write(a.json, machine, run.lines, profiles)
    return _end(why)


def run(argv: Sequence[str], doc: str) -> int:
    a = _parse(argv, doc)
    try:
        if a.judge:
            return _judge(a.judge, _bars(a.bar))
        paths, nics = _profile_paths(a.profile), _nics(a)
        _bars(a.bar)
        if not shutil.which("lua5.4"):
            raise HostError("needs lua5.4 (Debian: apt-get install lua5.4)")
        if a.list:
            _list(paths)
            return 0
        if not nics and len(os.sched_getaffinity(0)) < 2:
            raise HostError("needs two CPUs: one is the router's alone")
        return _measure(a, paths, _backend(a.backend), nics)
    except Usage as e:
        print(f"perf/pktgen/run: {e}", file=sys.stderr)
        return 2
    except (HostError, OSError, ValueError) as e:
        print(f"perf/pktgen/run: {e}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as e:
        print(f"perf/pktgen/run: {' '.join(map(str, e.cmd))} failed: {e.stderr or ''}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("perf/pktgen/run: interrupted; everything is as it was", file=sys.stderr)
        return 130
