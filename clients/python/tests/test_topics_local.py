"""Topics through a real sidecar."""

from __future__ import annotations

import asyncio

from fake_sidecar import aio, bounded

from coagent_client import Context, connect, local, operation, sync


@aio
async def test_every_reader_gets_every_message_in_order() -> None:
    async with (
        local() as client,
        connect(client.url) as publisher,
        client.subscribe("count.>") as both,
        client.subscribe("count.a") as one,
    ):
        for number in range(200):
            topic = "count.a" if number % 2 else "count.b"
            await publisher.publish(topic, number, source=f"s{number % 3}", ack=number == 199)
        messages = [await bounded(anext(both)) for _ in range(200)]
        for topic, first in (("count.a", 1), ("count.b", 0)):
            values = [each.value for each in messages if each.topic == topic]
            assert values == list(range(first, 200, 2))
        messages = [await bounded(anext(one)) for _ in range(100)]
        assert [message.value for message in messages] == list(range(1, 200, 2))
        assert {message.source for message in messages} == {"s0", "s1", "s2"}


@aio
async def test_a_topic_feeds_a_session_for_each_source_once() -> None:
    heard: asyncio.Queue[tuple[str, list[str]]] = asyncio.Queue()

    class Room:
        def __init__(self) -> None:
            self.texts: list[str] = []

        @operation
        async def said(self, text: str, context: Context) -> None:
            self.texts.append(text)
            await heard.put((context.source, list(self.texts)))
            # What it publishes does not come back to it.
            await context.publish("chat.seen", text, source=context.source, type="said")

    async with local() as client:
        await client.register("room", Room, topics=["chat.*", "chat.>"])
        async with client.subscribe("chat.seen") as seen:
            for source, text in (("ann", "1"), ("bob", "2"), ("ann", "3")):
                await client.publish("chat.said", text, source=source, type="said")
            got = [await bounded(heard.get()) for _ in range(3)]
            assert [each for each in got if each[0] == "ann"] == [
                ("ann", ["1"]),
                ("ann", ["1", "3"]),
            ]
            assert [each for each in got if each[0] == "bob"] == [("bob", ["2"])]
            messages = [await bounded(anext(seen)) for _ in range(3)]
            assert {message.sender for message in messages} == {"room:ann", "room:bob"}
            assert heard.empty()


@aio
async def test_the_newest_only() -> None:
    async with local() as client, client.subscribe("price", window=1) as prices:
        await client.publish("price", 0)
        assert (await bounded(anext(prices))).value == 0
        for price in range(1, 51):
            await client.publish("price", price)
        newest = await bounded(anext(prices))
        assert (newest.value, newest.dropped) == (50, 49)


def test_scripts_publish_and_subscribe() -> None:
    with sync.local() as client:
        messages = client.subscribe("t.*")
        client.publish("t.a", {"n": 1}, source="s")
        message = next(messages)
        assert (message.topic, message.source, message.value) == ("t.a", "s", {"n": 1})
        messages.close()
