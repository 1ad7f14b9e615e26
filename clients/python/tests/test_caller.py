"""What a caller writes and makes of the answers, against a scripted sidecar."""

from __future__ import annotations

import asyncio
import gc
import json
from dataclasses import dataclass
from typing import Any

import pytest
from fake_sidecar import FakeSidecar, Peer, aio, bounded, until

import coagent_client as coagent
from coagent_client import Client, Message, connect

WINDOW = 1024 * 1024


async def start(sidecar: FakeSidecar, client: Client) -> Peer:
    """The sidecar's end of a client that is being entered."""
    entering = asyncio.ensure_future(client.__aenter__())
    peer = await sidecar.welcome()
    await bounded(entering)
    return peer


def answer(peer: Peer, ident: int, value: Any, **fields: Any) -> None:
    peer.send({"op": "data", "id": ident, **fields}, json.dumps(value).encode())


@aio
async def test_a_call_says_what_it_wants_and_gives_the_value() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
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
        async with FakeSidecar() as sidecar:
            client = connect(sidecar.url)
            peer = await start(sidecar, client)
            calling = asyncio.ensure_future(client.call("a"))
            await peer.next("call")
            for fields, content in frames:
                peer.send({"op": "data", "id": 1, **fields}, content)
            if not any(fields.get("end") for fields, _ in frames):
                peer.send({"op": "data", "id": 1, "end": True})
            assert await bounded(calling) == value
            await client.aclose()

    run()


@aio
async def test_content_that_is_not_what_it_claims_is_an_error_of_that_call() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
        for content, kind in [(b"{", None), (b"\xff", "text/plain"), (b"[" * 100_000, None)]:
            calling = asyncio.ensure_future(client.call("a"))
            ident = (await peer.next("call"))["id"]
            fields = {"content_type": kind} if kind else {}
            peer.send({"op": "data", "id": ident, "end": True, **fields}, content)
            with pytest.raises(coagent.InvalidArgumentError) as caught:
                await bounded(calling)
            assert caught.value.reason == "bad_content"
        await client.aclose()


@aio
async def test_several_readers_early_and_late_read_the_same() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
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
        await client.aclose()


@aio
async def test_messages_show_type_content_type_and_ext() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
        reply = client.stream("a")
        await peer.next("call")
        peer.send(
            {"op": "data", "id": 1, "type": "T", "content_type": "x/y", "ext": {"k": 1}}, b"c"
        )
        peer.send({"op": "data", "id": 1, "end": True})
        messages = [message async for message in reply.messages()]
        assert messages == [Message(b"c", "x/y", "T", {"k": 1})]
        await client.aclose()


@aio
async def test_parts_come_as_they_are_sent() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
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
        await client.aclose()


@aio
async def test_errors_are_raised_by_code_with_their_causes() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
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
        await client.aclose()


@aio
async def test_a_code_of_a_later_version_reads_as_internal() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
        calling = asyncio.ensure_future(client.call("a"))
        await peer.next("call")
        peer.send({"op": "error", "id": 1, "code": "teapot", "message": "short"})
        with pytest.raises(coagent.InternalError) as caught:
            await bounded(calling)
        assert caught.value.details["code"] == "teapot"
        await client.aclose()


@aio
async def test_an_error_at_a_position_ends_its_message_and_not_the_stream() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
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
        await client.aclose()


@aio
async def test_leaving_a_loop_cancels_the_call() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)

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
        await client.aclose()


@aio
async def test_a_cancelled_task_cancels_the_call() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
        calling = asyncio.ensure_future(client.call("a"))
        await peer.next("call")
        calling.cancel()
        assert (await peer.next("cancel"))["id"] == 1
        assert calling.cancelled()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.call("a"), 0.001)
        assert (await peer.next("call"))["id"] == 3
        assert (await peer.next("cancel"))["id"] == 3
        await client.aclose()


@aio
async def test_one_reader_of_two_that_leaves_cancels_nothing() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
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
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
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
        await client.aclose()


@aio
async def test_credit_is_granted_for_what_was_read_half_a_window_at_a_time() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
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
        await client.aclose()


@aio
async def test_a_slower_reader_grants_nothing_and_loses_nothing() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
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
        await client.aclose()


@aio
async def test_frames_that_were_read_are_freed_unless_the_reply_is_kept() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
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
        await client.aclose()


@aio
async def test_a_lazy_call_starts_with_its_first_reader() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
        reply = client.stream("a", lazy=True)
        call = await peer.next("call")
        assert (call["window"], call["lazy"]) == (0, True)
        reading = asyncio.ensure_future(reply.whole())
        assert (await peer.next("credit"))["bytes"] == WINDOW
        answer(peer, 1, 1, end=True)
        assert await bounded(reading) == 1
        await client.aclose()


