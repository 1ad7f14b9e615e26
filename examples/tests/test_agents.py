"""The agents to start from do the same in every language, together in one process."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from coagent_client import Client, InternalError, local

AGENTS = Path(__file__).resolve().parents[1] / "agents"
BUILD = AGENTS.parents[1] / ".build"
PROGRAMS = Path(os.environ.get("COAGENT_BIN") or BUILD / "debug")
GO_PROGRAMS = Path(os.environ.get("COAGENT_GO_BIN") or BUILD / "go")
COMMANDS: dict[str, list[str | Path]] = {
    "python": [sys.executable, AGENTS / "agents.py"],
    "node": ["node", AGENTS / "agents.mjs"],
    "go": [GO_PROGRAMS / "agents"],
    "swift": [PROGRAMS / "example-agents"],
}
CAUSES = {
    "python": "KeyError: 'pear'",
    "node": "RangeError: no such fruit: pear",
    "go": "unknown fruit",
    "swift": "UnknownFruit: unknown fruit",
}
BOUND_S = 30


@asynccontextmanager
async def running(language: str, client: Client) -> AsyncIterator[asyncio.StreamReader]:
    """The agents of a language, once they are registered, and what they print."""
    process = await asyncio.create_subprocess_exec(
        *COMMANDS[language],
        env={**os.environ, "COAGENT_URL": client.url},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    expected = {"counter", "faulty", "planner", f"relay.{language}", "slow", "words"}
    try:
        await asyncio.wait_for(registered(client, expected), BOUND_S)
        yield process.stdout
    finally:
        process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(process.wait(), BOUND_S)
    assert code == 0, "a program that is told to stop ends well"


async def registered(client: Client, expected: set[str]) -> None:
    present: set[str] = set()
    async for change in client.watch(recursive=True):
        present |= {card.name for card in change.registered}
        if present == expected:
            return


async def line(output: asyncio.StreamReader, word: str) -> str:
    """The next line with this word."""
    while text := (await output.readline()).decode():
        if word in text:
            return text
    raise AssertionError(f"the agents ended without saying {word!r}")


async def check_calls(language: str, client: Client) -> None:
    assert [word async for word in client.stream("words", "one two")] == ["one ", "two "]
    assert await client.call("counter:alice", 2) == 2
    assert await client.call("counter:alice", 3) == 5
    assert await client.call("counter:bob", 1) == 1
    assert await client.call("planner", "buy milk") == "Plan 1: buy milk\n  1. buy\n  2. milk\n"
    relay = f"relay.{language}"
    errand = {"text": "one two", "path": [relay]}
    words = [f"{language} > {language}: one ", f"{language} > {language}: two "]
    assert [word async for word in client.stream(relay, errand)] == words
    whole = await client.call(relay, {**errand, "whole": True})
    assert whole == f"{language} > {language}: one {language}: two "


async def check_failures(language: str, client: Client, output: asyncio.StreamReader) -> None:
    with pytest.raises(InternalError, match="no price for pear") as caught:
        await client.call("faulty", "pear")
    assert caught.value.reason == "agent_error"
    assert CAUSES[language] in str(caught.value.__cause__)
    slow = asyncio.ensure_future(client.call("slow"))
    assert "no end" not in await line(output, "slow: started")
    slow.cancel()
    await line(output, "slow: cancelled")


@pytest.mark.parametrize("language", COMMANDS)
def test_the_agents_do_what_they_say(language: str) -> None:
    async def run() -> None:
        async with local() as client, running(language, client) as output:
            await asyncio.wait_for(check_calls(language, client), BOUND_S)
            await asyncio.wait_for(check_failures(language, client, output), BOUND_S)

    asyncio.run(run())
