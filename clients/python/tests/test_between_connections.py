"""What is begun between connections, or while the sidecar drains, waits for the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from fake_sidecar import FakeSidecar, Peer, aio, answer, bounded, entered, registered, until

from coagent_client import (
    AgentError,
    Client,
    Context,
    DeadlineExceededError,
    Subscription,
    UnavailableError,
    connect,
)

pytestmark = pytest.mark.usefixtures("quick_backoff")

VERBS: list[tuple[Callable[[Client], Any], str]] = [
    (lambda client: client.call("a", timeout=20), "call"),
    (lambda client: client.stream("a").whole(), "call"),
    (lambda client: client.call("a", run="r"), "call"),
    (lambda client: client.attach("r").whole(), "call"),
    (lambda client: client.open("a", "x").whole(), "call"),
    (lambda client: client.discover(), "call"),
    (lambda client: client.send("a", timeout=20), "send"),
    (lambda client: client.publish("t"), "publish"),
    (lambda client: client.register("me", _nothing).ready(), "register"),
    (lambda client: client.subscribe("t").ready(), "subscribe"),
]


async def _nothing() -> None: ...


def settled(peer: Peer, op: str, ident: int) -> None:
    if op == "call":
        answer(peer, ident, {"agents": []}, end=True)
    else:
        peer.send({"op": "ok", "id": ident})


async def done(peer: Peer, op: str, work: asyncio.Future[Any]) -> None:
    """It comes here, and is answered."""
    got = await peer.next(op)
    settled(peer, op, got["id"])
    await bounded(work)


@pytest.mark.parametrize(("verb", "op"), VERBS)
def test_it_waits_for_the_next_connection(verb: Callable[[Client], Any], op: str) -> None:
    async def run() -> None:
        async with FakeSidecar() as sidecar:
            client = connect(sidecar.url)
            peer = await entered(sidecar, client)
            await sidecar.stop()
            await until(lambda: not client.is_connected)
            work = asyncio.ensure_future(verb(client))
            await asyncio.sleep(0)
            await sidecar.listen()
            peer = await sidecar.welcome()
            await done(peer, op, work)
            await client.aclose()

    aio(run)()


@pytest.mark.parametrize(("verb", "op"), VERBS)
def test_it_waits_while_the_sidecar_drains(verb: Callable[[Client], Any], op: str) -> None:
    async def run() -> None:
        async with FakeSidecar() as sidecar:
            client = connect(sidecar.url)
            peer = await entered(sidecar, client)
            peer.send({"op": "goodbye", "reason": "shutdown", "timeout_ms": 10_000})
            await peer.nothing()
            work = asyncio.ensure_future(verb(client))
            await peer.nothing()
            assert not work.done()
            peer.close()
            await done(await sidecar.welcome(), op, work)
            await client.aclose()

    aio(run)()


@pytest.mark.parametrize(("verb", "op"), VERBS)
def test_one_that_crossed_the_goodbye_is_made_again(
    verb: Callable[[Client], Any], op: str
) -> None:
    async def run() -> None:
        async with FakeSidecar() as sidecar:
            client = connect(sidecar.url)
            peer = await entered(sidecar, client)
            work = asyncio.ensure_future(verb(client))
            got = await peer.next(op)
            if got.get("input"):
                return  # What has sent input is never made again.
            peer.send({"op": "goodbye", "reason": "shutdown", "timeout_ms": 10_000})
            draining = {"code": "unavailable", "reason": "draining", "retry": True}
            peer.send({"op": "error", "id": got["id"], **draining})
            await peer.nothing()
            peer.close()
            await done(await sidecar.welcome(), op, work)
            await client.aclose()

    aio(run)()


@pytest.mark.parametrize(
    "verb",
    [
        lambda client: client.call("a", timeout=0.02),
        lambda client: client.stream("a", timeout=0.02).whole(),
        lambda client: client.attach("r", timeout=0.02).whole(),
        lambda client: client.send("a", timeout=0.02),
        lambda client: client.send("a", timeout=0.02, ack=False),
        lambda client: client.interrupt("a:s", timeout=0.02),
    ],
)
def test_it_waits_no_longer_than_its_time(verb: Callable[[Client], Any]) -> None:
    async def run() -> None:
        async with FakeSidecar() as sidecar:
            client = connect(sidecar.url)
            await entered(sidecar, client)
            await sidecar.stop()
            await until(lambda: not client.is_connected)
            with pytest.raises(DeadlineExceededError):
                await bounded(verb(client))
            await client.aclose()

    aio(run)()


@aio
async def test_who_waits_when_the_client_is_closed_is_told() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        await entered(sidecar, client)
        await sidecar.stop()
        await until(lambda: not client.is_connected)
        waiting = [asyncio.ensure_future(verb(client)) for verb, _ in VERBS]
        await asyncio.sleep(0)
        await client.aclose()
        for each in waiting:
            with pytest.raises(AgentError) as caught:
                await bounded(each)
            assert caught.value.code == "unavailable"


@aio
async def test_children_of_a_call_in_flight_go_where_it_came_from() -> None:
    async def agent(context: Context) -> Any:
        await context.send("b")
        return await context.call("c")

    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        client.register("agent", agent)
        peer = await entered(sidecar, client)
        await registered(peer, "agent")
        call = peer.call("agent")
        peer.send({"op": "goodbye", "reason": "shutdown", "timeout_ms": 10_000})
        sent = await peer.next("send")
        assert sent["parent"] == call
        peer.send({"op": "ok", "id": sent["id"]})
        child = await peer.next("call")
        assert child["parent"] == call
        answer(peer, child["id"], 5, end=True)
        assert (await peer.next("data")).content == b"5"
        await client.aclose()


async def _subscribed(client: Client, peer: Peer) -> Subscription:
    reading = client.subscribe("t")
    peer.send({"op": "ok", "id": (await peer.next("subscribe"))["id"]})
    return await bounded(reading.ready())


@aio
async def test_one_that_its_operator_drained_is_refused_and_serves_what_it_has() -> None:
    go_on = asyncio.Event()

    async def agent() -> int:
        await bounded(go_on.wait())
        return 1

    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url, repeats=0)
        registration = client.register("agent", agent)
        peer = await entered(sidecar, client)
        await registered(peer, "agent")
        serving = asyncio.ensure_future(client.serve())
        reading = await _subscribed(client, peer)
        watching = asyncio.ensure_future(anext(client.watch()))
        watch = (await peer.next("call"))["id"]
        call = peer.call("agent")
        peer.send({"op": "goodbye", "reason": "drained", "timeout_ms": 10_000})
        shutdown = {"code": "unavailable", "reason": "shutdown"}
        peer.send({"op": "error", "id": watch, **shutdown})
        for ended in (anext(reading), watching):
            with pytest.raises(UnavailableError):
                await bounded(ended)
        assert not registration.is_registered
        for verb, op in VERBS:  # There is no next connection to wait for.
            work = asyncio.ensure_future(verb(client))
            got = await peer.next(op)
            draining = {"code": "unavailable", "reason": "draining", "retry": True}
            peer.send({"op": "error", "id": got["id"], **draining})
            with pytest.raises(AgentError) as caught:
                await bounded(work)
            assert caught.value.reason == "draining"
        assert not serving.done()
        go_on.set()
        got = await peer.next("data")
        while got["id"] != call:  # The input of an exchange that was refused.
            got = await peer.next("data")
        assert got.content == b"1"
        await bounded(serving)
        await client.aclose()


@pytest.mark.parametrize("op", ["call", "send"])
def test_whom_it_asks_for_may_be_back_a_little_later(op: str) -> None:
    async def run() -> None:
        async with FakeSidecar() as sidecar:
            client = connect(sidecar.url, repeats=0)
            peer = await entered(sidecar, client)
            unknown = {"code": "not_found", "reason": "unknown_agent"}
            away = {"code": "unavailable", "reason": "no_replica", "retry": True}

            def begun() -> asyncio.Future[Any]:
                return asyncio.ensure_future(client.call("a") if op == "call" else client.send("a"))

            work = begun()  # The first connection: it says so at once.
            peer.send({"op": "error", "id": (await peer.next(op))["id"], **unknown})
            with pytest.raises(AgentError):
                await bounded(work)
            peer.close()
            peer = await sidecar.welcome()
            work = begun()
            for error in (unknown, away, unknown, unknown):
                peer.send({"op": "error", "id": (await peer.next(op))["id"], **error})
            settled(peer, op, (await peer.next(op))["id"])
            await bounded(work)
            work = begun()
            peer.send({"op": "error", "id": (await peer.next(op))["id"], "code": "aborted"})
            with pytest.raises(AgentError):
                await bounded(work)
            client._rejoin_until = client.loop.time()  # All are back by then, or away.
            work = begun()
            peer.send({"op": "error", "id": (await peer.next(op))["id"], **unknown})
            with pytest.raises(AgentError):
                await bounded(work)
            await client.aclose()

    aio(run)()
