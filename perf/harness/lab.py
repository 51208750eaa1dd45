# SPDX-License-Identifier: BSD-3-Clause
"""Two memif ports and a free-running generator: routers and their peers between them, trials, loss-free rates.

The forwarder's worker has the last CPU for itself; its control thread and the generator share the first, unless there are
more CPUs. Every forwarder serves the sockets in.sock and out.sock of its directory; the generator connects to both.
"""
import http.client
import json
import os
import random
import selectors
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import frames
from harness.bench import Context
from harness.host import HostError, Proc, cpu_other, cpu_worker

RING_LOG2 = 13
SEED = 20261121
N_HOPS = 64
FIRST_HOP = 16
START_S = 30
PATIENCE_S = 8
RELOAD_TARGETS = ["perf/reload/table_publisher"]
TARGETS = ["dataplane/dwcp-dataplane", "control/cli/dwcp-cli", "perf/gen/traffic_gen", "perf/gen/cpu_distance",
           "perf/source/table_dump"]


# ---- tables ----------------------------------------------------------------------------------------------------------

def address4(a: int) -> str:
    return f"{a >> 24}.{a >> 16 & 255}.{a >> 8 & 255}.{a & 255}"


def prefix4(p: frames.Prefix) -> str:
    return f"{address4(p[0])}/{p[1]}"


class Tables:
    """Prefixes, the routes that are made of them, and destinations inside; the same in every run."""

    made: dict[Path, "Tables"] = {}

    @classmethod
    def of(cls, ctx: Context) -> "Tables":
        """One for all benches of a run."""
        if ctx.host.tmp not in cls.made:
            cls.made[ctx.host.tmp] = cls(ctx)
        return cls.made[ctx.host.tmp]

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.dir = ctx.host.tmp / "lab-tables"
        self.dir.mkdir(exist_ok=True)
        self.full = frames.prefixes_parse(ctx.call([ctx.program("perf/source/table_dump")]))
        self.small = {f: frames.routes_sample(random.Random(SEED), f, self.full[f], 1000) for f in (4, 6)}

    def destinations(self, name: str, table: dict[int, list[frames.Prefix]], n: int = 65536) -> Path:
        path = self.dir / f"{name}.addresses"
        if path.exists():
            return path
        dst = frames.destinations(random.Random(SEED), 4, table[4], n)
        path.write_text("".join(f"{address4(d)}\n" for d in dst), encoding="ascii")
        return path

    def routes(self, name: str, table: dict[int, list[frames.Prefix]], k: int = 0) -> Path:
        """Route file of table k: other next hops than any other k, and without another fiftieth of the prefixes."""
        path = self.dir / f"{name}.routes"
        if path.exists():
            return path
        rng = random.Random(SEED + k)
        thin = k and len(table[4]) > 10000
        with open(path, "w", encoding="ascii") as f:
            f.write(f"0.0.0.0/0 via 10.0.2.{FIRST_HOP + k % N_HOPS}\n::/0 via fd00:2::{FIRST_HOP + k % N_HOPS:x}\n")
            for family, via in ((4, "10.0.2.{}"), (6, "fd00:2::{:x}")):
                hops = [via.format(FIRST_HOP + i) for i in range(N_HOPS)]
                text = prefix4 if family == 4 else lambda p: frames.prefix_text(6, p)
                f.writelines(f"{text(p)} via {hops[(i + k) % N_HOPS]}\n"
                             for i, p in enumerate(table[family])
                             if p[1] > 0 and not (thin and rng.random() < 0.02))
        return path


# ---- forwarders ------------------------------------------------------------------------------------------------------

class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self.unix = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix)


def api(path: Path, method: str, target: str, body: str | None = None, if_match: int | None = None) -> tuple[int, Any]:
    c = UnixConnection(path)
    headers = {"Connection": "close"} | ({"If-Match": f'"{if_match}"'} if if_match is not None else {})
    try:
        c.request(method, target, body=body, headers=headers)
        r = c.getresponse()
        text = r.read()
        return r.status, json.loads(text) if text else None
    except (OSError, http.client.HTTPException, ValueError) as e:
        raise HostError(f"{path}: {method} {target}: {e}") from e
    finally:
        c.close()


def memif_args(path: Path, ring_log2: int = RING_LOG2) -> str:
    return f"role=server,id=0,socket={path},socket-abstract=no,bsize=2048,rsize={ring_log2}"


