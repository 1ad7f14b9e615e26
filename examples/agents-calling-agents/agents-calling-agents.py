"""agents-calling-agents: what an agent asks of others belongs to the call that it handles.

    python examples/agents-calling-agents/agents-calling-agents.py

Child calls have no more time than their parent, carry its trace and ext on, and end with it.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from coagent_client import Context, Reply, connect, operation

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

asked: asyncio.Queue[str] = asyncio.Queue()
cancelled: asyncio.Queue[str] = asyncio.Queue()


class Counter:
    def __init__(self) -> None:
        self.total = 0

    @operation
    async def add(self, number: int) -> int:
        self.total += number
        return self.total


async def words(text: str, context: Context) -> AsyncIterator[str]:
    trace = "the same" if context.trace == TRACE else "another"
    time = "no" if context.time_left is None else "a"
    asked.put_nowait(
        f"by {context.sender}, for {context.ext['customer']}, {trace} trace, {time} deadline"
    )
    with noticing_cancellation(context):
        for word in text.split():
            yield word
            if word == "ever":
                await asyncio.Event().wait()


async def planner(goal: str, context: Context) -> AsyncIterator[str]:
    with noticing_cancellation(context):
        number = await context.call("team.counter:plans", 1)
        yield f"plan {number}: {goal}"
        step = 0
        async for word in context.stream("team.words", goal):
            step += 1
            yield f"  {step}. {word}"


@contextmanager
def noticing_cancellation(context: Context) -> Iterator[None]:
    try:
        yield
    finally:
        if context.cancelled:
            cancelled.put_nowait(context.name)


async def main() -> None:
    async with connect() as client:
        client.register("team.counter", Counter)
        client.register("team.words", words)
        client.register("team.planner", planner)

        def ask(goal: str) -> Reply[str]:
            ext = {"customer": "ann"}
            return client.stream("team.planner", goal, timeout=10, trace=TRACE, ext=ext)

        async for line in ask("buy fresh milk"):
            print(line)
        print("words was asked", await asked.get())

        async for line in ask("wait for ever"):
            print(line)
            if line == "  3. ever":
                break  # Cancels the planner, and with it what the planner called.
        for name in sorted([await cancelled.get(), await cancelled.get()]):
            print("cancelled:", name)


asyncio.run(main())
