#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The load profiles' scripts, each executed by lua5.4 against a recorder of Pktgen's Lua API (which sends nothing).

What they call is what Pktgen has, in an order that works; what they write, the runner judges: also a missed bar.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from dataclasses import dataclass
from pathlib import Path

sys.dont_write_bytecode = True
sys.path[:0] = [str(Path(__file__).resolve().parents[2] / d) for d in ("perf", "perf/pktgen")]
from runner.results import Bar, Profile, judge  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PKTGEN = ROOT / "perf/pktgen"
PROFILES = sorted(PKTGEN.glob("profiles/*.lua"))
MAC = "02:00:00:00:00:aa"
LINK_BPS = 100e9
TRAILER = 'return require("profile").run { name = "bad", about = "bad", traffic = { size = 64 }, '


@dataclass
class Recorded:
    code: int
    calls: list[str]
    lines: list[dict]
    results: Path
    stderr: str

    def events(self, name: str) -> list[dict]:
        return [o for o in self.lines if o["event"] == name]


class Recorder(unittest.TestCase):
    def setUp(self) -> None:
        self.tmp = Path(tempfile.mkdtemp(prefix="dwcp-pktgen-test-"))
        self.addCleanup(shutil.rmtree, self.tmp)

    def record(self, profile: Path, **env: str) -> Recorded:
        for name in ("calls", "results"):
            (self.tmp / name).write_text("")
        everything = {
            **os.environ, "LUA_PATH": ";".join(f"{d}/?.lua" for d in (PKTGEN / "backend/pktgen", PKTGEN / "lua",
                                                                     Path(__file__).parent)),
            "DWCP_PKTGEN_RESULTS": str(self.tmp / "results"), "DWCP_PKTGEN_MAC": MAC, "DWCP_PKTGEN_QUIT": "1",
            "DWCP_PKTGEN_CAPTURE": "some.pcap", "RECORDER_LOG": str(self.tmp / "calls"), **env}
        done = subprocess.run(["lua5.4", "-l", "pktgen_recorder", str(profile)], env=everything, capture_output=True,
                              text=True, timeout=60, check=False)
        lines = [json.loads(line) for line in (self.tmp / "results").read_text().splitlines()]
        return Recorded(done.returncode, (self.tmp / "calls").read_text().splitlines(), lines, self.tmp / "results",
                        done.stderr)

    def judge(self, r: Recorded) -> subprocess.CompletedProcess:
        return subprocess.run([sys.executable, str(PKTGEN / "run"), "--judge", str(r.results)], capture_output=True,
                              text=True, timeout=60, check=False)

    def bad(self, text: str) -> Path:
        path = self.tmp / "bad.lua"
        path.write_text(text)
        return path


class Sequence(Recorder):
    """What holds for every profile."""

    def check_order(self, calls: list[str]) -> None:
        sending, ready, rate = False, False, False
        for call in calls:
            if call.startswith("pktgen.start"):
                self.assertFalse(sending, call)
                self.assertTrue(ready, "started before it was said what to send")
                self.assertTrue(rate, "started before a rate was set for this run")
                sending, rate = True, False
            elif call.startswith("pktgen.stop"):
                sending = False
            elif re.match(r"pktgen\.(set_range|pcap) 0 on|pktgen\.set 0 seqCnt [1-9]", call):
                ready = True
            elif call.startswith("pktgen.set 0 rate"):
                rate = True
        self.assertFalse(sending, "never stopped")
        self.assertEqual(calls[-1].strip(), "pktgen.quit")

    def check_results(self, r: Recorded, name: str) -> None:
        self.assertEqual(r.lines[0]["event"], "profile")
        self.assertEqual(r.lines[0]["profile"], name)
        self.assertIn("recorder", r.lines[0]["version"])
        self.assertEqual(r.lines[-1]["event"], "end")
        cases = {c["name"] for c in r.lines[0]["cases"]}
        self.assertEqual(cases, {o["case"] for o in r.events("result")} | {o["case"] for o in r.events("skipped")})
        for o in r.events("result"):
            self.assertEqual(o["lost"], o["sent"] - o["received"])
            self.assertGreater(o["sent"], 0)

    def check_rates(self, r: Recorded) -> None:
        """The recorder turns percentages into packets as Pktgen does: what was asked for is what came out."""
        for offer, result in zip(r.events("offer"), [o for o in r.lines if o["event"] in ("trial", "result")]):
            if offer["rate_pps"]:
                self.assertAlmostEqual(result["offered_pps"] / offer["rate_pps"], 1, delta=0.005, msg=offer["case"])

    def test_every_profile(self) -> None:
        self.assertGreaterEqual(len(PROFILES), 8)
        for path in PROFILES:
            for quick in ("0", "1"):
                with self.subTest(profile=path.stem, quick=quick):
                    r = self.record(path, DWCP_PKTGEN_QUICK=quick)
                    self.assertEqual(r.code, 0, r.stderr)
                    self.assertIn("this is not Pktgen", r.calls[0])
                    self.check_order(r.calls)
                    self.check_results(r, path.stem)
                    if path.stem != "search":
                        self.check_rates(r)


