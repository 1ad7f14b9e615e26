"""Trees of delegated calls, drawn at random: what is read is what a program would flatten."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fake_sidecar import aio, bounded

from coagent_client import (
    AbortedError,
    Context,
    Message,
    Part,
    connect,
    handoff,
    local,
)

Tree = list[Any]
"""What an agent yields, in order: texts, and pairs of a word and a value."""


def drawn(draw: random.Random, depth: int) -> Tree:
    steps: Tree = []
    for number in range(draw.randrange(5)):
        kind = draw.choice(["text", "large", "parts", "error", "wait"])
        if depth and draw.random() < 0.6:
            kind = draw.choice(["delegate", "delegate", "copy", "read"])
        if kind in ("delegate", "copy", "read"):
            steps.append([kind, drawn(draw, depth - 1)])
        elif kind == "large":
            steps.append([kind, draw.randrange(300_000)])
        else:
            steps.append([kind, f"{depth}.{number}"])
    if depth and draw.random() < 0.3:
        steps.append(["handoff", drawn(draw, depth - 1)])
    elif draw.random() < 0.2:
        steps.append(["fail", f"{depth}"])
    return steps


def flattened(tree: Tree) -> tuple[list[Any], str]:
    """What is read of it, and the error that ends it, if one does."""
    seen: list[Any] = []
    for kind, value in tree:
        if isinstance(value, list):
            below, end = flattened(value)
            seen += below
            if kind == "handoff" or (end and kind == "read"):
                return seen, end
            if end:
                seen.append(f"!{end}")
        elif kind == "fail":
            return seen, value
        elif kind == "error":
            seen.append(f"!{value}")
        elif kind == "parts":
            seen += [value, "."]
        elif kind != "wait":
            seen.append(value)
    return seen, ""


async def node(tree: Tree, context: Context) -> AsyncIterator[Any]:
    begun = [
        context.stream("node", value) if kind == "copy" else context.delegate("node", value)
        for kind, value in tree
        if isinstance(value, list)
    ]
    for kind, value in tree:
        if kind == "read":
            async for message in begun.pop(0).messages(errors=True):
                yield message
        elif isinstance(value, list):
            reply = begun.pop(0)
            yield handoff(reply) if kind == "handoff" else reply
        elif kind == "fail":
            raise AbortedError(value)
        elif kind == "error":
            yield Message(error=AbortedError(value))
        elif kind == "large":
            yield b"x" * value
        elif kind == "parts":
            yield Part(value[:1])
            yield Part(value[1:])
            yield "."
        elif kind == "wait":
            await asyncio.sleep(0)
        else:
            yield value


async def read(reply: Any) -> tuple[list[Any], str]:
    seen: list[Any] = []
    try:
        async for message in reply.messages(errors=True):
            if message.error is not None:
                seen.append(f"!{message.error.message}")
            else:
                value = message.value
                seen.append(len(value) if isinstance(value, bytes) else value)
    except AbortedError as error:
        return seen, error.message
    return seen, ""


@pytest.mark.parametrize("window", [1, 70_000, 1024 * 1024])
def test_what_is_read_is_what_was_put_together(window: int) -> None:
    async def run() -> None:
        async with local() as caller, connect(caller.url) as host:
            await host.register("node", node)
            for seed in range(25):
                tree = drawn(random.Random(seed), 4)
                seen = await bounded(read(caller.stream("node", tree, window=window)), 20)
                assert seen == flattened(tree), f"seed {seed}"
            # Whatever was begun in vain has ended with its parents.
            await bounded(_until_idle(host))

    aio(run)()


async def _until_idle(host: Any) -> None:
    while host.hosting.tasks:
        await asyncio.sleep(0)
