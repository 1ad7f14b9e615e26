"""Agents and callers together, over a small relay."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fake_sidecar import aio
from relay import Relay

import coagent_client as coagent
from coagent_client import Context, connect


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
