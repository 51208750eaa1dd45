# SPDX-License-Identifier: BSD-3-Clause
"""mirror_lab - a network namespace with interfaces that are named as ports' twins, an agent in it, and what it answers.

No dataplane is needed: the twins are veth interfaces. `Lab` is used inside the namespace that enter() makes.
"""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

SKIP = 77
PORTS = ("p0", "p1")  # twins; m0 is an interface of the kernel alone
LINKS = PORTS + ("m0",)
TABLES = {5: 77}  # by VRF, beside the main one; the kernel looks them up for packets with that mark
TABLES_CFG = "tables = ({ table = 254; }, { table = 77; vrf = 5; });"


def skip(why):
    print("skipped: " + why)
    sys.exit(SKIP)


def enter():
    """Run this program again inside a namespace of its own, and end with its result."""
    if os.environ.get("DWCP_MIRROR_INSIDE") == "1":
        return
    if os.geteuid() != 0:
        skip("needs root for a network namespace")
    if not shutil.which("nsenter") or not shutil.which("ip"):
        skip("needs iproute2 and util-linux")
    name = "dwcp-mirror-%d" % os.getpid()
    if subprocess.run(["ip", "netns", "add", name], stderr=subprocess.DEVNULL, check=False).returncode:
        skip("network namespaces can't be made here")
    try:
        env = dict(os.environ, DWCP_MIRROR_INSIDE="1")
        rc = subprocess.run(["nsenter", "--net=/run/netns/" + name, sys.executable] + sys.argv, env=env,
                            check=False).returncode
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)
    sys.exit(rc)


