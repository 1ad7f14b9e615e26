"""What signals a client sends, and what it makes of the answers, against a scripted sidecar."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fake_sidecar import FakeSidecar, aio, answer, bounded, entered, linked, registered

from coagent_client import (
    AgentError,
    Client,
    Context,
    FailedPreconditionError,
    InvalidArgumentError,
    UnimplementedError,
    connect,
)


@pytest.mark.parametrize(
    ("send", "wanted"),
    [
        (lambda c: c.pause("a:s"), {"to": "a:s", "name": "pause"}),
        (lambda c: c.resume("a:s"), {"to": "a:s", "name": "resume"}),
        (lambda c: c.cancel("a:s"), {"to": "a:s", "name": "cancel"}),
        (lambda c: c.cancel(run="r"), {"run": "r", "name": "cancel"}),
        (lambda c: c.interrupt("a:s"), {"to": "a:s", "name": "interrupt"}),
        (lambda c: c.interrupt(run="r"), {"run": "r", "name": "interrupt"}),
        (lambda c: c.signal("a", "x.y"), {"to": "a", "name": "x.y"}),
        (lambda c: c.signal(run="r", name="x.y"), {"run": "r", "name": "x.y"}),
        (lambda c: c.signal("a", "x.y", sender="me"), {"to": "a", "name": "x.y", "from": "me"}),
    ],
)
def test_each_verb_says_whom_and_what(
    send: Callable[[Client], Awaitable[None]], wanted: dict[str, str]
) -> None:
    async def run() -> None:
        async with linked() as (client, peer):
            sending = asyncio.ensure_future(send(client))
            signal = await peer.next("signal")
            assert signal.content == b""
            ident = signal.pop("id")
            assert ident % 2 == 1
            assert signal == {"op": "signal", **wanted}
            assert not sending.done()
            peer.send({"op": "ok", "id": ident})
            await bounded(sending)

    aio(run)()


@aio
async def test_a_payload_travels_as_a_value_does() -> None:
    async with linked() as (client, peer):
        for payload, content_type, content in [
            ("stop", "text/plain", b"stop"),
            (b"\x00", "application/octet-stream", b"\x00"),
            ({"why": 1}, None, b'{"why":1}'),
            (None, None, b""),
        ]:
            await client.interrupt("a:s", payload, ack=False)
            signal = await peer.next("signal")
            assert "id" not in signal
            assert (signal.get("content_type"), signal.content) == (content_type, content)
        await client.interrupt("a:s", b"x", content_type="image/png", ack=False)
        assert (await peer.next("signal"))["content_type"] == "image/png"


@aio
async def test_a_signal_concerns_one_address_or_one_run() -> None:
    async with linked() as (client, peer):
        for whom, reason in [({}, "missing_field"), ({"to": "a:s", "run": "r"}, "bad_field")]:
            with pytest.raises(InvalidArgumentError) as caught:
                await client.interrupt(**whom)
            assert caught.value.reason == reason
        with pytest.raises(InvalidArgumentError):
            await client.interrupt("no name")
        with pytest.raises(InvalidArgumentError):
            await client.interrupt(run="no run")
        await peer.nothing()


@aio
async def test_what_the_sidecar_answers_is_raised() -> None:
    async with linked() as (client, peer):
        for code, reason in [
            ("not_found", "unknown_session"),
            ("failed_precondition", "not_running"),
            ("unimplemented", "unhandled_signal"),
        ]:
            sending = asyncio.ensure_future(client.interrupt("a:s"))
            ident = (await peer.next("signal"))["id"]
            peer.send({"op": "error", "id": ident, "code": code, "reason": reason})
            with pytest.raises(AgentError) as caught:
                await bounded(sending)
            assert (caught.value.code, caught.value.reason) == (code, reason)
            assert caught.value.address == "a:s"


@aio
async def test_one_that_nobody_saw_is_sent_again() -> None:
    async with linked() as (client, peer):
        sending = asyncio.ensure_future(client.signal("a", "x.y", 1))
        first = await peer.next("signal")
        refused = {"code": "resource_exhausted", "reason": "too_many_signals", "retry": True}
        peer.send({"op": "error", "id": first["id"], **refused})
        again = await peer.next("signal")
        assert again.content == first.content == b"1"
        assert again["id"] > first["id"]
        peer.send({"op": "ok", "id": again["id"]})
        await bounded(sending)


@aio
async def test_who_no_longer_waits_for_the_answer_says_so() -> None:
    async with linked() as (client, peer):
        sending = asyncio.ensure_future(client.interrupt("a:s"))
        ident = (await peer.next("signal"))["id"]
        sending.cancel()
        assert await peer.next() == {"op": "cancel", "id": ident}
        peer.send({"op": "error", "id": ident, "code": "cancelled", "reason": "cancelled"})
        with pytest.raises(AgentError) as late:
            await client.interrupt("a:s", timeout=0.01)
        assert late.value.code == "deadline_exceeded"
        ident = (await peer.next("signal"))["id"]
        assert await peer.next() == {"op": "cancel", "id": ident}
        await peer.nothing()


@aio
async def test_a_call_is_signalled_by_its_id_and_goes_on() -> None:
    async with linked() as (client, peer):
        reply = client.stream("a")
        call = await peer.next("call")
        sending = asyncio.ensure_future(reply.interrupt("stop"))
        signal = await peer.next("signal")
        assert signal["call"] == call["id"]
        assert (signal["name"], signal.content) == ("interrupt", b"stop")
        assert "to" not in signal
        peer.send({"op": "ok", "id": signal["id"]})
        await bounded(sending)
        await reply.signal("x.y", 1, ack=False)
        assert (await peer.next("signal"))["name"] == "x.y"
        answer(peer, call["id"], "done", end=True)
        assert await bounded(reply.whole()) == "done"
        with pytest.raises(FailedPreconditionError) as caught:
            await reply.interrupt()
        assert caught.value.reason == "not_running"
        await peer.nothing()


@aio
async def test_a_signal_from_an_agent_names_the_call_it_serves() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)

        @client.agent("boss")
        async def boss(context: Context) -> None:
            await context.interrupt("a:s", "stop")
            await client.signal("a", "x.y")

        peer = await entered(sidecar, client)
        await registered(peer, "boss")
        call = peer.call("boss")
        for _ in range(2):
            signal = await peer.next("signal")
            assert signal["parent"] == call
            peer.send({"op": "ok", "id": signal["id"]})
        assert (await peer.next("data"))["end"] is True
        await client.aclose()


@aio
async def test_a_sidecar_that_drains_takes_signals_and_one_without_the_feature_gets_none() -> None:
    async with linked() as (client, peer):
        peer.send({"op": "goodbye", "timeout_ms": 1000})
        await peer.nothing()
        sending = asyncio.ensure_future(client.pause("a:s"))
        peer.send({"op": "ok", "id": (await peer.next("signal"))["id"]})
        await bounded(sending)
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await entered(sidecar, client, features="")
        reply = client.stream("a")
        await peer.next("call")
        for work in (client.interrupt("a:s"), reply.interrupt()):
            with pytest.raises(UnimplementedError):
                await work
        await peer.nothing()
        await client.aclose()


@aio
async def test_one_that_a_lost_connection_left_unanswered_is_not_repeated(
    quick_backoff: None,
) -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await entered(sidecar, client)
        sending: asyncio.Future[Any] = asyncio.ensure_future(client.interrupt("a:s"))
        await peer.next("signal")
        peer.close()
        with pytest.raises(AgentError) as caught:
            await bounded(sending)
        assert (caught.value.code, caught.value.reason) == ("unavailable", "connection_lost")
        await (await sidecar.welcome()).nothing()
        await client.aclose()
