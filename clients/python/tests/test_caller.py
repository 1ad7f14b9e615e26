"""What a caller writes and makes of the answers, against a scripted sidecar."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from fake_sidecar import FakeSidecar, aio, answer, bounded, entered, linked, until

import coagent_client as coagent
from coagent_client import connect


@aio
async def test_a_call_says_what_it_wants_and_gives_the_value() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await entered(sidecar, client)
        calling = asyncio.ensure_future(client.call("echo:s", {"a": 1}, type="Query", timeout=5))
        call = await peer.next("call")
        assert 4000 < call.pop("timeout_ms") <= 5000
        assert call == {"op": "call", "id": 1, "to": "echo:s", "type": "Query"}
        assert call.content == b'{"a":1}'
        answer(peer, 1, [1, 2], end=True)
        assert await calling == [1, 2]
        await client.aclose()
        assert (await peer.next("goodbye"))["timeout_ms"] == 0
        await peer.eof()


@pytest.mark.parametrize(
    ("frames", "value"),
    [
        ([({"end": True}, b"")], None),
        ([({"end": True}, b"null")], None),
        ([({}, b"1"), ({"end": True}, b"")], 1),
        ([({}, b"1"), ({"end": True}, b"2")], [1, 2]),
        ([({"content_type": "text/plain"}, b"a"), ({"content_type": "text/plain"}, b"b")], "ab"),
        ([({"content_type": "text/plain", "end": True}, b"")], ""),
        ([({"content_type": "application/octet-stream", "end": True}, b"\x00")], b"\x00"),
        ([({"type": "Empty", "end": True}, b"")], None),
        ([({"part": True}, b'{"a"'), ({"part": True}, b":"), ({}, b"1}")], {"a": 1}),
        ([({"part": True, "content_type": "text/plain"}, b"\xc3"), ({"end": True}, b"\xa9")], "é"),
        ([({"part": True, "content_type": "text/plain"}, b"a"), ({"end": True}, b"")], "a"),
        ([({}, b'"a"'), ({"content_type": "text/plain"}, b"b")], "ab"),
        ([({"content_type": "application/x+json", "end": True}, b"[]")], []),
    ],
)
def test_one_value_is_made_of_what_comes(frames: list[tuple[Any, bytes]], value: Any) -> None:
    @aio
    async def run() -> None:
        async with linked() as (client, peer):
            calling = asyncio.ensure_future(client.call("a"))
            await peer.next("call")
            for fields, content in frames:
                peer.send({"op": "data", "id": 1, **fields}, content)
            if not any(fields.get("end") for fields, _ in frames):
                peer.send({"op": "data", "id": 1, "end": True})
            assert await bounded(calling) == value

    run()


@aio
async def test_content_that_is_not_what_it_claims_is_an_error_of_that_call() -> None:
    async with linked() as (client, peer):
        for content, kind in [(b"{", None), (b"\xff", "text/plain"), (b"[" * 100_000, None)]:
            calling = asyncio.ensure_future(client.call("a"))
            ident = (await peer.next("call"))["id"]
            fields = {"content_type": kind} if kind else {}
            peer.send({"op": "data", "id": ident, "end": True, **fields}, content)
            with pytest.raises(coagent.InvalidArgumentError) as caught:
                await bounded(calling)
            assert caught.value.reason == "bad_content"


@aio
async def test_send_waits_for_its_acknowledgement() -> None:
    async with linked() as (client, peer):
        sending = asyncio.ensure_future(client.send("a:s", "hi", observe=True, timeout=2))
        send = await peer.next("send")
        assert send == {
            "op": "send",
            "id": 1,
            "to": "a:s",
            "content_type": "text/plain",
            "observe": True,
            "timeout_ms": 2000,
        }
        assert not sending.done()
        peer.send({"op": "ok", "id": 1})
        await bounded(sending)
        await client.send("a:s", "hi", ack=False)
        assert "id" not in await peer.next("send")
        failing = asyncio.ensure_future(client.send("nobody"))
        await peer.next("send")
        peer.send({"op": "error", "id": 3, "code": "not_found", "message": ""})
        with pytest.raises(coagent.NotFoundError):
            await bounded(failing)


@aio
async def test_times_are_whole_milliseconds() -> None:
    async with linked() as (client, peer):
        reply = client.stream("a", timeout=1.23456)
        assert type((await peer.next("call"))["timeout_ms"]) is int
        await reply.aclose()


@pytest.mark.parametrize(
    "address", ["", ".a", "a.", "a..b", "a b", "é", "a:", "a:b c", "a:\x7f", "a" * 129]
)
def test_bad_addresses_are_refused_before_they_are_sent(address: str) -> None:
    @aio
    async def run() -> None:
        async with linked() as (client, _):
            with pytest.raises(coagent.InvalidArgumentError) as caught:
                await client.call(address)
            assert caught.value.reason == "bad_address"

    run()


@aio
async def test_values_that_cannot_be_sent_are_refused_before_they_are() -> None:
    async with linked() as (client, _):
        circle: list[Any] = []
        circle.append(circle)
        for body in (object(), {"x": float("nan")}, circle, "\ud800", {"a": "\ud800"}):
            with pytest.raises(coagent.InvalidArgumentError):
                await client.call("a", body)
        with pytest.raises(coagent.InvalidArgumentError):
            await client.call("a", ext={"k": "x" * 9000})
        with pytest.raises(coagent.InvalidArgumentError):
            await client.call("a", type="\ud800")
        with pytest.raises(coagent.InvalidArgumentError):
            await client.send("a", b"x" * (17 * 1024 * 1024))


@dataclass
class Answer:
    text: str
    score: float = 0.0


@aio
async def test_returns_makes_values_of_a_type() -> None:
    async with linked() as (client, peer):
        calling = asyncio.ensure_future(client.call("a", Answer("q"), returns=Answer))
        call = await peer.next("call")
        assert (call["type"], call.content) == ("Answer", b'{"text":"q","score":0.0}')
        answer(peer, 1, {"text": "a", "score": 1}, end=True)
        assert await bounded(calling) == Answer("a", 1.0)
        calling = asyncio.ensure_future(client.call("a", returns=Answer))
        await peer.next("call")
        answer(peer, 3, {"score": 1}, end=True)
        with pytest.raises(coagent.InvalidArgumentError, match="text"):
            await bounded(calling)


@aio
async def test_a_client_is_for_the_thread_of_its_loop() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        with pytest.raises(RuntimeError, match="not connected"):
            client.stream("a")
        await entered(sidecar, client)
        loop = asyncio.get_running_loop()
        with pytest.raises(RuntimeError, match="thread"):
            await loop.run_in_executor(None, client.stream, "a")
        with pytest.raises(coagent.FailedPreconditionError):
            await client.__aenter__()
        await client.aclose()
        await until(lambda: not client.is_connected)


@aio
async def test_ids_are_odd_and_rise_in_the_order_of_writing() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await entered(sidecar, client)
        kept: list[Any] = []
        for number in range(20):
            kept.append(client.stream("a"))
            kept.append(asyncio.ensure_future(client.send("b")))
            kept.append(client.register(f"c{number}", lambda: None))
            kept.append(client.open("d"))
            await asyncio.sleep(0)
        ids = [(await peer.next())["id"] for _ in range(80)]
        assert ids == list(range(1, 161, 2))
        await client.aclose()
        for task in kept:
            if isinstance(task, asyncio.Future):
                with pytest.raises(coagent.UnavailableError):
                    await task
