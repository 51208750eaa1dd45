# SPDX-License-Identifier: BSD-3-Clause
"""The real agent beside a dataplane: how long until a change is in force."""
import os
import time
from collections.abc import Callable
from pathlib import Path

from harness.api import api
from harness.bench import Context
from harness.host import HostError, cpu_other
from harness.routers import Dwcp
from harness.tables import FIRST_HOP

ADOPT_S = 60.0
TARGETS = ["control/dwcp-agent"]


class Agent:
    """The real agent beside a dataplane."""

    def __init__(self, ctx: Context, d: Dwcp, routes: Path) -> None:
        self.ctx, self.d = ctx, d
        self.table = d.dir / "table.routes"
        os.link(routes, self.table)
        with open(d.config, "a", encoding="utf-8") as f:
            print(f'route_files: ( {{ name = "table"; path = "{self.table}"; }} );', file=f)

    def __enter__(self) -> "Agent":
        self.proc = self.ctx.host.start([self.ctx.program("control/dwcp-agent"), "--config", str(self.d.config)], "agent",
                                        cpus=[cpu_other()])
        self.wait(0)
        return self

    def __exit__(self, *_: object) -> None:
        self.ctx.host.stop(self.proc)

    def adopted(self) -> dict:
        """The newest generation that every worker uses."""
        rows = self.d.get("/v1/tables/history?limit=1")["history"]
        return rows[0] if rows else {"generation": 0, "result": "none"}

    def wait(self, before: int) -> dict:
        end = time.monotonic() + ADOPT_S
        while time.monotonic() < end:
            row = self.adopted()
            if row["generation"] > before and row["result"] == "adopted":
                return row
            time.sleep(0.01)
        raise HostError(f"no generation after {before} was adopted:\n{self.proc.tail()}")

    def call(self, method: str, target: str, body: str | None = None) -> None:
        socket = self.d.run / "agent.sock"
        revision = api(socket, "GET", "/v1/status")[1]["intent_revision"] if "reload" not in target else None
        status, answer = api(socket, method, target, body, revision)
        if status != 200:
            raise HostError(f"dwcp-agent: {method} {target}: {status} {answer}")

    def change(self, act: Callable[[], None]) -> float:
        """Last input event → adopted by every worker, ms."""
        before = self.adopted()["generation"]
        act()
        return self.wait(before)["event_to_adopted_us"] / 1e3

    def table_replace(self, routes: Path) -> float:
        def act() -> None:
            temporary = self.table.with_suffix(".new")
            os.link(routes, temporary)
            temporary.replace(self.table)
            self.call("POST", "/v1/config/reload")
        return self.change(act)

    def route(self, i: int) -> float:
        prefix = f"198.18.{i // 2 % 256}.0/24"
        if i % 2:
            return self.change(lambda: self.call("DELETE", f"/v1/routes?prefix={prefix}"))
        body = f'{{"prefix": "{prefix}", "type": "unicast", "paths": [{{"gateway": "10.0.2.{FIRST_HOP + i % 64}"}}]}}'
        return self.change(lambda: self.call("PUT", "/v1/routes", body))