def ip(*args, check=True):
    return subprocess.run(["ip"] + list(args), check=check, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ip_batch(lines):
    """Every line, whatever becomes of the others. Returns (stdout, {line number from 0: error})."""
    r = subprocess.run(["ip", "-j", "-force", "-batch", "-"], input="\n".join(lines) + "\n", stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, check=False)
    errors, text = {}, ""
    for line in r.stderr.splitlines():
        if line.startswith("Command failed"):
            errors[int(line.rsplit(":", 1)[1]) - 1] = text
            text = ""
        else:
            text += line + " "
    return r.stdout, errors


def sysctl(key, value):
    with open("/proc/sys/" + key.replace(".", "/"), "w", encoding="ascii") as f:
        f.write(str(value))


def addresses(i):
    return ["10.0.%d.1/24" % i, "2001:db8:%d::1/64" % i]


def address_add(name):
    for a in addresses(LINKS.index(name)):
        ip("addr", "replace", a, "dev", name, *(["nodad"] if ":" in a else []), check=False)


def links_make():
    ip("link", "set", "lo", "up")
    # a host, unlike a router, prefers less specific IPv6 routes whose next hops answer
    sysctl("net.ipv6.conf.all.forwarding", 1)
    for name in LINKS:
        ip("link", "add", name, "type", "veth", "peer", "name", "far-" + name)
        for i in ("ipv4", "ipv6"):
            sysctl("net.%s.conf.%s.ignore_routes_with_linkdown" % (i, name), 1)
        ip("link", "set", name, "up")
        ip("link", "set", "far-" + name, "up")
        address_add(name)
    sysctl("net.ipv4.conf.all.ignore_routes_with_linkdown", 1)
    sysctl("net.ipv6.conf.all.ignore_routes_with_linkdown", 1)
    for table in TABLES.values():
        for family in ("-4", "-6"):
            ip(family, "rule", "add", "pref", "100", "fwmark", str(table), "lookup", str(table))
            ip(family, "rule", "add", "pref", "101", "fwmark", str(table), "unreachable")


class Api:
    """HTTP over the agent's socket, one connection for everything."""

    def __init__(self, path):
        self.path, self.file = path, None

    def get(self, uri, again=True):
        if not self.file:
            s = socket.socket(socket.AF_UNIX)
            s.connect(self.path)
            self.file = s.makefile("rwb")
        self.file.write(("GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % uri).encode())
        self.file.flush()
        answer = self.file.readline().split()
        if not answer and again:  # it was idle for too long
            self.file = None
            return self.get(uri, False)
        if len(answer) < 2:
            raise RuntimeError("%s: no answer" % uri)
        status = int(answer[1])
        length = 0
        while True:
            line = self.file.readline().strip().lower()
            if not line:
                break
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        body = json.loads(self.file.read(length))
        if status != 200:
            raise RuntimeError("%s: %d %s" % (uri, status, body))
        return body


class Agent:
    def __init__(self, program, mirror="", prefix=(), extra=""):
        self.dir = tempfile.mkdtemp(prefix="dwcp-mirror-")
        self.program, self.prefix, self.process, self.extra = program, list(prefix), None, extra
        self.configure(mirror)

    def configure(self, mirror):
        with open(self.dir + "/dwcp.conf", "w", encoding="ascii") as f:
            f.write('node: { name = "mirror"; state_dir = "%s/state"; run_dir = "%s/run"; };\n' % (self.dir, self.dir))
            f.write("mirror: { %s };\n" % mirror)
            f.write(self.extra)
            f.write('ports = ({ name = "p0"; device = "null"; },\n'
                    '         { name = "one"; device = "null"; twin_name = "p1"; });\n')

    def start(self):
        self.log = open(self.dir + "/log", "ab")
        if os.path.exists(self.dir + "/run/agent.sock"):
            os.unlink(self.dir + "/run/agent.sock")  # of one that was killed
        self.process = subprocess.Popen(self.prefix + [self.program, "--config", self.dir + "/dwcp.conf"],
                                        stderr=self.log)
        self.wait(lambda: os.path.exists(self.dir + "/run/agent.sock"), 20)
        self.api = Api(self.dir + "/run/agent.sock")
        self.wait(lambda: self.mirror()["state"] not in ("reading",), 60)
        self.quiet()

    def mirror(self):
        return self.api.get("/v1/routes/mirror")

    def wait(self, done, seconds):
        end = time.monotonic() + seconds
        while not done():
            if self.process.poll() is not None:
                raise RuntimeError("the agent has ended: " + self.logged())
            if time.monotonic() > end:
                raise RuntimeError("not within %d s: %s" % (seconds, self.logged()))
            time.sleep(0.005)

    def quiet(self, seconds=60):
        """Until it has taken in all that the kernel had said by now: a route that is told last is there."""
        mark = "192.0.0.%d" % (os.getpid() % 200 + 1)
        for op, there in (("add", True), ("del", False)):
            ip("route", op, "blackhole", mark)
            self.wait(lambda: (self.lookup(mark)["prefix"] == mark + "/32") == there, seconds)
        self.wait(lambda: self.mirror()["pending"] == 0, seconds)

    def lookup(self, address, vrf=0):
        return self.api.get("/v1/routes/lookup?address=%s&vrf=%d" % (address, vrf))

    def logged(self):
        with open(self.dir + "/log", encoding="utf-8") as f:
            return f.read()

    def stop(self, sig=15):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
            self.process.wait()
        rc = self.process.returncode if self.process else 0
        self.log.close()
        return rc

    def close(self):
        if self.process and self.process.poll() not in (None, 0, -9):
            print("the agent ended with %d: %s" % (self.process.returncode, self.logged()[-3000:]))
        if self.process:
            self.stop(9)
        shutil.rmtree(self.dir)


# ---- what the kernel answers, in the words of the agent ---------------------------------------------------------

ERRORS = {"Invalid argument": "blackhole", "Network is unreachable": "none", "No route to host": "unreachable",
          "Permission denied": "prohibit"}
TYPES = {"unicast": "unicast", "local": "local", "broadcast": "local", "anycast": "local", "blackhole": "blackhole",
         "unreachable": "unreachable", "prohibit": "prohibit"}
PORT_OF = {"p0": "p0", "p1": "one"}


def usable(hop):
    return not {"dead", "linkdown"} & set(hop.get("flags", []))


def hop_of(hop):
    gateway = hop.get("gateway") or hop.get("via", {}).get("host")
    return (gateway, PORT_OF[hop["dev"]], hop.get("weight", 1))


def kernel_answer(route, error):
    if error is not None:
        return (next((t for text, t in ERRORS.items() if text in error), error), None, ())
    if "nhid" in route and ":" in route["asked"]:
        return ("object",) # the kernel may name another route with the same next-hop object
    kind = TYPES[route.get("type", "unicast")]
    prefix = route["dst"]
    if prefix == "default":
        prefix = "::/0" if ":" in route["asked"] else "0.0.0.0/0"
    if "/" not in prefix:
        prefix += "/128" if ":" in prefix else "/32"
    if kind != "unicast":
        return (kind, prefix, ())
    hops = [h for h in route.get("nexthops", [route]) if usable(h)]
    weights = {}
    for gateway, port, weight in (hop_of(h) for h in hops if h["dev"] in PORT_OF):
        weights[gateway, port] = weights.get((gateway, port), 0) + weight
    ours = sorted((key + (w if len(weights) > 1 else 1,) for key, w in weights.items()), key=str)
    return ("unicast" if ours else "unreachable", prefix, tuple(ours))


def agent_answer(r):
    if r["type"] == "no_route":
        return ("none", None, ())
    paths = sorted(((p["gateway"], p["port"], p["weight"]) for p in r["paths"]), key=str)
    return (r["type"], r["prefix"], tuple(paths))


def kernel_words(wanted):
    address, vrf = wanted
    return [address] + (["mark", str(TABLES[vrf])] if vrf else [])


def one_of(wanted, agent):
    """Does the path that the kernel takes belong to those of the agent?"""
    r = ip("-j", "route", "get", *kernel_words(wanted), check=False)
    if r.returncode:
        return same(kernel_answer(None, r.stderr), agent)
    hop = json.loads(r.stdout)[0]
    if hop["dev"] not in PORT_OF:  # others of the group may be ours
        return agent[0] in ("unreachable", "unicast")
    return (hop.get("gateway"), PORT_OF[hop["dev"]]) in [p[:2] for p in agent[2]]


def same(kernel, agent):
    if kernel[0] != agent[0]:
        # a throw route ends the table's search without an answer: ours says unreachable, the kernel that there is none
        return kernel[0] == "none" and agent[0] == "unreachable"
    return kernel[1] is None or kernel == agent


def kernel_answers(wanted):
    out, errors = ip_batch([" ".join(["route", "get", "fibmatch"] + kernel_words(w)) for w in wanted])
    lines = iter(out.splitlines())
    answers = []
    for i, (address, _) in enumerate(wanted):
        if i in errors:
            answers.append(kernel_answer(None, errors[i]))
            continue
        route = json.loads(next(lines))[0]
        route["asked"] = address
        answers.append(kernel_answer(route, None))
    return answers


def differences(agent, wanted):
    """Of (address, VRF) each."""
    found = []
    for w, k in zip(wanted, kernel_answers(wanted)):
        ours = agent_answer(agent.lookup(*w))
        if k[0] == "object":
            if not one_of(w, ours):
                found.append("%s: the agent says %s, the kernel %s"
                             % (w, ours, ip("route", "get", *kernel_words(w), check=False).stdout))
        elif not same(k, ours):
            found.append("%s: the kernel says %s, the agent %s" % (w, k, ours))
        if len(found) == 1:
            found.append(tables_of(w))
    return found


def tables_of(wanted):
    address, vrf = wanted
    out = ip("-6" if ":" in address else "-4", "route", "show", "table", str(TABLES.get(vrf, 254)), "match", address).stdout
    return "\n".join([out, ip("nexthop").stdout, ip("-br", "addr").stdout])