@dataclass(frozen=True)
class Gaps:
    """Absences of the worker: how many of 100 us or longer, and the sum of those of 5 ms or longer."""
    n: int
    long_ns: int

    def since(self, before: "Gaps") -> "Gaps":
        return Gaps(self.n - before.n, self.long_ns - before.long_ns)


class Forwarder:
    """Something between two memif sockets. start() and stop() in turn, as often as wanted."""

    def __init__(self, ctx: Context, name: str) -> None:
        self.ctx = ctx
        self.name = name
        self.dir = ctx.host.tmp / f"lab-{name}"
        self.dir.mkdir(exist_ok=True)
        self.proc: Proc | None = None

    @property
    def sockets(self) -> tuple[Path, Path]:
        return self.dir / "in.sock", self.dir / "out.sock"

    def argv(self) -> Sequence[str]:
        raise NotImplementedError

    def ready(self) -> bool:
        return all(s.is_socket() for s in self.sockets)

    def gaps(self) -> Gaps:
        """As far as the forwarder knows."""
        return Gaps(0, 0)

    def start(self) -> "Forwarder":
        for s in self.sockets:
            s.unlink(missing_ok=True)
        self.proc = self.ctx.host.start(self.argv(), self.name, hurry=True, stdin=subprocess.PIPE)
        end = time.monotonic() + START_S
        while not self.ready():
            if not self.proc.alive() or time.monotonic() > end:
                raise HostError(f"{self.name} did not start:\n{self.proc.tail()}")
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        if self.proc:
            self.ctx.host.stop(self.proc)
            if self.proc.popen.stdin:
                self.proc.popen.stdin.close()
        self.proc = None

    def __enter__(self) -> "Forwarder":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Dwcp(Forwarder):
    """The dataplane; without an agent unless the caller starts one with the same config."""

    def __init__(self, ctx: Context, name: str, idle: str = "poll", ring_log2: int = RING_LOG2, extra: str = "") -> None:
        super().__init__(ctx, name)
        self.run = self.dir / "run"
        self.state = self.dir / "state"
        self.config = self.dir / "dwcp.conf"
        self.state.mkdir(exist_ok=True)
        self._write(idle, ring_log2, extra)

    def _write(self, idle: str, ring_log2: int, extra: str) -> None:
        def port(name: str, net: int) -> str:
            return (f'  {{ name = "{name}"; device = "memif"; args = "{memif_args(self.dir / name, ring_log2)}"; '
                    f'promiscuous = true; rx_ring = {1 << ring_log2}; tx_ring = {1 << ring_log2}; '
                    f'addresses = [ "10.0.{net}.1/24", "fd00:{net}::1/64" ]; }}').replace(f"/{name},", f"/{name}.sock,")
        hops = ",\n".join(f'  {{ port = "out"; address = "{a}"; mac = "02:00:00:00:01:{j:02x}"; }}'
                          for j in range(N_HOPS)
                          for a in (f"10.0.2.{FIRST_HOP + j}", f"fd00:2::{FIRST_HOP + j:x}"))
        self.config.write_text(f"""node: {{ name = "perf"; state_dir = "{self.state}"; run_dir = "{self.run}"; }};
dataplane: {{ workers = [{cpu_worker()}]; control_cpu = {cpu_other()}; idle = "{idle}";
  file_prefix = "perf-{os.getpid()}-{self.name}";
  memory: {{ huge_pages = "on"; size_mb = 512; mbufs = 32768; }};
  tables: {{ memory_max_mb = 1024; lock = false; }}; }};
{extra}
ports: (
{port("in", 1)},
{port("out", 2)}
);
neighbours: (
{hops}
);
""", encoding="utf-8")

    def build(self, routes: Path, output: Path | None = None) -> Path:
        """A generation file; by default the one that the dataplane restores when it starts."""
        output = output or self.state / "generation"
        self.ctx.call([self.ctx.program("control/cli/dwcp-cli"), "tables", "build", "--config", str(self.config),
                       "--routes", str(routes), "--output", str(output)])
        return output

    def argv(self) -> Sequence[str]:
        return [self.ctx.program("dataplane/dwcp-dataplane"), "--config", str(self.config)]

    def ready(self) -> bool:
        return super().ready() and "control.ready" in self.proc.log.read_text(encoding="utf-8", errors="replace")

    def get(self, target: str) -> Any:
        return api(self.run / "dataplane.sock", "GET", target)[1]

    def gaps(self) -> Gaps:
        workers = self.get("/v1/stats")["workers"]
        return Gaps(sum(w["gaps"] for w in workers), sum(w["long_gap_ns"] for w in workers))

    def adoptions(self) -> int:
        return self.get("/v1/status")["tables"]["adoptions"]

    def start(self) -> "Dwcp":
        super().start()
        generation = (self.state / "generation").exists()
        if generation and self.get("/v1/status")["generation"] == 0:
            raise HostError(f"{self.name}: the generation was not restored:\n{self.proc.tail()}")
        return self


