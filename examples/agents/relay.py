"""relay: passes an errand on to the agents of its path, and streams back what the last one says.

coagent stream relay.python -d '{"path": ["relay.swift"], "text": "there and back"}'
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from coagent_client import Context, connect

client = connect(name="relay.python", wait=10)


@dataclass
class Errand:
    text: str
    path: list[str] = field(default_factory=list)
    whole: bool = False
    """Asks for one answer, and not for a stream."""


@client.agent("relay.python", description="Passes an errand on, in Python")
async def relay(errand: Errand, context: Context) -> AsyncIterator[str]:
    if not errand.path:
        for word in errand.text.split():
            yield f"python: {word} "
        return
    next_relay, *path = errand.path
    rest = Errand(errand.text, path, errand.whole)
    if errand.whole:
        yield "python > " + await context.call(next_relay, rest)
        return
    async for word in context.stream(next_relay, rest):
        yield f"python > {word}"


if __name__ == "__main__":
    client.run()
