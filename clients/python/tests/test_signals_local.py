"""Signals through a real sidecar."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fake_sidecar import aio, bounded

from coagent_client import (
    AbortedError,
    AgentError,
    Context,
    DeadlineExceededError,
    Interrupted,
    Signal,
    connect,
    local,
    operation,
    sync,
)


class Thinker:
    """Thinks until it is interrupted; then it says why, and what it was told meanwhile."""

    def __init__(self) -> None:
        self.notes: list[Any] = []

    @operation
    async def think(self, tool: str, context: Context) -> AsyncIterator[Any]:
        try:
            async with context.interruptible():
                yield "thinking"
                await context.call(tool)
        except Interrupted as interrupted:
            yield {"finish": "interrupted", "why": interrupted.payload, "notes": self.notes}

    async def on_signal(self, name: str, payload: Any, signal: Signal) -> None:
        self.notes.append([name, payload])


async def tool() -> None:
    await asyncio.Event().wait()


@aio
async def test_an_interrupt_reaches_the_right_run_with_its_payload() -> None:
    async with local() as host, connect(host.url) as caller:
        await host.register("thinker", Thinker, session_concurrency=2)
        await host.register("tool", tool)
        runs = [caller.stream("thinker:ann", "tool").__aiter__() for _ in range(2)]
        replies = [caller.stream("thinker:bob", "tool") for _ in range(2)]
        readers = [*runs, *(each.__aiter__() for each in replies)]
        for each in readers:
            assert await bounded(each.__anext__()) == "thinking"
        await replies[0].signal("steer.note", 7)
        await replies[0].interrupt("stop")
        ended = {"finish": "interrupted", "why": "stop", "notes": [["steer.note", 7]]}
        assert await bounded(readers[2].__anext__()) == ended
        with pytest.raises(StopAsyncIteration):
            await bounded(readers[2].__anext__())
        await caller.interrupt("thinker:ann")  # Both of that session.
        for each in runs:
            assert (await bounded(each.__anext__()))["why"] is None
        assert not replies[1].is_done  # Untouched so far.
        replies[1].cancel()


@aio
async def test_an_interrupted_call_is_late_all_the_same() -> None:
    async def stubborn(context: Context) -> None:
        try:
            async with context.interruptible():
                await asyncio.Event().wait()
        except Interrupted:
            interrupted.set()
            await asyncio.Event().wait()
        finally:
            ended.append(context.cancelled)

    interrupted = asyncio.Event()
    ended: list[bool] = []
    async with local() as client:
        await client.register("stubborn", stubborn)
        reply = client.stream("stubborn:s", timeout=0.3)
        await asyncio.sleep(0)
        with_deadline = asyncio.ensure_future(reply.whole())
        await _until_running(client, "stubborn:s")
        await bounded(interrupted.wait())
        with pytest.raises(DeadlineExceededError):
            await bounded(with_deadline)
    assert ended == [True]


async def _until_running(client: Any, address: str) -> None:
    """Interrupts what runs there, as soon as it does."""

    async def once() -> None:
        while True:
            try:
                await client.interrupt(address)
                return
            except AgentError as error:
                assert error.reason in ("not_running", "unknown_session")

    await bounded(once())


@aio
async def test_what_lets_it_escape_is_aborted_and_what_does_not_run_is_not_interrupted() -> None:
    async with local() as host, connect(host.url) as caller:
        await host.register("tool", tool)
        working = asyncio.ensure_future(caller.call("tool:s"))
        await _until_running(caller, "tool:s")
        with pytest.raises(AbortedError) as caught:
            await bounded(working)
        assert caught.value.reason == "interrupted"
        for address, reason in [("tool:s", "not_running"), ("tool:t", "unknown_session")]:
            with pytest.raises(AgentError) as refused:
                await caller.interrupt(address)
            assert refused.value.reason == reason
        with pytest.raises(AgentError) as unhandled:
            await caller.signal("tool", "steer.note")
        assert unhandled.value.reason == "unhandled_signal"


@aio
async def test_a_paused_session_begins_nothing_until_it_is_resumed() -> None:
    begun: list[int] = []

    async def work(number: int) -> int:
        begun.append(number)
        return number

    async with local() as client:
        await client.register("work", work)
        assert await client.call("work:s", 1) == 1
        await client.pause("work:s")
        waiting = asyncio.ensure_future(client.call("work:s", 2))
        assert await client.call("work:t", 3) == 3
        assert begun == [1, 3]
        await client.resume("work:s")
        assert await bounded(waiting) == 2
        await client.cancel("work:s")
        with pytest.raises(AgentError) as caught:
            await client.pause("work:s")
        assert caught.value.reason == "unknown_session"


def test_scripts_signal_too() -> None:
    with sync.local() as client:
        client.register("thinker", Thinker)
        client.register("tool", tool)
        reply = client.stream("thinker:ann", "tool")
        values = iter(reply)
        assert next(values) == "thinking"
        client.signal("thinker:ann", "steer.note", "x")
        reply.interrupt("stop")
        notes = [["steer.note", "x"]]
        assert next(values) == {"finish": "interrupted", "why": "stop", "notes": notes}
        client.pause("thinker:ann")
        client.resume("thinker:ann")
        client.cancel("thinker:ann")
