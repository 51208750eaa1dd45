# SPDX-License-Identifier: BSD-3-Clause
"""perf/gate: instructions a packet, counted under callgrind, against perf/instructions.

A file of figures: `compiler NAME MAJOR` and `dpdk VERSION` (what else decides on the code that is counted), then one
figure a line: STAGE/CASE INSTRUCTIONS_PER_PACKET.
"""
import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.main import _build

ROOT = Path(__file__).resolve().parents[2]
STORED = ROOT / "perf/instructions"
RELEASE = ROOT / "perf/instructions.release"
TOOLS = ("compiler", "dpdk")
PROGRAM = "perf/stage/stage_bench"
GROWTH_MAX = 3.0  # percent over the stored figure
RELEASE_GROWTH_MAX = 10.0
TIMEOUT_S = 50
HEAD = """# SPDX-License-Identifier: BSD-3-Clause
# Instructions a packet of each stage, written by perf/gate --store. What they mean: perf/README.md.
"""
# A line of a message that gives a figure of a stage before and after: "parse/ip4-burst64 111.2 → 98.5".
HISTORY_LINE = re.compile(r"\b(rx|parse|route|rewrite|tx|path)/\S+\s+\d+(?:\.\d+)?\s*(?:→|->)\s*\d")


class CannotJudge(Exception):
    """Not a failure and no pass: exit code 77."""


@dataclass
class Figures:
    tools: dict[str, str] = field(default_factory=dict)
    of: dict[str, float] = field(default_factory=dict)


def figures_parse(text: str, name: str) -> Figures:
    f = Figures()
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        try:
            if words[0] in TOOLS:
                f.tools[words[0]] = " ".join(words[1:])
            elif len(words) == 2 and words[0].count("/") == 1 and words[0] not in f.of:
                f.of[words[0]] = float(words[1])
            else:
                raise ValueError
        except ValueError:
            raise ValueError(f"{name}:{number}: expected STAGE/CASE INSTRUCTIONS, once each") from None
    return f


def figures_text(f: Figures) -> str:
    lines = [f"{k} {v}" for k, v in sorted(f.tools.items())] + [f"{k} {v:.2f}" for k, v in sorted(f.of.items())]
    return HEAD + "\n".join(lines) + "\n"


def figures_load(path: Path) -> Figures:
    try:
        return figures_parse(path.read_text(encoding="utf-8"), path.name)
    except FileNotFoundError:
        return Figures()


# ---- counting --------------------------------------------------------------------------------------------------

def dump_parse(text: str) -> tuple[str, int] | None:
    """One dump of callgrind → the stage and case that it is of and its instructions; None: not a dump of ours."""
    of = re.search(r"^desc: Trigger: Client Request: (\S+)$", text, re.M)
    totals = re.search(r"^totals: (\d+)$", text, re.M)
    return (of[1], int(totals[1])) if of and totals else None


def counts_divide(dumps: Sequence[tuple[str, int]], said: str) -> Figures:
    """All dumps of a stage and case by all its packets. @said: lines STAGE/CASE PACKETS, and what the code is made by."""
    instructions: dict[str, int] = {}
    n: dict[str, int] = {}
    for name, count in dumps:
        instructions[name] = instructions.get(name, 0) + count
    figures = Figures()
    for line in said.splitlines():
        name, value = line.split(" ", 1)
        if name in TOOLS:
            figures.tools[name] = value
        else:
            n[name] = n.get(name, 0) + int(value)
    if not n or set(n) != set(instructions):
        raise ValueError("the counts of callgrind are not those of stage_bench")
    figures.of = {name: round(instructions[name] / n[name], 2) for name in n}
    return figures


def count(build: Path, slow: str | None) -> Figures:
    with tempfile.TemporaryDirectory(prefix="dwcp-gate-") as tmp:
        argv = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--collect-atstart=no",
                f"--callgrind-out-file={tmp}/count", str(build / PROGRAM), "--count"]
        # an environment of its own: its size moves the stack
        done = subprocess.run(argv + (["--slow", slow] if slow else []), capture_output=True, text=True, check=False,
                              timeout=TIMEOUT_S, env={"PATH": "/usr/bin:/bin", "RUNTIME_DIRECTORY": tmp})
        if done.returncode == 77:
            raise CannotJudge(done.stderr.strip().splitlines()[-1])
        if done.returncode != 0:
            raise RuntimeError(f"counting failed ({done.returncode}):\n{done.stderr[-2000:]}")
        dumps = [dump_parse(p.read_text(encoding="utf-8")) for p in Path(tmp).glob("count*")]
        return counts_divide([d for d in dumps if d], done.stdout)


def build_check(build: Path) -> None:
    text = (build / "meson-info/intro-buildoptions.json").read_text(encoding="utf-8")
    options = {o["name"]: o["value"] for o in json.loads(text)}
    if options["buildtype"] != "release" or options["b_sanitize"] != "none":
        raise CannotJudge(f"{build.name}/ is no release build: its instructions are others")


def host_check() -> None:
    if not shutil.which("valgrind"):
        raise CannotJudge("valgrind is not installed")
    if "avx2" not in Path("/proc/cpuinfo").read_text(encoding="utf-8").split():
        raise CannotJudge("this CPU has no AVX2: its lookups are others than those that were counted")


# ---- judging ---------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Finding:
    name: str
    text: str
    fails: bool


def path_of(figures: Mapping[str, float], case: str) -> float:
    """All stages of a case together."""
    return sum(v for name, v in figures.items() if name.endswith(f"/{case}"))


