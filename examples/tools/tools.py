"""tools: an agent that uses what it finds.

    python examples/tools/tools.py

It asks who is there and what they can do, and takes each operation for a tool: a name, a
description and a JSON Schema, as a language model is given them. A model would choose the tool
and its arguments; here a rule does, and so the answers are always the same.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from coagent_client import AgentCard, Operation, connect, operation


@dataclass
class Pair:
    a: int
    b: int


@dataclass
class Text:
    text: str


class Arithmetic:
    @operation("add", description="The sum of two numbers")
    async def add(self, pair: Pair) -> int:
        return pair.a + pair.b

    @operation("multiply", description="The product of two numbers")
    async def multiply(self, pair: Pair) -> int:
        return pair.a * pair.b


class Writing:
    @operation("reverse", description="A text from its end to its beginning")
    async def reverse(self, text: Text) -> str:
        return text.text[::-1]


class Tool:
    """An operation of an agent, as a model would be shown it."""

    def __init__(self, agent: AgentCard, operation: Operation) -> None:
        self.address = agent.name
        self.name = operation.name
        self.description = operation.description
        self.parameters = dict(sorted((operation.input or {})["properties"].items()))

    def __str__(self) -> str:
        parameters = [f"{name}: {schema['type']}" for name, schema in self.parameters.items()]
        return f"{self.name}({', '.join(parameters)}): {self.description}"

    def arguments(self, question: str) -> dict[str, Any]:
        """The question's numbers and quoted texts, each where the schema has a place for it."""
        numbers = iter(re.findall(r"\d+", question))
        texts = iter(re.findall(r"'([^']*)'", question))
        return {
            name: int(next(numbers)) if schema["type"] == "integer" else next(texts)
            for name, schema in self.parameters.items()
        }


async def main() -> None:
    async with connect() as client:

        async def assistant(question: str) -> AsyncIterator[str]:
            agents = await client.discover("tools", detailed=True)
            tools = [Tool(agent, each) for agent in agents for each in agent.operations]
            if question == "what can you do?":
                for tool in tools:
                    yield f"  {tool}"
                return
            chosen = next((tool for tool in tools if tool.name in question.split()), None)
            if chosen is None:
                yield "  I have no tool for that"
                return
            arguments = chosen.arguments(question)
            answer = await client.call(chosen.address, arguments, type=chosen.name)
            yield f"  {chosen.name} of {chosen.address}: {answer}"

        await client.register("tools.math", Arithmetic)
        await client.register("tools.writing", Writing)
        await client.register("assistant", assistant)

        for question in (
            "what can you do?",
            "please add 19 and 23",
            "and multiply 6 by 7",
            "now reverse 'stressed'",
            "what is love?",
        ):
            print(question)
            async for line in client.stream("assistant", question):
                print(line)


asyncio.run(main())