class Control(unittest.TestCase):
    """A case between two runs of other traffic, on a machine that changes its speed: rates as a script says."""
    SCRIPT = """
        local rates, at = {%s}, 0
        local backend = { name = "script", out = io.stdout, version = function() return "1" end, open = function() end,
            cannot = function() end, prepare = function() end, close = function() end }
        function backend.offer() at = at + 1; return { sent = rates[at], received = rates[at], lost = 0,
            received_pps = rates[at] } end
        require("engine").run({ name = "x", about = "y", traffic = { size = 64 }, load = { rate_pps = "most" },
            control = { traffic = { sources = 2 } }, bars = {} }, backend)"""

    def result(self, *rates: int) -> tuple[dict, int]:
        """And how many runs there were."""
        done = subprocess.run(["lua5.4", "-e", self.SCRIPT % ", ".join(map(str, rates))], capture_output=True, text=True,
                              check=True, timeout=20, env={**os.environ, "LUA_PATH": f"{PKTGEN}/lua/?.lua;;"})
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        found, = [o for o in lines if o["event"] == "result"]
        return found, sum(o["event"] == "offer" for o in lines)

    def test_steady(self) -> None:
        r, n = self.result(100, 80, 100)
        self.assertEqual((r["of_control"], r["control_steady"], r["tries"], n), (0.8, 1, 1, 3))

    def test_again_when_the_machine_has_changed(self) -> None:
        r, n = self.result(100, 50, 50, 40, 50)
        self.assertEqual((r["of_control"], r["tries"], n), (0.8, 2, 5))

    def test_not_for_ever(self) -> None:
        r, n = self.result(100, 10, 50, 10, 100, 30, 20)
        self.assertEqual((r["of_control"], r["control_steady"], r["tries"], n), (0.5, 0.2, 3, 7))


class Across(unittest.TestCase):
    def verdict(self, *rates: tuple[str, float]) -> tuple[float | None, bool]:
        p = Profile("x", bars=[Bar("x", "rate", at_least=0.6, across="least/most")])
        for case, rate in rates:
            p.line({"event": "result", "case": case, "rate": rate})
        v, = judge(p)
        return v.value, v.ok

    def test_median_of_the_rounds(self) -> None:
        self.assertEqual(self.verdict(("a", 10), ("b", 2), ("a", 10), ("b", 8), ("a", 3), ("b", 9)), (0.8, True))
        self.assertEqual(self.verdict(("a", 10), ("b", 5), ("a", 10), ("b", 8), ("a", 10), ("b", 5)), (0.5, False))

    def test_one_case_is_nothing_to_compare(self) -> None:
        self.assertEqual(self.verdict(("a", 10), ("a", 9)), (None, False))


