"""A small sidecar for tests of both sides together: it passes calls from connection to connection.

No sessions' mailboxes, no deadlines, no limits: those are tested against the real one.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from typing import Any

from coagent_client._wire import Decoder, Fields, encode_frame


class _End(asyncio.Protocol):
    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.decoder = Decoder()
        self.routes: dict[int, tuple[_End, int]] = {}
        self.names: dict[int, str] = {}
        self.next_id = 0
        self.out: list[bytes] = []
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.relay.ends.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.relay.ends.remove(self)
        for name in self.names.values():
            self.relay.hosts.pop(name, None)
        for end, ident in self.routes.values():
            end.routes.pop(ident, None)
            if ident & 1:
                end.fail(ident, "unavailable", "host_lost")
            else:
                end.put("cancel", ident, {})

    def put(self, op: str, ident: int, fields: Fields, content: bytes = b"") -> None:
        rest = json.dumps(fields, separators=(",", ":"))[1:]
        comma = "," if fields else ""
        head = f'{{"op":"{op}","id":{ident}' if ident else f'{{"op":"{op}"'
        if not self.out:
            asyncio.get_running_loop().call_soon(self.flush)
        self.out.append(encode_frame(head + comma + rest, content))

    def flush(self) -> None:
        out, self.out = self.out, []
        self.transport.write(b"".join(out))

    def fail(self, ident: int, code: str, reason: str) -> None:
        self.put("error", ident, {"code": code, "reason": reason, "message": "by the relay"})

    def data_received(self, data: bytes) -> None:
        for op, ident, fields, content in self.decoder.feed(data):
            self.take(op, ident, fields, content)
        assert self.decoder.error is None, self.decoder.error

    def take(self, op: str, ident: int, fields: Fields, content: bytes) -> None:
        if op == "hello":
            self.put(
                "welcome",
                0,
                {"v": 1, "server": "relay", "connection": "c", "max_content": 1 << 24}
                | {"heartbeat_ms": 0},
            )
        elif op == "register":
            self.names[ident] = fields["name"]
            self.relay.hosts[fields["name"]] = self
            self.put("ok", ident, {})
        elif op == "call":
            self.call(ident, fields, content)
        elif op == "cancel" and ident in self.names:
            self.relay.hosts.pop(self.names.pop(ident), None)
            self.fail(ident, "cancelled", "cancelled")
        elif ident in self.routes:
            self.forward(op, ident, fields, content)

    def call(self, ident: int, fields: Fields, content: bytes) -> None:
        host = self.relay.hosts.get(fields["to"].partition(":")[0])
        if host is None:
            self.fail(ident, "not_found", "unknown_agent")
            return
        host.next_id += 2
        self.routes[ident] = (host, host.next_id)
        host.routes[host.next_id] = (self, ident)
        kept: dict[str, Any] = {
            key: value for key, value in fields.items() if key not in ("parent", "lazy")
        }
        if fields["to"] not in self.relay.sessions and ":" in fields["to"]:
            self.relay.sessions.add(fields["to"])
            kept["new"] = True
        host.put("call", host.next_id, kept, content)

    def forward(self, op: str, ident: int, fields: Fields, content: bytes) -> None:
        end, other = self.routes[ident]
        is_terminal = ident % 2 == 0 and (
            (op == "data" and fields.get("end")) or (op == "error" and not fields.get("more"))
        )
        if op == "cancel":
            self.fail(ident, "cancelled", "cancelled")
        if is_terminal or op == "cancel":
            del self.routes[ident]
            end.routes.pop(other, None)
        end.put(op, other, fields, content)


class Relay:
    """Listens on a Unix socket in a folder of its own."""

    def __init__(self, path: str | None = None) -> None:
        self.folder = tempfile.mkdtemp(prefix="coagent-test-", dir="/tmp")
        self.path = path or os.path.join(self.folder, "s")
        self.url = f"unix:{self.path}"
        self.hosts: dict[str, _End] = {}
        self.sessions: set[str] = set()
        self.ends: list[_End] = []

    async def __aenter__(self) -> Relay:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _End(self), self.path)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        for end in list(self.ends):
            end.transport.abort()
        while self.ends:
            await asyncio.sleep(0)
        shutil.rmtree(self.folder, ignore_errors=True)


async def _serve(path: str) -> None:
    async with Relay(path):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
