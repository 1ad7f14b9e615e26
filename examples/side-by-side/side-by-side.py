"""side-by-side: every verb once, as clients/README.md has them.

python examples/side-by-side/side-by-side.py
"""

import asyncio
from collections.abc import AsyncIterator

from coagent_client import (
    AbortedError,
    AgentError,
    Client,
    Context,
    DeadlineExceededError,
    Delegated,
    Interrupted,
    NotFoundError,
    connect,
    operation,
)


async def upper(text: str) -> str:
    return text.upper()


async def words(text: str) -> AsyncIterator[str]:
    for word in text.split():
        yield word


async def mirror(messages: AsyncIterator[str]) -> AsyncIterator[str]:
    async for message in messages:
        yield f"<{message}>"


async def hello(name: str, context: Context) -> str:
    loud: str = await context.call("side.upper", name)
    return f"hello {loud}"


async def busy(context: Context) -> None:
    await asyncio.Event().wait()


async def refuse(name: str) -> None:
    raise AbortedError("not now", reason="busy")


async def think(question: str, context: Context) -> AsyncIterator[str]:
    try:
        async with context.interruptible():
            yield "thinking"
            await asyncio.Event().wait()
    except Interrupted as interrupted:
        yield f"in short: {interrupted.payload}"


async def report(text: str, context: Context) -> AsyncIterator[str | Delegated[str]]:
    yield "begin"
    yield context.delegate("side.words", text)
    yield "end"


async def front(text: str, context: Context) -> Delegated[str]:
    return context.delegate("side.upper", text)


class Counter:
    total = 0

    @operation
    async def add(self, number: int) -> int:
        self.total += number
        return self.total


async def register(client: Client) -> None:
    await client.register("side.upper", upper, description="Upper-cases a text")
    await client.register("side.words", words)
    await client.register("side.mirror", mirror)
    await client.register("side.hello", hello)
    await client.register("side.busy", busy)
    await client.register("side.refuse", refuse)
    await client.register("side.counter", Counter, idle=60)
    await client.register("side.thinker", think)
    await client.register("side.report", report)
    await client.register("side.front", front)


async def call(client: Client) -> None:
    value = await client.call("side.upper", "hello", timeout=5)
    print("called:", value)
    async for word in client.stream("side.words", "one two"):
        print("streamed:", word)
    listed = await client.call("side.words", "one two", collect="list")
    print("listed:", len(listed))
    exchange = client.open("side.mirror")
    await exchange.send("a")
    await exchange.end()
    async for message in exchange:
        print("both ways:", message)
    print("context:", await client.call("side.hello", "ann"))
    async for word in client.stream("side.report", "one two"):
        print("spliced:", word)
    print("handed over:", await client.call("side.front", "hello"))

    await client.send("side.counter:ann", 2, type="add")
    total = await client.call("side.counter:ann", 3, type="add")
    print("session:", total)
    async for thought in client.stream("side.thinker:ann", "why"):
        print("interrupted:", thought)
        if thought == "thinking":
            await client.interrupt("side.thinker:ann", "be brief")
    async for word in client.stream("side.words", "one two", run="side-1"):
        print("run:", word)
    async for word in client.attach("side-1"):
        print("attached:", word)


async def look(client: Client) -> None:
    cards = await client.discover("side", detailed=True)
    print("discovered:", len(cards), cards[1].name, cards[1].operations[0].name)
    async for change in client.watch("side"):
        print("watched:", len(change.registered), str(change.is_snapshot).lower())
        break

    news = await client.subscribe("side.>")
    await client.publish("side.news", "rain")
    async for each in news:
        print("published:", each.topic, each.value)
        break


async def fail(client: Client) -> None:
    try:
        await client.call("side.nobody")
    except NotFoundError as error:
        print("error:", error.code, error.reason)
    try:
        await client.call("side.refuse", "x")
    except AgentError as error:
        print("error:", error.code, error.reason)
    try:
        await client.call("side.busy", timeout=0.05)
    except DeadlineExceededError as error:
        print("late:", error.code)
    task = asyncio.create_task(client.call("side.busy"))
    await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("cancelled")


async def main() -> None:
    client = await connect(name="side-by-side")
    for step in (register, call, look, fail):
        await step(client)
    await client.drain(timeout=5)


asyncio.run(main())