class Traffic(Recorder):
    """What is particular to one."""

    def calls(self, name: str) -> list[str]:
        return self.record(PKTGEN / f"profiles/{name}.lua").calls

    def test_throughput_sizes(self) -> None:
        calls = self.calls("throughput")
        sizes = [int(c.split()[-1]) for c in calls if c.startswith("pktgen.set 0 size")]
        self.assertEqual(sizes, [64, 128, 256, 512, 1024, 1280, 1518])
        # the rate is counted by the single packet's size, what is sent has the range's
        self.assertEqual(sizes, [int(c.split()[-1]) for c in calls if c.startswith("pktgen.range.pkt_size 0 max")])
        self.assertTrue(all(c == "pktgen.set 0 rate 100" for c in calls if c.startswith("pktgen.set 0 rate")))

    def test_sources_no_more_than_mbufs(self) -> None:
        r = self.record(PKTGEN / "profiles/sources.lua", DWCP_PKTGEN_DISTINCT="16384")
        self.assertEqual([o["case"] for o in r.events("result")],
                         [f"sources 2^{n}" for n in (10, 12, 14)] * 3)
        self.assertEqual([o["case"] for o in r.events("skipped")], [f"sources 2^{n}" for n in (16, 18, 20, 22)])
        last = [c.split()[-1] for c in r.calls if c.startswith("pktgen.range.src_ip 0 max")]
        control = "10.64.4.0"  # before the first, and after each
        self.assertEqual(last, [control, *[x for c in ("10.64.4.0", "10.64.16.0", "10.64.64.0") * 3 for x in (c, control)]])
        self.assertEqual({o["of_control"] for o in r.events("result")}, {1})
        r = self.record(PKTGEN / "profiles/sources.lua", DWCP_PKTGEN_DISTINCT="262144")
        self.assertEqual(len({o["case"] for o in r.events("result")}), 5)
        self.assertEqual(len(self.record(PKTGEN / "profiles/sources.lua").events("result")), 0)

    def test_syn_flags(self) -> None:
        r = self.record(PKTGEN / "profiles/syn-flood.lua", DWCP_PKTGEN_DISTINCT="16384")
        flags = [c.strip() for c in r.calls if "tcp flag" in c]
        self.assertEqual(flags, ["range 0 tcp flag clr all", "range 0 tcp flag set syn"] * 4)
        protocols = [c.split()[-1] for c in r.calls if c.startswith("pktgen.range.ip_proto")]
        self.assertEqual(protocols, ["udp", "tcp", "tcp", "udp", "tcp", "udp", "tcp"])
        self.assertEqual({o["sources"] for o in r.events("result")}, {16384})
        r = self.record(PKTGEN / "profiles/syn-flood.lua")
        self.assertEqual({o["sources"] for o in r.events("result")}, {32}, "nobody has counted more")

    def test_imix_shares(self) -> None:
        sizes = [int(m[1]) for c in self.calls("imix") if (m := re.match(r"  seq .* (\d+)$", c))][:12]
        self.assertEqual({s: sizes.count(s) for s in sizes}, {64: 7, 594: 4, 1518: 1})

    def test_held_rate(self) -> None:
        """200,000 frames of 64 bytes and 20 more on the wire each, of 100 Gbit/s."""
        calls = self.calls("swap")
        rate = next(float(c.split()[-1]) for c in calls if c.startswith("pktgen.set 0 rate"))
        self.assertAlmostEqual(rate, 200000 * 84 * 8 / LINK_BPS * 100, places=9)

    def test_rate_is_corrected_where_cpus_are_shared(self) -> None:
        r = self.record(PKTGEN / "profiles/swap.lua", RECORDER_STARVED="0.5")
        self.assertAlmostEqual(r.events("result")[0]["offered_pps"] / 200000, 1, delta=0.01)

    def test_search_finds_the_capacity(self) -> None:
        r = self.record(PKTGEN / "profiles/search.lua", RECORDER_CAPACITY_PPS="3000000")
        found = r.events("result")[0]["lossfree_pps"]
        self.assertLessEqual(found, 3000000)
        self.assertGreater(found, 3000000 * 0.97)

    def test_replay_needs_a_capture(self) -> None:
        r = self.record(PKTGEN / "profiles/replay.lua")
        self.assertIn("pktgen.pcap 0 on", r.calls)


