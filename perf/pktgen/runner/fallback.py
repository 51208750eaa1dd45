# SPDX-License-Identifier: BSD-3-Clause
"""A profile on the project's own generator: its Lua asks, this has traffic_gen send, and answers."""
import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.host import Host, HostError, cpu_other

from runner.site import Site
from runner.talk import Talker

FCS = 4
MIX = [(64, 7), (594, 4), (1518, 1)]  # traffic_gen's
# While tables are swapped the generator leaves the agent, which shares its CPU, what it does not need: a ring holds 20 ms
# of the profile's rate. A generator that only polls would leave it a hundredth.
REST_US = 50
CONNECT_S, ANSWER_S, LUA_S = 60, 60, 20
LATENCIES = ("p50", "p90", "p99", "p999", "max")


def lua_env(root: Path, backend: str, more: dict[str, str]) -> dict[str, str]:
    here = root / "perf/pktgen"
    return {"LUA_PATH": f"{here}/backend/{backend}/?.lua;{here}/lua/?.lua;;", **more}


def describe(root: Path, profile: Path) -> dict:
    """Its first line: name, what it is about, cases, bars. Nothing is run."""
    env = {**os.environ, **lua_env(root, "fallback", {"DWCP_PKTGEN_DESCRIBE": "1"})}
    done = subprocess.run(["lua5.4", str(profile)], env=env, capture_output=True, text=True, timeout=LUA_S, check=False)
    try:
        o = json.loads(done.stdout.splitlines()[0])
    except (IndexError, ValueError) as e:
        raise HostError(f"{profile}: no profile: {done.stderr.strip()}") from e
    if o["event"] != "profile":
        raise HostError(f"{profile}: {o.get('text', o)}")
    return o


class Fallback:
    def __init__(self, root: Path, program: Path, host: Host, site: Site, env: dict[str, str]) -> None:
        self.root, self.program, self.host, self.site = root, program, host, site
        self.env = lua_env(root, "fallback", env)
        self.capture = env.get("DWCP_PKTGEN_CAPTURE")
        self.generator: Talker | None = None
        self.traffic: dict = {}
        self.rests = False

    def _pattern(self, t: dict) -> Sequence[str]:
        if t.get("capture"):
            return ["--pattern", f"pcap:{self.capture}"]
        if "mix" in t:
            if [(m["size"], m["share"]) for m in t["mix"]] != MIX:
                raise HostError("traffic_gen has one mix: 7 × 64, 4 × 594, 1 × 1518 bytes")
            return ["--pattern", "imix"]
        return ["--pattern", t["protocol"], "--size", str(t["size"] - FCS)]

    def _where(self) -> Sequence[str]:
        lab = self.site.lab
        if lab:
            own = [] if self.traffic.get("capture") else ["--destinations", str(lab.destinations)]
            return ["--in", str(lab.socket(lab.ports[0])), "--out", str(lab.socket(lab.ports[-1])), *own]
        nics = self.site.nics
        return ["--tx-dev", nics.tx, *([] if nics.rx == nics.tx else ["--rx-dev", nics.rx])]

    def _generator(self, t: dict, rests: bool) -> Talker:
        """The one that is running when it sends the same, else another."""
        if self.generator and (t, rests) == (self.traffic, self.rests):
            return self.generator
        self.stop()
        self.traffic, self.rests = t, rests
        argv = [str(self.program), *self._where(), "--router-mac", self.site.mac, *self._pattern(t),
                "--sources", str(t["sources"]), "--flows", str(t["flows"]), "--cpu", str(cpu_other()), "--ring", "12",
                *(["--rest", str(REST_US)] if rests else [])]
        self.generator = Talker(argv, self.host.tmp / "traffic_gen.log", hurry=True)
        self.host.procs.append(self.generator)
        return self.generator

    def stop(self) -> None:
        if self.generator:
            self.host.stop(self.generator)
            self.generator = None

    def _run(self, rate_pps: int, seconds: float, t: dict, during: str | None) -> dict[str, float]:
        generator = self._generator(t, bool(during and self.site.lab))
        self.site.begin(during)
        generator.say(f"run {int(rate_pps) or 'max'} {seconds}")
        line = generator.hear(seconds + ANSWER_S + CONNECT_S)
        if line is None:
            raise HostError(f"traffic_gen ended:\n{generator.tail()}")
        o = json.loads(line)
        if "error" in o:
            raise HostError(f"traffic_gen: {o['error']}")
        latency = o.pop("latency_ns", {})
        o |= {f"latency_{p}_ns": latency[p] for p in LATENCIES if p in latency}
        if not t.get("capture"):
            o["sources"] = t["sources"]
        return o | self.site.finish(o["offered_pps"])

    def run(self, profile: Path, line_cb: Callable[[dict], None]) -> None:
        """Every line that the profile says goes to line_cb."""
        lua = Talker(["lua5.4", str(profile)], self.host.tmp / "lua.log", self.env)
        self.host.procs.append(lua)
        try:
            while (text := lua.hear(LUA_S)) is not None:
                o = json.loads(text)
                line_cb(o)
                if o["event"] == "offer":
                    figures = self._run(o["rate_pps"], o["seconds"], o["traffic"], o.get("during"))
                    lua.say(" ".join(f"{k}={v}" for k, v in figures.items()))
        finally:
            self.site.abort()
            self.stop()
            code = self.host.stop(lua)
        if code not in (0, 1):
            raise HostError(f"{profile.name}: lua5.4 ended with {code}:\n{lua.tail()}")
        if lua.tail():
            raise HostError(f"{profile.name}:\n{lua.tail()}")
