"""What an agent knows of its call, and the calls it makes meanwhile, on a scripted sidecar."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from fake_sidecar import FakeSidecar, aio, answered, bounded, entered, failed, registered

import coagent_client as coagent
from coagent_client import Context, connect


@aio
async def test_the_context_says_what_the_header_said() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        seen: list[Any] = []

        @client.agent("look")
        async def look(context: Context) -> None:
            seen.append(
                (
                    *(context.address, context.name, context.session, context.sender),
                    *(context.type, context.trace, dict(context.ext)),
                    *(context.is_new, context.is_send, context.is_observation),
                )
            )
            assert coagent.current_context() is context
            assert context.time_left is None or 1 < context.time_left <= 2
            assert (context.time_left is None) == (context.deadline is None)

        peer = await entered(sidecar, client)
        await registered(peer, "look")
        fields = {"from": "b:1", "type": "T", "trace": "t", "ext": {"k": 1}, "timeout_ms": 2000}
        ident = peer.call("look:s:1", new=True, oneway=True, observe=True, **fields)
        assert await answered(peer, ident) == []
        assert await answered(peer, peer.call("look")) == []
        full = ("look:s:1", "look", "s:1", "b:1", "T", "t", {"k": 1}, True, True, True)
        assert seen == [full, ("look", "look", "", "", "", "", {}, False, False, False)]
        assert coagent.current_context() is None
        await client.aclose()


@aio
async def test_calls_made_while_handling_are_children_with_trace_and_ext() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)

        @client.agent("parent")
        async def parent(how: str, context: Context) -> Any:
            if how == "client":
                return await client.call("child", 1, ext={"own": 2})
            if how == "context":
                return await context.call("child", 1, ext={"own": 2})
            if how == "none":
                return await client.call("child", 1, parent=None)
            if how == "passed on":
                return context.stream("child", 1)
            if how == "send":
                return await context.send("child", 1, ack=False)
            async with context.open("child", 1) as exchange:
                return await exchange

        @client.agent("plain")
        def plain(context: Context) -> Any:
            return context.wait(context.call("child", 1))

        peer = await entered(sidecar, client)
        await registered(peer, "parent", "plain")
        for how in ("client", "context", "none", "passed on", "open"):
            content = json.dumps(how).encode()
            ident = peer.call("parent", content, trace="tr", ext={"k": "v", "own": 1})
            child = await peer.next("call")
            if how == "none":
                assert not {"parent", "trace", "ext"} & set(child)
            else:
                own = 2 if how in ("client", "context") else 1
                assert child["parent"] == ident
                assert (child["trace"], child["ext"]) == ("tr", {"k": "v", "own": own})
            peer.send({"op": "data", "id": child["id"], "type": "T", "end": True}, b"5")
            assert await answered(peer, ident) == [5]
        ident = peer.call("parent", b'"send"')
        assert (await peer.next("send"))["parent"] == ident
        assert await answered(peer, ident) == []
        ident = peer.call("plain")
        child = await peer.next("call")
        assert child["parent"] == ident
        peer.send({"op": "data", "id": child["id"], "end": True}, b"6")
        assert await answered(peer, ident) == [6]
        await client.aclose()


@aio
async def test_a_child_of_a_call_that_has_ended_is_refused_here() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        kept: list[Context] = []
        background: list[asyncio.Task[Any]] = []
        go = asyncio.Event()

        @client.agent("a")
        async def agent(context: Context) -> None:
            async def later() -> Any:
                await go.wait()
                return await client.call("child")

            kept.append(context)
            background.append(asyncio.ensure_future(later()))

        peer = await entered(sidecar, client)
        await registered(peer, "a")
        assert await answered(peer, peer.call("a")) == []
        with pytest.raises(coagent.CancelledCallError) as caught:
            kept[0].stream("child")
        assert caught.value.reason == "parent_ended"
        # What merely inherited the context goes on without it.
        go.set()
        child = await peer.next("call")
        assert "parent" not in child
        peer.send({"op": "data", "id": child["id"], "end": True})
        await bounded(background[0])
        await client.aclose()


@aio
async def test_a_failed_child_names_the_agent_that_failed() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)

        @client.agent("chain")
        async def chain() -> Any:
            return await client.call("step1")

        peer = await entered(sidecar, client)
        await registered(peer, "chain")
        ident = peer.call("chain")
        child = await peer.next("call")
        error = {"op": "error", "id": child["id"], "code": "internal", "reason": "agent_error"}
        peer.send({**error, "message": "boom", "details": {"type": "ValueError"}, "retry": False})
        got = await failed(peer, ident)
        assert (got["code"], got["message"]) == ("internal", "boom")
        assert got["details"] == {"type": "ValueError", "agent": "step1"}
        assert "retry" not in got
        await client.aclose()
