"""Hooks for signals, beside what runs, against a scripted sidecar."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fake_sidecar import (
    FakeSidecar,
    Peer,
    aio,
    answered,
    bounded,
    entered,
    failed,
    hosting,
    registered,
)

from coagent_client import AbortedError, Context, Message, Signal, connect, operation


class Room:
    """Works until it is told to stop."""

    made: list[Room]

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.stopping = asyncio.Event()
        self.made.append(self)

    @operation
    async def work(self, context: Context) -> str:
        await bounded(self.stopping.wait())
        return f"stopped by {self.told[-1]}"

    async def on_interrupt(self, payload: Any, context: Context) -> None:
        assert context.session
        await asyncio.sleep(0)
        self.told.append(payload)
        self.stopping.set()

    async def on_signal(self, name: str, payload: Message, signal: Signal) -> None:
        self.told.append((name, payload.value, signal.sender, signal.address))


@pytest.fixture(autouse=True)
def nothing_made() -> None:
    Room.made = []


async def ok(peer: Peer, ident: int) -> None:
    assert await peer.next() == {"op": "ok", "id": ident}


@aio
async def test_a_hook_hears_of_an_interrupt_and_nothing_is_disturbed() -> None:
    async with hosting(room=Room) as (_, peer):
        first = peer.call("room:a", new=True)
        other = peer.call("room:b", new=True)
        ident = peer.signal("interrupt", b"1", call=first)
        await ok(peer, ident)
        assert await answered(peer, first) == ["stopped by 1"]
        await peer.nothing()
        assert [each.told for each in Room.made] == [[1], []]
        await ok(peer, peer.signal("interrupt", b"2", call=other))
        assert await answered(peer, other) == ["stopped by 2"]


@aio
async def test_a_hook_that_fails_ends_the_call_with_its_error() -> None:
    class Work:
        @operation
        async def work(self) -> None:
            await asyncio.Event().wait()

        def on_interrupt(self, payload: str) -> None:
            raise AbortedError(f"no {payload}", reason="not_now")

    async with hosting(work=Work) as (_, peer):
        call = peer.call("work")
        await ok(peer, peer.signal("interrupt", b'"x"', call=call))
        error = await failed(peer, call)
        assert (error["code"], error["reason"]) == ("aborted", "not_now")
        assert error["message"] == "no x"
        call = peer.call("work")
        ident = peer.signal("interrupt", b"1", call=call)
        assert (await failed(peer, ident))["reason"] == "bad_content"  # It wants a text.
        await peer.nothing()


@aio
async def test_hooks_given_for_a_function_hear_of_its_calls() -> None:
    told: list[Any] = []
    go_on = asyncio.Event()

    async def work(context: Context) -> str:
        await bounded(go_on.wait())
        return "undisturbed"

    async def interrupted(payload: Any, context: Context) -> None:
        assert context.interrupted is not None
        told.append((payload, context.address, context.interrupted.sender))

    def signalled(name: str, payload: Any, signal: Signal) -> None:
        told.append((name, payload, signal.context is not None))

    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        client.register("work", work, on_interrupt=interrupted, on_signal=signalled)
        peer = await entered(sidecar, client)
        await registered(peer, "work")
        call = peer.call("work")
        await ok(peer, peer.signal("interrupt", b"1", call=call, **{"from": "boss"}))
        await ok(peer, peer.signal("note.one", b"2", call=call))
        await ok(peer, peer.signal("note.all", b"3", to="work"))
        go_on.set()
        assert await answered(peer, call) == ["undisturbed"]
        assert told == [(1, "work", "boss"), ("note.one", 2, True), ("note.all", 3, False)]
        await client.aclose()


@aio
async def test_signals_of_its_own_reach_the_instance_the_call_or_all() -> None:
    async with hosting(room=Room) as (_, peer):
        calls = [peer.call(f"room:{each}", new=True) for each in "ab"]
        text = {"content_type": "text/plain", "from": "me"}
        await ok(peer, peer.signal("note.a", b"1", to="room:a", **text))
        await ok(peer, peer.signal("note.b", b"2", call=calls[1]))
        await ok(peer, peer.signal("note.all", b"3", to="room"))
        assert [each.told for each in Room.made] == [
            [("note.a", "1", "me", "room:a"), ("note.all", 3, "", "room")],
            [("note.b", 2, "", "room:b"), ("note.all", 3, "", "room")],
        ]


@aio
async def test_the_answer_is_the_hooks_and_nothing_else_hears_of_it() -> None:
    begun = asyncio.Event()
    go_on = asyncio.Event()

    class Slow(Room):
        async def on_signal(self, name: str) -> None:  # type: ignore[override]
            begun.set()
            await bounded(go_on.wait())
            raise AbortedError("not now", reason="not_now")

    async with hosting(slow=Slow) as (_, peer):
        call = peer.call("slow:a", new=True)
        ident = peer.signal("note.a", to="slow:a")
        await bounded(begun.wait())
        await peer.nothing()
        go_on.set()
        assert (await failed(peer, ident))["reason"] == "not_now"
        await ok(peer, peer.signal("interrupt", b"1", call=call))
        assert await answered(peer, call) == ["stopped by 1"]


@aio
async def test_what_nothing_takes_is_said() -> None:
    async def work() -> None:
        await asyncio.Event().wait()

    async with hosting(work=work, room=Room) as (_, peer):
        call = peer.call("work")
        for whom, reason in [
            ({"call": call}, "unhandled_signal"),
            ({"to": "work"}, "unhandled_signal"),
            ({"to": "room:nobody"}, "not_running"),
            ({"to": "nobody"}, "unknown_agent"),
        ]:
            assert (await failed(peer, peer.signal("note.a", **whom)))["reason"] == reason
        await peer.nothing()


@aio
async def test_a_hook_serves_the_call_and_ends_with_the_connection() -> None:
    ended = asyncio.Event()

    class Asking(Room):
        async def on_signal(self, name: str, payload: Any, signal: Signal) -> None:
            assert signal.context is not None
            try:
                await signal.context.call("b")
            finally:
                ended.set()

    async with hosting(asking=Asking) as (_, peer):
        call = peer.call("asking:a", new=True)
        peer.signal("note.a", call=call)
        assert (await peer.next("call"))["parent"] == call
        peer.close()
        await bounded(ended.wait())


def test_a_hook_that_takes_too_much_is_refused() -> None:
    def wrong(payload: Any, and_more: Any) -> None: ...

    async def work() -> None: ...

    with pytest.raises(TypeError, match="and_more"):
        connect("unix:/nowhere").register("work", work, on_interrupt=wrong)
