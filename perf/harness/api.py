# SPDX-License-Identifier: BSD-3-Clause
"""One request to a program of ours over its Unix socket."""
import http.client
import json
import socket
from pathlib import Path
from typing import Any

from harness.host import HostError

TIMEOUT_S = 120


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self.unix = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix)


def api(path: Path, method: str, target: str, body: str | None = None, if_match: int | None = None) -> tuple[int, Any]:
    c = UnixConnection(path)
    headers = {"Connection": "close"} | ({"If-Match": f'"{if_match}"'} if if_match is not None else {})
    try:
        c.request(method, target, body=body, headers=headers)
        r = c.getresponse()
        text = r.read()
        return r.status, json.loads(text) if text else None
    except (OSError, http.client.HTTPException, ValueError) as e:
        raise HostError(f"{path}: {method} {target}: {e}") from e
    finally:
        c.close()
