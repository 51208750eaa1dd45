#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""traffic_gen: what it sends, what it counts by itself and through the real dataplane, and swaps by table_publisher under it.
Every packet is accounted for: sent = received + lost, and the router's counters say the same.

usage: test_gen.py BUILD_DIR

DWCP_TEST_FULL=1: also perf/run ndr latency reload --quick.
"""
import json
import os
import subprocess
import sys
import unittest
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "perf"))
from harness.bench import Context  # noqa: E402
from harness.host import Host, HostError  # noqa: E402
from harness.generator import Generator  # noqa: E402
from harness.publisher import Publisher  # noqa: E402
from harness.routers import Dwcp  # noqa: E402

BUILD = Path("build")
TARGETS = ["perf/gen/traffic_gen", "tests/perf/libduplicate.so", "perf/reload/table_publisher", "dataplane/dwcp-dataplane", "control/cli/dwcp-cli"]
HUGE_PAGES = 640
PCAP_HDR, PCAP_REC, STAMP = 24, 16, 18
CTX: Context


def gen(*args: str, timeout: float = 30) -> subprocess.CompletedProcess:
    return subprocess.run([str(BUILD / "perf/gen/traffic_gen"), *args], capture_output=True, text=True, timeout=timeout,
                          check=False)


def frames_of(path: Path) -> list[bytes]:
    data, at, found = path.read_bytes(), PCAP_HDR, []
    while at < len(data):
        n = int.from_bytes(data[at + 8:at + 12], "little")
        found.append(data[at + PCAP_REC:at + PCAP_REC + n])
        at += PCAP_REC + n
    return found


def capture_write(path: Path, frames: Sequence[bytes]) -> None:
    out = bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000")
    for f in frames:
        out += bytes(8) + len(f).to_bytes(4, "little") * 2 + f
    path.write_bytes(out)


def ones_sum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    s = sum(int.from_bytes(data[i:i + 2], "big") for i in range(0, len(data), 2))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return s


class Options(unittest.TestCase):
    def test_help(self) -> None:
        done = gen("--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("usage:", done.stdout)

    def test_errors_name_the_option(self) -> None:
        for args, word in ((["--loop", "--size", "59"], "--size"), (["--loop", "--flows", "3"], "power of two"),
                           (["--loop", "--pattern", "x"], "pattern"), ([], "--in"),
                           (["--loop", "--sources", "64", "--flows", "32"], "--flows"),
                           (["--loop", "--prefix", "10.0.0.0"], "--prefix"), (["--loop", "--run", "x", "1"], "--run"),
                           (["--loop", "--pattern", "udp6", "--size", "60"], "80"),
                           (["--loop", "--router-mac", "1:2"], "MAC")):
            done = gen(*args)
            self.assertIn(done.returncode, (1, 2), args)
            self.assertIn(word, done.stderr, args)

    def test_files_that_are_none(self) -> None:
        for args, word in ((["--pattern", "pcap:/nowhere"], "/nowhere"), (["--pattern", "pcap:" + __file__], "not a pcap"),
                           (["--destinations", __file__], "not an address")):
            done = gen("--loop", *args, "--run", "1000", "0.1")
            self.assertEqual(done.returncode, 1, args)
            self.assertIn(word, done.stderr)

    def test_nobody_there(self) -> None:
        done = gen("--in", "/tmp/no-such-router.sock", "--wait", "1", "--run", "1000", "1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("is the router up", done.stderr)

    def test_commands(self) -> None:
        done = subprocess.run([str(BUILD / "perf/gen/traffic_gen"), "--loop"], input="run 100000 0.1\nnonsense\nrun 0 1\nquit\n",
                              capture_output=True, text=True, timeout=30, check=True)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([("error" in a) for a in answers], [False, True, True])


class Loop(unittest.TestCase):
    """Without a router nothing is lost, reordered or foreign, whatever the pattern."""

    def test_patterns(self) -> None:
        for args in (["--pattern", "udp"], ["--pattern", "udp6"], ["--pattern", "syn"],
                     ["--size", "1514", "--sources", "1", "--flows", "1"], ["--sources", "4194304", "--flows", "4194304"]):
            r = json.loads(gen("--loop", *args, "--run", "1000000", "0.2").stdout)
            self.assertGreater(r["sent"], 50000, args)
            self.assertEqual((r["received"], r["lost"], r["rejected"], r["reordered"], r["foreign"]), (r["sent"], 0, 0, 0, 0))
            self.assertLess(r["latency_ns"]["p50"], 1000000)
            self.assertLessEqual(r["latency_ns"]["p50"], r["latency_ns"]["p99"])


    def test_duplicates_are_not_received(self) -> None:
        """Every burst's last packet comes twice: counted as that, and as nothing else."""
        done = subprocess.run([str(BUILD / "perf/gen/traffic_gen"), "--loop", "--flows", "1", "--sources", "1", "--run", "100000",
                               "0.2"], capture_output=True, text=True, timeout=30, check=True,
                              env={**os.environ, "LD_PRELOAD": str(BUILD / "tests/perf/libduplicate.so")})
        r = json.loads(done.stdout)
        self.assertGreater(r["duplicates"], 100)
        self.assertEqual((r["received"], r["lost"], r["reordered"], r["foreign"]), (r["sent"], 0, 0, 0))


