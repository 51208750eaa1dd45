#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""write_corpus - messages of a real kernel for corpus-netlink: notifications of every kind, and broken ones of our own.

    write_corpus.py DIRECTORY        (root; makes a network namespace)
"""
import os
import socket
import struct
import sys

import mirror_lab as lab

CHANGES = {
    "route4": ["route add 20.0.0.0/8 via 10.0.0.2 metric 5 proto bird", "route del 20.0.0.0/8 metric 5"],
    "multipath4": ["route add 20.1.0.0/16 nexthop via 10.0.0.2 weight 3 nexthop via 10.0.1.2"],
    "via6": ["route add 20.2.0.0/16 via inet6 2001:db8::7 dev p0"],
    "types": ["route add blackhole 20.3.0.0/16", "route add throw 20.4.0.0/16 table 77"],
    "route6": ["route add 2001:db9::/48 via 2001:db8::2", "route append 2001:db9::/48 via 2001:db8:1::2",
               "route del 2001:db9::/48 via 2001:db8::2"],
    "nexthop": ["nexthop add id 7 via 10.0.0.3 dev p0", "nexthop add id 8 group 7,3", "route add 20.5.0.0/16 nhid 8",
                "nexthop replace id 8 group 7,9", "nexthop del id 7"],
    "link": ["link set far-p0 down", "link set p1 down", "addr del 10.0.0.1/24 dev p0", "link del m0"],
    "neigh": ["neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev p0", "neigh del 10.0.0.9 dev p0"],
}


def header(kind, body, flags=0):
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body


def broken():
    rtm = struct.pack("=BBBBBBBBI", 2, 24, 0, 0, 254, 12, 0, 1, 0)
    dst = struct.pack("=HHI", 8, 1, 0x14)
    yield "short-header", header(24, b"\x02")
    yield "length-past-end", struct.pack("=IHHII", 400, 24, 0, 1, 0) + rtm
    yield "attribute-past-end", header(24, rtm + struct.pack("=HHI", 80, 1, 0x14))
    yield "attribute-of-nothing", header(24, rtm + struct.pack("=HH", 0, 1))
    yield "hop-of-nothing", header(24, rtm + dst + struct.pack("=HHHBBI", 12, 9, 0, 0, 0, 2))
    yield "hop-past-end", header(24, rtm + dst + struct.pack("=HHHBBI", 12, 9, 60, 0, 0, 2))
    yield "nested-past-end", header(24, rtm + dst + struct.pack("=HHHBBIHH", 16, 9, 12, 0, 0, 2, 40, 5))
    yield "via-short", header(24, rtm + dst + struct.pack("=HHHH", 8, 18, 10, 0))
    yield "length-33", header(24, struct.pack("=BBBBBBBBI", 2, 33, 0, 0, 254, 12, 0, 1, 0) + dst)
    yield "group-odd", header(104, struct.pack("=BBBBI", 0, 0, 0, 0, 0) + struct.pack("=HHI", 8, 1, 5)
                              + struct.pack("=HHIHH", 12, 2, 7, 1, 0)[:11] + b"\0")
    yield "many-hops", header(24, rtm + dst + struct.pack("=HH", 4 + 8 * 300, 9) + struct.pack("=HBBI", 8, 0, 1, 2) * 300)


def main():
    lab.enter()
    lab.links_make()
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    s.bind((0, 1 | 1 << 2 | 1 << 4 | 1 << 6 | 1 << 8 | 1 << 10))
    s.setsockopt(270, 1, 32)
    s.settimeout(0.3)
    for name, lines in CHANGES.items():
        lab.ip_batch(lines)
        data = b""
        try:
            while len(data) < 6000:
                data += s.recv(65536)
        except TimeoutError:
            pass
        with open(os.path.join(out, name), "wb") as f:
            f.write(data)
    for name, data in broken():
        with open(os.path.join(out, name), "wb") as f:
            f.write(data)


if __name__ == "__main__":
    main()
