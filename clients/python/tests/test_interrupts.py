"""An interrupt of a running call, in every kind of agent, against a scripted sidecar."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fake_sidecar import BOUND_S, Peer, aio, answered, bounded, failed, hosting

from coagent_client import Context, Interrupted, operation


async def interrupt(peer: Peer, call: int, content: bytes = b'"stop"', **fields: str) -> None:
    """Interrupts a call and reads the answer."""
    ident = peer.signal("interrupt", content, call=call, **fields)
    assert await peer.next() == {"op": "ok", "id": ident}


@aio
async def test_an_interruptible_block_ends_with_the_payload_and_the_reply_is_finished() -> None:
    async def think(context: Context) -> AsyncIterator[str]:
        try:
            async with context.interruptible():
                yield "thinking"
                await asyncio.Event().wait()
        except Interrupted as interrupted:
            assert context.interrupted is interrupted
            assert not context.cancelled
            yield f"{interrupted.payload} said {interrupted.sender}"
            yield str(await bounded(context.call("b")))

    async with hosting(think=think) as (_, peer):
        call, other = peer.call("think"), peer.call("think")
        for ident in (call, other):
            got = await peer.next("data")
            assert (got["id"], got.content) == (ident, b"thinking")
        await interrupt(peer, call, **{"from": "boss:1"})
        assert (await peer.next("data")).content == b"stop said boss:1"
        child = await peer.next("call")
        assert child["parent"] == call
        peer.send({"op": "data", "id": child["id"], "end": True}, b"5")
        assert await answered(peer, call) == ["5"]
        await interrupt(peer, other, b"1")  # The other one went on untouched until now.
        assert (await peer.next("data")).content == b"1 said "
        await peer.next("call")


@aio
async def test_without_a_block_the_code_is_cancelled_once_and_may_finish() -> None:
    counts: list[int] = []

    async def stubborn(context: Context) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            await asyncio.sleep(0)
            counts.append(getattr(task, "cancelling", int)())  # Python counts them from 3.11.
            await bounded(go_on.wait())
            assert context.interrupted is not None
            return f"finished after {context.interrupted.payload}"
        return "never"

    go_on = asyncio.Event()
    async with hosting(stubborn=stubborn) as (_, peer):
        call = peer.call("stubborn")
        await peer.nothing()
        await interrupt(peer, call)
        await interrupt(peer, call, b'"again"')  # It is finishing: this one it may look at.
        go_on.set()
        assert await answered(peer, call) == ["finished after again"]
        assert counts == [0]


@pytest.mark.parametrize("kind", ["coroutine", "generator", "session", "before it has begun"])
def test_what_lets_it_escape_ends_interrupted(kind: str) -> None:
    begun = asyncio.Event()

    async def coroutine(text: str, context: Context) -> None:
        begun.set()
        if kind == "coroutine":
            await asyncio.Event().wait()
        async with context.interruptible():
            await asyncio.Event().wait()

    async def generator() -> AsyncIterator[str]:
        begun.set()
        yield "one"
        await asyncio.Event().wait()

    class Session:
        @operation
        async def work(self) -> None:
            begun.set()
            await asyncio.Event().wait()

    agents = {"generator": generator, "session": Session}

    async def run() -> None:
        async with hosting(a=agents.get(kind, coroutine)) as (_, peer):
            waits = {"input": True} if kind == "before it has begun" else {"new": True}
            call = peer.call("a:s", b"" if "input" in waits else b'"x"', **waits)
            if kind != "before it has begun":
                await bounded(begun.wait())
            if kind == "generator":
                assert (await peer.next("data")).content == b"one"
            await interrupt(peer, call)
            error = await failed(peer, call)
            assert (error["code"], error["reason"]) == ("aborted", "interrupted")
            assert begun.is_set() == (kind != "before it has begun")

    aio(run)()


@aio
async def test_a_generator_hears_of_it_at_its_yield_and_loses_nothing_it_has_yielded() -> None:
    async def counting(context: Context) -> AsyncIterator[int]:
        number = 0
        try:
            async with context.interruptible():
                while True:
                    number += 1
                    yield number
        except Interrupted as interrupted:
            yield int(interrupted.payload)
            yield number

    async with hosting(counting=counting) as (_, peer):
        call = peer.call("counting", window=1)
        assert (await peer.next("data")).content == b"1"
        await peer.nothing()  # No credit: it stands at its first `yield`.
        await interrupt(peer, call, b"70")
        for wanted in (b"70", b"1"):
            peer.send({"op": "credit", "id": call, "bytes": 500})
            assert (await peer.next("data")).content == wanted
        assert await peer.next("data") == {"op": "data", "id": call, "end": True}


@aio
async def test_a_cancelled_call_is_not_interrupted() -> None:
    seen: list[str] = []

    async def work(context: Context) -> None:
        try:
            async with context.interruptible():
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    await asyncio.sleep(0)  # The cancel comes while the interrupt is under way.
                    raise
        except Interrupted:
            seen.append("interrupted")
            await asyncio.Event().wait()
        finally:
            seen.append("cancelled" if context.cancelled else "not cancelled")

    async with hosting(work=work) as (_, peer):
        both, late = peer.call("work"), peer.call("work")
        await peer.nothing()
        ident = peer.signal("interrupt", call=both)
        peer.send({"op": "cancel", "id": both, "reason": "deadline"})
        assert await peer.next() == {"op": "ok", "id": ident}
        assert (await failed(peer, both))["code"] == "cancelled"
        assert seen == ["cancelled"]
        await interrupt(peer, late)
        peer.send({"op": "cancel", "id": late, "reason": "deadline"})
        assert (await failed(peer, late))["code"] == "cancelled"
        assert seen == ["cancelled", "interrupted", "cancelled"]


@aio
async def test_calls_that_it_waits_for_end_but_not_those_it_detached() -> None:
    seen: list[str] = []

    async def work(context: Context) -> AsyncIterator[str]:
        apart = context.stream("c", detach=True)
        beside = context.stream("d")
        try:
            async with context.interruptible():
                await context.call("b")
        except Interrupted:
            assert beside.error is not None
            seen.append(beside.error.reason)
            async for word in apart:
                yield word

    async with hosting(work=work) as (_, peer):
        call = peer.call("work")
        apart, beside, child = [(await peer.next("call"))["id"] for _ in range(3)]
        ident = peer.signal("interrupt", call=call)
        ended = [await peer.next() for _ in range(3)]
        assert {"op": "ok", "id": ident} in ended
        left = {each["id"] for each in ended if each["op"] == "cancel"}
        assert left == {beside, child}
        peer.send({"op": "data", "id": apart, "end": True}, b'"kept"')
        assert await answered(peer, call) == ["kept"]
        assert seen == ["interrupted"]


@aio
async def test_a_reply_that_is_copied_ends_with_what_it_copies() -> None:
    async def front(context: Context) -> Any:
        return context.stream("back")

    async with hosting(front=front) as (_, peer):
        call = peer.call("front")
        child = (await peer.next("call"))["id"]
        peer.send({"op": "data", "id": child}, b"1")
        assert (await peer.next("data")).content == b"1"
        ident = peer.signal("interrupt", call=call)
        assert await peer.next() == {"op": "cancel", "id": child, "reason": "interrupted"}
        assert await peer.next() == {"op": "ok", "id": ident}
        assert (await failed(peer, call))["reason"] == "interrupted"


@aio
async def test_plain_functions_hear_of_it_where_they_wait_or_look() -> None:
    looking = threading.Event()

    def waits(context: Context) -> str:
        try:
            context.wait(context.call("b"))
        except Interrupted as interrupted:
            return f"waited until {interrupted.payload}"
        return "never"

    def looks(context: Context) -> str:
        looking.set()
        for _ in range(1000):
            if context.interrupted is not None:
                raise context.interrupted
            threading.Event().wait(0.005)
        return "never"

    def generates() -> Iterator[str]:
        try:
            yield "one"
            yield "two"
        except Interrupted as interrupted:
            yield f"after {interrupted.payload}"

    async with hosting(waits=waits, looks=looks, generates=generates) as (_, peer):
        call = peer.call("waits")
        child = (await peer.next("call"))["id"]
        ident = peer.signal("interrupt", b"1", call=call)
        got = [await peer.next() for _ in range(3)]
        assert {"op": "ok", "id": ident} in got
        assert child in [each["id"] for each in got if each["op"] == "cancel"]
        assert "waited until 1" in [each.content.decode() for each in got]
        call = peer.call("looks")
        await asyncio.to_thread(looking.wait, BOUND_S)
        await interrupt(peer, call)
        assert (await failed(peer, call))["reason"] == "interrupted"
        call = peer.call("generates", window=1)
        assert (await peer.next("data")).content == b"one"
        await interrupt(peer, call, b"2")
        peer.send({"op": "credit", "id": call, "bytes": 10_000})
        assert await answered(peer, call) == ["after 2"]


@aio
async def test_one_that_crossed_the_end_is_answered_and_does_nothing() -> None:
    async def quick() -> int:
        return 1

    async with hosting(quick=quick) as (_, peer):
        call = peer.call("quick")
        assert await answered(peer, call) == [1]
        await interrupt(peer, call)
        await peer.nothing()


@aio
async def test_a_payload_that_is_not_what_it_claims_to_be_is_refused() -> None:
    async def work() -> str:
        await bounded(go_on.wait())
        return "untouched"

    go_on = asyncio.Event()
    async with hosting(work=work) as (_, peer):
        call = peer.call("work")
        ident = peer.signal("interrupt", b"{", call=call)
        assert (await failed(peer, ident))["reason"] == "bad_content"
        go_on.set()
        assert await answered(peer, call) == ["untouched"]
