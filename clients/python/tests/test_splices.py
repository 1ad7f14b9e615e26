"""Replies that an agent delegates: what it writes for them, against a scripted sidecar."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from fake_sidecar import Got, Peer, aio, answered, bounded, failed, hosting

from coagent_client import (
    Context,
    Delegated,
    FailedPreconditionError,
    Message,
    Part,
    Reply,
    handoff,
    operation,
    out_of_order,
)


async def delegated(peer: Peer, parent: int, **fields: Any) -> Got:
    """The next call of the client's: one that is held for its place."""
    call = await peer.next("call")
    assert call["window"] == 0
    assert call["parent"] == parent
    assert {key: call.get(key) for key in fields} == fields
    return call


def returning() -> dict[str, Callable[..., Any]]:
    async def function(text: str, context: Context) -> Delegated[Any]:
        return context.delegate("back", text)

    def plain(text: str, context: Context) -> Delegated[Any]:
        return context.delegate("back", text)

    class Session:
        @operation
        async def front(self, text: str, context: Context) -> Reply[Any]:
            return context.stream("back", text, lazy=True)  # Held as well, until it is read.

    async def generator(text: str, context: Context) -> AsyncIterator[Any]:
        yield handoff(context.delegate("back", text))
        raise AssertionError("not resumed")

    def plain_generator(text: str, context: Context) -> Iterator[Any]:
        yield handoff(context.delegate("back", text))
        raise AssertionError("not resumed")

    return {
        "function": function,
        "plain": plain,
        "session": Session,
        "generator": generator,
        "plain-generator": plain_generator,
    }


@aio
async def test_what_is_returned_is_the_rest_and_the_end() -> None:
    async with hosting(**returning()) as (_, peer):
        for name in returning():
            call = peer.call(f"{name}:s" if name == "session" else name, b'"x"', new=True)
            child = await delegated(peer, call, to="back")
            assert child.content == b"x"
            splice = {"op": "splice", "id": call, "call": child["id"], "end": True}
            assert await peer.next() == splice
            # Both have ended here: what crosses is dropped, and nothing more is written.
            peer.send({"op": "data", "id": child["id"]}, b"1")
            peer.send({"op": "credit", "id": call, "bytes": 1})
            peer.send({"op": "cancel", "id": call})
            await peer.nothing()


@aio
async def test_what_is_yielded_stands_in_its_place_behind_an_open_message_that_ends() -> None:
    async def report(context: Context) -> AsyncIterator[Any]:
        first, second = context.delegate("b"), context.delegate("c", ext={"k": 1})
        yield "A"
        yield second
        yield Part("half")
        yield first
        yield "Z"

    async with hosting(report=report) as (_, peer):
        call = peer.call("report", ext={"t": "1"}, timeout_ms=5000)
        first = await delegated(peer, call, to="b", ext={"t": "1"})
        second = await delegated(peer, call, to="c", ext={"t": "1", "k": 1})
        assert (await peer.next("data")).content == b"A"
        assert await peer.next() == {"op": "splice", "id": call, "call": second["id"]}
        half = await peer.next("data")
        assert (half["part"], half.content) == (True, b"half")
        assert await peer.next("data") == {"op": "data", "id": call}
        assert await peer.next() == {"op": "splice", "id": call, "call": first["id"]}
        assert await answered(peer, call) == ["Z"]


