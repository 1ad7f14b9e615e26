"""The agents that do one thing by themselves, for load and for the integration tests."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from coagent_client import Context, Delegated, Message, handoff, operation

Command = dict[str, Any]
Emit = Callable[[Command], None]

LANGUAGE = "python"


def echo(emit: Emit, command: Command) -> Any:
    async def answer(message: Message) -> Message:
        return Message(message.content, message.content_type, message.type)

    return answer


def mirror(emit: Emit, command: Command) -> Any:
    async def answer(messages: AsyncIterator[Message]) -> AsyncIterator[Message]:
        async for message in messages:
            yield Message(message.content, message.content_type, message.type)

    return answer


@dataclass
class Amount:
    count: int
    bytes: int


def generate(emit: Emit, command: Command) -> Any:
    async def answer(amount: Amount) -> AsyncIterator[bytes]:
        sent = 0
        rest = bytes(amount.bytes - 8)
        try:
            while sent < amount.count:
                sent += 1  # Before it is yielded: a reader may leave with what it has taken.
                yield (sent - 1).to_bytes(8, "big") + rest
        finally:
            emit({"event": "generated", "count": sent})

    return answer


def collect(emit: Emit, command: Command) -> Any:
    async def answer(messages: AsyncIterator[Message]) -> dict[str, Any]:
        count = size = 0
        digest = hashlib.sha256()
        async for message in messages:
            count += 1
            size += len(message.content)
            digest.update(message.content)
        return {"messages": count, "bytes": size, "sha256": digest.hexdigest()}

    return answer


@dataclass
class Person:
    name: str


class Operations:
    """An agent with state of its own and declared operations."""

    def __init__(self) -> None:
        self.total = 0

    @operation
    async def add(self, number: int) -> int:
        self.total += number
        return self.total

    @operation("greet")
    async def greet(self, person: Person) -> str:
        return f"hello {person.name}"

    @operation
    async def count_up(self, last: int) -> AsyncIterator[int]:
        for number in range(1, last + 1):
            yield number


class Recorder:
    """Keeps what it is given, in order."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.running = 0
        self.most_running = 0

    @operation
    async def add(self, item: Any) -> None:
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        await asyncio.sleep(0)
        self.items.append(item)
        self.running -= 1

    @operation
    async def show(self) -> dict[str, Any]:
        return {"items": self.items, "most_running": self.most_running}


def hang(emit: Emit, command: Command) -> Any:
    async def answer(context: Context) -> None:
        emit({"event": "begun", "address": context.address})
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            emit({"event": "ended", "address": context.address})

    return answer


def fail(emit: Emit, command: Command) -> Any:
    async def answer(fruit: str) -> None:
        try:
            raise ValueError("unknown fruit")
        except ValueError as cause:
            raise RuntimeError(f"no price for {fruit}") from cause

    return answer


@dataclass
class Errand:
    path: list[str]
    text: str
    mark: str = ""


def relay(emit: Emit, command: Command) -> Any:
    async def answer(errand: Errand, context: Context) -> AsyncIterator[str]:
        if not errand.path:
            for word in errand.text.split():
                yield word
            return
        first, *rest = errand.path
        async for word in context.stream(first, Errand(rest, errand.text, errand.mark), type=""):
            yield f"{LANGUAGE}>{word}"

    return answer


def delegate(emit: Emit, command: Command) -> Any:
    async def answer(errand: Errand, context: Context) -> AsyncIterator[Any]:
        if not errand.path:
            for word in errand.text.split():
                yield word
            return
        rest = delegated(errand, context)
        yield f"{LANGUAGE}>"
        yield rest
        yield f"<{LANGUAGE}"

    return answer


def hand_over(emit: Emit, command: Command) -> Any:
    async def answer(errand: Errand, context: Context) -> AsyncIterator[Any]:
        if not errand.path:
            for word in errand.text.split():
                yield word
            return
        rest = delegated(errand, context)
        yield f"{LANGUAGE}>"
        yield handoff(rest)

    return answer


def delegated(errand: Errand, context: Context) -> Delegated[Any]:
    first, *rest = errand.path
    return context.delegate(first, Errand(rest, errand.text, errand.mark), type="")


def slow(emit: Emit, command: Command) -> Any:
    async def answer(delay_ms: int) -> None:
        await asyncio.sleep(delay_ms / 1000)

    return answer


AGENTS: dict[str, Callable[[Emit, Command], Any]] = {
    "echo": echo,
    "mirror": mirror,
    "generate": generate,
    "collect": collect,
    "operations": lambda emit, command: Operations,
    "recorder": lambda emit, command: Recorder,
    "hang": hang,
    "fail": fail,
    "relay": relay,
    "delegate": delegate,
    "hand_over": hand_over,
    "slow": slow,
}
