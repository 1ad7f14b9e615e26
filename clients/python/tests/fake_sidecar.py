"""A sidecar that does what a test tells it: it accepts, reads frames one by one, writes any."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import json
import os
import shutil
import struct
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any

from coagent_client import Client, connect

BOUND_S = 5.0
# What a call grants in each direction unless it says otherwise.
WINDOW = 1024 * 1024


def aio(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Runs an async test on a loop of its own, within a bound."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(bounded(test(*arguments, **named), 4 * BOUND_S))

    del run.__wrapped__  # type: ignore[attr-defined]
    run.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]
    return run


async def bounded(work: Awaitable[Any], seconds: float = BOUND_S) -> Any:
    """Its result, or a failure if it takes too long."""
    return await asyncio.wait_for(work, seconds)


async def until(condition: Callable[[], bool]) -> None:
    """Lets the loop run until the condition holds, within a bound."""

    async def look() -> None:
        while not condition():
            await asyncio.sleep(0)

    await bounded(look())


def frame(header: dict[str, Any] | str | bytes, content: bytes = b"") -> bytes:
    """The bytes of a frame."""
    if isinstance(header, dict):
        header = json.dumps(header, separators=(",", ":"), ensure_ascii=False)
    raw = header.encode() if isinstance(header, str) else header
    return struct.pack(">II", len(raw), len(content)) + raw + content


class Got(dict[str, Any]):
    """A frame's header, with its content."""

    content: bytes = b""


class Peer:
    """The sidecar's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.last_id = 0

    async def next(self, op: str | None = None) -> Got:
        """The next frame; it must be `op` if that is given."""
        lengths = await bounded(self.reader.readexactly(8))
        header_size, content_size = struct.unpack(">II", lengths)
        got = Got(json.loads(await bounded(self.reader.readexactly(header_size))))
        got.content = await bounded(self.reader.readexactly(content_size))
        assert op is None or got["op"] == op, f"wanted {op}, got {got}"
        return got

    async def greet(self, **welcome: Any) -> Got:
        """Reads hello and answers it."""
        hello = await self.next("hello")
        self.send(
            {
                "op": "welcome",
                "v": 1,
                "server": "fake/1",
                "connection": "c1",
                "max_content": 16 * 1024 * 1024,
                "heartbeat_ms": 0,
                "features": "signals",
                **welcome,
            }
        )
        return hello

    def send(self, header: dict[str, Any] | str | bytes, content: bytes = b"") -> None:
        self.writer.write(frame(header, content))

    def call(self, to: str, content: bytes = b"", **fields: Any) -> int:
        """Writes a call with the next even id."""
        self.last_id += 2
        self.send({"op": "call", "id": self.last_id, "to": to, **fields}, content)
        return self.last_id

    def signal(self, name: str, content: bytes = b"", **fields: Any) -> int:
        """Writes a signal with the next even id."""
        self.last_id += 2
        self.send({"op": "signal", "id": self.last_id, "name": name, **fields}, content)
        return self.last_id

    async def nothing(self) -> None:
        """Nothing is on its way: a ping, which passes what waits, is the next to be answered."""
        self.send({"op": "ping"})
        await self.next("pong")

    async def eof(self) -> None:
        """Waits until the client has closed."""
        while await bounded(self.reader.read(65536)):
            pass

    def close(self) -> None:
        self.writer.close()

    def abort(self) -> None:
        self.writer.transport.abort()


async def entered(sidecar: FakeSidecar, client: Client, **welcome: Any) -> Peer:
    """Enters the client; its connection's other end, greeted."""
    entering = asyncio.ensure_future(client.__aenter__())
    peer = await sidecar.welcome(**welcome)
    await bounded(entering)
    return peer


async def registered(peer: Peer, *names: str) -> None:
    """Answers the registrations of these names."""
    for name in names:
        register = await peer.next("register")
        assert register["name"] == name
        peer.send({"op": "ok", "id": register["id"]})


async def answered(peer: Peer, ident: int) -> list[Any]:
    """The values of a reply, to its end."""
    values: list[Any] = []
    while True:
        got = await peer.next()
        assert got["id"] == ident, got
        assert got["op"] == "data", got
        if got.content:
            is_text = got.get("content_type") == "text/plain"
            values.append(got.content.decode() if is_text else json.loads(got.content))
        if got.get("end"):
            return values


async def failed(peer: Peer, ident: int) -> Got:
    """The error that ends a call."""
    got = await peer.next("error")
    assert got["id"] == ident
    assert got.content == b""
    return got


def answer(peer: Peer, ident: int, value: Any, **fields: Any) -> None:
    """Writes a value to the reply of the client's call."""
    peer.send({"op": "data", "id": ident, **fields}, json.dumps(value).encode())


class FakeSidecar:
    """Listens on a Unix socket in a folder of its own."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="coagent-test-", dir="/tmp")
        self.path = os.path.join(self.folder, "s")
        self.url = f"unix:{self.path}"
        self._peers: asyncio.Queue[Peer] = asyncio.Queue()
        self._all: list[Peer] = []
        self._server: asyncio.AbstractServer | None = None

    async def __aenter__(self) -> FakeSidecar:
        await self.listen()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def listen(self) -> None:
        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            peer = Peer(reader, writer)
            self._all.append(peer)
            self._peers.put_nowait(peer)

        self._server = await asyncio.start_unix_server(accepted, self.path, limit=64 * 1024 * 1024)

    async def stop(self) -> None:
        """Stops listening and drops every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        if os.path.exists(self.path):
            os.unlink(self.path)
        for peer in self._all:
            peer.close()
        for peer in self._all:
            with contextlib.suppress(OSError):
                await peer.writer.wait_closed()
        self._all.clear()

    async def accept(self) -> Peer:
        """The next connection."""
        peer: Peer = await bounded(self._peers.get())
        return peer

    async def welcome(self, **fields: Any) -> Peer:
        """The next connection, greeted."""
        peer = await self.accept()
        await peer.greet(**fields)
        return peer


@contextlib.asynccontextmanager
async def linked() -> AsyncIterator[tuple[Client, Peer]]:
    """A client and the other end of its connection; the client is closed with the block."""
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await entered(sidecar, client)
        yield client, peer
        await client.aclose()


@contextlib.asynccontextmanager
async def hosting(**agents: Callable[..., Any]) -> AsyncIterator[tuple[Client, Peer]]:
    """A client that hosts these agents, and the other end of its connection."""
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        for name, target in agents.items():
            client.register(name, target)
        peer = await entered(sidecar, client)
        await registered(peer, *agents)
        yield client, peer
        await client.aclose()
