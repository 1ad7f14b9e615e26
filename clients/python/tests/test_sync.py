"""The blocking facade, over a small relay in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from relay import Relay

import coagent_client as coagent
from coagent_client import Context
from coagent_client.sync import connect

BOUND_S = 5.0


@pytest.fixture
def url() -> Iterator[str]:
    started: list[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = []
    is_ready = threading.Event()

    async def serve() -> None:
        async with Relay() as relay:
            stop = asyncio.Event()
            started.append((relay.url, asyncio.get_running_loop(), stop))
            is_ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert is_ready.wait(BOUND_S)
    address, loop, stop = started[0]
    yield address
    loop.call_soon_threadsafe(stop.set)
    thread.join(BOUND_S)
    assert not thread.is_alive()


@dataclass
class Pair:
    a: int
    b: int


def test_the_verbs_block(url: str) -> None:
    with connect(url) as client:

        @client.agent("add")
        def add(pair: Pair) -> int:
            return pair.a + pair.b

        @client.agent("count")
        async def count(n: int) -> AsyncIterator[int]:
            for each in range(n):
                yield each

        @client.agent("shout")
        async def shout(lines: AsyncIterator[str]) -> AsyncIterator[str]:
            async for line in lines:
                yield line.upper()

        assert client.call("add", {"a": 1, "b": 2}) == 3
        assert client.call("add", Pair(1, 2), returns=int) == 3
        reply = client.stream("count", 5000)
        assert list(reply) == list(range(5000))
        assert list(reply) == list(range(5000))
        assert [message.value for message in reply.messages()][:2] == [0, 1]
        assert reply.whole() == list(range(5000))
        assert list(client.stream("shout", "a").parts()) == ["A"]
        with client.open("shout") as exchange:
            exchange.send("b")
            assert next(iter(exchange)) == "B"
        client.send("add", {"a": 1, "b": 2}, ack=False)
        with pytest.raises(coagent.NotFoundError):
            client.call("nobody")
        with pytest.raises(coagent.NotFoundError):
            list(client.stream("nobody"))
        with pytest.raises(coagent.InvalidArgumentError):
            client.stream("bad address")
        assert client.url == url


def test_what_was_read_before_an_error_is_not_lost(url: str) -> None:
    with connect(url) as client:

        @client.agent("breaks")
        def breaks() -> Iterator[int]:
            yield from range(10)
            raise ValueError("then")

        seen: list[int] = []
        with pytest.raises(coagent.InternalError):
            for value in client.stream("breaks"):
                seen.append(value)
        assert seen == list(range(10))


def test_leaving_a_loop_cancels_the_call(url: str) -> None:
    ended = threading.Event()
    with connect(url) as client:

        @client.agent("endless")
        async def endless() -> AsyncIterator[int]:
            try:
                for each in range(10**9):
                    yield each
            finally:
                ended.set()

        for value in client.stream("endless"):
            if value > 100:
                break
        assert ended.wait(BOUND_S)


def test_an_interrupted_wait_cancels_the_call(url: str, monkeypatch: Any) -> None:
    started, ended = threading.Event(), threading.Event()
    with connect(url) as client:

        @client.agent("hangs")
        async def hangs() -> None:
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        from concurrent.futures import Future

        original = Future.result

        def interrupted(self: Any, timeout: Any = None) -> Any:
            assert started.wait(BOUND_S)
            raise KeyboardInterrupt

        monkeypatch.setattr(Future, "result", interrupted)
        with pytest.raises(KeyboardInterrupt):
            client.call("hangs")
        monkeypatch.setattr(Future, "result", original)
        assert ended.wait(BOUND_S)


def test_plain_agents_may_use_the_client_and_their_calls_are_children(url: str) -> None:
    parents: list[str] = []
    with connect(url) as client:

        @client.agent("inner")
        def inner(context: Context) -> str:
            parents.append(context.trace)
            return "inner"

        @client.agent("outer")
        def outer() -> Any:
            return client.call("inner")

        assert client.call("outer", trace="t") == "inner"
        assert parents == ["t"]


def test_registrations_end_with_their_block(url: str) -> None:
    with connect(url) as client:
        with client.register("a", lambda: 1) as registration:
            assert registration.name == "a"
            assert client.call("a") == 1
        with pytest.raises(coagent.NotFoundError):
            client.call("a")


def test_it_cannot_be_used_from_its_own_loop_nor_outside_with(url: str) -> None:
    client = connect(url)
    with pytest.raises(RuntimeError, match="with connect"):
        client.call("a")
    with client:

        @client.agent("wrong")
        async def wrong() -> Any:
            return client.call("a")

        with pytest.raises(coagent.InternalError, match="wait for itself"):
            client.call("wrong")
    client.close()


def test_a_failed_start_leaves_no_thread() -> None:
    before = threading.active_count()
    with pytest.raises(coagent.UnavailableError), connect("unix:/tmp/no-such-socket"):
        pass
    assert threading.active_count() == before


def test_watch_is_a_generator() -> None:
    """Against a relay there is no discovery: the error comes out of the loop."""
    with pytest.raises(RuntimeError):
        connect("unix:/tmp/x").watch()
