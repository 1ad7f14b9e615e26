"""Goodbye and close, loss and return."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fake_sidecar import FakeSidecar, aio, bounded, entered, frame, until

import coagent_client as coagent
from coagent_client import Context, _client, connect, operation

pytestmark = pytest.mark.usefixtures("quick_backoff")


@aio
async def test_loss_ends_calls_handlers_and_sessions_and_all_is_made_again() -> None:
    events: list[str] = []

    class Room:
        def __init__(self) -> None:
            events.append("made")

        @operation
        async def sit(self) -> str:
            events.append("sits")
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                events.append("cancelled")
                raise
            return ""

        async def closed(self, reason: str) -> None:
            events.append(reason)

    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        client.register("room", Room)
        peer = await entered(sidecar, client)
        register = await peer.next("register")
        peer.send({"op": "ok", "id": register["id"]})
        peer.call("room:a", new=True)
        await until(lambda: "sits" in events)
        calling = asyncio.ensure_future(client.call("a"))
        exchange = client.open("b")
        sending = asyncio.ensure_future(client.send("c"))
        for op in ("call", "call", "send"):
            await peer.next(op)
        # Not a frame after half of one: the half is forgotten.
        peer.writer.write(frame({"op": "data", "id": 3, "end": True}, b"1")[:20])
        await peer.writer.drain()
        peer.abort()
        for lost in (calling, exchange.whole(), exchange.send("x"), sending):
            with pytest.raises(coagent.UnavailableError) as caught:
                await bounded(lost)
            assert caught.value.reason == "connection_lost"
        await until(lambda: {"cancelled", "connection_lost"} <= set(events))
        # Called while there is no connection: made as soon as there is one.
        early = asyncio.ensure_future(client.call("d", 1))
        peer = await sidecar.welcome()
        register = await peer.next("register")
        assert register["name"] == "room"
        call = await peer.next("call")
        assert (call["to"], call["id"]) == ("d", 3)
        peer.send({"op": "ok", "id": register["id"]})
        peer.send({"op": "data", "id": 3, "end": True}, b"2")
        assert await bounded(early) == 2
        ident = peer.call("room:a")
        await until(lambda: events.count("made") == 2)
        peer.send({"op": "cancel", "id": ident})
        assert (await peer.next("error"))["id"] == ident
        await client.aclose()


@aio
async def test_a_call_that_waits_for_a_connection_keeps_its_deadline() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await entered(sidecar, client)
        await sidecar.stop()
        peer.abort()
        await until(lambda: not client.is_connected)
        with pytest.raises(coagent.DeadlineExceededError):
            await bounded(client.call("a", timeout=0.01))
        left = client.stream("b")
        await left.aclose()
        await sidecar.listen()
        peer = await sidecar.welcome()
        await until(lambda: client.is_connected)
        await peer.nothing()
        await client.aclose()


@aio
async def test_a_refusal_on_return_is_final() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        client.register("a", lambda: None)
        peer = await entered(sidecar, client)
        register = await peer.next("register")
        peer.send({"op": "ok", "id": register["id"]})
        serving = asyncio.ensure_future(client.serve())
        await peer.nothing()
        peer.abort()
        peer = await sidecar.accept()
        await peer.next("hello")
        calling = asyncio.ensure_future(client.call("b"))
        await asyncio.sleep(0)
        peer.send(
            {"op": "error", "code": "unauthenticated", "reason": "bad_token", "message": "no"}
        )
        with pytest.raises(coagent.UnavailableError) as caught:
            await bounded(calling)
        assert isinstance(caught.value.__cause__, coagent.UnauthenticatedError)
        with pytest.raises(coagent.UnauthenticatedError):
            await bounded(serving)
        with pytest.raises(coagent.AgentError):
            await client.send("b")
        await client.aclose()


@aio
async def test_after_goodbye_only_children_go_out() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)

        @client.agent("parent")
        async def parent(context: Context) -> Any:
            return await context.call("child")

        peer = await entered(sidecar, client)
        register = await peer.next("register")
        peer.send({"op": "ok", "id": register["id"]})
        peer.send({"op": "goodbye", "reason": "shutdown", "timeout_ms": 10_000})
        ident = peer.call("parent")
        child = await peer.next("call")
        assert child["parent"] == ident
        later = asyncio.ensure_future(client.call("other"))
        peer.send({"op": "data", "id": child["id"], "end": True}, b"1")
        assert (await peer.next("data"))["id"] == ident
        await peer.nothing()
        peer.close()
        peer = await sidecar.welcome()
        await peer.next("register")
        call = await peer.next("call")
        assert call["to"] == "other"
        peer.send({"op": "data", "id": call["id"], "end": True}, b"2")
        assert await bounded(later) == 2
        await client.aclose()


@aio
async def test_drain_lets_calls_finish() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        go = asyncio.Event()

        @client.agent("a")
        async def slow() -> str:
            await go.wait()
            return "finished"

        peer = await entered(sidecar, client)
        await peer.next("register")
        ident = peer.call("a")
        await peer.nothing()
        draining = asyncio.ensure_future(client.drain(3))
        goodbye = await peer.next()
        assert goodbye == {"op": "goodbye", "reason": "drain", "timeout_ms": 3000}
        # A call that has crossed the goodbye is here before the pong, and finishes too.
        await peer.next("ping")
        crossed = peer.call("a")
        peer.send({"op": "pong"})
        await peer.nothing()
        go.set()
        for each in (ident, crossed):
            got = await peer.next("data")
            assert (got["id"], got.content) == (each, b"finished")
        await bounded(draining)


@aio
async def test_close_ends_everything_that_is_open() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        ended: list[str] = []

        @client.agent("a")
        async def forever() -> AsyncIterator[int]:
            try:
                yield 1
                await asyncio.Event().wait()
            finally:
                ended.append("handler")

        peer = await entered(sidecar, client)
        await peer.next("register")
        peer.call("a")
        assert (await peer.next("data")).content == b"1"
        calling = asyncio.ensure_future(client.call("b"))
        await peer.next("call")
        await client.aclose()
        assert ended == ["handler"]
        with pytest.raises(coagent.UnavailableError, match="closed"):
            await calling
        assert (await peer.next())["op"] == "goodbye"
        await peer.eof()
        with pytest.raises(coagent.UnavailableError):
            await client.call("b")
        await client.aclose()


@aio
async def test_a_sidecar_that_takes_nothing_cannot_hold_up_close(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_client, "_CLOSE_S", 0.05)
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await entered(sidecar, client)
        peer.reader._transport.pause_reading()  # type: ignore[attr-defined]
        calls = [client.stream("a", b"x" * 4_000_000) for _ in range(4)]
        await bounded(client.aclose())
        assert all(call.is_done for call in calls)
        peer.abort()
