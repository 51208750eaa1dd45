# SPDX-License-Identifier: BSD-3-Clause
"""Captures to replay: a copy of yours with the router's MAC address as destination, or one made here."""
import ipaddress
import random
import struct
from collections.abc import Iterator
from pathlib import Path

from harness.host import HostError

MAGIC_LITTLE, MAGIC_BIG = (0xa1b2c3d4, 0xa1b23c4d), (0xd4c3b2a1, 0x4d3cb2a1)
ETHERNET, HEADER, RECORD = 1, 24, 16
FRAME_MIN, FRAME_MAX = 14, 1496  # 18 bytes are added to each by our generator
SIZES = [60] * 5 + [86, 120, 250, 576, 576] + [1400] * 3


def _frames(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    if len(data) < HEADER:
        raise HostError(f"{path}: not a capture")
    magic = struct.unpack_from("<I", data)[0]
    if magic not in MAGIC_LITTLE + MAGIC_BIG:
        raise HostError(f"{path}: not a pcap file (pcapng: tcpdump -r FILE -w NEW makes one)")
    order = "<" if magic in MAGIC_LITTLE else ">"
    if struct.unpack_from(order + "I", data, 20)[0] & 0xffff != ETHERNET:
        raise HostError(f"{path}: not of an Ethernet port")
    at = HEADER
    while at + RECORD <= len(data):
        length = struct.unpack_from(order + "I", data, at + 8)[0]
        yield data[at + RECORD:at + RECORD + length]
        at += RECORD + length


def _write(path: Path, frames: list[bytes]) -> None:
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", MAGIC_LITTLE[0], 2, 4, 0, 0, 65535, ETHERNET))
        for i, frame in enumerate(frames):
            f.write(struct.pack("<IIII", i // 1000, i % 1000 * 1000, len(frame), len(frame)) + frame)


def capture_empty(path: Path) -> None:
    """One frame that nobody takes: DPDK's pcap driver wants something to read."""
    _write(path, [bytes(60)])


def sources_count(path: Path) -> int:
    """Different IPv4 source addresses in a capture."""
    return len({f[26:30] for f in _frames(path) if f[12:14] == b"\x08\x00"})


def capture_copy(source: Path, target: Path, mac: str) -> int:
    """Return: bytes of the longest frame. Frames that are too long for a port, or less than a header, stay out."""
    address = bytes.fromhex(mac.replace(":", ""))
    frames = [address + f[6:] for f in _frames(source) if FRAME_MIN < len(f) <= FRAME_MAX]
    if not frames:
        raise HostError(f"{source}: no frame in it that can be sent")
    _write(target, frames)
    return max(map(len, frames))


def _sum16(data: bytes) -> int:
    total = sum(struct.unpack(f">{len(data) // 2}H", data)) if len(data) % 2 == 0 else _sum16(data + b"\0")
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def _transport(proto: int, pseudo: bytes, sport: int, payload: bytes) -> bytes:
    if proto == 17:
        packed = struct.pack(">HHHH", sport, 443, 8 + len(payload), 0) + payload
        at = 6
    else:
        packed = struct.pack(">HHIIBBHHH", sport, 443, 1, 1, 0x50, 0x10, 65535, 0, 0) + payload
        at = 16
    total = _sum16(pseudo + struct.pack(">II", len(packed), proto) + packed)
    return packed[:at] + struct.pack(">H", 0xffff - total or 0xffff) + packed[at + 2:]


def _frame(rng: random.Random, destination: str, i: int) -> bytes:
    dst = ipaddress.ip_address(destination)
    size, proto = rng.choice(SIZES), rng.choice((6, 6, 17))
    head = 14 + (20 if dst.version == 4 else 40) + (8 if proto == 17 else 20)
    payload = bytes(max(0, size - head))
    mac = bytes(6) + bytes((2, 0, 0, 0, 0, 1))
    if dst.version == 6:
        src = ipaddress.IPv6Address(0xfd000064 << 96 | i)
        segment = _transport(proto, src.packed + dst.packed, 1024 + i % 60000, payload)
        ip = struct.pack(">IHBB", 6 << 28, len(segment), proto, 64) + src.packed + dst.packed
        return mac + b"\x86\xdd" + ip + segment
    src = ipaddress.IPv4Address(0x0a400001 + i)
    segment = _transport(proto, src.packed + dst.packed, 1024 + i % 60000, payload)
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), i & 0xffff, 0x4000, 64, proto, 0)
    ip += src.packed + dst.packed
    ip = ip[:10] + struct.pack(">H", 0xffff - _sum16(ip)) + ip[12:]
    return mac + b"\x08\x00" + ip + segment


def capture_make(path: Path, destinations: list[str], n: int, seed: int) -> None:
    """n frames to random ones of these, of both families: TCP and UDP with right checksums, sizes as they come."""
    rng = random.Random(seed)
    _write(path, [_frame(rng, rng.choice(destinations), i) for i in range(n)])
