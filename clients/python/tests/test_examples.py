"""The example agents, as programs, over a small relay."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fake_sidecar import aio, bounded, until
from relay import Relay

import coagent_client as coagent
from coagent_client import connect

TESTS = Path(__file__).parent
EXAMPLES = TESTS.parents[2] / "examples" / "agents"


@asynccontextmanager
async def running(url: str, *files: str) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Example programs that run until the block is left, and what they print."""
    environment = {**os.environ, "COAGENT_URL": url, "PYTHONPATH": str(TESTS.parent / "src")}
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, EXAMPLES / file, env=environment, stdout=asyncio.subprocess.PIPE
        )
        for file in files
    ]
    outputs = [process.stdout for process in processes if process.stdout is not None]
    try:
        yield outputs
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        codes = [await bounded(process.wait()) for process in processes]
    assert codes == [0] * len(files), "a program that is told to stop ends well"


@pytest.mark.parametrize(
    "files",
    [("agents.py",), ("words.py", "counter.py", "planner.py", "faulty.py", "relay.py", "slow.py")],
    ids=["together", "each on its own"],
)
def test_the_examples_do_what_they_say(files: tuple[str, ...]) -> None:
    @aio
    async def run() -> None:
        async with Relay() as relay, running(relay.url, *files) as outputs:
            await until(lambda: len(relay.hosts) == 6)
            async with connect(relay.url) as client:
                words = [word async for word in client.stream("words", "one two")]
                assert words == ["one ", "two "]
                assert await client.call("counter:alice", 2) == 2
                assert await client.call("counter:alice", 3) == 5
                assert await client.call("counter:bob") == 1
                assert await client.call("planner", "buy milk") == (
                    "Plan 1: buy milk\n  1. buy\n  2. milk\n"
                )
                errand = {"text": "one two", "path": ["relay.python"]}
                assert await client.call("relay.python", errand) == (
                    "python > python: one python > python: two "
                )
                with pytest.raises(coagent.InternalError, match="no price for pear") as caught:
                    await client.call("faulty")
                assert caught.value.details["type"] == "ValueError"
                assert str(caught.value.__cause__) == "KeyError: 'pear'"
                slow = asyncio.ensure_future(client.call("slow"))
                assert b"slow: started" in await bounded(outputs[-1].readline())
                slow.cancel()
                assert b"slow: cancelled" in await bounded(outputs[-1].readline())

    run()
