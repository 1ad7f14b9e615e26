"""Errors and deadlines as a caller meets them, and what it tries again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fake_sidecar import FakeSidecar, aio, answer, bounded, entered, linked

import coagent_client as coagent
from coagent_client import connect


@aio
async def test_errors_are_raised_by_code_with_their_causes() -> None:
    async with linked() as (client, peer):
        for code, cls in coagent._errors.ERROR_CLASSES.items():
            calling = asyncio.ensure_future(client.call("bad"))
            call = await peer.next("call")
            peer.send(
                {
                    "op": "error",
                    "id": call["id"],
                    "code": code,
                    "reason": "why",
                    "message": "it broke",
                    "details": {"type": "ValueError", "causes": "KeyError: 'a' <- OSError: b: c"},
                }
            )
            with pytest.raises(cls) as caught:
                await bounded(calling)
            error = caught.value
            assert (error.code, error.reason, error.message) == (code, "why", "it broke")
            assert error.address == "bad"
            assert "bad" in str(error)
            cause = error.__cause__
            assert isinstance(cause, coagent.RemoteCause)
            assert (cause.type, cause.message) == ("KeyError", "'a'")
            assert isinstance(cause.__cause__, coagent.RemoteCause)
            assert cause.__cause__.message == "b: c"
            assert cause.__cause__.__cause__ is None


@aio
async def test_a_code_of_a_later_version_reads_as_internal() -> None:
    async with linked() as (client, peer):
        calling = asyncio.ensure_future(client.call("a"))
        await peer.next("call")
        peer.send({"op": "error", "id": 1, "code": "teapot", "message": "short"})
        with pytest.raises(coagent.InternalError) as caught:
            await bounded(calling)
        assert caught.value.details["code"] == "teapot"


@aio
async def test_an_error_at_a_position_ends_its_message_and_not_the_stream() -> None:
    async with linked() as (client, peer):
        reply = client.stream("a")
        await peer.next("call")
        answer(peer, 1, "one")
        peer.send({"op": "data", "id": 1, "part": True}, b'"lo')
        peer.send({"op": "error", "id": 1, "code": "aborted", "message": "x", "more": True})
        answer(peer, 1, "two")
        peer.send({"op": "data", "id": 1, "end": True})
        seen = [
            message.error.code if message.error else message.value
            async for message in reply.messages(errors=True)
        ]
        assert seen == ["one", "aborted", "two"]
        values: list[Any] = []
        with pytest.raises(coagent.AbortedError):
            async for value in reply:
                values.append(value)
        assert values == ["one"]
        with pytest.raises(coagent.AbortedError):
            await reply


@aio
async def test_only_what_no_agent_saw_is_repeated_and_not_for_ever() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url, repeats=2)
        peer = await entered(sidecar, client)
        calling = asyncio.ensure_future(client.call("a", 7))
        error = {"op": "error", "code": "unavailable", "reason": "no_replica", "message": ""}
        for ident in (1, 3, 5):
            call = await peer.next("call")
            assert (call["id"], call.content) == (ident, b"7")
            peer.send({**error, "id": ident, "retry": True})
        with pytest.raises(coagent.UnavailableError) as caught:
            await bounded(calling)
        assert caught.value.reason == "no_replica"
        calling = asyncio.ensure_future(client.call("a"))
        await peer.next("call")
        peer.send({**error, "id": 7, "reason": "host_lost"})
        with pytest.raises(coagent.UnavailableError):
            await bounded(calling)
        sending = asyncio.ensure_future(client.send("a"))
        await peer.next("send")
        peer.send({**error, "id": 9, "retry": True})
        assert (await peer.next("send"))["id"] == 11
        peer.send({"op": "ok", "id": 11})
        await bounded(sending)
        await client.aclose()


@aio
async def test_a_repeated_call_has_only_the_time_that_is_left() -> None:
    async with linked() as (client, peer):
        calling = asyncio.ensure_future(client.call("a", timeout=10))
        first = await peer.next("call")
        error = {"op": "error", "code": "resource_exhausted", "message": "", "retry": True}
        peer.send({**error, "id": 1, "details": {"retry_after_ms": 30}})
        second = await peer.next("call")
        assert second["timeout_ms"] <= first["timeout_ms"] - 30
        peer.send({**error, "id": 3, "details": {"retry_after_ms": 60_000}})
        with pytest.raises(coagent.ResourceExhaustedError):
            await bounded(calling)


@aio
async def test_nothing_is_repeated_once_input_may_have_gone() -> None:
    async with linked() as (client, peer):
        exchange = client.open("a", "hello")
        await peer.next("call")
        peer.send({"op": "error", "id": 1, "code": "unavailable", "message": "", "retry": True})
        with pytest.raises(coagent.UnavailableError):
            await exchange


@aio
async def test_a_deadline_that_is_over_needs_no_sidecar() -> None:
    async with linked() as (client, _):
        with pytest.raises(coagent.DeadlineExceededError):
            await client.call("a", timeout=0)


@aio
async def test_a_deadline_the_sidecar_lets_pass_ends_here() -> None:
    async with linked() as (client, peer):
        calling = asyncio.ensure_future(client.call("a", timeout=0.05))
        await peer.next("call")
        with pytest.raises(coagent.DeadlineExceededError):
            await bounded(calling)
        assert (await peer.next("cancel"))["id"] == 1
