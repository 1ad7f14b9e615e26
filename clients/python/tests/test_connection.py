"""Hello, heartbeats, goodbye, loss and return, and bytes that make no sense."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fake_sidecar import FakeSidecar, aio, bounded, entered, frame, until

import coagent_client as coagent
from coagent_client import Client, Context, _client, _connection, connect, operation


@pytest.fixture(autouse=True)
def quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_client, "_BACKOFF_S", 0.002)


@aio
async def test_nobody_listens() -> None:
    with pytest.raises(coagent.UnavailableError, match="is coagentd running"):
        async with connect("unix:/tmp/there-is-no-such-socket"):
            pass
    free = socket.socket()
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    with pytest.raises(coagent.UnavailableError):
        await connect(f"tcp://127.0.0.1:{port}")
    for url in ("", "http://x", "tcp://x", "tcp://x:y", "unix:"):
        with pytest.raises(coagent.InvalidArgumentError):
            await Client(url or "nonsense")


@aio
async def test_wait_keeps_trying_at_first() -> None:
    sidecar = FakeSidecar()
    client = connect(sidecar.url, wait=5)
    entering = asyncio.ensure_future(client.__aenter__())
    await asyncio.sleep(0)
    assert not entering.done()
    async with sidecar:
        await sidecar.welcome()
        assert await bounded(entering) is client
        await client.aclose()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("failed_precondition", "version_unsupported"),
        ("unauthenticated", "bad_token"),
        ("resource_exhausted", "too_many_connections"),
    ],
)
def test_a_refused_hello_is_raised(code: str, reason: str) -> None:
    @aio
    async def run() -> None:
        async with FakeSidecar() as sidecar:
            client = connect(sidecar.url)
            entering = asyncio.ensure_future(client.__aenter__())
            peer = await sidecar.accept()
            await peer.next("hello")
            peer.send({"op": "error", "code": code, "reason": reason, "message": "no"})
            with pytest.raises(coagent.AgentError) as caught:
                await bounded(entering)
            assert (caught.value.code, caught.value.reason) == (code, reason)
            await peer.eof()
            await client.aclose()

    run()


@aio
async def test_a_sidecar_that_closes_before_welcome() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        entering = asyncio.ensure_future(client.__aenter__())
        peer = await sidecar.accept()
        peer.close()
        with pytest.raises(coagent.UnavailableError):
            await bounded(entering)


@aio
async def test_a_sidecar_that_never_says_welcome(monkeypatch: Any = None) -> None:
    patch = pytest.MonkeyPatch()
    patch.setattr(_client, "_HELLO_S", 0.02)
    try:
        async with FakeSidecar() as sidecar:
            with pytest.raises(coagent.UnavailableError, match="welcome"):
                await bounded(connect(sidecar.url).__aenter__())
    finally:
        patch.undo()


@aio
async def test_entering_can_be_cancelled() -> None:
    async with FakeSidecar() as sidecar:
        entering = asyncio.ensure_future(connect(sidecar.url).__aenter__())
        peer = await sidecar.accept()
        await peer.next("hello")
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        await peer.eof()


@aio
async def test_ping_is_answered_by_the_reader() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await entered(sidecar, client)
        peer.send({"op": "ping"})
        assert await peer.next() == {"op": "pong"}
        await client.aclose()


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
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await entered(sidecar, client)
        peer.send({"op": "resume", "id": 2, "x": {"y": [1.5, None]}})
        peer.send({"op": "ping", "new_field": {"deep": [None]}})
        assert await peer.next() == {"op": "pong"}
        for reason in ("unknown_op", "bad_field", "missing_field"):
            peer.send({"op": "error", "code": "unimplemented", "reason": reason, "message": ""})
        await peer.nothing()
        assert client.is_connected
        await client.aclose()


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
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await entered(sidecar, client)
        calling = asyncio.ensure_future(client.call("a"))
        await peer.next("call")
        for byte in frame({"op": "data", "id": 1, "end": True}, b'"slowly"'):
            peer.writer.write(bytes([byte]))
            await peer.writer.drain()
            await asyncio.sleep(0)
        assert await bounded(calling) == "slowly"
        await client.aclose()


@aio
async def test_loss_ends_calls_handlers_and_sessions_and_all_is_made_again(
    caplog: Any = None,
) -> None:
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
        go.set()
        got = await peer.next("data")
        assert (got["id"], got.content) == (ident, b"finished")
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
async def test_a_sidecar_that_takes_nothing_cannot_hold_up_close() -> None:
    patch = pytest.MonkeyPatch()
    patch.setattr(_client, "_CLOSE_S", 0.05)
    try:
        async with FakeSidecar() as sidecar:
            client = connect(sidecar.url)
            peer = await entered(sidecar, client)
            peer.reader._transport.pause_reading()  # type: ignore[attr-defined]
            calls = [client.stream("a", b"x" * 4_000_000) for _ in range(4)]
            await bounded(client.aclose())
            assert all(call.is_done for call in calls)
            peer.abort()
    finally:
        patch.undo()


@aio
async def test_two_that_stream_to_each_other_never_wait_for_each_others_reader() -> None:
    """The reader takes frames while the writer is stuck: nothing here can wait for itself."""
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await entered(sidecar, client)
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
        await client.aclose()


@aio
async def test_the_first_frame_of_a_turn_goes_at_once_and_the_rest_together() -> None:
    writes: list[int] = []
    original = asyncio.selector_events._SelectorSocketTransport.write  # type: ignore[attr-defined]
    patch = pytest.MonkeyPatch()
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await entered(sidecar, client)

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
        await client.aclose()


def test_default_places_of_the_sidecar(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("COAGENT_URL", "XDG_RUNTIME_DIR", "TMPDIR", "COAGENT_TOKEN", "COAGENT_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    address = coagent._address
    import os

    assert address.default_url() == f"unix:/tmp/coagent-{os.getuid()}/coagentd.sock"
    monkeypatch.setenv("TMPDIR", "/var/tmp/")
    assert address.default_url() == f"unix:/var/tmp/coagent-{os.getuid()}/coagentd.sock"
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1")
    assert address.default_url() == "unix:/run/user/1/coagent/coagentd.sock"
    monkeypatch.setenv("COAGENT_URL", "tcp://[::1]:99")
    assert address.parse_url(address.default_url()) == ("::1", 99)
    assert address.default_token() is None
    file = tmp_path / "token"
    file.write_text("  from-file\n")
    monkeypatch.setenv("COAGENT_TOKEN_FILE", str(file))
    assert address.default_token() == "from-file"
    monkeypatch.setenv("COAGENT_TOKEN", "from-variable")
    assert address.default_token() == "from-variable"


@aio
async def test_over_tcp_too() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(frame({"op": "welcome", "v": 1, "server": "s", "connection": "c"}))
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with connect(f"tcp://127.0.0.1:{port}", token="t") as client:
        assert client.is_connected
    server.close()
    await server.wait_closed()


logging.getLogger("coagent_client").setLevel(logging.CRITICAL)
