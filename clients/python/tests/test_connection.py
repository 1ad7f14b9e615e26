"""Frames on a connection: heartbeats, pieces, turns, and bytes that make no sense."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fake_sidecar import FakeSidecar, aio, bounded, entered, frame, linked, until

import coagent_client as coagent
from coagent_client import _connection, connect

pytestmark = pytest.mark.usefixtures("quick_backoff")


@aio
async def test_ping_is_answered_by_the_reader() -> None:
    async with linked() as (_, peer):
        peer.send({"op": "ping"})
        assert await peer.next() == {"op": "pong"}


@aio
async def test_silence_is_pinged_and_then_means_death() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await entered(sidecar, client, heartbeat_ms=20)
        calling = asyncio.ensure_future(client.call("a"))
        await peer.next("call")
        assert await peer.next() == {"op": "ping"}
        peer.send({"op": "pong"})
        assert await peer.next() == {"op": "ping"}
        with pytest.raises(coagent.UnavailableError) as caught:
            await bounded(calling)
        assert caught.value.reason == "connection_lost"
        assert isinstance(caught.value.__cause__, coagent.AgentError)
        assert caught.value.__cause__.reason == "heartbeat_timeout"
        # It comes back.
        peer = await sidecar.welcome()
        await until(lambda: client.is_connected)
        await client.aclose()


@aio
async def test_what_is_not_known_is_ignored() -> None:
    async with linked() as (client, peer):
        peer.send({"op": "resume", "id": 2, "x": {"y": [1.5, None]}})
        peer.send({"op": "ping", "new_field": {"deep": [None]}})
        assert await peer.next() == {"op": "pong"}
        for reason in ("unknown_op", "bad_field", "missing_field"):
            peer.send({"op": "error", "code": "unimplemented", "reason": reason, "message": ""})
        await peer.nothing()
        assert client.is_connected


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\x00\x00\x01\x00\x00\x00\x00",
        b"\xff\xff\xff\xff\x00\x00\x00\x00",
        b"\x00\x00\x00\x02\xff\xff\xff\xff{}",
        frame(b"[]"),
        frame(b'{"op":"ping"'),
        frame(b'{"op":"\xff"}'),
        frame({"op": "data", "id": 9}),
        frame({"op": "data", "id": 0}),
        frame({"op": "credit", "id": 2, "bytes": 1}),
        frame({"op": "cancel", "id": 2}),
        frame({"op": "ok", "id": 7}),
        frame({"op": "error", "id": 7, "code": "internal", "message": ""}),
        frame({"op": "call", "id": 3, "to": "a"}),
        frame({"op": "call", "id": 4, "to": "a"}) + frame({"op": "call", "id": 4, "to": "a"}),
        frame({"op": "close", "id": 5, "to": "a:b", "reason": "idle"}),
    ],
)
def test_what_cannot_be_trusted_ends_the_connection(raw: bytes) -> None:
    @aio
    async def run() -> None:
        async with FakeSidecar() as sidecar:
            client = connect(sidecar.url)
            peer = await entered(sidecar, client)
            calling = asyncio.ensure_future(client.call("a"))
            await peer.next("call")
            peer.writer.write(raw)
            with pytest.raises(coagent.UnavailableError) as caught:
                await bounded(calling)
            assert caught.value.reason == "connection_lost"
            said = await peer.next()
            while said.get("id"):
                said = await peer.next()
            assert (said["op"], said["code"]) == ("error", "invalid_argument")
            await peer.eof()
            await sidecar.welcome()
            await until(lambda: client.is_connected)
            await client.aclose()

    run()


@aio
async def test_frames_in_small_pieces_are_frames() -> None:
    async with linked() as (client, peer):
        calling = asyncio.ensure_future(client.call("a"))
        await peer.next("call")
        for byte in frame({"op": "data", "id": 1, "end": True}, b'"slowly"'):
            peer.writer.write(bytes([byte]))
            await peer.writer.drain()
            await asyncio.sleep(0)
        assert await bounded(calling) == "slowly"


@aio
async def test_two_that_stream_to_each_other_never_wait_for_each_others_reader() -> None:
    """The reader takes frames while the writer is stuck: nothing here can wait for itself."""
    async with linked() as (client, peer):
        exchange = client.open("a", window=2**31 - 1)
        await peer.next("call")
        peer.send({"op": "credit", "id": 1, "bytes": 2**30})

        async def pour() -> None:
            for _ in range(200):
                await exchange.send(b"x" * 200_000)

        pouring = asyncio.ensure_future(pour())
        await until(lambda: client.connection is not None and client.connection.is_paused)
        assert client.connection is not None
        transport = client.connection._transport
        assert transport is not None
        # The socket is full and nobody reads it; still everything that comes is taken.
        for number in range(50):
            peer.send({"op": "data", "id": 1}, str(number).encode() * 10_000)
            await bounded(peer.writer.drain())
        reader = exchange.messages()
        for _ in range(50):
            await bounded(reader.__anext__())
        assert transport.get_write_buffer_size() < 4 * 1024 * 1024
        assert not pouring.done()
        for _ in range(200):
            got = await peer.next()
            while got["op"] == "credit":
                got = await peer.next()
        await bounded(pouring)


@aio
async def test_the_first_frame_of_a_turn_goes_at_once_and_the_rest_together() -> None:
    writes: list[int] = []
    original = asyncio.selector_events._SelectorSocketTransport.write  # type: ignore[attr-defined]
    patch = pytest.MonkeyPatch()
    async with linked() as (client, peer):

        def write(self: Any, data: bytes) -> Any:
            if isinstance(self.get_protocol(), _connection.Connection):
                writes.append(len(data))
            return original(self, data)

        patch.setattr(asyncio.selector_events._SelectorSocketTransport, "write", write)  # type: ignore[attr-defined]
        try:
            replies = [client.stream("a") for _ in range(50)]
            for _ in range(50):
                await peer.next("call")
            assert len(writes) == 2
        finally:
            patch.undo()
        del replies