@aio
async def test_out_of_order_is_a_whole_message_or_a_splice_that_says_so() -> None:
    async def report(context: Context) -> AsyncIterator[Any]:
        slow, urgent = context.delegate("b"), context.delegate("b")
        yield slow
        yield Part("a part, ")
        yield out_of_order("urgent")
        yield "and the end"
        yield out_of_order(urgent)
        yield out_of_order(Message.of(b"x" * 400_000, type="Large"))
        try:
            yield out_of_order(b"x" * 600_000)
        finally:
            refused.set()

    refused = asyncio.Event()
    async with hosting(report=report) as (_, peer):
        call = peer.call("report", window=2_000_000)
        slow, urgent = [(await delegated(peer, call))["id"] for _ in range(2)]
        assert await peer.next() == {"op": "splice", "id": call, "call": slow}
        assert (await peer.next("data"))["part"] is True
        aside = await peer.next("data")  # Between the parts of another message.
        assert (aside["unordered"], aside.content) == (True, b"urgent")
        assert (await peer.next("data")) == {"op": "data", "id": call}
        assert (await peer.next("data")).content == b"and the end"
        splice = {"op": "splice", "id": call, "call": urgent, "unordered": True}
        assert await peer.next() == splice
        large = await peer.next("data")
        assert (large["unordered"], large["type"], len(large.content)) == (True, "Large", 400_000)
        large = await peer.next("data")
        assert len(large.content) == 600_000
        assert (await peer.next("data"))["end"] is True
        assert refused.is_set()
    for wrong in (Part("x"), Message(error=FailedPreconditionError())):
        with pytest.raises(TypeError):
            out_of_order(wrong)


@aio
async def test_out_of_order_is_bounded_by_what_a_frame_may_hold() -> None:
    async def large() -> AsyncIterator[Any]:
        yield out_of_order(b"x" * 5000)

    async with hosting(large=large) as (client, peer):
        assert client.connection is not None
        client.connection.content_bytes_max = 4096
        assert (await failed(peer, peer.call("large")))["reason"] == "too_large"


@aio
async def test_one_that_is_read_gets_its_window_then_and_is_copied_to_its_place() -> None:
    async def report(context: Context) -> AsyncIterator[Any]:
        call = context.delegate("b")
        async for word in call:
            assert word == "one"
            break
        yield call
        again = context.delegate("c")
        yield str(await again)

    async with hosting(report=report) as (_, peer):
        call = peer.call("report")
        child = (await delegated(peer, call))["id"]
        assert await peer.next() == {"op": "credit", "id": child, "bytes": 1024 * 1024}
        peer.send({"op": "data", "id": child, "content_type": "text/plain"}, b"one")
        assert await peer.next() == {"op": "cancel", "id": child}  # Who reads it has left.
        assert (await peer.next("data")).content == b"one"  # What came is there to be read again.
        error = await peer.next("error")
        assert (error["id"], error["code"], error["more"]) == (call, "cancelled", True)
        child = (await delegated(peer, call, to="c"))["id"]
        assert (await peer.next("credit"))["id"] == child
        peer.send({"op": "data", "id": child, "end": True}, b"7")
        assert await answered(peer, call) == ["7"]


@aio
async def test_a_reply_with_a_window_is_copied_with_errors_at_their_places() -> None:
    async def front(is_last: bool, context: Context) -> AsyncIterator[Any]:
        reply = context.stream("b")
        yield handoff(reply) if is_last else reply
        yield "behind it"

    async with hosting(front=front) as (_, peer):
        for is_last in (False, True):
            call = peer.call("front", b"true" if is_last else b"false")
            child = (await peer.next("call"))["id"]
            torn = {"op": "error", "id": child, "code": "aborted", "reason": "torn"}
            peer.send({"op": "data", "id": child, "type": "T", "ext": {"k": 1}}, b"1")
            peer.send({**torn, "more": True})
            peer.send(torn)
            first = await peer.next("data")
            assert (first["type"], first["ext"], first.content) == ("T", {"k": 1}, b"1")
            assert (await peer.next("error"))["more"] is True
            end = await peer.next("error")
            assert (end["id"], end["reason"], end.get("more")) == (
                call,
                "torn",
                None if is_last else True,
            )
            if not is_last:
                assert await answered(peer, call) == ["behind it"]


