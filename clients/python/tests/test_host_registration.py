"""What a host says of its agents, and what cannot be one, against a scripted sidecar."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from fake_sidecar import FakeSidecar, aio, answered, bounded, linked, registered

import coagent_client as coagent
from coagent_client import connect


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
        assert hello == {
            "op": "hello",
            "v": 1,
            "features": "signals",
            "name": "me",
            "token": "secret",
        }
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
    async with linked() as (client, peer):

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
