"""Who is there, once and as it changes, against a scripted sidecar."""

from __future__ import annotations

import asyncio
import json

import pytest
from fake_sidecar import FakeSidecar, aio, answer, bounded, entered

from coagent_client import connect


@aio
async def test_discover_and_watch() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await entered(sidecar, client)
        finding = asyncio.ensure_future(
            client.discover("a", recursive=True, detailed=True, labels={"k": "v"})
        )
        call = await peer.next("call")
        assert (call["to"], call["type"]) == ("discovery", "DiscoveryQuery")
        assert json.loads(call.content) == {
            "namespace": "a",
            "recursive": True,
            "inclusive": False,
            "detailed": True,
            "labels": {"k": "v"},
        }
        operations = [{"name": "Text", "input": {"type": "string"}, "streaming": True}]
        card = {"name": "a.x", "description": "d", "version": "1", "labels": {"k": "v"}}
        agents = [{**card, "operations": operations, "replicas": 2}]
        answer(peer, 1, {"revision": 3, "agents": agents}, type="DiscoveryReply", end=True)
        [found] = await bounded(finding)
        assert (found.name, found.address, found.replicas) == ("a.x", "a.x", 2)
        assert found.operations[0].streaming

        watch = client.watch("a")
        assert (await peer.next("call"))["type"] == "DiscoveryWatch"
        answer(peer, 3, {"revision": 3, "agents": [card]}, type="DiscoverySnapshot")
        change = await bounded(watch.__anext__())
        assert (change.is_snapshot, change.revision) == (True, 3)
        assert change.registered[0].name == "a.x"
        gone = {"revision": 4, "registered": [], "deregistered": ["a.x"]}
        answer(peer, 3, gone, type="DiscoveryChange")
        change = await bounded(watch.__anext__())
        assert (change.is_snapshot, change.deregistered) == (False, ("a.x",))
        # Lost: it goes on from the last revision on the next connection.
        peer.abort()
        going_on = asyncio.ensure_future(watch.__anext__())
        peer = await sidecar.welcome()
        again = await peer.next("call")
        assert json.loads(again.content)["from_revision"] == 4
        answer(peer, again["id"], {"revision": 9, "agents": []}, type="DiscoverySnapshot")
        assert (await bounded(going_on)).revision == 9
        await watch.aclose()
        await peer.next("cancel")
        with pytest.raises(StopAsyncIteration):
            await watch.__anext__()
        await client.aclose()