class Testpmd(Forwarder):
    def __init__(self, ctx: Context, mode: str, burst: int = 32, ring_log2: int = RING_LOG2) -> None:
        super().__init__(ctx, f"testpmd-{mode}-{burst}")
        self.mode, self.burst, self.ring_log2 = mode, burst, ring_log2

    def argv(self) -> Sequence[str]:
        vdevs = [f"--vdev=net_memif{i},{memif_args(s, self.ring_log2)}" for i, s in enumerate(self.sockets)]
        ring = 1 << self.ring_log2
        return ["dpdk-testpmd", f"--lcores=0@{cpu_other()},1@{cpu_worker()}", "--in-memory", "--no-pci", "--no-telemetry",
                f"--file-prefix=perf-{os.getpid()}-{self.name}", "--log-level=*:4", "-m", "256", *vdevs, "--",
                f"--forward-mode={self.mode}", f"--burst={self.burst}", f"--rxd={ring}", f"--txd={ring}",
                "--total-num-mbufs=32768", "--auto-start", "--no-lsc-interrupt"]


class L3fwd(Forwarder):
    """rte_lpm holds few long prefixes, hence small tables; its main thread is the worker."""

    def __init__(self, ctx: Context, name: str, lookup: str, table: dict[int, list[frames.Prefix]],
                 binary: str = "l3fwd", ring_log2: int = RING_LOG2) -> None:
        super().__init__(ctx, name)
        self.program, self.lookup, self.ring_log2 = ctx.program(f"perf/peers/{binary}"), lookup, ring_log2
        self.rules = {f: self.dir / f"rules.v{f}" for f in (4, 6)}
        for family, path in self.rules.items():
            path.write_text("".join(f"R{frames.prefix_text(family, p)} 1\n" for p in table[family]), encoding="ascii")

    def argv(self) -> Sequence[str]:
        vdevs = [f"--vdev=net_memif{i},{memif_args(s, self.ring_log2)}" for i, s in enumerate(self.sockets)]
        return [self.program, f"--lcores=0@{cpu_worker()}", "--in-memory", "--no-pci", "--no-telemetry",
                f"--file-prefix=perf-{os.getpid()}-{self.name}", "--log-level=*:4", "-m", "512", *vdevs, "--", "-p", "3", "-P",
                "--config=(0,0,0),(1,0,0)", "--parse-ptype", f"--lookup={self.lookup}",
                f"--rule_ipv4={self.rules[4]}", f"--rule_ipv6={self.rules[6]}"]


# ---- generator -------------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Traffic:
    name: str
    args: Sequence[str]


FRAMES = {"64B": ["--size", "60"], "imix": ["--pattern", "imix"], "1500B": ["--size", "1514"]}


class Generator:
    """traffic_gen, connected to a forwarder; run after run without a new connection."""

    def __init__(self, ctx: Context, router: Forwarder, args: Sequence[str], ring_log2: int = RING_LOG2) -> None:
        self.ctx = ctx
        self.log = ctx.host.tmp / "traffic_gen.log"
        sockets = router.sockets
        argv = [ctx.program("perf/gen/traffic_gen"), "--in", str(sockets[0]), "--out", str(sockets[1]), "--cpu",
                str(cpu_other()), "--ring", str(ring_log2), *args]
        with open(self.log, "wb") as err:
            self.proc = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err, text=True,
                                         start_new_session=True)
        for path, what in ((f"/proc/{self.proc.pid}/autogroup", "-20"),):
            try:
                os.setpriority(os.PRIO_PROCESS, self.proc.pid, -20)
                Path(path).write_text(what, encoding="ascii")
            except OSError:
                pass  # a container may forbid it: noisier then

    def __enter__(self) -> "Generator":
        return self

    def __exit__(self, *_: object) -> None:
        self.proc.terminate()
        try:
            self.proc.communicate(timeout=5)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            self.proc.kill()
            self.proc.wait()

    def begin(self, rate_pps: float, seconds: float) -> None:
        """A run whose result finish() brings; 0: as fast as it goes."""
        assert self.proc.stdin
        try:
            self.proc.stdin.write(f"run {'max' if rate_pps == 0 else max(1, int(rate_pps))} {seconds}\n")
            self.proc.stdin.flush()
        except BrokenPipeError:
            pass  # finish() says why

    def finish(self, timeout: float) -> dict:
        assert self.proc.stdout
        with selectors.DefaultSelector() as s:
            s.register(self.proc.stdout, selectors.EVENT_READ)
            line = self.proc.stdout.readline() if s.select(timeout) else ""
        result = json.loads(line) if line else {"error": "no answer"}
        if "error" in result:
            raise HostError(f"traffic_gen: {result['error']}\n{self.log.read_text(encoding='utf-8')}")
        return result

    def run(self, rate_pps: float, seconds: float) -> dict:
        self.begin(rate_pps, seconds)
        return self.finish(seconds + 15)