@aio
async def test_an_exchange_sends_while_there_is_credit() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
        exchange = client.open("a", type="Chat")
        call = await peer.next("call")
        assert (call["input"], call["type"], call.content) == (True, "Chat", b"")
        await exchange.send({"n": 1}, type="Note")
        sent = await peer.next("data")
        assert (sent["type"], sent.content) == ("Note", b'{"n":1}')
        # 263 bytes are spent; the next overdraws the window, the one after waits.
        await exchange.send("x" * (256 * 1024))
        await exchange.send("x" * (256 * 1024))
        await exchange.send("x" * (256 * 1024))
        await exchange.send("x" * (256 * 1024))
        for _ in range(4):
            assert len((await peer.next("data")).content) == 256 * 1024
        waiting = asyncio.ensure_future(exchange.send("behind"))
        ending = asyncio.ensure_future(exchange.end())
        await peer.nothing()
        assert not waiting.done()
        peer.send({"op": "credit", "id": 1, "bytes": 10_000})
        await bounded(waiting)
        assert (await peer.next("data")).content == b"behind"
        await bounded(ending)
        assert await peer.next() == {"op": "data", "id": 1, "end": True}
        with pytest.raises(coagent.FailedPreconditionError):
            await exchange.send("too late")
        answer(peer, 1, "done", end=True)
        assert await exchange == "done"
        await client.aclose()


@aio
async def test_a_sender_that_waits_for_credit_hears_of_the_end() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
        exchange = client.open("a", b"x" * (2 * WINDOW))
        await peer.next("call")
        waiting = asyncio.ensure_future(exchange.send("never"))
        await asyncio.sleep(0)
        peer.send({"op": "error", "id": 1, "code": "aborted", "message": "enough"})
        with pytest.raises(coagent.AbortedError):
            await bounded(waiting)
        with pytest.raises(coagent.AbortedError):
            await exchange
        await client.aclose()


@aio
async def test_a_body_over_the_frame_limit_goes_in_parts() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        entering = asyncio.ensure_future(client.__aenter__())
        peer = await sidecar.welcome(max_content=600_000)
        await bounded(entering)
        text = "é" * 450_000
        calling = asyncio.ensure_future(client.call("a", text))
        call = await peer.next("call")
        assert (call["input"], call.content) == (True, b"")
        pieces = []
        while True:
            piece = await peer.next("data")
            assert len(piece.content) <= 256 * 1024
            piece.content.decode()  # Cut between characters.
            assert ("content_type" in piece) == (not pieces)
            assert piece.get("part", False) != piece.get("end", False)
            pieces.append(piece.content)
            if piece.get("end"):
                break
        assert b"".join(pieces).decode() == text
        answer(peer, 1, "ok", end=True)
        assert await bounded(calling) == "ok"
        await client.aclose()


@aio
async def test_large_messages_of_two_tasks_do_not_mix() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
        exchange = client.open("a")
        await peer.next("call")
        sends = [asyncio.ensure_future(exchange.send(letter * 700_000)) for letter in (b"a", b"b")]
        got = b""
        while len(got) < 1_400_000:
            piece = await peer.next("data")
            got += piece.content
            peer.send({"op": "credit", "id": 1, "bytes": len(piece.content) + 256})
        assert got == b"a" * 700_000 + b"b" * 700_000
        for send in sends:
            await bounded(send)
        await client.aclose()


@aio
async def test_send_waits_for_its_acknowledgement() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
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
        await client.aclose()


@aio
async def test_only_what_no_agent_saw_is_repeated_and_not_for_ever() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url, repeats=2)
        peer = await start(sidecar, client)
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
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
        calling = asyncio.ensure_future(client.call("a", timeout=10))
        first = await peer.next("call")
        error = {"op": "error", "code": "resource_exhausted", "message": "", "retry": True}
        peer.send({**error, "id": 1, "details": {"retry_after_ms": 30}})
        second = await peer.next("call")
        assert second["timeout_ms"] <= first["timeout_ms"] - 30
        peer.send({**error, "id": 3, "details": {"retry_after_ms": 60_000}})
        with pytest.raises(coagent.ResourceExhaustedError):
            await bounded(calling)
        await client.aclose()


@aio
async def test_nothing_is_repeated_once_input_may_have_gone() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
        exchange = client.open("a", "hello")
        await peer.next("call")
        peer.send({"op": "error", "id": 1, "code": "unavailable", "message": "", "retry": True})
        with pytest.raises(coagent.UnavailableError):
            await exchange
        await client.aclose()


