"""Readers of a reply: what they see, what leaving does, and the credit they grant."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from fake_sidecar import WINDOW, FakeSidecar, aio, answer, bounded, entered, linked

import coagent_client as coagent
from coagent_client import Message, connect


@aio
async def test_several_readers_early_and_late_read_the_same() -> None:
    async with linked() as (client, peer):
        reply = client.stream("a")

        async def read() -> list[Any]:
            return [value async for value in reply]

        early = [asyncio.ensure_future(read()) for _ in range(2)]
        await peer.next("call")
        for number in range(100):
            answer(peer, 1, number)
        peer.send({"op": "data", "id": 1, "end": True})
        for task in early:
            assert await bounded(task) == list(range(100))
        assert await read() == list(range(100))
        assert await reply == list(range(100))
        assert [m.value async for m in reply.messages()] == list(range(100))
        assert reply.is_done
        assert reply.error is None


@aio
async def test_messages_show_type_content_type_and_ext() -> None:
    async with linked() as (client, peer):
        reply = client.stream("a")
        await peer.next("call")
        peer.send(
            {"op": "data", "id": 1, "type": "T", "content_type": "x/y", "ext": {"k": 1}}, b"c"
        )
        peer.send({"op": "data", "id": 1, "end": True})
        messages = [message async for message in reply.messages()]
        assert messages == [Message(b"c", "x/y", "T", {"k": 1})]


@aio
async def test_parts_come_as_they_are_sent() -> None:
    async with linked() as (client, peer):
        parts = client.stream("a").parts()
        await peer.next("call")
        text = {"op": "data", "id": 1, "content_type": "text/plain", "part": True}
        peer.send(text, b"Hel")
        assert await bounded(parts.__anext__()) == "Hel"
        peer.send({"op": "data", "id": 1, "part": True}, b"lo")
        assert await bounded(parts.__anext__()) == "lo"
        peer.send({"op": "data", "id": 1})
        peer.send({"op": "data", "id": 1}, b"{}")
        assert await bounded(parts.__anext__()) == b"{}"
        peer.send({"op": "data", "id": 1, "end": True})
        with pytest.raises(StopAsyncIteration):
            await bounded(parts.__anext__())


@aio
async def test_leaving_a_loop_cancels_the_call() -> None:
    async with linked() as (client, peer):

        async def first() -> Any:
            async for value in client.stream("a"):
                return value
            return None

        reading = asyncio.ensure_future(first())
        await peer.next("call")
        answer(peer, 1, 1)
        assert await bounded(reading) == 1
        assert await peer.next() == {"op": "cancel", "id": 1}
        # What crosses the cancel is dropped, the terminal frame too.
        answer(peer, 1, 2)
        peer.send({"op": "error", "id": 1, "code": "cancelled", "message": ""})
        peer.send({"op": "credit", "id": 1, "bytes": 5})
        calling = asyncio.ensure_future(client.call("a"))
        assert (await peer.next("call"))["id"] == 3
        answer(peer, 3, "fine", end=True)
        assert await bounded(calling) == "fine"


@aio
async def test_a_cancelled_task_cancels_the_call() -> None:
    async with linked() as (client, peer):
        calling = asyncio.ensure_future(client.call("a"))
        await peer.next("call")
        calling.cancel()
        assert (await peer.next("cancel"))["id"] == 1
        assert calling.cancelled()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.call("a"), 0.001)
        assert (await peer.next("call"))["id"] == 3
        assert (await peer.next("cancel"))["id"] == 3


@aio
async def test_one_reader_of_two_that_leaves_cancels_nothing() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await entered(sidecar, client)
        reply = client.stream("a")
        stays = asyncio.ensure_future(reply.whole())
        leaves = asyncio.ensure_future(reply.whole())
        await peer.next("call")
        await asyncio.sleep(0)
        leaves.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaves
        answer(peer, 1, "on", end=True)
        assert await bounded(stays) == "on"
        await client.aclose()
        assert (await peer.next())["op"] == "goodbye"


@aio
async def test_a_reply_nobody_keeps_is_cancelled() -> None:
    async with linked() as (client, peer):
        client.stream("a")
        gc.collect()
        await peer.next("call")
        await peer.next("cancel")
        async with client.stream("b"):
            await peer.next("call")
        await peer.next("cancel")
        reply = client.stream("c")
        await peer.next("call")
        await reply.aclose()
        await peer.next("cancel")
        with pytest.raises(coagent.CancelledCallError):
            await reply


@aio
async def test_credit_is_granted_for_what_was_read_half_a_window_at_a_time() -> None:
    async with linked() as (client, peer):
        reader = client.stream("a", window=4 * 1256).__aiter__()
        assert (await peer.next("call"))["window"] == 4 * 1256
        for _ in range(4):
            peer.send({"op": "data", "id": 1, "content_type": "text/plain"}, b"x" * 1000)
        await bounded(reader.__anext__())
        await peer.nothing()
        await bounded(reader.__anext__())
        assert (await peer.next("credit"))["bytes"] == 2 * 1256
        # A second reader, behind the first, grants nothing again.
        await bounded(reader.__anext__())
        await bounded(reader.__anext__())
        assert (await peer.next("credit"))["bytes"] == 2 * 1256


@aio
async def test_a_slower_reader_grants_nothing_and_loses_nothing() -> None:
    async with linked() as (client, peer):
        reply = client.stream("a", window=1)
        fast, slow = reply.__aiter__(), reply.__aiter__()
        await peer.next("call")
        answer(peer, 1, 1)
        assert await bounded(fast.__anext__()) == 1
        assert (await peer.next("credit"))["bytes"] == 257
        assert await bounded(slow.__anext__()) == 1
        answer(peer, 1, 2)
        assert await bounded(slow.__anext__()) == 2
        assert (await peer.next("credit"))["bytes"] == 257
        answer(peer, 1, 3, end=True)
        assert [value async for value in fast] == [2, 3]
        assert [value async for value in slow] == [3]


@aio
async def test_frames_that_were_read_are_freed_unless_the_reply_is_kept() -> None:
    async with linked() as (client, peer):
        reader = client.stream("a").__aiter__()
        await peer.next("call")
        for _ in range(20):
            answer(peer, 1, "x" * 100_000)
        answer(peer, 1, "last", end=True)

        def held() -> int:
            links = [each for each in gc.get_objects() if type(each).__name__ == "Link"]
            return sum(len(link.content) for link in links)

        async for value in reader:
            if value == "last":
                assert held() < 200_000


@aio
async def test_a_lazy_call_starts_with_its_first_reader() -> None:
    async with linked() as (client, peer):
        reply = client.stream("a", lazy=True)
        call = await peer.next("call")
        assert (call["window"], call["lazy"]) == (0, True)
        reading = asyncio.ensure_future(reply.whole())
        assert (await peer.next("credit"))["bytes"] == WINDOW
        answer(peer, 1, 1, end=True)
        assert await bounded(reading) == 1