# ---- swaps -----------------------------------------------------------------------------------------------------------

class Publisher:
    """Full tables, published in turn in an agent's place, from entering until @seconds are over or it is left."""

    def __init__(self, ctx: Context, d: Forwarder, generations: Sequence[Path], per_s: float, seconds: float,
                 huge: bool = False) -> None:
        self.ctx = ctx
        self.argv = [ctx.program("perf/reload/table_publisher"), "--run-dir", str(d.dir / "run"), "--rate", str(per_s),
                     "--seconds", str(seconds), *(["--huge"] if huge else []), *map(str, generations)]

    def __enter__(self) -> "Publisher":
        self.proc = self.ctx.host.start(self.argv, "publisher", cpus=[cpu_other()])
        end = time.monotonic() + START_S
        while "begins" not in self.proc.log.read_text(encoding="utf-8", errors="replace"):
            if not self.proc.alive() or time.monotonic() > end:
                raise HostError(f"table_publisher did not begin:\n{self.proc.tail()}")
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self.ctx.host.stop(self.proc)

    def result(self, timeout: float) -> dict:
        try:
            status = self.proc.popen.wait(timeout)
        except subprocess.TimeoutExpired as e:
            raise HostError(f"table_publisher does not end:\n{self.proc.tail()}") from e
        if status != 0:
            raise HostError(f"table_publisher failed:\n{self.proc.tail()}")
        return json.loads(self.proc.log.read_text(encoding="utf-8").strip().splitlines()[-1])


# ---- where the CPUs are ----------------------------------------------------------------------------------------------

class Distance:
    """Virtual CPUs move: between two core complexes a packet costs 2.5 times as much to hand over. Measured with nothing
    running; what was measured far apart is not compared with what was measured close together."""
    NEAR = 1.5

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.nearest = float("inf")

    def ns(self) -> float:
        found = float(self.ctx.call([self.ctx.program("perf/gen/cpu_distance"), str(cpu_other()), str(cpu_worker())]))
        self.nearest = min(self.nearest, found)
        return found

    def near(self, patience_s: float = 0) -> bool:
        end = time.monotonic() + patience_s
        while self.ns() > self.NEAR * self.nearest:
            if time.monotonic() > end:
                return False
            time.sleep(0.5)
        return True


# ---- trials ----------------------------------------------------------------------------------------------------------

@dataclass
class Excuses:
    """Losses that the machine explains, counted: none is passed over in silence."""
    trials: int = 0
    repeated: int = 0
    given_up: int = 0
    why: dict[str, int] = field(default_factory=dict)

    def note(self, why: str) -> None:
        self.repeated += 1
        self.why[why] = self.why.get(why, 0) + 1

    def text(self) -> str:
        reasons = ", ".join(f"{n} × {w}" for w, n in sorted(self.why.items()))
        return (f"{self.trials} trials, {self.repeated} of them repeated{': ' if reasons else ''}{reasons}"
                f"{f'; {self.given_up} rates given up' if self.given_up else ''}")


def loss_explained(r: dict, gaps: Gaps) -> str | None:
    """Whether a CPU that was not there explains what a trial has lost; None: the forwarder is too slow.

    One that is too slow has its rings full all the time: then the longest wait is not far above what one packet in ten
    waits. One whose CPU was away makes a few packets wait long, and loses no more than arrives meanwhile. The generator's
    own absence is no excuse: what is not sent is not lost.
    """
    rate = r["offered_pps"]
    waits = r["latency_ns"]
    if gaps.long_ns * rate / 1e9 >= r["lost"]:
        return "worker away (its own gap counter)"
    if waits["max"] > 4 * waits["p90"] and 4 * waits["max"] * rate / 1e9 >= r["lost"]:
        return "worker away (a wait far beyond all others)"
    return None


