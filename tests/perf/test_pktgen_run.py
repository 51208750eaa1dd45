#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""perf/pktgen/run with the project's own generator through a real router over memif: every profile, what it exits
with, and that nothing is left behind. Some profiles, shortly; $DWCP_TEST_FULL=1: all of them, as long as a user's.

usage: test_pktgen_run.py BUILD_DIR
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "perf/pktgen/run"
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "perf"), str(ROOT / "perf/pktgen")]
from harness.host import HUGE_2M, Host  # noqa: E402
from runner.lab import Lab  # noqa: E402

FULL = os.environ.get("DWCP_TEST_FULL") == "1"
BUILD = Path("build")
PROFILES = {p.stem for p in (ROOT / "perf/pktgen/profiles").glob("*.lua")}
RUN_PROFILES = PROFILES if FULL else {"imix", "search", "swap"}
MARK = f"DWCP_PKTGEN_TEST={os.getpid()}"
ENDLESS = """return require("profile").run { name = "endless", about = "until it is interrupted",
    traffic = { size = 64 }, load = { rate_pps = 1000, seconds = 600 }, bars = { { figure = "lost", at_most = 0 } } }
"""


def environment() -> dict[str, str]:
    name, value = MARK.split("=")
    return {**os.environ, name: value}


def call(*args: str, timeout: float = 1500) -> subprocess.CompletedProcess:
    return subprocess.run([str(RUN), "--build", str(BUILD), *args], capture_output=True, text=True, timeout=timeout,
                          env=environment(), check=False)


def table_dump() -> str:
    return subprocess.run([str(BUILD / "perf/source/table_dump")], capture_output=True, text=True, check=True).stdout


