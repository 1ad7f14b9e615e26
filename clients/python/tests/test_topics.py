"""Topics: publishing, reading and feeding agents, against a scripted sidecar."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from fake_sidecar import FakeSidecar, Peer, aio, answered, bounded, entered, linked

import coagent_client as coagent
from coagent_client import Client, Context, Subscription, connect


async def subscribed(client: Client, peer: Peer, topic: str, **options: Any) -> Subscription:
    """A subscription that the sidecar took."""
    waiting = asyncio.ensure_future(client.subscribe(topic, **options).ready())
    got = await peer.next("subscribe")
    peer.send({"op": "ok", "id": got["id"]})
    subscription: Subscription = await bounded(waiting)
    return subscription


async def settled(peer: Peer) -> list[dict[str, Any]]:
    """What the client wrote up to now."""
    peer.send({"op": "ping"})
    written = []
    while (got := await peer.next())["op"] != "pong":
        written.append(dict(got))
    return written


@aio
async def test_publish_says_all_that_was_given() -> None:
    async with linked() as (client, peer):
        publishing = asyncio.ensure_future(
            client.publish(
                "orders.new",
                {"total": 12},
                source="4711",
                type="Placed",
                ext={"k": 1},
                trace="00-1",
                sender="shop",
                timeout=0.25,
            )
        )
        got = await peer.next("publish")
        assert got == {
            "op": "publish",
            "id": 1,
            "topic": "orders.new",
            "source": "4711",
            "type": "Placed",
            "from": "shop",
            "trace": "00-1",
            "ext": {"k": 1},
            "timeout_ms": 250,
        }
        assert got.content == b'{"total":12}'
        assert not publishing.done()
        peer.send({"op": "ok", "id": 1})
        await bounded(publishing)
        await client.publish("a", "text", ack=False)
        got = await peer.next("publish")
        assert got == {"op": "publish", "topic": "a", "source": "default"} | {
            "content_type": "text/plain"
        }
        assert got.content == b"text"


@aio
async def test_a_refused_publish_raises_and_one_that_nobody_saw_is_made_again() -> None:
    async with linked() as (client, peer):
        publishing = asyncio.ensure_future(client.publish("a..b", 1))
        await peer.next("publish")
        refused = {"code": "invalid_argument", "reason": "bad_topic", "message": "no"}
        peer.send({"op": "error", "id": 1, **refused})
        with pytest.raises(coagent.InvalidArgumentError) as caught:
            await bounded(publishing)
        assert (caught.value.reason, caught.value.address) == ("bad_topic", "a..b")
        publishing = asyncio.ensure_future(client.publish("a", 1))
        assert (await peer.next("publish"))["id"] == 3
        refused = {"code": "resource_exhausted", "reason": "too_many_ids", "message": ""}
        peer.send({"op": "error", "id": 3, **refused, "retry": True})
        assert (await peer.next("publish"))["id"] == 5
        peer.send({"op": "ok", "id": 5})
        await bounded(publishing)


@aio
async def test_messages_say_where_they_come_from() -> None:
    async with linked() as (client, peer):
        async with await subscribed(client, peer, "orders.>") as orders:
            said = {"topic": "orders.new", "source": "1", "type": "T", "from": "shop:1"}
            peer.send({"op": "data", "id": 1, **said, "ext": {"k": True}, "dropped": 3}, b'{"a":1}')
            peer.send(
                {"op": "data", "id": 1, "topic": "orders.paid", "source": "2"}
                | {"content_type": "text/plain"},
                b"paid",
            )
            first = await bounded(anext(orders))
            assert (first.topic, first.source, first.type) == ("orders.new", "1", "T")
            assert (first.sender, first.dropped, first.ext) == ("shop:1", 3, {"k": True})
            assert first.value == {"a": 1}
            second = await bounded(anext(orders))
            assert (second.topic, second.value) == ("orders.paid", "paid")
            assert (second.sender, second.dropped) == ("", 0)
        assert await peer.next("cancel") == {"op": "cancel", "id": 1}
        assert [message async for message in orders] == []
        peer.send({"op": "data", "id": 1, "topic": "orders.late", "source": "1"}, b"1")
        await peer.nothing()


@aio
async def test_a_refused_subscription_raises_and_is_not_made_again(quick_backoff: None) -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await entered(sidecar, client)
        refused = client.subscribe("a..b")
        await peer.next("subscribe")
        error = {"code": "invalid_argument", "reason": "bad_topic", "message": "no"}
        peer.send({"op": "error", "id": 1, **error})
        with pytest.raises(coagent.InvalidArgumentError):
            await bounded(refused.ready())
        with pytest.raises(coagent.InvalidArgumentError):
            await bounded(anext(refused))
        peer.abort()
        peer = await sidecar.welcome()
        await peer.nothing()
        await client.aclose()
        with pytest.raises(coagent.UnavailableError):
            client.subscribe("a")


@aio
async def test_credit_is_for_what_is_done_with() -> None:
    async with linked() as (client, peer):
        waiting = asyncio.ensure_future(client.subscribe("price", window=1).ready())
        assert await peer.next("subscribe") == {"op": "subscribe", "id": 1} | {
            "topic": "price",
            "window": 1,
        }
        peer.send({"op": "ok", "id": 1})
        price = await bounded(waiting)
        peer.send({"op": "data", "id": 1, "topic": "price", "source": "s"}, b"1")
        assert (await bounded(anext(price))).value == 1
        # While this one is shown nothing is asked for: the newest is, once it is wanted.
        assert await settled(peer) == []
        asking = asyncio.ensure_future(anext(price))
        assert await peer.next("credit") == {"op": "credit", "id": 1, "bytes": 257}
        peer.send({"op": "data", "id": 1, "topic": "price", "source": "s", "dropped": 7}, b"9")
        assert (await bounded(asking)).dropped == 7


@aio
async def test_credit_is_granted_half_a_window_at_a_time() -> None:
    async with linked() as (client, peer):
        reading = await subscribed(client, peer, "t", window=4 * 300)
        for _ in range(4):
            peer.send({"op": "data", "id": 1, "topic": "t", "source": "s"}, bytes(44))
        for _ in range(4):
            await bounded(anext(reading))
        assert await settled(peer) == [{"op": "credit", "id": 1, "bytes": 600}]


@aio
async def test_a_subscription_goes_on_over_a_lost_connection(quick_backoff: None) -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await entered(sidecar, client)
        reading = await subscribed(client, peer, "t", window=1)
        peer.send({"op": "data", "id": 1, "topic": "t", "source": "s"}, b"1")
        assert (await bounded(anext(reading))).value == 1
        asking = asyncio.ensure_future(anext(reading))
        await peer.next("credit")
        peer.abort()
        peer = await sidecar.welcome()
        again = await peer.next("subscribe")
        assert again == {"op": "subscribe", "id": 1, "topic": "t", "window": 1}
        peer.send({"op": "ok", "id": 1})
        peer.send({"op": "data", "id": 1, "topic": "t", "source": "s"}, b"2")
        assert (await bounded(asking)).value == 2
        # A sidecar that drains refuses: that is for the next connection too.
        ending = client.subscribe("u")
        await peer.next("subscribe")
        draining = {"code": "unavailable", "reason": "draining", "message": "", "retry": True}
        peer.send({"op": "error", "id": 3, **draining})
        await peer.nothing()
        peer.abort()
        peer = await sidecar.welcome()
        assert [(await peer.next("subscribe"))["topic"] for _ in range(2)] == ["t", "u"]
        peer.send({"op": "ok", "id": 3})
        await bounded(ending.ready())
        asking = asyncio.ensure_future(anext(ending))
        await peer.nothing()
        await client.aclose()
        with pytest.raises(coagent.UnavailableError):
            await bounded(asking)


@aio
async def test_a_subscription_that_nobody_holds_ends() -> None:
    async with linked() as (client, peer):
        reading = await subscribed(client, peer, "t")
        peer.send({"op": "data", "id": 1, "topic": "t", "source": "s"}, b"1")
        async for message in reading:
            assert message.value == 1
            break
        del reading
        gc.collect()
        assert await peer.next("cancel") == {"op": "cancel", "id": 1}


@aio
async def test_topics_feed_an_agent(quick_backoff: None) -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        seen: list[tuple[Any, ...]] = []

        @client.agent("room", topics=["chat.>", "news"])
        async def room(text: str, context: Context) -> None:
            seen.append((text, context.topic, context.source, context.session, context.is_send))
            await client.publish("chat.heard", text.upper(), source=context.source, ack=False)
            await context.publish("chat.echoed", ack=False, sender="room")

        peer = await entered(sidecar, client)
        for _ in range(2):  # And again on the next connection.
            assert (await peer.next("register"))["name"] == "room"
            for ident, topic in ((3, "chat.>"), (5, "news")):
                assert await peer.next("subscribe") == {
                    "op": "subscribe",
                    "id": ident,
                    "topic": topic,
                    "agent": "room",
                }
            for ident in (1, 3, 5):
                peer.send({"op": "ok", "id": ident})
            told = {"topic": "chat.said", "source": "r1", "oneway": True, "new": True}
            ident = peer.call("room:r1", b"hi", content_type="text/plain", **told)
            heard = await peer.next("publish")
            assert (heard["parent"], heard["source"], heard.content) == (ident, "r1", b"HI")
            echoed = await peer.next("publish")
            assert (echoed["parent"], echoed["from"]) == (ident, "room")
            assert await answered(peer, ident) == []
            assert seen.pop() == ("hi", "chat.said", "r1", "r1", True)
            peer.abort()
            peer = await sidecar.welcome()
        await client.aclose()


@aio
async def test_an_agent_that_cannot_be_fed_is_withdrawn() -> None:
    async with linked() as (client, peer):

        async def room(text: str) -> None: ...

        waiting = asyncio.ensure_future(client.register("room", room, topics=["a..b"]).ready())
        await peer.next("register")
        await peer.next("subscribe")
        peer.send({"op": "ok", "id": 1})
        error = {"code": "invalid_argument", "reason": "bad_topic", "message": "no"}
        peer.send({"op": "error", "id": 3, **error})
        assert await peer.next("cancel") == {"op": "cancel", "id": 1}
        peer.send({"op": "error", "id": 1, "code": "cancelled", "message": ""})
        with pytest.raises(coagent.InvalidArgumentError):
            await bounded(waiting)


@aio
async def test_closing_a_registration_ends_what_feeds_it() -> None:
    async with linked() as (client, peer):

        async def room(text: str) -> None: ...

        registration = client.register("room", room, topics=["t"])
        await peer.next("register")
        await peer.next("subscribe")
        for ident in (1, 3):
            peer.send({"op": "ok", "id": ident})
        await bounded(registration.ready())
        closing = asyncio.ensure_future(registration.close())
        await peer.next("cancel")
        for ident in (3, 1):
            peer.send({"op": "error", "id": ident, "code": "cancelled", "message": ""})
        await bounded(closing)
        assert registration.error is None
        await peer.nothing()
