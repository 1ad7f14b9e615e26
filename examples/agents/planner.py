"""planner: asks another agent, and streams what comes of it on.

    coagent stream planner -d '"buy milk"'

Its calls are children of the one it handles: they have no more time, and end with it.
"""

from collections.abc import AsyncIterator

from coagent_client import Context, connect

client = connect(name="planner", wait=10)


@client.agent("planner", description="Turns a goal into numbered steps, with the help of words")
async def planner(goal: str, context: Context) -> AsyncIterator[str]:
    number = await context.call("counter:plans", 1)
    yield f"Plan {number}: {goal}\n"
    step = 0
    async for word in context.stream("words", goal):
        step += 1
        yield f"  {step}. {word.strip()}\n"


if __name__ == "__main__":
    client.run()
