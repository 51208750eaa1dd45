#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""table_follow - waits until an agent has about so many prefixes from the kernel, all of them are in use and no more have
come for three seconds; says what it took until then: seconds, CPU, memory, the longest stall of its loop.

    table_follow.py AGENT_SOCKET AGENT_PID SECONDS N_IP4 N_IP6
"""
import json
import os
import sys
import time

import mirror_lab as lab

LOOK_S = 0.05
STILL_S = 3
ABOUT = 0.02


def process(pid):
    """Seconds of CPU, megabytes now and at the most."""
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        t = f.read().rsplit(")", 1)[1].split()
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        kb = {line.split(":")[0]: int(line.split()[1]) for line in f if line.startswith(("VmRSS", "VmHWM"))}
    return (int(t[11]) + int(t[12])) / os.sysconf("SC_CLK_TCK"), kb["VmRSS"] >> 10, kb["VmHWM"] >> 10


def main():
    api, pid, seconds = lab.Api(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    wanted = int(sys.argv[4]), int(sys.argv[5])
    start, cpu0 = time.monotonic(), process(pid)[0]
    seen, counted, end, done = None, None, None, False
    while not done and time.monotonic() < start + seconds:
        m, s = api.get("/v1/routes/mirror"), api.get("/v1/status")
        now = time.monotonic()
        if (m["ip4"], m["ip6"]) != seen:
            seen, counted, end = (m["ip4"], m["ip6"]), now, None
        if end is None and m["pending"] == 0 and s["publish"] == "idle":
            end = now
            cpu, now_mb, most_mb = process(pid)
        done = end and now > end + STILL_S and all(abs(a - b) <= 20 + ABOUT * b for a, b in zip(seen, wanted))
        time.sleep(LOOK_S)
    if not end:
        end = time.monotonic()
        cpu, now_mb, most_mb = process(pid)
    print(json.dumps({"seconds": round(end - start, 2), "counted": round(counted - start, 2),
                      "ip4": m["ip4"], "ip6": m["ip6"], "agent_cpu_s": round(cpu - cpu0, 2), "rss_mb": now_mb,
                      "peak_mb": most_mb, "mirror_mb": m["memory_bytes"] >> 20,
                      "loop_stall_us": s["loop_stall_max_us"], "where": s["loop_stall_where"],
                      "loop_cpu_us": s["loop_cpu_max_us"],
                      "overruns": m["netlink"]["overruns"], "resyncs": m["netlink"]["resyncs"]}))
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
