"""Agents and callers together, over a small relay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fake_sidecar import aio, bounded, until
from relay import Relay

import coagent_client as coagent
from coagent_client import Context, Reply, connect, operation


@aio
async def test_call_and_stream() -> None:
    async with Relay() as relay, connect(relay.url) as client:

        @client.agent("words")
        async def words(text: str) -> AsyncIterator[str]:
            for word in text.split():
                yield word

        @client.agent("add")
        async def add(body: dict[str, int], context: Context) -> dict[str, int]:
            return {"sum": sum(body.values())}

        assert [word async for word in client.stream("words", "a b c")] == ["a", "b", "c"]
        assert await client.call("words", "a b c") == "abc"
        assert await client.call("words", "") is None
        assert await client.call("add", {"a": 1, "b": 2}) == {"sum": 3}
        with pytest.raises(coagent.NotFoundError) as caught:
            await client.call("nobody")
        assert caught.value.reason == "unknown_agent"


@aio
async def test_an_exception_arrives_at_the_caller_with_its_cause() -> None:
    async with Relay() as relay, connect(relay.url) as host, connect(relay.url) as caller:

        async def faulty() -> None:
            try:
                {}["a"]
            except KeyError as error:
                raise ValueError("broke") from error

        async def middle(context: Context) -> Any:
            return await context.call("faulty")

        await host.register("faulty", faulty)
        await host.register("middle", middle)
        for address in ("faulty", "middle"):
            with pytest.raises(coagent.InternalError) as caught:
                await caller.call(address)
            error = caught.value
            assert (error.reason, error.message) == ("agent_error", "broke")
            assert error.details["type"] == "ValueError"
            assert str(error.__cause__) == "KeyError: 'a'"
        assert error.details["agent"] == "faulty"


@aio
async def test_a_stream_longer_than_its_window_arrives_whole_and_in_order() -> None:
    async with Relay() as relay, connect(relay.url) as host, connect(relay.url) as caller:

        async def count(n: int) -> AsyncIterator[int]:
            for each in range(n):
                yield each

        def plain(n: int) -> Iterator[int]:
            yield from range(n)

        await host.register("count", count)
        await host.register("plain", plain)
        for name in ("count", "plain"):
            for window in (1, 1000, 1024 * 1024):
                n = 300 if window == 1 else 9000
                reply = caller.stream(name, n, window=window)
                assert [value async for value in reply] == list(range(n))


@aio
async def test_a_conversation_in_both_directions() -> None:
    async with Relay() as relay, connect(relay.url) as host, connect(relay.url) as caller:

        async def shout(lines: AsyncIterator[str]) -> AsyncIterator[str]:
            async for line in lines:
                yield line.upper()

        await host.register("shout", shout)
        async with caller.open("shout") as exchange:
            replies = exchange.__aiter__()
            for line in ("a", "b", "é" * 400_000):
                await exchange.send(line)
                assert await bounded(replies.__anext__()) == line.upper()
            await exchange.end()
            with pytest.raises(StopAsyncIteration):
                await bounded(replies.__anext__())


@aio
async def test_cancelling_goes_down_to_the_agent_through_one_that_passes_on() -> None:
    events: list[str] = []
    async with Relay() as relay, connect(relay.url) as host, connect(relay.url) as caller:

        async def endless() -> AsyncIterator[int]:
            try:
                for each in range(10**9):
                    yield each
            finally:
                events.append("endless ended")

        async def middle(context: Context) -> Reply[Any]:
            return context.stream("endless")

        await host.register("endless", endless)
        await host.register("middle", middle)
        async for value in caller.stream("middle"):
            if value == 10_000:
                break
        await until(lambda: events == ["endless ended"])


@aio
async def test_sessions_are_instances() -> None:
    class Counter:
        def __init__(self) -> None:
            self.count = 0

        @operation
        async def add(self, by: int) -> int:
            self.count += by
            return self.count

    async with Relay() as relay, connect(relay.url) as client:
        client.register("counter", Counter)
        assert await client.call("counter:a", 1) == 1
        assert await client.call("counter:a", 2) == 3
        assert await client.call("counter:b", 5) == 5


@aio
async def test_many_calls_at_once_get_each_their_own_answer() -> None:
    async with Relay() as relay, connect(relay.url) as host, connect(relay.url) as caller:

        async def echo(n: int) -> int:
            await asyncio.sleep(0)
            return n

        await host.register("echo", echo)
        answers = await asyncio.gather(*[caller.call("echo", n) for n in range(2000)])
        assert answers == list(range(2000))


@aio
async def test_bytes_of_any_size_come_back_equal() -> None:
    async with Relay() as relay, connect(relay.url) as client:

        async def echo(body: bytes) -> bytes:
            return body

        await client.register("echo", echo)
        for size in (0, 1, 255 * 1024, 256 * 1024 + 1, 8 * 1024 * 1024):
            body = bytes(range(256)) * (size // 256) + b"\xff" * (size % 256)
            assert await client.call("echo", body) == body


@aio
async def test_a_host_that_goes_away_fails_its_calls() -> None:
    async with Relay() as relay, connect(relay.url) as caller:
        host = await connect(relay.url)
        started = asyncio.Event()

        async def hang() -> None:
            started.set()
            await asyncio.Event().wait()

        await host.register("hang", hang)
        calling = asyncio.ensure_future(caller.call("hang"))
        await bounded(started.wait())
        await host.aclose()
        with pytest.raises(coagent.AgentError):
            await bounded(calling)
