#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""test_churn - random changes of routes, next-hop objects, links and addresses in two tables, and the agent's answers
against the kernel's own for random addresses, again and again. No difference is allowed, and none may need a periodic
comparison to be found.

    test_churn.py AGENT [SECONDS [SEED]]

DWCP_TEST_FULL=1: ten minutes, and 100,000 addresses at the end.
"""
import json
import os
import random
import sys
import time

import mirror_lab as lab

METRICS = [None, None, 10, 20]
TYPES = ["blackhole", "unreachable", "prohibit", "throw"]
PROTOCOLS = ["bird", "zebra", "static", "186"]


class Churn:
    def __init__(self, rng, vrfs=()):
        self.rng, self.vrfs = rng, list(vrfs)
        self.down, self.unplugged, self.bare = set(), set(), set()

    # ---- what changes are made of ----
    def prefix(self, v6):
        if v6:
            n = self.rng.choice([0, 28, 32, 48, 48, 64, 128])
            bits = (0x20010DB9 << 96) | self.rng.getrandbits(4) << 76 | self.rng.getrandbits(3) << 61 | self.rng.getrandbits(2)
            return "%s/%d" % (v6_text(bits >> (128 - n) << (128 - n)), n)
        n = self.rng.choice([0, 8, 12, 16, 22, 24, 24, 32])
        bits = 20 << 24 | self.rng.getrandbits(3) << 18 | self.rng.getrandbits(3) << 9 | self.rng.getrandbits(2)
        return "%s/%d" % (v4_text(bits >> (32 - n) << (32 - n)), n)

    def hop(self, v6, weighted):
        i = self.rng.choice([0, 0, 0, 1, 1, 1, 2])
        gateway = ("2001:db8:%d::%x" if v6 else "10.0.%d.%d") % (i, self.rng.randint(2, 5))
        text = "via %s dev %s" % (gateway, lab.LINKS[i])
        return text + (" weight %d" % self.rng.randint(1, 9) if weighted else "")

    def hops(self, v6):
        n = self.rng.choice([1, 1, 1, 2, 3])
        if n == 1:
            return self.hop(v6, False)
        gateways = {h.split()[1]: h for h in (self.hop(v6, True) for _ in range(n))}
        return " ".join("nexthop " + h for h in gateways.values())

    def route(self, v6):
        r = self.rng
        words = ["route"]
        verb = r.choice(["add", "add", "append", "prepend", "replace", "replace", "change", "del", "del", "del"])
        kind = r.random()
        if kind < 0.12:
            body = "%s %s" % (r.choice(TYPES), self.prefix(v6))
        elif kind < 0.30:
            body = "%s nhid %d" % (self.prefix(v6), self.nexthop_id(v6, True))
        elif kind < 0.36 and not v6:
            body = "%s dev %s" % (self.prefix(v6), r.choice(lab.LINKS))
        elif kind < 0.40 and not v6 and "p0" not in self.unplugged:
            # (made without a carrier, the kernel never learns that such a one has none)
            body = "%s via inet6 2001:db8:%d::7 dev %s" % (self.prefix(False), 0, "p0")
        elif verb == "del" and r.random() < 0.5:
            body = self.prefix(v6)
        else:
            body = "%s %s" % (self.prefix(v6), self.hops(v6))
        # of several IPv4 default routes of a metric the kernel takes one whose gateway answers
        if "0.0.0.0/0" in body and verb in ("append", "prepend"):
            verb = "add"
        metric = r.choice(METRICS)
        # the kernel's own dump leaves out what stands between the paths of an IPv6 route of the same metric
        if v6 and kind < 0.30:
            metric = 30 if kind < 0.12 else 40
        # options stand before the first nexthop
        head, sep, tail = body.partition(" nexthop ")
        if self.vrfs and r.random() < 0.2:
            head += " table %d" % lab.TABLES[r.choice(self.vrfs)]
        if metric:
            head += " metric %d" % metric
        if verb != "del":
            head += " proto %s" % r.choice(PROTOCOLS)
        return " ".join(words + [verb, head + sep + tail])

    def nexthop_id(self, v6, groups):
        return (100 if v6 else 10) + self.rng.randint(0, 7 if groups else 4)

    def nexthop(self):
        r = self.rng
        v6 = r.random() < 0.5
        i = r.randint(0, 7)
        number = (100 if v6 else 10) + i
        if r.random() < 0.25:
            return "nexthop del id %d" % number
        if i >= 5:
            members = {self.nexthop_id(v6, False): r.randint(1, 9) for _ in range(r.randint(1, 3))}
            return "nexthop replace id %d group %s" % (number, "/".join("%d,%d" % m for m in members.items()))
        if r.random() < 0.1 and not v6:
            return "nexthop replace id %d blackhole" % number
        return "nexthop replace id %d %s" % (number, self.hop(v6, False))

    # ---- links: each is put right again in a later round ----
    def link(self):
        r = self.rng
        name = r.choice(lab.LINKS)
        kind = r.choice(["down", "unplug", "bare"])
        state = {"down": self.down, "unplug": self.unplugged, "bare": self.bare}[kind]
        back = name in state
        state.symmetric_difference_update({name})
        if kind == "down":
            lab.ip("link", "set", name, "up" if back else "down")
            if back and name not in self.bare:
                lab.address_add(name)
        elif kind == "unplug":
            lab.ip("link", "set", "far-" + name, "up" if back else "down")
        elif back:
            lab.address_add(name)
        else:
            for a in lab.addresses(lab.LINKS.index(name)):
                lab.ip("addr", "del", a, "dev", name, check=False)
        self.link_settled(name)

    def link_settled(self, name):
        """The kernel takes a carrier's change to its routes a moment later, with the operational state."""
        state = "DOWN" if name in self.down else "LOWERLAYERDOWN" if name in self.unplugged else "UP"
        end = time.monotonic() + 10
        while json.loads(lab.ip("-j", "link", "show", "dev", name).stdout)[0]["operstate"] != state:
            if time.monotonic() > end:
                raise RuntimeError("%s is not %s" % (name, state))
            time.sleep(0.005)

    def addresses(self, n):
        own = ["127.0.0.1"]
        for i in range(len(lab.LINKS)):
            own += [a % i for a in ("10.0.%d.9", "10.0.%d.1", "10.0.%d.255", "2001:db8:%d::1", "2001:db8:%d::77")]
        out = []
        for _ in range(n // 2):
            p = ["20"] + self.prefix(False).split("/")[0].split(".")[1:]
            p[self.rng.randint(1, 3)] = str(self.rng.randint(0, 255))
            out.append(".".join(p))
            bits = (0x20010DB9 << 96) | self.rng.getrandbits(4) << 76 | self.rng.getrandbits(3) << 61
            out.append(v6_text(bits | self.rng.getrandbits(2)))
        return [(a, 0) for a in own] + [(a, self.rng.choice([0, 0, 0] + self.vrfs)) for a in out]


def v4_text(bits):
    return ".".join(str(bits >> s & 255) for s in (24, 16, 8, 0))


def v6_text(bits):
    return ":".join("%x" % (bits >> s & 0xFFFF) for s in range(112, -16, -16))


def settled(agent, links):
    """Routes are there at once; what the kernel did silently is found by the comparison that follows links at once."""
    agent.quiet()
    if links:
        agent.wait(lambda: not agent.mirror()["comparing"], 20)
        agent.quiet()


def main():
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else (600 if os.environ.get("DWCP_TEST_FULL") == "1" else 8)
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 30)
    lab.enter()
    print("seed %d, %d s" % (seed, seconds))
    rng = random.Random(seed)
    churn = Churn(rng, lab.TABLES)
    lab.links_make()
    agent = lab.Agent(sys.argv[1], "reconcile_s = 0; " + lab.TABLES_CFG)
    n_ops = n_failed = n_compared = rounds = 0
    try:
        agent.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            links = rounds % 3 == 2
            if links:
                churn.link()
            ops = [churn.nexthop() if rng.random() < 0.15 else churn.route(rng.random() < 0.5)
                   for _ in range(rng.choice([20, 200, 1000]))]
            _, errors = lab.ip_batch(ops)
            settled(agent, links)
            wanted = churn.addresses(400)
            found = lab.differences(agent, wanted)
            n_ops, n_failed, n_compared = n_ops + len(ops), n_failed + len(errors), n_compared + len(wanted)
            rounds += 1
            if found:
                print("round %d (links %s): %d differences" % (rounds, links, len(found)))
                print("\n".join(found[:20]))
                print("down %s unplugged %s bare %s" % (churn.down, churn.unplugged, churn.bare))
                print(agent.mirror())
                return 1
        wanted = churn.addresses(100000 if seconds >= 600 else 2000)
        found = lab.differences(agent, wanted)
        m = agent.mirror()
        print("%d rounds, %d changes (%d refused by the kernel), %d + %d addresses compared, %d silent changes"
              % (rounds, n_ops, n_failed, n_compared, len(wanted), m["silent_changes"]))
        if found or m["divergence"] or not n_ops > n_failed:
            print("\n".join(found[:20]), m)
            return 1
        if agent.stop() != 0:
            print(agent.logged())
            return 1
        return 0
    finally:
        agent.close()


if __name__ == "__main__":
    sys.exit(main())