def trial(router: Forwarder, gen: Generator, rate: float, seconds: float, excuses: Excuses, repeats: int = 8) -> dict:
    """One trial; again while it has lost packets for which the machine is to blame. The result has "explained"."""
    for attempt in range(repeats + 1):
        before = router.gaps()
        r = gen.run(rate, seconds)
        excuses.trials += 1
        r["explained"] = None
        if r["lost"] == 0:
            return r
        r["explained"] = loss_explained(r, router.gaps().since(before))
        if r["explained"] is None:
            return r
        if attempt < repeats:
            excuses.note(r["explained"])
    excuses.given_up += 1
    return r


@dataclass
class Found:
    """The result of a search: the highest rate that lost nothing, in packets offered a second, and what ended it.
    most_accepted: what the forwarder's ring took at full speed. speed: what came back at full speed, before or after, whichever is less: how fast the machine was meanwhile."""
    pps: float
    most_accepted: float
    limit: str
    speed: float


def _limit(r: dict, reached: bool) -> str:
    if r["lost"] == 0 and not reached:
        return "generator (sending)"
    return "forwarder" if r["rejected"] >= r["lost"] / 2 else "generator (receiving)"


def offered_present(r: dict) -> float:
    """Packets a second while the generator had its CPU: its clock stands still while it has not."""
    return r["sent"] / max(1e-9, r["sent"] / max(1.0, r["offered_pps"]) - r["away_us"] / 1e6)


def search(router: Forwarder, gen: Generator, seconds: float, resolution: float, excuses: Excuses,
           say: Callable[[str], None] = lambda _: None) -> Found:
    """RFC 2544 §26.1 by bisection: the highest rate without loss, to within the resolution."""
    most = gen.run(0, seconds)
    high = most["received_pps"] * 1.1
    pps, low, known_bad, limit = 0.0, 0.0, high, "generator (sending)"
    rate = most["received_pps"] * 0.8
    while known_bad - low > resolution * known_bad:
        r = trial(router, gen, rate, seconds, excuses)
        offered = offered_present(r)
        reached = offered >= rate * 0.98
        say(f"{rate / 1e6:.3f} Mpps: lost {r['lost']}{'' if reached else f', only {offered / 1e6:.3f} offered'}")
        if r["lost"] == 0:
            pps = max(pps, min(rate, offered))
        if r["lost"] == 0 and reached:
            low = rate
        else:
            known_bad, limit = rate, _limit(r, reached)
            low = max(low, min(pps, known_bad * 0.999)) if r["lost"] == 0 else low
        if low == 0 and known_bad < high / 1000:
            raise HostError(f"{router.name}: loses packets at any rate: {json.dumps(r)}")
        rate = (low + known_bad) / 2 if low else known_bad * 0.7
    speed = min(most["received_pps"], gen.run(0, seconds)["received_pps"])
    accepted = most["offered_pps"] * (1 - most["rejected"] / max(1, most["sent"]))
    return Found(pps, accepted, limit, speed)


STEADY = 0.75


def steady(found: Sequence[Any], speed: Callable[[Any], float]) -> list[Any]:
    """Those from when the machine was not much slower than it ever was."""
    return [f for f in found if speed(f) >= STEADY * max(map(speed, found))]


class LossFree:
    """The loss-free rate of a running forwarder as of now: a machine whose CPUs move has more than one."""
    TRIAL_S, RESOLUTION, SHARE = 0.25, 0.05, 0.9

    def __init__(self, router: Forwarder, gen: Generator) -> None:
        self.router, self.gen = router, gen
        self.pps = 0.0
        self.searches = 0
        self.excuses = Excuses()

    def holds(self) -> bool:
        """Does a trial at 90 % of it lose nothing?"""
        return trial(self.router, self.gen, self.SHARE * self.pps, self.TRIAL_S, self.excuses)["lost"] == 0

    def rate(self) -> float:
        """90 % of it; searched for when the one that is known holds no longer."""
        for _ in range(4):
            if self.pps and self.holds():
                break
            self.searches += 1
            self.pps = search(self.router, self.gen, self.TRIAL_S, self.RESOLUTION, self.excuses).pps
        return self.SHARE * self.pps
