"""discovery: who is there, what they can do, and who comes and goes.

python examples/discovery/discovery.py
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from coagent_client import AgentCard, connect, operation


@dataclass
class Search:
    author: str
    before: int


class Books:
    """The hints of an operation are what discovery shows as JSON Schemas."""

    @operation("find", description="Titles of an author, up to a year")
    async def find(self, search: Search) -> AsyncIterator[str]:
        yield f"a book by {search.author} before {search.before}"


async def stock() -> str:
    return "plenty"


def names(cards: list[AgentCard] | tuple[AgentCard, ...]) -> str:
    return ", ".join(card.name for card in cards)


async def main() -> None:
    async with connect() as client:
        await client.register("shop.books", Books, description="Sells books", version="1.2")
        await client.register("shop.music", stock, description="Sells records")
        await client.register("shop.music.jazz", stock, labels={"mood": "blue"})

        # Dots make namespaces.
        print("in shop:", names(await client.discover("shop")))
        print("below shop:", names(await client.discover("shop", recursive=True)))
        blue = await client.discover("shop", recursive=True, labels={"mood": "blue"})
        print("in a blue mood:", names(blue))

        books = (await client.discover("shop", detailed=True))[0]
        print(f"{books.name} {books.version}: {books.description}")
        for each in books.operations:
            properties = (each.input or {})["properties"]
            fields = [f"{name}: {schema['type']}" for name, schema in sorted(properties.items())]
            print(f"  {each.name}({', '.join(fields)}): {each.description}")

        # A watch tells what there is, and then every change.
        changes = client.watch("shop.music", recursive=True)
        print("there is:", names((await anext(changes)).registered))
        blues = await client.register("shop.music.blues", stock)
        print("came:", names((await anext(changes)).registered))
        await blues.close()
        print("went:", ", ".join((await anext(changes)).deregistered))
        await changes.aclose()


asyncio.run(main())