class Frames(unittest.TestCase):
    """What is on the wire, by a port that writes a capture."""

    def sent(self, *args: str) -> list[bytes]:
        path = CTX.host.tmp / "out.pcap"
        path.unlink(missing_ok=True)
        done = gen("--tx-dev", f"net_pcap0,tx_pcap={path}", *args, "--run", "100000", "0.1")
        self.assertEqual(done.returncode, 0, done.stderr)
        r = json.loads(done.stdout)
        found = frames_of(path)
        self.assertEqual(len(found), r["sent"] - r["rejected"])
        self.assertGreater(len(found), 2000)
        return found

    def check_ip4(self, f: bytes) -> None:
        self.assertEqual(f[12:14], b"\x08\0")
        self.assertEqual(ones_sum(f[14:34]), 0xffff)

    def test_udp_sources_flows_destinations(self) -> None:
        found = self.sent("--sources", "256", "--flows", "1024", "--prefix", "203.0.113.0/24")
        for f in found:
            self.assertEqual(len(f), 60)
            self.check_ip4(f)
            self.assertEqual(f[30:33], bytes((203, 0, 113)))
        self.assertEqual(len({f[26:30] for f in found}), 256)
        self.assertEqual(len({f[26:38] for f in found}), 1024)

    def test_destinations_in_turn(self) -> None:
        path = CTX.host.tmp / "addresses"
        path.write_text("192.0.2.1\n2001:db8::1\n192.0.2.7 # the other family is left out\n192.0.2.9\n", encoding="ascii")
        found = self.sent("--destinations", str(path), "--flows", "1024", "--sources", "1024")
        self.assertEqual({f[33] for f in found}, {1, 7, 9})
        by_flow: dict[bytes, set[bytes]] = {}
        for f in found:
            by_flow.setdefault(f[26:30], set()).add(f[30:34])
        self.assertEqual({len(v) for v in by_flow.values()}, {1})

    def test_syn(self) -> None:
        for f in self.sent("--pattern", "syn"):
            self.check_ip4(f)
            self.assertEqual((f[23], f[47], int.from_bytes(f[16:18], "big")), (6, 2, 40))
            self.assertEqual(ones_sum(f[26:34] + b"\0\x06\0\x14" + f[34:54]), 0xffff)

    def test_udp6(self) -> None:
        for f in self.sent("--pattern", "udp6", "--size", "101"):
            self.assertEqual(len(f), 101)
            udp = f[54:]
            self.assertEqual(ones_sum(f[22:54] + len(udp).to_bytes(4, "big") + b"\0\0\0\x11" + udp), 0xffff)

    def test_imix(self) -> None:
        found = self.sent("--pattern", "imix")
        for f in found:
            self.check_ip4(f)
            self.assertEqual(int.from_bytes(f[16:18], "big"), len(f) - 14)
            self.assertEqual(int.from_bytes(f[38:40], "big"), len(f) - 34)
        whole = found[:len(found) // 12 * 12]
        self.assertEqual([sum(len(f) == n for f in whole) * 12 // len(whole) for n in (60, 590, 1514)], [7, 4, 1])

    def test_capture_comes_out_as_it_was(self) -> None:
        path = CTX.host.tmp / "in.pcap"
        originals = [bytes(12) + b"\x08\0" + bytes((i,)) * (50 + i) for i in range(40)]
        capture_write(path, originals)
        for i, f in enumerate(self.sent("--pattern", f"pcap:{path}")):
            want = originals[i % 40].ljust(60, b"\0")
            self.assertEqual((f[:len(want)], len(f)), (want, len(want) + STAMP))


class Router(unittest.TestCase):
    """Through the dataplane: its counters and the generator's agree, to the packet."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.d = Dwcp(CTX, "dwcp")
        routes = CTX.host.tmp / "routes"
        generations = []
        for k in range(2):
            routes.write_text("".join(f"{a}.0.0.0/8 via 10.0.2.{16 + (a + k) % 64}\n" for a in range(30, 60)) +
                              "198.18.0.0/15 via 10.0.2.20\n2001:2::/48 via fd00:2::20\n", encoding="ascii")
            generations.append(cls.d.build(routes, cls.d.dir / f"generation{k}"))
        cls.generations = generations
        (cls.d.state / "generation").write_bytes(generations[0].read_bytes())
        cls.d.start()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.d.stop()

    def counters(self) -> tuple[int, int, int]:
        a = self.d.get("/v1/status")["accounting"]
        self.assertEqual(a["difference"], 0)
        return a["rx"], a["tx"], a["dropped"]

    def run_one(self, rate: float, seconds: float, *args: str) -> tuple[dict, tuple[int, int, int]]:
        before = self.counters()
        with Generator(CTX, self.d, args) as g:
            r = g.run(rate, seconds)
        rx, tx, dropped = (b - a for a, b in zip(before, self.counters()))
        self.assertEqual(r["sent"], r["received"] + r["lost"], r)
        self.assertEqual(rx, r["sent"] - r["rejected"], r)
        self.assertEqual(tx, r["received"], r)
        self.assertEqual(rx, tx + dropped)
        self.assertEqual((r["foreign"], r["reordered"], r["duplicates"]), (0, 0, 0), r)
        return r, (rx, tx, dropped)

    def test_every_pattern(self) -> None:
        capture = CTX.host.tmp / "in.pcap"
        frame = bytes.fromhex("0200000000aa02000000000108004500002e00004000401100000a0001020a000103")
        frame = frame[:30] + bytes((198, 18, 0, 7))
        frame = frame[:24] + (0xffff - ones_sum(frame[14:34])).to_bytes(2, "big") + frame[26:]
        capture_write(capture, [frame + bytes.fromhex("0fa00009001a0000") + bytes(18)])
        for args in (["--size", "60"], ["--pattern", "udp6"], ["--pattern", "syn"], ["--pattern", "imix"],
                     ["--pattern", f"pcap:{capture}"], ["--sources", "1048576", "--flows", "1048576"]):
            with self.subTest(args):
                r, (_, tx, _) = self.run_one(300000, 0.25, *args)
                self.assertGreater(r["sent"], 20000)
                self.assertGreater(tx, r["sent"] * 0.9)

    def test_more_than_it_can(self) -> None:
        r, _ = self.run_one(0, 0.5, "--size", "1514")
        self.assertGreater(r["received"], 100000)

    def test_no_route(self) -> None:
        r, (rx, tx, dropped) = self.run_one(300000, 0.25, "--prefix", "8.8.8.0/24")
        self.assertEqual((r["received"], tx, dropped), (0, 0, rx))

    def test_swaps(self) -> None:
        before = self.d.get("/v1/status")["generation"]
        with Publisher(CTX, self.d.run, self.generations, 20, 1.0) as p:
            r, _ = self.run_one(200000, 1.2, "--prefix", "40.0.0.0/8")
            swaps = p.result(20)
        self.assertGreaterEqual(swaps["swaps"], 10)
        self.assertEqual(self.d.get("/v1/status")["generation"], before + 2 + swaps["swaps"])
        self.assertEqual(swaps["generation"], before + 2 + swaps["swaps"])
        self.assertGreater(r["received"], 0)


@unittest.skipUnless(os.environ.get("DWCP_TEST_FULL") == "1", "DWCP_TEST_FULL=1: takes 90 s")
class Benches(unittest.TestCase):
    def test_quick(self) -> None:
        out = CTX.host.tmp / "rows.json"
        done = subprocess.run([str(ROOT / "perf/run"), "ndr", "latency", "reload", "--quick", "--build", str(BUILD),
                               "--json", str(out)], capture_output=True, text=True, timeout=400, check=False)
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        self.assertEqual({r["bench"] for r in rows if "bench" in r}, {"ndr", "latency", "reload"})


def main() -> int:
    global BUILD, CTX
    BUILD = Path(sys.argv.pop(1)).resolve()
    if os.geteuid() != 0 or len(os.sched_getaffinity(0)) < 2:
        print("SKIP: needs root, for huge pages, and two CPUs")
        return 77
    subprocess.run(["ninja", "-C", str(BUILD), "--quiet", *TARGETS], check=True)
    try:
        with Host(HUGE_PAGES) as host:
            CTX = Context(ROOT, BUILD, host, True, "test")
            return 0 if unittest.main(exit=False, verbosity=2).result.wasSuccessful() else 1
    except HostError as e:
        print(f"SKIP: {e}")
        return 77


if __name__ == "__main__":
    sys.exit(main())
