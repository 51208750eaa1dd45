#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""test_follow - what must not confuse the mirror: lost messages, a killed agent, other settings.

    test_follow.py AGENT
"""
import random
import signal
import sys

import mirror_lab as lab
import test_churn


def check(ok, what, agent):
    if not ok:
        print("FAILED: " + what)
        print(agent.mirror())
        sys.exit(1)
    print("ok: " + what)


def agrees(agent, churn, what):
    found = lab.differences(agent, churn.addresses(2000))
    check(not found, what + "".join("\n  " + f for f in found[:10]), agent)


def lost_messages(agent, churn):
    """The agent stands still while more is said than its socket holds."""
    agent.process.send_signal(signal.SIGSTOP)
    lab.ip_batch([churn.route(churn.rng.random() < 0.5) for _ in range(3000)])
    agent.process.send_signal(signal.SIGCONT)
    agent.wait(lambda: agent.mirror()["netlink"]["overruns"] > 0, 20)
    agent.wait(lambda: agent.mirror()["netlink"]["resyncs"] > 0 and agent.mirror()["state"] == "following", 20)
    agent.wait(lambda: lab.differences(agent, churn.addresses(20)) == [], 20)
    agent.quiet()
    agrees(agent, churn, "after lost messages")
    check(agent.mirror()["divergence"] == 0, "what was lost is not counted as divergence", agent)


def killed(agent, churn):
    agent.stop(9)
    lab.ip_batch([churn.route(churn.rng.random() < 0.5) for _ in range(500)])
    agent.start()
    agrees(agent, churn, "after a kill, with changes meanwhile")


def reloaded(agent, churn):
    lab.ip("route", "add", "blackhole", "21.0.0.0/8", "table", "77")

    def source_count(family):
        return agent.api.get("/v1/routes/count")["by_source"]["kernel"][family]

    def reload(settings, done, what):
        agent.configure(settings)
        agent.process.send_signal(signal.SIGHUP)
        agent.wait(done, 20)
        check(True, what, agent)
    before = source_count("ip4"), source_count("ip6")
    reload("tables = ({ table = 254; }, { table = 77; vrf = 5; });",
           lambda: agent.api.get("/v1/routes/lookup?address=21.1.1.1&vrf=5")["type"] == "blackhole",
           "a table for another VRF")
    check((source_count("ip4"), source_count("ip6")) == (before[0] + 1, before[1]), "the others are as before", agent)
    agrees(agent, churn, "with two tables")
    reload("enabled = false;", lambda: source_count("ip4") + source_count("ip6") == 0, "switched off")
    check(agent.mirror()["state"] == "off", "says that it is off", agent)
    reload("enabled = true;", lambda: (source_count("ip4"), source_count("ip6")) == before, "switched on")
    agrees(agent, churn, "after that")
    lab.ip("route", "flush", "table", "77")


def periodic(agent, churn):
    """A comparison while routes change all the time finds nothing."""
    agent.stop()
    agent.configure("reconcile_s = 1;")
    agent.start()
    first = agent.mirror()["reconciles"]
    while agent.mirror()["reconciles"] < first + 3:
        lab.ip_batch([churn.route(churn.rng.random() < 0.5) for _ in range(100)])
    agent.quiet()
    check(agent.mirror()["divergence"] == 0, "no divergence in comparisons during changes", agent)
    agrees(agent, churn, "after comparisons during changes")


def twins_gone(agent):
    for name in lab.PORTS:
        lab.ip("link", "set", name, "name", "old-" + name)
    agent.wait(lambda: agent.api.get("/v1/routes/count")["by_source"]["kernel"] == {"ip4": 0, "ip6": 0, "rejected": 0}, 20)
    check(agent.mirror()["state"] == "no_twins", "without twins there is nothing to mirror", agent)


def main():
    lab.enter()
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 30)
    print("seed %d" % seed)
    churn = test_churn.Churn(random.Random(seed))
    lab.links_make()
    lab.ip_batch([churn.route(i % 2 == 0) for i in range(1000)])
    agent = lab.Agent(sys.argv[1], "reconcile_s = 0; rcvbuf_kb = 16;")
    try:
        agent.start()
        agrees(agent, churn, "at the start")
        lost_messages(agent, churn)
        killed(agent, churn)
        reloaded(agent, churn)
        periodic(agent, churn)
        twins_gone(agent)
        if agent.stop() != 0:
            print("FAILED: " + agent.logged())
            return 1
    finally:
        agent.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
