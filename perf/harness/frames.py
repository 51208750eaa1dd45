# SPDX-License-Identifier: BSD-3-Clause
"""Tables and the frames that are routed by them: prefixes, destinations, source files (perf/source/source_file.h)."""
import ipaddress
import random
import struct
from collections.abc import Sequence
from pathlib import Path

MAGIC = 0x31637273
HDR = struct.Struct("<6I64H128s8s")
IMIX = [60] * 37 + [590] * 21 + [1514] * 6  # 7:4:1 (frames of 64, 594, 1518 with FCS), in 64 steps
Prefix = tuple[int, int]  # address, length

BITS = {4: 32, 6: 128}


def prefixes_parse(text: str) -> dict[int, list[Prefix]]:
    found: dict[int, list[Prefix]] = {4: [], 6: []}
    for line in text.split():
        address, length = line.split("/")
        family = 6 if ":" in address else 4
        if family == 4:
            a, b, c, d = address.split(".")
            number = int(a) << 24 | int(b) << 16 | int(c) << 8 | int(d)
        else:
            number = int(ipaddress.IPv6Address(address))
        found[family].append((number, int(length)))
    return found


def prefix_text(family: int, p: Prefix) -> str:
    cls = ipaddress.IPv4Address if family == 4 else ipaddress.IPv6Address
    return f"{cls(p[0])}/{p[1]}"


def routes_sample(rng: random.Random, family: int, table: Sequence[Prefix], n: int) -> list[Prefix]:
    """n routes of a full table that any LPM library holds by default: at most 100 longer than /24 (IPv4)."""
    longest = 24 if family == 4 else 48
    return sorted(rng.sample([p for p in table if p[1] <= longest], n))


def routes_everywhere(rng: random.Random, n: int) -> list[Prefix]:
    """n IPv4 routes over all that can be routed: every /8 of 1 … 223 but 127, and /16 and /24 in them."""
    chosen = {(a << 24, 8) for a in range(1, 224) if a != 127}
    eights = sorted(chosen)
    while len(chosen) < n:
        base = rng.choice(eights)[0]
        length = rng.choice((16, 24))
        chosen.add((base | rng.getrandbits(length - 8) << (32 - length), length))
    return sorted(chosen)


def routed(address: int) -> bool:
    """May a router forward to this IPv4 address?"""
    return 0x01000000 <= address < 0xe0000000 and address >> 24 != 127 and address >> 16 != 0xa9fe


def destinations(rng: random.Random, family: int, table: Sequence[Prefix], n: int) -> list[int]:
    """A random address in a random prefix, n times."""
    found: list[int] = []
    while len(found) < n:
        address, length = table[int(rng.random() * len(table))]
        host = BITS[family] - length
        address |= rng.getrandbits(host) if host else 0
        if family == 6 or routed(address):
            found.append(address)
    return found


def destinations_uniform(rng: random.Random, n: int) -> list[int]:
    found: list[int] = []
    while len(found) < n:
        address = rng.getrandbits(32)
        if routed(address):
            found.append(address)
    return found


def _checksum4(length: int, src: int, dst: int) -> int:
    s = 0x4500 + length + 0x4011 + (src >> 16) + (src & 0xffff) + (dst >> 16) + (dst & 0xffff)
    s = (s & 0xffff) + (s >> 16)
    return ~((s & 0xffff) + (s >> 16)) & 0xffff


def _template4(length: int) -> bytes:
    eth = bytes(6) + b"\x02\0\0\0\0\1" + b"\x08\0"
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, length - 14, 0, 0, 64, 17, 0, 0, 0)
    return eth + ip + struct.pack(">HHHH", 0, 0, length - 34, 0) + bytes(22)


def _template6(length: int) -> bytes:
    eth = bytes(6) + b"\x02\0\0\0\0\1" + b"\x86\xdd"
    ip = struct.pack(">IHBB", 6 << 28, length - 54, 17, 64) + b"\x20\x01\x0d\xb8" + bytes(28)
    return eth + ip + struct.pack(">HHHH", 0, 0, length - 54, 0x1234) + bytes(18)


def _write(path: Path, entry_at: int, template: bytes, lengths: Sequence[int], entries: bytes, entry_bytes: int) -> None:
    n = len(entries) // entry_bytes
    assert n & (n - 1) == 0 and n * entry_bytes == len(entries)
    hdr = HDR.pack(MAGIC, n, entry_bytes, entry_at, len(template), len(lengths),
                   *lengths, *[0] * (64 - len(lengths)), template.ljust(128, b"\0"), bytes(8))
    path.write_bytes(hdr.ljust(320, b"\0") + entries)


def source_write(path: Path, family: int, dst: Sequence[int], lengths: Sequence[int]) -> None:
    """len(dst) flows, a power of two: each destination with a source address and port of its own."""
    assert len(dst) & (len(dst) - 1) == 0
    pack = struct.Struct(">HIIHH").pack
    pack_long = struct.Struct(">HHHBBHIIHHHHIH").pack
    pack6 = struct.Struct(">QIQQHH").pack
    out = []
    for i, d in enumerate(dst):
        port = 1024 + i % 60000
        if family == 6:
            out.append(pack6(0, i, d >> 64, d & (1 << 64) - 1, port, 9))
            continue
        src, length = 0x0a000000 + i, lengths[i % len(lengths)] - 14
        csum = _checksum4(length, src, d)
        if len(lengths) == 1:
            out.append(pack(csum, src, d, port, 9) + struct.pack(">H", length - 20))
        else:
            out.append(pack_long(length, 0, 0, 64, 17, csum, src, d, port, 9, length - 20, 0, 0, 0))
    if family == 6:
        _write(path, 26, _template6(lengths[0]), lengths, b"".join(out), 32)
    elif len(lengths) == 1:
        _write(path, 24, _template4(lengths[0]), lengths, b"".join(out), 16)
    else:
        _write(path, 16, _template4(lengths[0]), lengths, b"".join(out), 32)


def pcap_write(path: Path, family: int, dst: Sequence[int], mac: bytes, length: int = 60) -> None:
    """The same frames as a capture, for net_pcap."""
    template = bytearray((_template4 if family == 4 else _template6)(length)[:length])
    template[0:6] = mac
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i, d in enumerate(dst):
            frame = bytearray(template)
            src = 0x0a000000 + i
            frame[24:38] = struct.pack(">HIIHH", _checksum4(length - 14, src, d), src, d, 1024 + i % 60000, 9)
            f.write(struct.pack("<IIII", 0, i, length, length) + frame)
