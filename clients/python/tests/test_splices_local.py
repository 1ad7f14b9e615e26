"""Delegated replies through a real sidecar: their order, their errors, their windows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fake_sidecar import BOUND_S, aio, bounded

from coagent_client import (
    AgentError,
    Client,
    Context,
    DeadlineExceededError,
    Delegated,
    connect,
    handoff,
    local,
    out_of_order,
)


async def values(reply: Any) -> list[Any]:
    """What a reader sees, errors at their places included."""
    seen: list[Any] = []
    async for message in reply.messages(errors=True):
        failed = message.error
        seen.append(message.value if failed is None else (failed.code, failed.message))
    return seen


@aio
async def test_replies_are_flattened_in_their_places_while_they_run_at_once() -> None:
    begun = {name: asyncio.Event() for name in ("agent1", "agent2")}

    async def agent1() -> AsyncIterator[str]:
        begun["agent1"].set()
        await bounded(begun["agent2"].wait())
        yield "m1"
        yield "m2"

    async def agent2() -> AsyncIterator[str]:
        begun["agent2"].set()
        await bounded(begun["agent1"].wait())
        yield "m3"

    async def aggregator(context: Context) -> AsyncIterator[Any]:
        first, second = context.delegate("agent1"), context.delegate("agent2")
        yield "A1"
        yield first
        yield second
        yield "A2"

    async with local() as client, connect(client.url) as other:
        await client.register("aggregator", aggregator)
        await other.register("agent1", agent1)
        await other.register("agent2", agent2)
        assert await bounded(values(client.stream("aggregator"))) == ["A1", "m1", "m2", "m3", "A2"]


@aio
async def test_what_is_out_of_order_overtakes_what_is_slow() -> None:
    go_on = asyncio.Event()

    async def slow() -> AsyncIterator[str]:
        await bounded(go_on.wait())
        yield "slow"

    async def quick() -> AsyncIterator[str]:
        yield "quick1"
        yield "quick2"

    async def agent(context: Context) -> AsyncIterator[Any]:
        yield context.delegate("slow")
        yield "after-slow"
        yield out_of_order("urgent")
        yield out_of_order(context.delegate("quick"))
        yield out_of_order(context.delegate("slow"))

    async with local() as client:
        for target in (slow, quick, agent):
            await client.register(target.__name__, target)
        messages = client.stream("agent").__aiter__()
        seen = [await bounded(anext(messages)) for _ in range(3)]
        assert seen == ["urgent", "quick1", "quick2"]
        go_on.set()
        rest = [each async for each in messages]
        assert rest[0] == "slow"
        assert sorted(rest) == ["after-slow", "slow", "slow"]


@pytest.mark.parametrize("is_spliced", [True, False])
def test_an_error_stands_at_its_place_and_the_reply_goes_on(is_spliced: bool) -> None:
    async def bad() -> AsyncIterator[str]:
        yield "one"
        raise ValueError("x")

    async def outer(context: Context) -> AsyncIterator[Any]:
        yield context.delegate("bad") if is_spliced else context.stream("bad")
        yield "two"

    async def inner(context: Context) -> AsyncIterator[Any]:
        yield context.delegate("outer")
        yield context.delegate("nobody")
        yield "three"

    async def run() -> None:
        async with local() as client:
            for target in (bad, outer, inner):
                await client.register(target.__name__, target)
            seen = await bounded(values(client.stream("inner")))
            assert seen[:3] == ["one", ("internal", "x"), "two"]
            assert seen[3][0] == "not_found"
            assert seen[4:] == ["three"]

    aio(run)()


async def _chain(client: Client, length: int) -> None:
    """Agents that hand over to the next, `a0` to `a{length}`; the last one answers."""

    async def last(text: str) -> AsyncIterator[str]:
        for word in text.split():
            yield word

    await client.register(f"a{length}", last)
    for number in range(length):

        async def front(text: str, context: Context) -> Delegated[Any]:
            following = int(context.name[1:]) + 1
            return context.delegate(f"a{following}", text)

        await client.register(f"a{number}", front)


@aio
async def test_a_handoff_ends_the_agents_call_and_the_reply_goes_on_without_it() -> None:
    go_on = asyncio.Event()

    async def back() -> AsyncIterator[str]:
        yield "begun"
        await bounded(go_on.wait())
        yield "done"

    async def front(context: Context) -> AsyncIterator[Any]:
        yield "handed over"
        yield handoff(context.delegate("back"))

    async with local() as caller, connect(caller.url) as host:
        await host.register("back", back)
        async with connect(caller.url) as delegator:
            await delegator.register("front", front)
            reply = caller.stream("front").__aiter__()
            assert await bounded(anext(reply)) == "handed over"
            assert await bounded(anext(reply)) == "begun"
            assert not delegator.hosting.tasks
        go_on.set()  # The delegator has gone.
        assert [each async for each in reply] == ["done"]
        await _chain(host, 5)
        assert await values(caller.stream("a0", "one two")) == ["one", "two"]


@aio
async def test_handing_over_in_a_circle_ends() -> None:
    async def a(context: Context) -> Delegated[Any]:
        return context.delegate("b")

    async def b(context: Context) -> Delegated[Any]:
        return context.delegate("a")

    async with local() as client:
        await client.register("a", a)
        await client.register("b", b)
        with pytest.raises(AgentError) as caught:
            await client.call("a", timeout=BOUND_S)
        assert caught.value.reason == "call_depth"
        assert "a b" in str(caught.value.details["path"])


@aio
async def test_deadlines_and_leaving_reach_what_was_handed_over() -> None:
    ended: asyncio.Queue[bool] = asyncio.Queue()

    async def back(context: Context) -> AsyncIterator[str]:
        try:
            yield "begun"
            await asyncio.Event().wait()
        finally:
            ended.put_nowait(context.cancelled)

    async def front(context: Context) -> Delegated[Any]:
        return context.delegate("back")

    async with local() as client:
        await client.register("back", back)
        await client.register("front", front)
        with pytest.raises(DeadlineExceededError):
            await bounded(client.call("front", timeout=0.1))
        assert await bounded(ended.get()) is True
        async for word in client.stream("front"):
            assert word == "begun"
            break
        assert await bounded(ended.get()) is True


@aio
async def test_windows_reach_from_end_to_end() -> None:
    made = 0

    async def source() -> AsyncIterator[bytes]:
        nonlocal made
        for _ in range(300):
            made += 1
            yield bytes(10_000)

    async def front(context: Context) -> Delegated[Any]:
        return context.delegate("source")

    async def middle(context: Context) -> AsyncIterator[Any]:
        yield context.delegate("front")

    async with local() as client:
        for target in (source, front, middle):
            await client.register(target.__name__, target)
        reader = client.stream("middle", window=50_000).__aiter__()
        await bounded(anext(reader))
        await client.discover()  # Whatever was permitted has been made by now.
        assert made < 50
        assert len([each async for each in reader]) == 299
