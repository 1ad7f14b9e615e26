"""How calls end that fail or are cancelled in their host, against a scripted sidecar."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator

from fake_sidecar import FakeSidecar, Got, aio, answered, entered, failed, linked, registered, until

import coagent_client as coagent
from coagent_client import Context, connect


@aio
async def test_an_exception_travels_with_type_and_causes_and_the_next_call_is_fine() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)

        @client.agent("bad")
        async def bad(how: str) -> str:
            if how == "causes":
                try:
                    try:
                        raise OSError("disk")
                    except OSError as error:
                        raise KeyError("a") from error
                except KeyError as error:
                    raise ValueError("broke") from error
            if how == "coded":
                raise coagent.AbortedError("conflict", reason="stale", details={"n": 1})
            if how == "huge":
                raise RuntimeError("\x01é" * 70_000)
            if how == "silent":
                raise ValueError
            return how

        peer = await entered(sidecar, client)
        await registered(peer, "bad")

        async def error_of(how: str) -> Got:
            return await failed(peer, peer.call("bad", json.dumps(how).encode()))

        error = await error_of("causes")
        assert (error["code"], error["reason"]) == ("internal", "agent_error")
        assert error["message"] == "broke"
        assert error["details"] == {
            "type": "ValueError",
            "causes": "KeyError: 'a' <- OSError: disk",
        }
        error = await error_of("coded")
        assert (error["code"], error["reason"], error["details"]) == ("aborted", "stale", {"n": 1})
        error = await error_of("huge")
        assert 1000 <= len(error["message"].encode()) <= 4096
        assert (await error_of("silent"))["message"] == "ValueError"
        assert await answered(peer, peer.call("bad", b'"fine"')) == ["fine"]
        await client.aclose()


@aio
async def test_an_error_in_mid_stream_follows_what_was_sent() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)

        @client.agent("async")
        async def agen() -> AsyncIterator[int]:
            yield 1
            raise ValueError("then this")

        @client.agent("plain")
        def plain() -> Iterator[int]:
            yield 1
            raise ValueError("then this")

        peer = await entered(sidecar, client)
        await registered(peer, "async", "plain")
        for name in ("async", "plain"):
            ident = peer.call(name)
            assert (await peer.next("data")).content == b"1"
            assert (await failed(peer, ident))["message"] == "then this"
        await client.aclose()


@aio
async def test_content_that_does_not_fit_the_hints_is_a_bad_content() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)

        @client.agent("typed")
        async def typed(body: dict[str, int]) -> None: ...

        @client.agent("unsendable")
        async def unsendable() -> object:
            return object()

        peer = await entered(sidecar, client)
        await registered(peer, "typed", "unsendable")
        for content in (b"{", b"[]", b'{"a":"b"}', b""):
            error = await failed(peer, peer.call("typed", content))
            assert (error["code"], error["reason"]) == ("invalid_argument", "bad_content")
        await failed(peer, peer.call("unsendable"))
        await client.aclose()


@aio
async def test_cancel_reaches_the_handler_and_is_answered_once_it_has_ended() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        events: list[str] = []
        may_end = asyncio.Event()

        @client.agent("slow")
        async def slow(context: Context) -> None:
            try:
                events.append("started")
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                events.append(f"cancelled {context.cancelled}")
                await may_end.wait()
                raise

        @client.agent("stubborn")
        async def stubborn() -> str:
            events.append("stubborn")
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                events.append("ignores it")
            return "too late"

        peer = await entered(sidecar, client)
        await registered(peer, "slow", "stubborn")
        ident = peer.call("slow")
        await until(lambda: "started" in events)
        peer.send({"op": "cancel", "id": ident, "reason": "caller_lost"})
        await until(lambda: "cancelled True" in events)
        await peer.nothing()
        may_end.set()
        assert (await failed(peer, ident))["code"] == "cancelled"
        ident = peer.call("stubborn")
        await until(lambda: "stubborn" in events)
        peer.send({"op": "cancel", "id": ident})
        assert (await failed(peer, ident))["code"] == "cancelled"
        # Cancelled in the same breath as it came, before it could begin.
        ident = peer.call("slow")
        peer.send({"op": "cancel", "id": ident})
        assert (await failed(peer, ident))["code"] == "cancelled"
        # A cancel that crossed the end is dropped.
        peer.send({"op": "cancel", "id": ident})
        await peer.nothing()
        assert events.count("started") == 1
        await client.aclose()


@aio
async def test_a_plain_function_can_see_that_it_was_cancelled() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        started, noticed = threading.Event(), threading.Event()

        @client.agent("busy")
        def busy(context: Context) -> str:
            started.set()
            while not context.cancelled:
                noticed.wait(0.001)
            noticed.set()
            return "nobody hears this"

        peer = await entered(sidecar, client)
        await registered(peer, "busy")
        ident = peer.call("busy")
        await until(started.is_set)
        await peer.nothing()
        peer.send({"op": "cancel", "id": ident})
        assert (await failed(peer, ident))["code"] == "cancelled"
        assert noticed.is_set()
        await client.aclose()


@aio
async def test_a_call_for_a_name_that_is_not_here_says_that_nobody_saw_it() -> None:
    async with linked() as (_, peer):
        error = await failed(peer, peer.call("stranger"))
        assert (error["code"], error["retry"]) == ("not_found", True)