@aio
async def test_a_deadline_that_is_over_needs_no_sidecar() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        await start(sidecar, client)
        with pytest.raises(coagent.DeadlineExceededError):
            await client.call("a", timeout=0)
        await client.aclose()


@aio
async def test_a_deadline_the_sidecar_lets_pass_ends_here() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
        calling = asyncio.ensure_future(client.call("a", timeout=0.05))
        await peer.next("call")
        with pytest.raises(coagent.DeadlineExceededError):
            await bounded(calling)
        assert (await peer.next("cancel"))["id"] == 1
        await client.aclose()


@aio
async def test_times_are_whole_milliseconds() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
        reply = client.stream("a", timeout=1.23456)
        assert type((await peer.next("call"))["timeout_ms"]) is int
        await reply.aclose()
        await client.aclose()


@pytest.mark.parametrize(
    "address", ["", ".a", "a.", "a..b", "a b", "é", "a:", "a:b c", "a:\x7f", "a" * 129]
)
def test_bad_addresses_are_refused_before_they_are_sent(address: str) -> None:
    @aio
    async def run() -> None:
        async with FakeSidecar() as sidecar:
            client = connect(sidecar.url)
            await start(sidecar, client)
            with pytest.raises(coagent.InvalidArgumentError) as caught:
                await client.call(address)
            assert caught.value.reason == "bad_address"
            await client.aclose()

    run()


@aio
async def test_values_that_cannot_be_sent_are_refused_before_they_are() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        await start(sidecar, client)
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
        await client.aclose()


@dataclass
class Answer:
    text: str
    score: float = 0.0


@aio
async def test_returns_makes_values_of_a_type() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
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
        await client.aclose()


@aio
async def test_discover_and_watch() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
        finding = asyncio.ensure_future(
            client.discover("a", recursive=True, detailed=True, labels={"k": "v"})
        )
        call = await peer.next("call")
        assert (call["to"], call["type"]) == ("discovery", "DiscoveryQuery")
        assert json.loads(call.content) == {
            "namespace": "a",
            "recursive": True,
            "inclusive": False,
            "detailed": True,
            "labels": {"k": "v"},
        }
        operations = [{"name": "Text", "input": {"type": "string"}, "streaming": True}]
        card = {"name": "a.x", "description": "d", "version": "1", "labels": {"k": "v"}}
        agents = [{**card, "operations": operations, "replicas": 2}]
        answer(peer, 1, {"revision": 3, "agents": agents}, type="DiscoveryReply", end=True)
        [found] = await bounded(finding)
        assert (found.name, found.address, found.replicas) == ("a.x", "a.x", 2)
        assert found.operations[0].streaming

        watch = client.watch("a")
        assert (await peer.next("call"))["type"] == "DiscoveryWatch"
        answer(peer, 3, {"revision": 3, "agents": [card]}, type="DiscoverySnapshot")
        change = await bounded(watch.__anext__())
        assert (change.is_snapshot, change.revision) == (True, 3)
        assert change.registered[0].name == "a.x"
        gone = {"revision": 4, "registered": [], "deregistered": ["a.x"]}
        answer(peer, 3, gone, type="DiscoveryChange")
        change = await bounded(watch.__anext__())
        assert (change.is_snapshot, change.deregistered) == (False, ("a.x",))
        # Lost: it goes on from the last revision on the next connection.
        peer.abort()
        going_on = asyncio.ensure_future(watch.__anext__())
        peer = await sidecar.welcome()
        again = await peer.next("call")
        assert json.loads(again.content)["from_revision"] == 4
        answer(peer, again["id"], {"revision": 9, "agents": []}, type="DiscoverySnapshot")
        assert (await bounded(going_on)).revision == 9
        await watch.aclose()
        await peer.next("cancel")
        with pytest.raises(StopAsyncIteration):
            await watch.__anext__()
        await client.aclose()


@aio
async def test_a_client_is_for_the_thread_of_its_loop() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        with pytest.raises(RuntimeError, match="not connected"):
            client.stream("a")
        await start(sidecar, client)
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
        peer = await start(sidecar, client)
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


@aio
async def test_an_exchange_opened_without_a_connection_sends_once_there_is_one() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await start(sidecar, client)
        peer.send({"op": "goodbye", "reason": "shutdown", "timeout_ms": 1000})
        await peer.nothing()
        exchange = client.open("a", timeout=float("inf"))
        sending = asyncio.ensure_future(exchange.send("early"))
        await peer.nothing()
        peer.close()
        peer = await sidecar.welcome()
        assert "timeout_ms" not in await peer.next("call")
        assert (await peer.next("data")).content == b"early"
        await bounded(sending)
        await client.aclose()
