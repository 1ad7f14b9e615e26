"""Instances of a class, one per session, against a scripted sidecar."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from fake_sidecar import FakeSidecar, Peer, aio, answered, entered, failed, registered, until

from coagent_client import Client, Context, connect, operation


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
