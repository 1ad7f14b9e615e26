"""What a host answers to the calls it is given, against a scripted sidecar."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fake_sidecar import FakeSidecar, aio, answered, entered, failed, registered

from coagent_client import AbortedError, Context, Message, Part, Reply, connect


@aio
async def test_every_kind_of_function_answers() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        threads: set[int] = set()

        @client.agent("coroutine")
        async def coroutine(n: int) -> int:
            return n + 1

        @client.agent("stream")
        async def stream(n: int) -> AsyncIterator[int]:
            for each in range(n):
                yield each

        @client.agent("plain")
        def plain(n: int) -> int:
            threads.add(threading.get_ident())
            return n + 2

        @client.agent("generator")
        def generator(n: int) -> Iterator[int]:
            threads.add(threading.get_ident())
            yield from range(n)

        @client.agent("nothing")
        async def nothing() -> None: ...

        @client.agent("with-default")
        async def with_default(n: int = 7) -> int:
            return n

        class Callable:
            async def __call__(self, n: int) -> int:
                return n * 2

        client.register("object", Callable())
        client.register("lambda", lambda n: [n])
        names = ["coroutine", "stream", "plain", "generator", "nothing", "with-default"]
        peer = await entered(sidecar, client)
        await registered(peer, *names, "object", "lambda")
        for name, content, values in [
            ("coroutine", b"3", [4]),
            ("stream", b"3", [0, 1, 2]),
            ("stream", b"0", []),
            ("plain", b"3", [5]),
            ("generator", b"3", [0, 1, 2]),
            ("nothing", b"3", []),
            ("with-default", b"", [7]),
            ("with-default", b"8", [8]),
            ("object", b"3", [6]),
            ("lambda", b"3", [[3]]),
        ]:
            assert await answered(peer, peer.call(name, content)) == values, name
        assert threads
        assert threading.get_ident() not in threads
        await client.aclose()


@aio
async def test_values_travel_as_text_bytes_json_and_messages() -> None:
    @dataclass
    class Word:
        text: str

    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)

        @client.agent("all")
        async def everything() -> AsyncIterator[Any]:
            yield "text"
            yield b"\x00"
            yield {"a": None}
            yield Word("w")
            yield None
            yield Message.of("m", type="T", ext={"k": True})

        peer = await entered(sidecar, client)
        await registered(peer, "all")
        ident = peer.call("all")
        wanted: list[tuple[dict[str, Any], bytes]] = [
            ({"content_type": "text/plain"}, b"text"),
            ({"content_type": "application/octet-stream"}, b"\x00"),
            ({}, b'{"a":null}'),
            ({"type": "Word"}, b'{"text":"w"}'),
            ({}, b"null"),
            ({"type": "T", "content_type": "text/plain", "ext": {"k": True}}, b"m"),
            ({"end": True}, b""),
        ]
        for fields, content in wanted:
            got = await peer.next()
            assert got == {"op": "data", "id": ident, **fields}
            assert got.content == content
        await client.aclose()


@aio
async def test_parts_make_one_message_that_ends_with_the_reply() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)

        @client.agent("tokens")
        async def tokens(then: str) -> AsyncIterator[Part | str]:
            yield Part("Hel", type="Text")
            yield Part("lo")
            if then:
                yield then

        peer = await entered(sidecar, client)
        await registered(peer, "tokens")
        text = {"content_type": "text/plain", "part": True}
        for then in ("", "next"):
            ident = peer.call("tokens", json.dumps(then).encode())
            first = await peer.next()
            assert first == {"op": "data", "id": ident, "type": "Text", **text}
            assert await peer.next() == {"op": "data", "id": ident, "part": True}
            last = await peer.next()
            assert "part" not in last
            assert last.content == b""
            if then:
                assert last == {"op": "data", "id": ident}
                assert (await peer.next()).content == b"next"
                last = await peer.next()
            assert last["end"] is True
        await client.aclose()


@aio
async def test_an_error_at_a_position_ends_an_open_message_and_the_stream_goes_on() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)

        @client.agent("pages")
        async def pages() -> AsyncIterator[Part | Message | int]:
            yield Part("half of ")
            yield Message(error=AbortedError("no page 2", reason="torn"))
            yield 3

        peer = await entered(sidecar, client)
        await registered(peer, "pages")
        ident = peer.call("pages")
        assert (await peer.next("data"))["part"] is True
        torn = await peer.next("error")
        assert (torn["id"], torn["code"], torn["reason"]) == (ident, "aborted", "torn")
        assert torn["more"] is True
        assert (await peer.next("data")).content == b"3"
        assert await peer.next() == {"op": "data", "id": ident, "end": True}
        await client.aclose()


@aio
async def test_a_large_value_goes_in_parts_within_the_window() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)

        @client.agent("large")
        async def large() -> str:
            return "é" * 1_000_000

        peer = await entered(sidecar, client)
        await registered(peer, "large")
        ident = peer.call("large", window=300_000)
        got = b""
        window = 300_000
        while True:
            piece = await peer.next("data")
            assert window > 0
            window -= len(piece.content) + 256
            got += piece.content
            if piece.get("end"):
                break
            if window <= 0:
                await peer.nothing()
                peer.send({"op": "credit", "id": ident, "bytes": 300_000})
                window += 300_000
        assert got.decode() == "é" * 1_000_000
        await client.aclose()


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_a_generator_is_not_resumed_while_there_is_no_credit(kind: str) -> None:
    resumed = 0

    async def slow() -> AsyncIterator[str]:
        nonlocal resumed
        while True:
            resumed += 1
            yield "x" * 44

    def plain() -> Iterator[str]:
        nonlocal resumed
        while True:
            resumed += 1
            yield "x" * 44

    @aio
    async def run() -> None:
        async with FakeSidecar() as sidecar:
            client = connect(sidecar.url)
            client.register("a", slow if kind == "async" else plain)
            peer = await entered(sidecar, client)
            await registered(peer, "a")
            ident = peer.call("a", window=3 * 300)
            for _ in range(3):
                await peer.next("data")
            await peer.nothing()
            assert resumed == 3
            peer.send({"op": "credit", "id": ident, "bytes": 1})
            await peer.next("data")
            await peer.nothing()
            assert resumed == 4
            peer.send({"op": "cancel", "id": ident, "reason": "cancelled"})
            assert (await failed(peer, ident))["code"] == "cancelled"
            await client.aclose()

    run()


@aio
async def test_input_is_read_as_messages_and_granted_again() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)

        @client.agent("sum")
        async def total(numbers: AsyncIterator[int]) -> int:
            return sum([number async for number in numbers])

        @client.agent("first")
        async def first(head: str, context: Context) -> list[Any]:
            return [head, *[value async for value in context]]

        @client.agent("raw")
        async def raw(context: Context) -> list[str]:
            return [message.type async for message in context.messages()]

        peer = await entered(sidecar, client)
        await registered(peer, "sum", "first", "raw")
        ident = peer.call("sum", b"1", input=True)
        peer.send({"op": "data", "id": ident, "part": True}, b"2")
        peer.send({"op": "data", "id": ident}, b"0")
        peer.send({"op": "data", "id": ident, "end": True})
        assert await answered(peer, ident) == [21]
        ident = peer.call("sum", b"1", input=True)
        peer.send({"op": "data", "id": ident}, b'"no number"')
        assert (await failed(peer, ident))["reason"] == "bad_content"
        ident = peer.call("first", input=True)
        peer.send({"op": "data", "id": ident, "content_type": "text/plain"}, b"head")
        peer.send({"op": "data", "id": ident, "end": True}, b"2")
        assert await answered(peer, ident) == [["head", 2]]
        assert await answered(peer, peer.call("first", b'"h"')) == [["h"]]
        ident = peer.call("raw", b"1", type="A", input=True)
        peer.send({"op": "data", "id": ident, "type": "B", "end": True}, b"2")
        assert await answered(peer, ident) == [["A", "B"]]
        assert await answered(peer, peer.call("raw", b"1", type="A")) == [["A"]]
        assert await answered(peer, peer.call("raw")) == [[]]
        # Half a window, counted as C + 256 each, is granted once it was read.
        ident = peer.call("raw", input=True)
        for _ in range(2):
            peer.send({"op": "data", "id": ident}, b'"' + b"x" * 299_998 + b'"')
        assert await peer.next() == {"op": "credit", "id": ident, "bytes": 2 * 300_256}
        peer.send({"op": "data", "id": ident, "end": True})
        assert await answered(peer, ident) == [["", ""]]
        await client.aclose()


@aio
async def test_input_ends_with_the_call() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)

        @client.agent("hasty")
        async def hasty(head: int) -> int:
            return head

        peer = await entered(sidecar, client)
        await registered(peer, "hasty")
        ident = peer.call("hasty", b"1", input=True)
        assert await answered(peer, ident) == [1]
        peer.send({"op": "data", "id": ident}, b"2")
        peer.send({"op": "data", "id": ident, "end": True})
        await peer.nothing()
        await client.aclose()


@aio
async def test_a_reply_is_passed_on_message_by_message() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)

        @client.agent("front")
        async def front(context: Context) -> Reply[Any]:
            return context.stream("back")

        peer = await entered(sidecar, client)
        await registered(peer, "front")
        ident = peer.call("front")
        child = await peer.next("call")
        peer.send({"op": "data", "id": child["id"], "type": "T", "content_type": "x/y"}, b"\xff")
        got = await peer.next("data")
        assert got == {"op": "data", "id": ident, "type": "T", "content_type": "x/y"}
        assert got.content == b"\xff"
        # The caller leaves: so does this one.
        peer.send({"op": "cancel", "id": ident})
        ends = [await peer.next(), await peer.next()]
        assert sorted((each["op"], each["id"]) for each in ends) == [
            ("cancel", child["id"]),
            ("error", ident),
        ]
        await client.aclose()


@aio
async def test_a_fast_generator_leaves_others_their_turn() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)

        @client.agent("fast")
        async def fast() -> AsyncIterator[str]:
            for _ in range(3000):
                yield ""

        @client.agent("other")
        async def other() -> int:
            return 1

        peer = await entered(sidecar, client)
        await registered(peer, "fast", "other")
        fast_id, other_id = peer.call("fast"), peer.call("other")
        order: list[int] = []
        while len(order) < 3002:
            order.append((await peer.next())["id"])
        assert order.index(other_id) < 1000
        assert order.count(fast_id) == 3001
        await client.aclose()
