"""Replies that are finished later, and addresses in the same session, on a scripted sidecar."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from fake_sidecar import aio, answered, bounded, failed, hosting, until

from coagent_client import (
    AbortedError,
    CancelledCallError,
    Context,
    Deferred,
    FailedPreconditionError,
    InvalidArgumentError,
    Part,
    operation,
)

kept: list[Deferred] = []


async def returns(context: Context) -> Deferred:
    kept.append(context.defer())
    return kept[-1]


async def yields(context: Context) -> AsyncIterator[str]:
    kept.append(context.defer())
    yield "first"


def plain(context: Context) -> str:
    kept.append(context.defer())
    return "first"


class Session:
    @operation
    async def ask(self, context: Context) -> None:
        kept.append(context.defer())

    async def closed(self, reason: str) -> None:
        kept.clear()


async def taken(count: int = 1) -> Deferred:
    await until(lambda: len(kept) >= count)
    return kept[-1]


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    kept.clear()


@pytest.mark.parametrize("agent", [returns, yields, plain, Session])
def test_any_task_finishes_it_whenever(agent: Callable[..., Any]) -> None:
    async def run() -> None:
        async with hosting(agent=agent) as (_, peer):
            call = peer.call("agent:s", new=True, window=1)
            later = await taken()
            first = ["first"] if agent in (yields, plain) else []
            if first:
                assert (await peer.next("data")).content == b"first"
                peer.send({"op": "credit", "id": call, "bytes": 300})
            await peer.nothing()
            await later.send(Part("sec"))
            assert (await peer.next("data"))["part"] is True
            ending = asyncio.ensure_future(later.end("third"))
            await peer.nothing()  # It waits for credit.
            assert not ending.done()
            assert later.is_ended
            peer.send({"op": "credit", "id": call, "bytes": 10_000})
            got = [await peer.next("data") for _ in range(2)]
            assert (got[0].content, got[1].content) == (b"", b"third")
            assert got[1]["end"] is True
            await bounded(ending)
            for late in (later.send("x"), later.end(), later.fail(AbortedError())):
                with pytest.raises(CancelledCallError):
                    await late
            await peer.nothing()

    aio(run)()


@aio
async def test_it_ends_with_an_error_or_another_calls_reply() -> None:
    async with hosting(agent=returns) as (_, peer):
        call = peer.call("agent")
        await (await taken()).fail(AbortedError("no", reason="full"))
        assert (await failed(peer, call))["reason"] == "full"
        call = peer.call("agent")
        later = await taken(2)
        with pytest.raises(InvalidArgumentError):
            await later.end(object())  # What cannot be sent is told to both.
        assert (await failed(peer, call))["reason"] == "bad_content"


@aio
async def test_what_a_deferred_reply_delegates_is_spliced() -> None:
    contexts: list[Context] = []

    async def agent(context: Context) -> None:
        contexts.append(context)
        kept.append(context.defer())

    async with hosting(agent=agent) as (_, peer):
        call = peer.call("agent")
        later = await taken()
        await later.send(contexts[0].delegate("b"))
        child = (await peer.next("call"))["id"]
        assert await peer.next() == {"op": "splice", "id": call, "call": child}
        ending = asyncio.ensure_future(later.end(contexts[0].delegate("c")))
        child = (await peer.next("call"))["id"]
        assert await peer.next() == {"op": "splice", "id": call, "call": child, "end": True}
        await bounded(ending)
        await peer.nothing()


@aio
async def test_one_that_nobody_holds_fails() -> None:
    async with hosting(agent=returns) as (_, peer):
        call = peer.call("agent")
        await taken()
        await peer.nothing()
        kept.clear()
        error = await failed(peer, call)
        assert (error["code"], error["reason"]) == ("internal", "unfinished_reply")


@aio
async def test_it_hears_of_a_cancel_and_of_an_interrupt() -> None:
    async with hosting(agent=returns) as (client, peer):
        call = peer.call("agent")
        later = await taken()
        peer.send({"op": "cancel", "id": call})
        assert (await failed(peer, call))["code"] == "cancelled"
        assert (later.cancelled, later.is_ended) == (True, True)
        call = peer.call("agent")
        later = await taken(2)
        ident = peer.signal("interrupt", call=call)
        assert await peer.next() == {"op": "ok", "id": ident}
        assert (await failed(peer, call))["reason"] == "interrupted"
        assert (later.cancelled, later.is_ended) == (False, True)
        call = peer.call("agent")
        later = await taken(3)
        draining = asyncio.ensure_future(client.drain())
        await peer.next("goodbye")
        await peer.next("ping")
        peer.send({"op": "pong"})
        await peer.nothing()
        assert not draining.done()  # It is in flight.
        await later.end(1)
        assert await answered(peer, call) == [1]
        await bounded(draining)


@aio
async def test_a_reply_is_deferred_once() -> None:
    async def twice(context: Context) -> None:
        kept.append(context.defer())
        with pytest.raises(FailedPreconditionError):
            context.defer()

    async with hosting(twice=twice) as (_, peer):
        call = peer.call("twice")
        await (await taken()).end(1)
        assert await answered(peer, call) == [1]


@aio
async def test_a_child_may_go_to_the_same_session() -> None:
    async def front(context: Context) -> Any:
        return await context.call(context.in_session("memory"))

    async with hosting(front=front) as (_, peer):
        for address, wanted in [("front:ann", "memory:ann"), ("front", "memory")]:
            call = peer.call(address, new=True)
            child = await peer.next("call")
            assert child["to"] == wanted
            peer.send({"op": "data", "id": child["id"], "end": True}, b"1")
            assert await answered(peer, call) == [1]
