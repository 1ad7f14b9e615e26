"""One value of several messages: how they are collected, against a scripted sidecar."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest
from fake_sidecar import aio, bounded, linked

from coagent_client import AbortedError, InvalidArgumentError

TEXT = "text/plain"
BYTES = "application/octet-stream"
JSON = "application/json"


@pytest.mark.parametrize(
    ("collect", "messages", "wanted"),
    [
        (None, [(TEXT, b"a"), (TEXT, b"b")], "ab"),
        (None, [(TEXT, b"a"), (JSON, b"1")], ["a", 1]),
        ("join", [(TEXT, b"a"), (TEXT, b"b")], "ab"),
        ("join", [(BYTES, b"\x00"), (BYTES, b"\x01")], b"\x00\x01"),
        ("join", [], ""),
        ("list", [(TEXT, b"a"), (TEXT, b"b")], ["a", "b"]),
        ("list", [(JSON, b"1")], [1]),
        ("list", [], []),
        ("last", [(JSON, b"1"), (TEXT, b"b")], "b"),
        ("last", [], None),
    ],
)
def test_messages_make_the_value_that_was_asked_for(
    collect: Literal["join", "list", "last"] | None,
    messages: list[tuple[str, bytes]],
    wanted: Any,
) -> None:
    async def run() -> None:
        async with linked() as (client, peer):
            work = [client.call("a", collect=collect), client.stream("a").whole(collect)]
            futures = [asyncio.ensure_future(each) for each in work]
            for _ in work:
                ident = (await peer.next("call"))["id"]
                for content_type, content in messages:
                    header = {"op": "data", "id": ident, "content_type": content_type}
                    peer.send(header, content)
                peer.send({"op": "data", "id": ident, "end": True})
            for future in futures:
                assert await bounded(future) == wanted

    aio(run)()


@pytest.mark.parametrize("collect", ["join", "list", "last"])
def test_what_fails_or_does_not_join_is_raised(collect: Literal["join", "list", "last"]) -> None:
    async def run() -> None:
        async with linked() as (client, peer):
            calling = asyncio.ensure_future(client.call("a", collect=collect))
            ident = (await peer.next("call"))["id"]
            peer.send({"op": "data", "id": ident}, b"1")
            peer.send({"op": "error", "id": ident, "code": "aborted"})
            with pytest.raises(AbortedError):
                await bounded(calling)
            calling = asyncio.ensure_future(client.call("a", collect="join"))
            ident = (await peer.next("call"))["id"]
            peer.send({"op": "data", "id": ident, "end": True}, b"1")
            with pytest.raises(InvalidArgumentError) as caught:
                await bounded(calling)
            assert caught.value.reason == "bad_content"

    aio(run)()