class Wrong(Recorder):
    """What must not pass, does not."""

    def test_calls_that_pktgen_does_not_have(self) -> None:
        for call in ('pktgen.set_rate("0", 10)', 'pktgen.start("0", 1)', 'pktgen.set("0", "speed", 10)',
                     'pktgen.set(0, "size", 64)', 'pktgen.set("0", "size", 9000)', 'pktgen.set("0", "rate", 250)',
                     'pktgen.start("7")', 'pktgen.range.dst_ip("0", "middle", "1.2.3.4")', 'pktgen.sleep(0.5)',
                     'pktgen.range.src_ip("0", "min", "1.2.3.444")', 'pktgen.seqTable(1, "0", {})',
                     'pktgen.set_proto("0", "sctp")'):
            with self.subTest(call=call):
                r = self.record(self.bad(call + "\n"))
                self.assertNotEqual(r.code, 0)
                silent = "9000" in call or "250" in call
                said = "silently" if silent else "for the ports" if "seq" in call else "bad.lua:1:"
                self.assertIn(said, r.stderr)

    def test_profile_with_an_unknown_field(self) -> None:
        r = self.record(self.bad(TRAILER + 'load = { rate_pps = "most" }, bar = {} }'))
        self.assertIn("no field bar", r.events("error")[0]["text"])
        self.assertEqual(self.judge(r).returncode, 1)

    def test_bar_of_no_case(self) -> None:
        bar = '{ figure = "lost", at_most = 0, case = "x" }'
        r = self.record(self.bad(TRAILER + f"load = {{ rate_pps = 5 }}, bars = {{ {bar} }} }}"))
        self.assertIn("case x, which is none", r.events("error")[0]["text"])

    def test_bars_that_hold(self) -> None:
        r = self.record(PKTGEN / "profiles/throughput.lua")
        done = self.judge(r)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_bar_missed(self) -> None:
        r = self.record(PKTGEN / "profiles/throughput.lua", RECORDER_CAPACITY_PPS="900000")
        done = self.judge(r)
        self.assertEqual(done.returncode, 1)
        self.assertIn("throughput: received_pps (size 64) is 900,000, the bar ≥ 1,000,000: MISSED by 100,000 (10.0 %)"
                      "\n", done.stderr)

    def test_loss_is_no_pass(self) -> None:
        r = self.record(PKTGEN / "profiles/udp-flood.lua", RECORDER_CAPACITY_PPS="199000")
        done = self.judge(r)
        self.assertEqual(done.returncode, 1)
        self.assertIn("udp-flood: lost of large, held", done.stderr)

    def test_stops_what_it_started(self) -> None:
        """Nothing gets through: the search gives up, and what was sent is stopped before the program is left."""
        r = self.record(PKTGEN / "profiles/search.lua", RECORDER_CAPACITY_PPS="0")
        self.assertIn("loses at every rate", r.events("error")[0]["text"])
        self.assertGreater(max(i for i, c in enumerate(r.calls) if c.startswith("pktgen.stop")),
                           max(i for i, c in enumerate(r.calls) if c.startswith("pktgen.start")))
        self.assertEqual(r.calls[-1].strip(), "pktgen.quit")
        self.assertEqual(self.judge(r).returncode, 1)

    def test_unfinished_run_is_no_pass(self) -> None:
        r = self.record(PKTGEN / "profiles/throughput.lua")
        kept = r.results.read_text().splitlines()[:-1]
        r.results.write_text("\n".join(kept) + "\n")
        done = self.judge(r)
        self.assertEqual(done.returncode, 1)
        self.assertIn("did not end", done.stderr)

    def test_not_a_result_file(self) -> None:
        self.assertEqual(self.judge(self.record(self.bad("return\n"))).returncode, 1, "nothing in it")
        (self.tmp / "results").write_text("[]\n")
        done = subprocess.run([str(PKTGEN / "run"), "--judge", str(self.tmp / "results")], capture_output=True,
                              text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("line 1 is not a profile's", done.stderr)


if __name__ == "__main__":
    if not shutil.which("lua5.4"):
        print("lua5.4 is not installed")
        sys.exit(77)
    unittest.main(verbosity=2)
