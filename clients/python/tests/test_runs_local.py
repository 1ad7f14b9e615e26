"""Runs through a real sidecar, over connections that are lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fake_sidecar import aio, bounded, until

from coagent_client import (
    AgentError,
    Client,
    Context,
    Interrupted,
    NotFoundError,
    connect,
    local,
    sync,
)

pytestmark = pytest.mark.usefixtures("quick_backoff")


def lose(client: Client) -> None:
    """Breaks the connection, as a network does."""
    assert client.connection is not None
    client.connection.discard()


async def count(last: int, context: Context) -> AsyncIterator[int]:
    """As fast as it is read."""
    for number in range(last):
        yield number


class Gate:
    """An agent that goes on when it is let."""

    def __init__(self) -> None:
        self.steps = asyncio.Semaphore(0)
        self.outcomes: list[str] = []

    async def __call__(self, context: Context) -> AsyncIterator[Any]:
        number = 0
        try:
            while number < 6:
                yield number
                number += 1
                async with context.interruptible():
                    await self.steps.acquire()
            self.outcomes.append("ended")
        except Interrupted as interrupted:
            self.outcomes.append("interrupted")
            yield interrupted.payload
        except asyncio.CancelledError:
            self.outcomes.append("cancelled")
            raise


@aio
async def test_a_reader_that_loses_its_connection_again_and_again_gets_each_item_once() -> None:
    async with local() as host, connect(host.url) as caller:
        await host.register("count", count)
        seen: list[int] = []
        async for number in caller.stream("count", 3000, run="r1", window=5000):
            seen.append(number)
            if number % 250 == 100:
                lose(caller)
        assert seen == list(range(3000))
        lose(caller)
        assert await bounded(caller.call("count", 3000, run="r1", collect="last")) == 2999


@aio
async def test_many_read_a_run_early_and_late_and_leave_without_ending_it() -> None:
    gate = Gate()
    async with local() as host, connect(host.url) as caller, connect(host.url) as other:
        await host.register("gate", gate)
        reply = caller.stream("gate", run="r1", detach=True)
        first = reply.__aiter__()
        assert await bounded(anext(first)) == 0
        early, tail = other.attach("r1"), other.attach("r1", tail=True).__aiter__()
        beginning = early.__aiter__()
        assert await bounded(anext(beginning)) == 0
        await until_listed(other, readers=3)
        reply.cancel()
        gate.steps.release()
        assert await bounded(anext(tail)) == 1
        for _ in range(5):
            gate.steps.release()
        assert await bounded(early.whole()) == list(range(6))
        assert await bounded(caller.attach("r1", from_=4).whole()) == [4, 5]
        assert [each async for each in tail] == [2, 3, 4, 5]
        [run] = await other.runs(state="ended")
        assert (run.name, run.to, run.frames, run.is_detached) == ("r1", "gate", 7, True)
        assert gate.outcomes == ["ended"]
        for work in (other.attach("r2").whole(), other.describe_run("r2")):
            with pytest.raises(NotFoundError) as caught:
                await bounded(work)
            assert caught.value.reason == "unknown_run"


async def until_listed(client: Client, **fields: Any) -> None:
    """Asks until the run is as it should be."""

    async def ask() -> None:
        while True:
            run = await client.describe_run("r1")
            if all(getattr(run, name) == value for name, value in fields.items()):
                return

    await bounded(ask())


@aio
async def test_the_same_run_again_does_nothing_twice() -> None:
    calls = 0

    async def pay(amount: int) -> int:
        nonlocal calls
        calls += 1
        return amount

    async with local() as client:
        await client.register("pay", pay)
        for _ in range(3):
            assert await client.call("pay", 5, run="r1") == 5
        assert calls == 1
        with pytest.raises(AgentError) as caught:
            await client.call("pay", 6, run="r1")
        assert (caught.value.code, caught.value.reason) == ("already_exists", "run_differs")


@aio
async def test_a_run_is_interrupted_and_cancelled_by_its_name_or_by_leaving_it() -> None:
    gate = Gate()
    async with local() as host, connect(host.url) as caller:
        await host.register("gate", gate)
        reading = caller.stream("gate", run="r1").__aiter__()
        assert await bounded(anext(reading)) == 0
        lose(caller)
        await host.interrupt(run="r1", payload="stop")
        assert await bounded(anext(reading)) == "stop"
        for run, end in [("r2", "by name"), ("r3", "by leaving")]:
            reply = caller.stream("gate", run=run)
            reading = reply.__aiter__()
            assert await bounded(anext(reading)) == 0
            lose(caller)
            await until(lambda: not caller.is_connected)
            await caller.wait_connected()
            if end == "by name":
                await host.cancel(run=run)
                with pytest.raises(AgentError) as caught:
                    await bounded(reply.whole())
                assert caught.value.code == "cancelled"
            else:
                reply.cancel()
        await until(lambda: len(gate.outcomes) == 3)
        assert gate.outcomes == ["interrupted", "cancelled", "cancelled"]


def test_scripts_read_runs_too() -> None:
    with sync.local() as client:
        client.register("count", count)
        assert client.call("count", 3, run="r1", collect="list") == [0, 1, 2]
        assert list(client.attach("r1")) == [0, 1, 2]
        assert client.attach("r1").whole("last") == 2
        assert client.describe_run("r1").state == "ended"
        assert [run.name for run in client.runs()] == ["r1"]