@aio
async def test_what_is_neither_spliced_nor_read_is_cancelled_with_its_agent() -> None:
    kept: list[Delegated[Any]] = []

    async def careless(fails: bool, context: Context) -> None:
        kept.append(context.delegate("b"))
        kept.append(context.delegate("c"))
        apart.append(asyncio.ensure_future(kept[-1].whole()))
        await asyncio.sleep(0)
        if fails:
            raise FailedPreconditionError("no")

    apart: list[asyncio.Future[Any]] = []
    async with hosting(careless=careless) as (_, peer):
        for fails in (b"false", b"true"):
            call = peer.call("careless", fails)
            unread, read = [(await delegated(peer, call))["id"] for _ in range(2)]
            assert (await peer.next("credit"))["id"] == read
            ended = [await peer.next(), await peer.next()]
            assert {"op": "cancel", "id": unread} in ended
            assert call in [each["id"] for each in ended]
            peer.send({"op": "data", "id": read, "end": True}, b"5")
            assert await bounded(apart[-1]) == 5
            assert kept[-2].error is not None
            assert kept[-2].error.code == "cancelled"


@aio
async def test_it_has_one_place_and_only_where_it_was_made() -> None:
    kept: list[Delegated[Any]] = []

    async def twice(context: Context) -> AsyncIterator[Any]:
        call = context.delegate("b")
        yield call
        assert call.is_done
        with pytest.raises(FailedPreconditionError) as caught:
            await call
        assert caught.value.reason == "call_spliced"
        yield call

    async def makes(context: Context) -> AsyncIterator[Any]:
        kept.append(context.delegate("b"))
        yield 1
        await asyncio.Event().wait()

    async def takes() -> AsyncIterator[Any]:
        yield kept[0]

    async with hosting(twice=twice, makes=makes, takes=takes) as (_, peer):
        call = peer.call("twice")
        child = (await delegated(peer, call))["id"]
        assert await peer.next() == {"op": "splice", "id": call, "call": child}
        assert (await failed(peer, call))["reason"] == "call_spliced"
        maker = peer.call("makes")
        child = (await delegated(peer, maker))["id"]
        assert (await peer.next("data"))["id"] == maker
        taker = peer.call("takes")  # No parent of it: it is read, and copied.
        assert (await peer.next("credit"))["id"] == child
        peer.send({"op": "data", "id": child, "end": True}, b"5")
        assert await answered(peer, taker) == [5]


@aio
async def test_a_call_whose_own_message_goes_in_parts_is_spliced_behind_them() -> None:
    async def front(context: Context) -> Delegated[Any]:
        return context.delegate("b", "x" * 5000)

    async with hosting(front=front) as (client, peer):
        assert client.connection is not None
        client.connection.content_bytes_max = client.connection.part_bytes_max = 4096
        call = peer.call("front")
        child = await delegated(peer, call, input=True)
        pieces = [await peer.next("data"), await peer.next("data")]
        assert pieces[-1]["end"] is True
        assert sum(len(each.content) for each in pieces) == 5000
        splice = {"op": "splice", "id": call, "call": child["id"], "end": True}
        assert await peer.next() == splice


@aio
async def test_an_interrupt_ends_what_is_not_yet_spliced() -> None:
    async def report(context: Context) -> AsyncIterator[Any]:
        spliced, unread = context.delegate("b"), context.delegate("c")
        yield spliced
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            yield unread
            yield "done"

    async with hosting(report=report) as (_, peer):
        call = peer.call("report")
        spliced, unread = [(await delegated(peer, call))["id"] for _ in range(2)]
        assert (await peer.next("splice"))["call"] == spliced
        ident = peer.signal("interrupt", call=call)
        assert await peer.next() == {"op": "cancel", "id": unread, "reason": "interrupted"}
        assert await peer.next() == {"op": "ok", "id": ident}
        error = await peer.next("error")
        assert (error["reason"], error["more"]) == ("interrupted", True)
        assert await answered(peer, call) == ["done"]
