"""Peers of the soak: frames read and written by asyncio, many calls at once; each must end."""

from __future__ import annotations

import asyncio
import json
import random
import struct
from collections import Counter
from typing import Any

from raw_peer import Header, frame

WINDOW = 1 << 20
FRAME_COST = 256
# What a call may take before the sidecar ends it, and how much later nobody waits any more.
CALL_TIMEOUT_MS = 5_000
UNANSWERED_S = 30.0

Frame = tuple[Header, bytes]


class Lost(Exception):
    """The connection is gone, and what was open on it with it."""


class SoakPeer:
    """One connection; ids belong to it, and whoever opened one takes its frames."""

    def __init__(self, tally: Counter[str]) -> None:
        self.tally = tally
        self._open: dict[int, asyncio.Queue[Frame | None]] = {}
        self._last = -1
        self._writer: asyncio.StreamWriter
        self._reading: asyncio.Task[None]

    async def connect(self, url: str, token: str | None) -> None:
        if url.startswith("unix:"):
            reader, self._writer = await asyncio.open_unix_connection(url.removeprefix("unix:"))
        else:
            host, _, port = url.removeprefix("tcp://").rpartition(":")
            reader, self._writer = await asyncio.open_connection(host, int(port))
        hello: Header = {"op": "hello", "v": 1, "client": "soak/1", "features": "signals"}
        self._writer.write(frame(hello | ({"token": token} if token else {})))
        welcome, _ = await _read(reader)
        assert welcome["op"] == "welcome", welcome
        self._reading = asyncio.create_task(self._read_all(reader))
        self.tally["connections"] += 1

    async def _read_all(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                header, content = await _read(reader)
                if header["op"] == "ping":
                    self._writer.write(frame({"op": "pong"}))
                elif queue := self._open.get(header.get("id", 0)):
                    queue.put_nowait((header, content))
        except (asyncio.IncompleteReadError, OSError):
            return
        finally:
            for queue in self._open.values():
                queue.put_nowait(None)

    async def close(self) -> None:
        """Goes at once, whatever is open."""
        self._writer.transport.abort()
        await asyncio.gather(self._reading, return_exceptions=True)

    @property
    def is_lost(self) -> bool:
        return self._reading.done()

    def stop_reading(self) -> None:
        """Takes nothing more from its socket."""
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]

    def say(self, header: Header, content: bytes = b"") -> None:
        if not self.is_lost and not self._writer.is_closing():
            self._writer.write(frame(header, content))

    def open(self, op: str, content: bytes = b"", **fields: Any) -> Opened:
        self._last += 2
        queue: asyncio.Queue[Frame | None] = asyncio.Queue()
        if self.is_lost:
            raise Lost
        self._open[self._last] = queue
        self.say({"op": op, "id": self._last, **fields}, content)
        return Opened(self, self._last, queue)

    def forget(self, ident: int) -> None:
        self._open.pop(ident, None)


class Opened:
    """What an id stands for, until its end."""

    def __init__(self, peer: SoakPeer, ident: int, queue: asyncio.Queue[Frame | None]) -> None:
        self.peer = peer
        self.ident = ident
        self._queue = queue

    async def next(self) -> Frame:
        """The next frame. It does not come: the call is unanswered, which must not be."""
        got = await asyncio.wait_for(self._queue.get(), UNANSWERED_S)
        if got is None:
            raise Lost
        return got

    def say(self, op: str, content: bytes = b"", **fields: Any) -> None:
        self.peer.say({"op": op, "id": self.ident, **fields}, content)

    async def end(self) -> tuple[list[bytes], str]:
        """All messages, granted again as they come, and the reason of the end, "" if it is good."""
        contents: list[bytes] = []
        try:
            while True:
                header, content = await self.next()
                if header["op"] == "credit":
                    continue
                if header["op"] == "ok":
                    return contents, ""
                if header["op"] == "error" and not header.get("more"):
                    return contents, header.get("reason", header["code"])
                if content or not header.get("end"):
                    contents.append(content)
                if header.get("end"):
                    return contents, ""
                self.say("credit", bytes=len(content) + FRAME_COST)
        finally:
            self.peer.forget(self.ident)