def judge(now: Mapping[str, float], stored: Mapping[str, float], release: Mapping[str, float]) -> list[Finding]:
    """Over the release a stage may grow when its case did not: then work has moved from one stage to another."""
    findings = []
    for name in sorted({*now, *stored}):
        if name not in stored:
            findings.append(Finding(name, "not in perf/instructions", True))
            continue
        if name not in now:
            findings.append(Finding(name, "stored, but not counted any more", True))
            continue
        case = name.split("/")[1]
        moved = path_of(now, case) <= path_of(release, case)
        for kind, before, limit in (("stored", stored[name], GROWTH_MAX),
                                    ("of the release", 0 if moved else release.get(name, 0), RELEASE_GROWTH_MAX)):
            change = (now[name] / before - 1) * 100 if before else 0.0
            text = f"{before:.2f} {kind} → {now[name]:.2f} ({change:+.1f} %, limit {limit:g} %)"
            if change > limit:
                findings.append(Finding(name, text, True))
            elif change < -GROWTH_MAX and kind == "stored":
                findings.append(Finding(name, text + ": store it", False))
    return findings


def store(path: Path, now: Figures) -> None:
    before = figures_load(path).of
    path.write_text(figures_text(now), encoding="utf-8")
    print(f"{path.relative_to(ROOT)} written. For the message of the commit, with rows of perf/compare for the time:\n")
    for name, value in sorted(now.of.items()):
        old = before.get(name)
        if old is None or abs(value - old) >= 0.01:
            print(f"    {name} {'new' if old is None else f'{old:.2f}'} → {value:.2f}"
                  + (f" ({(value / old - 1) * 100:+.1f} %)" if old else ""))


def _gate(build: Path, slow: str | None, storing: bool) -> int:
    host_check()
    build_check(build)
    stored, release = figures_load(STORED), figures_load(RELEASE)
    if not stored.of and not storing:
        raise CannotJudge("there is no perf/instructions: perf/gate --store")
    now = count(build, slow)
    if storing:
        store(STORED, now)
        return 0
    for what, have in now.tools.items():
        if stored.tools.get(what) != have:
            raise CannotJudge(f"{what} is {have}, the stored figures are of {stored.tools.get(what)}")
    findings = judge(now.of, stored.of, release.of)
    for f in findings:
        print(f"{'GREW' if f.fails else 'hint'}  {f.name}: {f.text}")
    failed = sum(f.fails for f in findings)
    print(f"{len(now.of)} figures, {failed} grown")
    if failed:
        print("Make it cheaper, or store what it costs now (perf/gate --store) in the same commit, with what it was "
              "and is in the message.")
    return 1 if failed else 0


# ---- history ---------------------------------------------------------------------------------------------------

def _git(*argv: str) -> str:
    return subprocess.run(["git", "-C", str(ROOT), *argv], capture_output=True, text=True, check=True).stdout


def message_explains(message: str, changed: Sequence[str]) -> bool:
    """Does it give a figure before and after, of at least one stage that has changed?"""
    return any(line.group(1) in changed for line in HISTORY_LINE.finditer(message))


def diff_changed_stages(diff: str) -> list[str]:
    return re.findall(r"^\+([a-z]+)/\S+ [\d.]+$", diff, re.M)


def history(path: str = "perf/instructions") -> int:
    """Commits that changed a figure; the one that brought the file is none."""
    bad = 0
    try:
        if _git("rev-parse", "--is-shallow-repository").strip() == "true":
            raise CannotJudge("the git history here is cut off (a shallow clone)")
        commits = _git("log", "--format=%H", "--diff-filter=M", "--", path).split()
    except (OSError, subprocess.CalledProcessError) as e:
        raise CannotJudge("there is no git history here") from e
    for commit in commits:
        message = _git("log", "-1", "--format=%B", commit)
        changed = diff_changed_stages(_git("show", "--format=", commit, "--", path))
        if changed and not message_explains(message, changed):
            print(f"{commit[:12]} {message.splitlines()[0]}: changes {path}, and its message gives no stage's figure "
                  "before and after")
            bad += 1
    print(f"{len(commits)} commits changed {path} since it is there, {bad} without figures in the message")
    return 1 if bad else 0


def run(argv: Sequence[str], doc: str) -> int:
    p = argparse.ArgumentParser(prog="perf/gate", description=doc, usage=argparse.SUPPRESS,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    what = p.add_mutually_exclusive_group()
    what.add_argument("--store", action="store_true")
    what.add_argument("--release", action="store_true")
    what.add_argument("--history", action="store_true")
    p.add_argument("--build", default=str(ROOT / "build"))
    p.add_argument("--no-build", action="store_true")
    p.add_argument("--slow")
    a = p.parse_args(argv)
    if a.store and a.slow:
        p.error("what is slowed is not stored")
    build = Path(a.build).resolve()
    try:
        if a.history:
            return history()
        if a.release:
            RELEASE.write_text(STORED.read_text(encoding="utf-8"), encoding="utf-8")
            return 0
        if not a.no_build:
            _build(build, [PROGRAM])
        return _gate(build, a.slow, a.store)
    except CannotJudge as e:
        print(f"perf/gate: skipped: {e}")
        return 77
    except (OSError, ValueError, RuntimeError, subprocess.SubprocessError) as e:
        print(f"perf/gate: {e}", file=sys.stderr)
        return 1
