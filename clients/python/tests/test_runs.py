"""Runs: named, resumed over a lost connection, attached to, listed; against a scripted sidecar."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from fake_sidecar import (
    FakeSidecar,
    Got,
    Peer,
    aio,
    answer,
    bounded,
    entered,
    hosting,
    linked,
)

from coagent_client import (
    AgentError,
    Context,
    DeadlineExceededError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    Run,
    connect,
)

pytestmark = pytest.mark.usefixtures("quick_backoff")


async def attached(peer: Peer, **body: Any) -> Got:
    """The next frame, which continues a run."""
    call = await peer.next("call")
    assert (call["to"], call["type"]) == ("runs", "Attach")
    assert json.loads(call.content) == body
    return call


@aio
async def test_no_item_is_lost_or_doubled_whenever_the_connection_is() -> None:
    """Thirty messages, some in parts and one an error at its place, over thirty connections."""
    frames: list[tuple[dict[str, Any], bytes]] = []
    for number in range(30):
        if number % 3 == 0:
            frames.append(({"op": "data", "part": True}, b"1"))
        frames.append(({"op": "data"}, str(number).encode()))
    torn = {"op": "error", "code": "aborted", "reason": "torn", "more": True}
    frames.append((torn, b""))
    frames.append(({"op": "data", "end": True}, b""))
    wanted = [int(f"1{n}") if n % 3 == 0 else n for n in range(30)]
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await entered(sidecar, client)
        reply = client.stream("a", run="r1")
        reading = asyncio.ensure_future(_all(reply.messages(errors=True)))
        call = await peer.next("call")
        assert call["run"] == "r1"
        for at in range(0, len(frames), 2):
            for header, content in frames[at : at + 2]:
                peer.send({**header, "id": call["id"]}, content)
            if at + 2 >= len(frames):
                break
            peer.close()
            peer = await sidecar.welcome()
            call = await attached(peer, run="r1", resume=True, **{"from": at + 2})
        assert await bounded(reading) == [*wanted, "torn"]
        assert reply.is_done
        await client.aclose()


async def _all(messages: Any) -> list[Any]:
    return [each.error.reason if each.error else each.value async for each in messages]


@aio
async def test_a_resumed_reader_permits_the_room_it_has_and_what_was_taken_meanwhile() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await entered(sidecar, client)
        reply = client.stream("a", run="r1", window=3000)
        call = await peer.next("call")
        for _ in range(3):
            peer.send({"op": "data", "id": call["id"], "content_type": "text/plain"}, b"x" * 944)
        await peer.nothing()
        peer.close()
        peer = await sidecar.welcome()
        # 3,600 of 3,000 are held here: it gets nothing until 600 and half a window are taken.
        call = await attached(peer, run="r1", resume=True, **{"from": 3})
        assert call["window"] == 0
        reader = reply.__aiter__()
        await bounded(reader.__anext__())
        await peer.nothing()
        await bounded(reader.__anext__())
        assert await peer.next() == {"op": "credit", "id": call["id"], "bytes": 1800}
        peer.close()
        await bounded(reader.__anext__())  # Without a connection: nothing to grant it on.
        peer = await sidecar.welcome()
        call = await attached(peer, run="r1", resume=True, **{"from": 3})
        assert call["window"] == 3000
        peer.send({"op": "data", "id": call["id"], "end": True})
        assert [each async for each in reader] == []
        await client.aclose()


@aio
async def test_a_run_that_waits_for_a_connection_keeps_its_time() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await entered(sidecar, client)
        calling = asyncio.ensure_future(client.call("a", run="r1", timeout=0.05))
        assert (await peer.next("call"))["timeout_ms"] <= 50
        await sidecar.stop()
        with pytest.raises(DeadlineExceededError):
            await bounded(calling)
        reply = client.stream("a", run="r2")
        await client.aclose()
        with pytest.raises(AgentError) as caught:
            await bounded(reply.whole())
        assert caught.value.reason == "connection_lost"


@aio
async def test_leaving_while_there_is_no_connection_leaves_nothing_to_resume() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await entered(sidecar, client)
        reply = client.stream("a", run="r1")
        await peer.next("call")
        peer.close()
        peer = await sidecar.accept()
        await reply.aclose()
        await peer.greet()
        await peer.nothing()
        await client.aclose()


@aio
async def test_a_run_is_no_delegated_call_and_well_named() -> None:
    async def front(context: Context) -> None:
        context.delegate("b", run="r1")

    async with hosting(front=front) as (client, peer):
        ident = peer.call("front")
        error = await peer.next("error")
        assert (error["id"], error["reason"]) == (ident, "bad_field")
        for name in ("", "with space", "x" * 129):
            with pytest.raises(InvalidArgumentError) as caught:
                client.stream("a", run=name)
            assert caught.value.details == {"field": "run"}
            with pytest.raises(InvalidArgumentError):
                client.attach(name)
        await peer.nothing()


@aio
async def test_a_run_is_read_from_anywhere_steered_and_left_without_ending_it() -> None:
    async with linked() as (client, peer):
        reply = client.attach("r1", from_=3, window=5000, timeout=9)
        call = await attached(peer, run="r1", **{"from": 3})
        assert call["window"] == 5000
        assert 8000 <= call["timeout_ms"] <= 9000
        sending = asyncio.ensure_future(reply.interrupt("stop"))
        signal = await peer.next("signal")
        assert signal["call"] == call["id"]
        peer.send({"op": "ok", "id": signal["id"]})
        await bounded(sending)
        reply.cancel()
        assert await peer.next() == {"op": "cancel", "id": call["id"]}
        tailing = client.attach("r1", tail=True)
        call = await attached(peer, run="r1", tail=True)
        truncated = {"code": "failed_precondition", "reason": "truncated", "details": {"first": 7}}
        peer.send({"op": "error", "id": call["id"], **truncated})
        with pytest.raises(FailedPreconditionError) as caught:
            await bounded(tailing.whole())
        assert caught.value.details == {"first": 7}


@aio
async def test_runs_are_listed_page_by_page_and_described() -> None:
    listed = {
        "run": "a",
        "to": "b:1",
        "type": "T",
        "state": "running",
        "frames": 3,
        "first": 1,
        "bytes": 800,
        "readers": 2,
        "detached": True,
        "age_ms": 1500,
        "ended_ms": 0,
        "code": "",
        "principal": "uid 0",
    }
    wanted = Run("a", "b:1", "T", "running", 3, 1, 800, 2, True, 1.5, None, "", "uid 0")
    async with linked() as (client, peer):
        listing = asyncio.ensure_future(client.runs(state="running"))
        call = await peer.next("call")
        assert json.loads(call.content) == {"state": "running"}
        answer(peer, call["id"], {"runs": [listed], "more": True}, end=True)
        call = await peer.next("call")
        assert json.loads(call.content) == {"state": "running", "after": "a"}
        ended = {**listed, "run": "c", "state": "ended", "ended_ms": 250, "code": "aborted"}
        answer(peer, call["id"], {"runs": [ended], "more": False}, end=True)
        first, second = await bounded(listing)
        assert first == wanted
        assert (second.name, second.ended, second.code) == ("c", 0.25, "aborted")
        describing = asyncio.ensure_future(client.describe_run("d"))
        call = await peer.next("call")
        assert (call["type"], json.loads(call.content)) == ("RunDescribe", {"run": "d"})
        unknown = {"code": "not_found", "reason": "unknown_run"}
        peer.send({"op": "error", "id": call["id"], **unknown})
        with pytest.raises(NotFoundError):
            await bounded(describing)