async def _read(reader: asyncio.StreamReader) -> Frame:
    lengths = await reader.readexactly(8)
    header_length, content_length = struct.unpack(">II", lengths)
    header: Header = json.loads(await reader.readexactly(header_length))
    return header, await reader.readexactly(content_length)


class Caller:
    """Does one thing after the other, chosen at random; several run on one connection at once."""

    def __init__(self, peer: SoakPeer, hosts: list[str], chance: random.Random) -> None:
        self.peer = peer
        self.tally = peer.tally
        self.hosts = hosts
        self.chance = chance

    async def act(self) -> None:
        deeds = (
            self.echo, self.echo, self.echo, self.session, self.generate, self.mirror,
            self.cancel, self.late, self.interrupt, self.publish, self.send, self.ask,
        )  # fmt: skip
        deed = self.chance.choice(deeds)
        self.tally["opened"] += 1
        try:
            outcome = await deed()
        except Lost:
            # What was open when its own connection went is nobody's call any more.
            outcome = "lost with its connection"
        except TimeoutError:
            outcome = "UNANSWERED"
        self.tally["ended"] += 1
        self.tally[f"{deed.__name__}: {outcome or 'answered'}"] += 1

    def call(self, agent: str, content: bytes = b"", **fields: Any) -> Opened:
        to = f"{self.chance.choice(self.hosts)}.{agent}"
        return self.peer.open("call", content, to=to, timeout_ms=CALL_TIMEOUT_MS, **fields)

    async def echo(self, to: str = "echo") -> str:
        content = b'"' + b"x" * self.chance.choice((1, 100, 3_000, 40_000)) + b'"'
        got, reason = await self.call(to, content).end()
        return reason or ("" if got == [content] else "WRONG")

    async def session(self) -> str:
        return await self.echo(f"echo:{self.chance.randrange(200)}")

    async def generate(self) -> str:
        count = self.chance.randrange(60)
        order = json.dumps({"count": count, "bytes": 500}).encode()
        window = self.chance.choice((0, 1, 3_000, WINDOW))
        call = self.call("generate", order, window=window)
        if window == 0:
            call.say("credit", bytes=WINDOW)
        got, reason = await call.end()
        numbers = [int.from_bytes(content[:8]) for content in got]
        if numbers != list(range(len(numbers))) or (not reason and len(numbers) != count):
            return "WRONG"
        return reason

    async def mirror(self) -> str:
        call = self.call("mirror", input=True)
        sent = [b'"%d"' % number for number in range(self.chance.randrange(1, 20))]
        for content in sent:
            call.say("data", content)
        call.say("data", end=True)
        got, reason = await call.end()
        return reason or ("" if got == sent else "WRONG")

    async def cancel(self) -> str:
        call = self.call("generate", b'{"count":100000,"bytes":1000}', window=20_000)
        await asyncio.sleep(self.chance.random() / 20)
        call.say("cancel")
        _, reason = await call.end()
        return reason

    async def late(self) -> str:
        host = self.chance.choice(self.hosts)
        timeout = self.chance.randrange(1, 300)
        _, reason = await self.peer.open(
            "call", b'"x"', to=f"{host}.hang", timeout_ms=timeout
        ).end()
        return reason

    async def interrupt(self) -> str:
        call = self.call("hang", b'"x"')
        signal = self.peer.open("signal", call=call.ident, name="interrupt")
        _, reason = await signal.end()
        call.say("cancel")
        await call.end()
        return reason

    async def publish(self) -> str:
        number = self.tally["published"]
        self.tally["published"] += 1
        source = str(self.chance.randrange(50))
        _, reason = await self.peer.open(
            "publish", b"%d" % number, topic=f"soak.{number % 5}", source=source
        ).end()
        return reason

    async def send(self) -> str:
        to = f"{self.chance.choice(self.hosts)}.echo:{self.chance.randrange(20)}"
        _, reason = await self.peer.open("send", b'"s"', to=to, timeout_ms=CALL_TIMEOUT_MS).end()
        return reason

    async def ask(self) -> str:
        to, type_ = self.chance.choice(
            [("discovery", "DiscoveryQuery"), ("stats", "StatsQuery"), ("sessions", "CallList")]
        )
        _, reason = await self.peer.open("call", to=to, type=type_).end()
        return reason
