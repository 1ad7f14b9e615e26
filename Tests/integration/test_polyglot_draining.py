"""Replicas that leave in order, in every language: no call that was on its way is lost."""

from __future__ import annotations

import asyncio

import pytest
from coagent_client import Client, connect
from conftest import bounded
from fleet import LANGUAGES, Fleet, Peer, fresh

ROUNDS = 20


class Load:
    """Calls to an agent, some at a time, one after another."""

    def __init__(self, client: Client, to: str) -> None:
        self._client = client
        self._to = to
        self._is_over = False
        self.answered = 0
        self._tasks = [asyncio.ensure_future(self._call()) for _ in range(8)]

    async def _call(self) -> None:
        while not self._is_over:
            assert await self._client.call(self._to, "x") == "x"
            self.answered += 1

    async def more(self, count: int) -> None:
        """Returns when so many more calls were answered, raises what one failed with."""
        wanted = self.answered + count
        while self.answered < wanted:
            done = [task for task in self._tasks if task.done()]
            for task in done:
                task.result()
            await asyncio.sleep(0)

    async def end(self) -> None:
        self._is_over = True
        await asyncio.gather(*self._tasks)


async def come_and_go(url: str, peer: Peer, name: str, load: Load) -> None:
    """One more replica, for some calls."""
    client = fresh("leaving")
    loop = asyncio.get_running_loop()

    async def run(do: str, **fields: object) -> None:
        await loop.run_in_executor(None, lambda: peer.run(do, **fields))

    await run("connect", **{"as": client}, url=url, name=client)
    await run("register", **{"as": fresh("r")}, client=client, name=name, agent="echo")
    await load.more(40)
    await run("drain", client=client, timeout_ms=10_000)


@pytest.mark.parametrize("language", LANGUAGES)
@bounded
async def test_a_replica_that_drains_loses_no_call(fleet: Fleet, language: str) -> None:
    name = fresh("work")
    fleet.after(fleet[language]).register(name, "echo")
    async with connect(fleet.daemon.unix_url) as client:
        load = Load(client, name)
        for _ in range(ROUNDS):
            await come_and_go(fleet.daemon.unix_url, fleet[language], name, load)
        await load.end()