def processes_left() -> list[str]:
    """Those of ours that still live, but for this one."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if MARK.encode() in (entry / "environ").read_bytes().split(b"\0") and entry.name != str(os.getpid()):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


class Left(unittest.TestCase):
    """Nothing of a run outlives it."""

    def setUp(self) -> None:
        self.tmp = Path(tempfile.mkdtemp(prefix="dwcp-pktgen-test-"))
        self.addCleanup(shutil.rmtree, self.tmp)
        self.huge_before = HUGE_2M.read_text()
        self.dirs_before = self.dirs()
        self.addCleanup(self.check_left)

    @staticmethod
    def dirs() -> set[Path]:
        found = set(Path(tempfile.gettempdir()).glob("dwcp-perf-*"))
        return found | set(Path("/var/run/dpdk").glob("*pktgen*")) | set(Path("/var/run/dpdk").glob("dwcp-load*"))

    def check_left(self) -> None:
        self.assertEqual(processes_left(), [])
        self.assertEqual(self.dirs() - self.dirs_before, set())
        self.assertEqual(HUGE_2M.read_text(), self.huge_before)


class Profiles(Left):
    def lines(self) -> list[dict]:
        return [json.loads(line) for line in (self.tmp / "out.json").read_text().splitlines()]

    def check_case(self, o: dict) -> None:
        self.assertGreater(o["sent"], 0, o)
        self.assertEqual(o["lost"], o["sent"] - o["received"], o)
        self.assertEqual(o["accounting_difference"], 0, o)
        self.assertEqual(o["foreign"], 0, o)

    def test_profiles(self) -> None:
        done = call(*([] if FULL else ["--quick"]), "--backend", "fallback", "--json", str(self.tmp / "out.json"),
                    *sorted(RUN_PROFILES))
        print(done.stdout)
        lines = self.lines()
        self.assertIn("cpu", lines[0]["machine"])
        ended = {o["profile"] for o in lines if o.get("event") == "end"}
        self.assertEqual(ended, RUN_PROFILES, done.stderr)
        cases = {(o["profile"], c["name"]) for o in lines if o.get("event") == "profile" for c in o["cases"]}
        results = [o for o in lines if o.get("event") == "result"]
        self.assertEqual({(o["profile"], o["case"]) for o in results}, cases)
        for o in results:
            self.check_case(o)
        self.assertEqual(done.returncode, 0, done.stderr)
        verdicts = [o for o in lines if "bar" in o]
        self.assertTrue(all(o["holds"] for o in verdicts))
        self.assertEqual({o["profile"] for o in verdicts}, RUN_PROFILES)

    def test_bar_that_cannot_be_met(self) -> None:
        done = call("--quick", "--backend", "fallback", "imix", "--bar", "imix:received_pps>=999999999999")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr,
                         r"imix: received_pps \(most\) is [\d,]+, the bar ≥ 999,999,999,999: MISSED by [\d,]+ \(")
        self.assertRegex(done.stdout, r"imix +most +received_pps of most +[\d,]+ +≥ 200,000 +holds")

    def test_interrupted(self) -> None:
        path = self.tmp / "endless.lua"
        path.write_text(ENDLESS)
        for sig in (signal.SIGINT, signal.SIGTERM):
            p = subprocess.Popen([str(RUN), "--build", str(BUILD), "--quick", "--backend", "fallback", str(path)],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment(),
                                 start_new_session=True)
            for line in p.stderr:
                if line.startswith("endless: endless:"):
                    break
            time.sleep(0.5)  # not an event: any moment of the run will do
            p.send_signal(sig)
            self.assertIn("interrupted", p.stderr.read())
            self.assertEqual(p.wait(30), 130)
            p.stderr.close()
            self.check_left()


@unittest.skipUnless(FULL, "with DWCP_TEST_FULL=1")
class TwoMachines(Left):
    """The router in a lab of its own, reached only through two devices, as if it were another machine."""

    def test_devices(self) -> None:
        with Host(0) as host:
            lab = Lab(host, BUILD, 2000, table_dump, False, False)
            lab.start()
            ports = [f"net_memif{i},role=client,id=0,socket={lab.socket(n)},socket-abstract=no,bsize=2048,rsize=12"
                     for i, n in enumerate(lab.ports)]
            done = call("--no-build", "--quick", "--backend", "fallback", "udp-flood", "swap", "replay", "--tx-pci",
                        ports[0], "--rx-pci", ports[1], "--dut", lab.mac, "--swap-command", "/bin/true")
            print(done.stdout)
            # a router that is not asked can't say that its CPU was away: losses, and nothing else, may be the machine's
            missed = [line for line in done.stderr.splitlines() if "MISSED" in line]
            self.assertEqual([line for line in missed if ": lost (" not in line], [], done.stderr)
            self.assertEqual(done.returncode, 1 if missed else 0, done.stderr)
            self.assertIn("not known: the router was not asked", done.stdout)
            self.assertIn("replay  most: left out: no capture was given", done.stdout)
            self.assertEqual(lab.snapshot().difference, 0)


class Usage(unittest.TestCase):
    def test_wrong(self) -> None:
        for args in (["no-such-profile"], ["--bar", "imix:lost=0"], ["--rx-pci", "0000:01:00.0"],
                     ["--tx-pci", "0000:01:00.0", "--dut", "somewhere"], ["--backend", "other"], ["--no-such-option"]):
            with self.subTest(args=args):
                done = call("--no-build", *args)
                self.assertEqual(done.returncode, 2, done.stderr)

    def test_list(self) -> None:
        done = call("--list")
        self.assertEqual({line.split()[0] for line in done.stdout.splitlines()}, PROFILES)

    def test_no_pktgen(self) -> None:
        if shutil.which("pktgen"):
            self.skipTest("there is one")
        done = call("--no-build", "--backend", "pktgen")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no program pktgen", done.stderr)


def main() -> None:
    global BUILD
    for why, missing in (("needs root", os.geteuid() != 0), ("lua5.4 is not installed", not shutil.which("lua5.4")),
                         ("needs two CPUs", len(os.sched_getaffinity(0)) < 2)):
        if missing:
            print(why)
            sys.exit(77)
    BUILD = Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)


if __name__ == "__main__":
    main()
