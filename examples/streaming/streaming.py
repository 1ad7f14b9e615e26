"""streaming: replies that come piece by piece, one that is left early, and both directions.

python examples/streaming/streaming.py
"""

import asyncio
import itertools
from collections.abc import AsyncIterator

from coagent_client import Part, connect

counting_ended = asyncio.Event()


async def recite(text: str) -> AsyncIterator[str]:
    for word in text.split():
        yield word  # A message of its own. Not resumed while the caller grants no credit.


async def spell(text: str) -> AsyncIterator[Part]:
    for letter in text:
        yield Part(letter)  # A piece of one message, such as a token of a model's answer.


async def count() -> AsyncIterator[int]:
    try:
        for number in itertools.count(1):
            yield number
    finally:
        counting_ended.set()  # The caller has left.


async def shout(words: AsyncIterator[str]) -> AsyncIterator[str]:
    async for word in words:
        yield word.upper()


async def main() -> None:
    async with connect() as client:
        for agent in (recite, spell, count, shout):
            client.register(agent.__name__, agent)

        async for word in client.stream("recite", "each word by itself"):
            print("message:", word)

        async for piece in client.stream("spell", "abc").parts():
            print("part:", piece)
        print("whole:", await client.call("spell", "abc"))

        async for number in client.stream("count"):
            print("number:", number)
            if number == 3:
                break  # Leaving is cancelling, down to the agent.
        await counting_ended.wait()
        print("count: the caller has left")

        async with client.open("shout") as exchange:
            answers = aiter(exchange)
            for word in ("hello", "world"):
                await exchange.send(word)
                print(f"{word}: {await anext(answers)}")
            await exchange.end()


asyncio.run(main())
