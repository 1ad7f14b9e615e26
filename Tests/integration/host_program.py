"""Agents for the tests, in a process of their own: usage: host_program.py [NAME]…

It connects by COAGENT_URL, registers all agents (or those named), says `ready`, and then what
happens, a line each; it ends when its input does.
"""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator
from typing import Any

from coagent_client import Context, Message, connect, operation

released: dict[str, asyncio.Event] = {}
produced = 0


def report(*words: object) -> None:
    print(*words, flush=True)


def gate(key: str) -> asyncio.Event:
    return released.setdefault(key, asyncio.Event())


async def echo(message: Message) -> Message:
    """Answers what it is asked, byte for byte."""
    return message


async def hang(key: str, context: Context) -> str:
    """Answers when `release` says so; reports what becomes of it."""
    report("hang begun", key)
    try:
        await gate(key).wait()
    except asyncio.CancelledError:
        report("hang cancelled", key)
        raise
    return f"released {key}"


async def release(key: str) -> None:
    """Lets `hang`, or a `Patient`, go on."""
    gate(key).set()


async def fail(fruit: str) -> int:
    """Raises an error with a cause."""
    prices = {"apple": 3}
    try:
        return prices[fruit]
    except KeyError as error:
        raise ValueError(f"no price for {fruit}") from error


async def chunks(order: dict[str, int]) -> AsyncIterator[bytes]:
    """`count` contents of `size` bytes; each begins with its number."""
    global produced
    filler = bytes(order["size"] - 8)
    try:
        for number in range(order["count"]):
            produced += 1
            yield number.to_bytes(8, "big") + filler
        report("chunks done")
    except (asyncio.CancelledError, GeneratorExit):
        report("chunks cancelled")
        raise


async def count_produced(_: Message) -> int:
    """How many contents `chunks` has made."""
    return produced


async def relay(to: str, context: Context) -> Any:
    """Calls `to` as a child of its own call."""
    return await context.call(to, "from relay", timeout=60)


class Recorder:
    """Keeps what it is given, in order."""

    def __init__(self) -> None:
        self.instance = f"{os.getpid()}-{uuid.uuid4()}"
        self.items: list[Any] = []
        self.running = 0
        self.most_running = 0

    @operation
    async def add(self, item: Any) -> str:
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        await asyncio.sleep(0)  # where another call could come in, were it let
        self.items.append(item)
        self.running -= 1
        return self.instance

    @operation
    async def show(self) -> dict[str, Any]:
        return {
            "instance": self.instance,
            "items": self.items,
            "most_running": self.most_running,
        }


class Patient:
    """Its calls take as long as the test wants."""

    def __init__(self, context: Context) -> None:
        self.instance = str(uuid.uuid4())
        self.session = context.session

    @operation
    async def work(self, key: str) -> str:
        report("patient begun", key)
        await gate(key).wait()
        return self.instance

    @operation
    async def which(self) -> str:
        return self.instance

    async def closed(self, reason: str) -> None:
        report("patient closed", self.session, reason)


AGENTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "echo": (echo, {"description": "Answers what it is asked"}),
    "hang": (hang, {}),
    "release": (release, {}),
    "fail": (fail, {}),
    "chunks": (chunks, {}),
    "produced": (count_produced, {}),
    "relay": (relay, {}),
    "recorder": (Recorder, {"labels": {"kind": "state"}, "version": "2"}),
    "pair": (hang, {"session_concurrency": 2}),
    "patient": (Patient, {"idle": 0.2}),
}


async def main(names: list[str]) -> None:
    loop = asyncio.get_running_loop()
    async with connect(name=f"host-{os.getpid()}", wait=10) as client:
        for name in names or AGENTS:
            target, options = AGENTS[name]
            await client.register(name, target, **options)
        report("ready")
        await loop.run_in_executor(None, sys.stdin.buffer.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
