#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""test_gate - perf/gate passes as the tree is, and notices a stage that costs 5 % more.

usage: test_gate.py BUILD_DIR

One stage by default, all with DWCP_TEST_FULL=1.
"""
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("parse", "route", "rewrite", "tx")


def gate(*argv: str) -> subprocess.CompletedProcess:
    return subprocess.run([ROOT / "perf/gate", *argv], capture_output=True, text=True, check=False, timeout=60)


def slowed(build: str, stage: str) -> str | None:
    """What is wrong, or None: the gate fails, for that stage and for no other."""
    done = gate("--build", build, "--no-build", "--slow", f"{stage}:5")
    grew = {line.split()[1].split("/")[0] for line in done.stdout.splitlines() if line.startswith("GREW")}
    print(f"--slow {stage}:5 → exit code {done.returncode}, grown: {', '.join(sorted(grew)) or 'none'}")
    if done.returncode == 1 and grew == {stage}:
        return None
    return f"with {stage} 5 % slower: exit code {done.returncode}\n{done.stdout}{done.stderr}"


def main() -> int:
    build = sys.argv[1]
    done = gate("--build", build, "--no-build")
    print(done.stdout, done.stderr, sep="", end="")
    if done.returncode:
        return done.returncode
    if not ((ROOT / ".git").exists()):
        print("no .git: the history is not looked at")
    else:
        done = gate("--history")
        print(done.stdout, done.stderr, sep="", end="")
        if done.returncode not in (0, 77):
            return 1
    full = os.environ.get("DWCP_TEST_FULL") == "1"
    wrong = [w for w in (slowed(build, s) for s in (STAGES if full else STAGES[:1])) if w]
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
