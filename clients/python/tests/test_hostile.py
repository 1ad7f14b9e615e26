"""A sidecar gone mad, from seeds: whatever comes, nothing is raised and everything ends."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from fake_sidecar import FakeSidecar, Peer, aio, bounded, entered, frame, until

import coagent_client as coagent
from coagent_client import Client, Context, _client, connect

OPS = [
    "welcome",
    "ping",
    "pong",
    "goodbye",
    "ok",
    "call",
    "data",
    "error",
    "cancel",
    "credit",
    "close",
    "later",
]
FIELDS: dict[str, list[Any]] = {
    "to": ["a", "a:s", "b", "", "s:"],
    "type": ["T", ""],
    "content_type": ["text/plain", "application/json", ""],
    "window": [0, 1, 300, 2**31],
    "bytes": [0, 1, 2**53 - 1],
    "timeout_ms": [0, 1, 10_000],
    "code": ["internal", "unavailable", "strange"],
    "reason": ["x", "unknown_op"],
    "message": ["m", "\x00é"],
    "details": [{}, {"causes": "A: b <- C", "retry_after_ms": 1}],
    "ext": [{"k": True}],
    "heartbeat_ms": [0],
    "max_content": [1 << 20],
    **{key: [True] for key in ("part", "end", "more", "retry", "new", "input", "oneway")},
}


def nonsense(chance: random.Random) -> bytes:
    """A frame: mostly well-formed, about ids that are open, were, or never were."""
    header: dict[str, Any] = {"op": chance.choice(OPS)}
    if chance.random() < 0.95:
        header["id"] = chance.choice([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 20])
    for key in chance.sample(sorted(FIELDS), chance.randint(0, 6)):
        header[key] = chance.choice(FIELDS[key])
    content = chance.choice([b"", b"1", b'"text"', b"{", b"\xff", b"x" * 1000])
    raw = frame(header, content)
    if chance.random() < 0.03:
        at = chance.randrange(len(raw))
        raw = raw[:at] + bytes([chance.randrange(256)]) + raw[at + 1 :]
    return raw


@pytest.mark.parametrize("seed", range(40))
def test_nonsense_is_survived(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_client, "_BACKOFF_S", 0.002)
    problems: list[dict[str, Any]] = []
    chance = random.Random(seed)

    @aio
    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: problems.append(context))
        async with FakeSidecar() as sidecar:
            client = connect(sidecar.url)

            async def agent(body: Any, context: Context) -> AsyncIterator[Any]:
                yield body
                async for value in context:
                    yield value

            client.register("a", agent)
            client.register("b", lambda body: body)
            peer = await entered(sidecar, client)
            for _ in range(3):
                work: list[asyncio.Future[Any]] = [
                    asyncio.ensure_future(each)
                    for each in (
                        client.call("x", timeout=3),
                        client.stream("y", window=300).whole(),
                        client.send("z", timeout=3),
                    )
                ]
                exchange = client.open("w", "first")
                work.append(asyncio.ensure_future(exchange.send("second")))
                peer.writer.write(b"".join(nonsense(chance) for _ in range(60)))
                await until(lambda: client.connection is not None)
                peer.abort()
                peer = await sidecar.welcome()
                for task in work:
                    if not task.done():
                        task.cancel()
                await asyncio.wait(work, timeout=5)
                for task in work:
                    assert task.done(), f"seed {seed}"
                    if not task.cancelled() and task.exception() is not None:
                        assert isinstance(task.exception(), coagent.AgentError), f"seed {seed}"
                await exchange.aclose()
            await bounded(client.aclose())

    run()
    assert problems == [], f"seed {seed}"


Step = Callable[[Peer], None]
WELCOME = {"op": "welcome", "v": 1, "server": "s", "connection": "c", "max_content": 1 << 24}
CONVERSATION: list[Step] = [
    lambda peer: peer.send(WELCOME | {"heartbeat_ms": 0}),
    lambda peer: peer.send({"op": "ok", "id": 1}),
    lambda peer: peer.send({"op": "call", "id": 2, "to": "agent:s", "new": True, "input": True}),
    lambda peer: peer.send({"op": "data", "id": 2}, b'"one"'),
    lambda peer: peer.send({"op": "data", "id": 2, "part": True}, b'"tw'),
    lambda peer: peer.send({"op": "data", "id": 3, "part": True}, b'"ha'),
    lambda peer: peer.send({"op": "data", "id": 3}, b'lf"'),
    lambda peer: peer.send({"op": "credit", "id": 3, "bytes": 1000}),
    lambda peer: peer.send({"op": "data", "id": 2, "end": True}, b'o"'),
    lambda peer: peer.send({"op": "close", "id": 4, "to": "agent:s", "reason": "idle"}),
    lambda peer: peer.send({"op": "goodbye", "reason": "shutdown"}),
    lambda peer: peer.writer.write(frame({"op": "data", "id": 3, "end": True}, b"1")[:-1]),
]


@pytest.mark.parametrize("step", range(len(CONVERSATION) + 1))
def test_a_disconnect_at_each_step_ends_all_and_begins_anew(
    step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_client, "_BACKOFF_S", 0.002)

    async def agent(lines: AsyncIterator[str]) -> AsyncIterator[str]:
        async for line in lines:
            yield line

    async def conversation(client: Client) -> None:
        async with client:
            reply = await client.stream("other").whole()
            raise AssertionError(f"there was no end, and yet {reply!r}")

    @aio
    async def run() -> None:
        async with FakeSidecar() as sidecar:
            client = connect(sidecar.url)
            registration = client.register("agent", agent)
            talking = asyncio.ensure_future(conversation(client))
            peer = await sidecar.accept()
            await peer.next("hello")
            await peer.next("register")
            for each in CONVERSATION[:step]:
                each(peer)
                await bounded(peer.writer.drain())
                if each is CONVERSATION[0]:
                    assert (await peer.next("call"))["id"] == 3
            if 1 < step < len(CONVERSATION):
                peer.send({"op": "ping"})
                while (await peer.next())["op"] != "pong":
                    pass
            peer.abort()
            with pytest.raises(coagent.UnavailableError):
                await bounded(talking)
            assert not registration.is_registered
            assert client.hosting.tasks == []

    run()


def test_headers_of_the_nonsense_are_mostly_good() -> None:
    """Else the test above would only show that bad frames are refused."""
    chance = random.Random(1)
    good = 0
    for _ in range(200):
        raw = nonsense(chance)
        size = int.from_bytes(raw[:4], "big")
        try:
            good += isinstance(json.loads(raw[8 : 8 + size]), dict)
        except ValueError:
            continue
    assert good > 150
