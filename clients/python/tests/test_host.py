"""What a host does with the calls it is given, against a scripted sidecar."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fake_sidecar import FakeSidecar, Got, Peer, aio, bounded, entered, until

import coagent_client as coagent
from coagent_client import Client, Context, Message, Part, Reply, connect, operation


async def registered(peer: Peer, *names: str) -> None:
    """Answers the registrations of these names."""
    for name in names:
        register = await peer.next("register")
        assert register["name"] == name
        peer.send({"op": "ok", "id": register["id"]})


async def answered(peer: Peer, ident: int) -> list[Any]:
    """The values of a reply, to its end."""
    values: list[Any] = []
    while True:
        got = await peer.next()
        assert got["id"] == ident, got
        assert got["op"] == "data", got
        if got.content:
            is_text = got.get("content_type") == "text/plain"
            values.append(got.content.decode() if is_text else json.loads(got.content))
        if got.get("end"):
            return values


async def failed(peer: Peer, ident: int) -> Got:
    """The error that ends a call."""
    got = await peer.next("error")
    assert got["id"] == ident
    assert got.content == b""
    return got


@aio
async def test_register_says_all_that_was_given() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url, name="me", token="secret")

        @dataclass
        class Query:
            text: str
            limit: int = 3

        @client.agent(
            "a.b",
            description="Answers",
            version="2",
            labels={"team": "x"},
            concurrency=5,
            session_concurrency=2,
            idle=1.5,
            exclusive=True,
        )
        async def answer(query: Query) -> AsyncIterator[str]:
            """Not this: a description was given."""
            yield query.text

        entering = asyncio.ensure_future(client.__aenter__())
        peer = await sidecar.accept()
        # Hello and register come together, before any welcome.
        hello = await peer.next("hello")
        assert hello.pop("client").startswith("coagent-client-python/")
        assert hello == {"op": "hello", "v": 1, "name": "me", "token": "secret"}
        register = await peer.next("register")
        assert register == {
            "op": "register",
            "id": 1,
            "name": "a.b",
            "description": "Answers",
            "version": "2",
            "labels": {"team": "x"},
            "concurrency": 5,
            "session_concurrency": 2,
            "idle_ms": 1500,
            "exclusive": True,
        }
        assert json.loads(register.content) == [
            {
                "name": "Query",
                "description": "Not this: a description was given.",
                "input": {
                    "title": "Query",
                    "type": "object",
                    "properties": {"text": {"type": "string"}, "limit": {"type": "integer"}},
                    "required": ["text"],
                },
                "output": {"type": "string"},
                "streaming": True,
            }
        ]
        peer.send('{"op":"welcome","v":1,"server":"s","connection":"c","max_content":9999}')
        await bounded(entering)
        await client.aclose()


@aio
async def test_a_registration_can_be_awaited_refused_and_ended() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await entered(sidecar, client)

        async def echo(body: Any) -> Any:
            return body

        registration = client.register("a", echo)
        waiting = asyncio.ensure_future(registration.ready())
        await registered(peer, "a")
        assert await bounded(waiting) is registration
        assert registration.is_registered
        with pytest.raises(coagent.AlreadyExistsError):
            client.register("a", echo)
        ending = asyncio.ensure_future(registration.close())
        assert await peer.next("cancel") == {"op": "cancel", "id": 1}
        # A call that crossed it is still answered.
        ident = peer.call("a", b"1")
        assert await answered(peer, ident) == [1]
        peer.send({"op": "error", "id": 1, "code": "cancelled", "message": ""})
        await bounded(ending)
        assert not registration.is_registered

        refused = client.register("a", echo)
        await peer.next("register")
        peer.send(
            {"op": "error", "id": 3, "code": "permission_denied", "reason": "name_owned"}
            | {"message": "not yours"}
        )
        with pytest.raises(coagent.PermissionDeniedError):
            await bounded(refused.ready())
        with pytest.raises(coagent.PermissionDeniedError):
            await bounded(client.serve())
        await client.aclose()


@aio
async def test_names_and_functions_that_cannot_be_agents_are_refused() -> None:
    client = connect("unix:/nowhere")
    for name in ("", "a:b", "a b"):
        with pytest.raises(coagent.InvalidArgumentError):
            client.register(name, lambda: None)

    class Empty:
        pass

    async def two(first: str, second: str) -> None: ...

    async def keyword(*, only: str) -> None: ...

    async def unknown(value: set[Any] | Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    async def no_json(value: threading.Thread) -> None: ...

    for target in (Empty, two, keyword, unknown, no_json):
        with pytest.raises(TypeError):
            client.register("a", target)
    with pytest.raises(coagent.InvalidArgumentError):
        client.register("a", lambda: None, labels={"a": 1})  # type: ignore[dict-item]


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


class Counter:
    made: list[Counter]
    closed_with: list[str]

    def __init__(self) -> None:
        self.count = 0
        type(self).made.append(self)

    @operation
    async def add(self, by: int) -> int:
        """Adds."""
        self.count += by
        return self.count

    @operation("Get")
    def read(self, context: Context) -> list[Any]:
        return [context.session, self.count]

    @operation("Count", description="Counts up")
    async def up(self) -> AsyncIterator[int]:
        for each in range(self.count):
            yield each

    async def closed(self, reason: str) -> None:
        type(self).closed_with.append(reason)


async def with_counter(sidecar: FakeSidecar) -> tuple[Client, Peer]:
    Counter.made, Counter.closed_with = [], []
    client = connect(sidecar.url)
    client.register("counter", Counter)
    peer = await entered(sidecar, client)
    register = await peer.next("register")
    listed = json.loads(register.content)
    assert [(each["name"], each["streaming"]) for each in listed] == [
        ("add", False),
        ("Get", False),
        ("Count", True),
    ]
    assert [each.get("description") for each in listed] == ["Adds.", None, "Counts up"]
    peer.send({"op": "ok", "id": register["id"]})
    return client, peer


@aio
async def test_a_class_has_one_instance_per_session() -> None:
    async with FakeSidecar() as sidecar:
        client, peer = await with_counter(sidecar)
        add = {"type": "add"}
        assert await answered(peer, peer.call("counter:a", b"1", new=True, **add)) == [1]
        assert await answered(peer, peer.call("counter:a", b"2", **add)) == [3]
        assert await answered(peer, peer.call("counter:b", b"5", new=True, **add)) == [5]
        assert await answered(peer, peer.call("counter:a", type="Get")) == [["a", 3]]
        assert await answered(peer, peer.call("counter:a", type="Count")) == [0, 1, 2]
        assert len(Counter.made) == 2
        # `new` says that what is still here is gone.
        assert await answered(peer, peer.call("counter:a", b"1", new=True, **add)) == [1]
        await until(lambda: Counter.closed_with == ["replaced"])
        # Without a session: an instance for the one call.
        assert await answered(peer, peer.call("counter", b"9", **add)) == [9]
        await until(lambda: Counter.closed_with == ["replaced", "ended"])
        assert len(Counter.made) == 4
        for kind in ("", "Nonsense"):
            error = await failed(peer, peer.call("counter:a", type=kind))
            assert (error["code"], error["reason"]) == ("unimplemented", "unhandled_type")
            assert error["details"]["type"] == kind
        await client.aclose()


@aio
async def test_close_ends_a_session_and_is_answered_after_the_hook() -> None:
    async with FakeSidecar() as sidecar:
        client, peer = await with_counter(sidecar)
        assert await answered(peer, peer.call("counter:a", b"1", new=True, type="add")) == [1]
        peer.last_id += 2
        peer.send({"op": "close", "id": peer.last_id, "to": "counter:a", "reason": "idle"})
        assert await peer.next() == {"op": "ok", "id": peer.last_id}
        assert Counter.closed_with == ["idle"]
        assert await answered(peer, peer.call("counter:a", b"1", new=True, type="add")) == [1]
        peer.last_id += 2
        peer.send({"op": "close", "id": peer.last_id, "to": "counter:none", "reason": "idle"})
        assert await peer.next() == {"op": "ok", "id": peer.last_id}
        await client.aclose()
        assert Counter.closed_with == ["idle", "connection_lost"]


@aio
async def test_a_constructor_that_raises_fails_that_call_and_the_next_tries_again() -> None:
    async with FakeSidecar() as sidecar:
        attempts: list[str] = []

        class Fragile:
            def __init__(self, context: Context) -> None:
                attempts.append(context.session)
                if len(attempts) == 1:
                    raise OSError("no database")

            @operation
            async def ask(self, question: str) -> str:
                return question.upper()

            def closed(self, reason: str) -> None:
                raise ValueError("a failing hook harms nobody")

        client = connect(sidecar.url)
        client.register("fragile", Fragile)
        peer = await entered(sidecar, client)
        await registered(peer, "fragile")
        error = await failed(peer, peer.call("fragile:s", b'"a"', new=True))
        assert (error["code"], error["reason"]) == ("internal", "activation_failed")
        assert error["message"] == "no database"
        assert error["details"]["type"] == "OSError"
        # The only operation takes messages without a type.
        assert await answered(peer, peer.call("fragile:s", b'"a"')) == ["A"]
        assert attempts == ["s", "s"]
        peer.last_id += 2
        peer.send({"op": "close", "id": peer.last_id, "to": "fragile:s", "reason": "idle"})
        assert await peer.next("ok")
        await client.aclose()


@aio
async def test_make_makes_the_instances() -> None:
    async with FakeSidecar() as sidecar:

        class Greeter:
            def __init__(self, greeting: str) -> None:
                self.greeting = greeting

            @operation
            async def greet(self, name: str) -> str:
                return f"{self.greeting}, {name}"

        client = connect(sidecar.url)
        client.register("greeter", Greeter, make=lambda: Greeter("Hi"))
        peer = await entered(sidecar, client)
        await registered(peer, "greeter")
        assert await answered(peer, peer.call("greeter:s", b'"Ada"')) == ["Hi, Ada"]
        await client.aclose()


@aio
async def test_a_call_for_a_name_that_is_not_here_says_that_nobody_saw_it() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await entered(sidecar, client)
        error = await failed(peer, peer.call("stranger"))
        assert (error["code"], error["retry"]) == ("not_found", True)
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
