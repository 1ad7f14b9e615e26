"""Input: messages that follow a call, within the window the host grants."""

from __future__ import annotations

import asyncio

import pytest
from fake_sidecar import WINDOW, FakeSidecar, aio, answer, bounded, entered, linked

import coagent_client as coagent
from coagent_client import connect


@aio
async def test_an_exchange_sends_while_there_is_credit() -> None:
    async with linked() as (client, peer):
        exchange = client.open("a", type="Chat")
        call = await peer.next("call")
        assert (call["input"], call["type"], call.content) == (True, "Chat", b"")
        await exchange.send({"n": 1}, type="Note")
        sent = await peer.next("data")
        assert (sent["type"], sent.content) == ("Note", b'{"n":1}')
        # 263 bytes are spent; the next overdraws the window, the one after waits.
        await exchange.send("x" * (256 * 1024))
        await exchange.send("x" * (256 * 1024))
        await exchange.send("x" * (256 * 1024))
        await exchange.send("x" * (256 * 1024))
        for _ in range(4):
            assert len((await peer.next("data")).content) == 256 * 1024
        waiting = asyncio.ensure_future(exchange.send("behind"))
        ending = asyncio.ensure_future(exchange.end())
        await peer.nothing()
        assert not waiting.done()
        peer.send({"op": "credit", "id": 1, "bytes": 10_000})
        await bounded(waiting)
        assert (await peer.next("data")).content == b"behind"
        await bounded(ending)
        assert await peer.next() == {"op": "data", "id": 1, "end": True}
        with pytest.raises(coagent.FailedPreconditionError):
            await exchange.send("too late")
        answer(peer, 1, "done", end=True)
        assert await exchange == "done"


@aio
async def test_a_sender_that_waits_for_credit_hears_of_the_end() -> None:
    async with linked() as (client, peer):
        exchange = client.open("a", b"x" * (2 * WINDOW))
        await peer.next("call")
        waiting = asyncio.ensure_future(exchange.send("never"))
        await asyncio.sleep(0)
        peer.send({"op": "error", "id": 1, "code": "aborted", "message": "enough"})
        with pytest.raises(coagent.AbortedError):
            await bounded(waiting)
        with pytest.raises(coagent.AbortedError):
            await exchange


@aio
async def test_who_waits_to_send_is_not_overtaken() -> None:
    async with linked() as (client, peer):
        exchange = client.open("a")
        await peer.next("call")
        for _ in range(4):
            await exchange.send("x" * (256 * 1024))
            await peer.next("data")
        has_gone = False

        async def first() -> None:
            nonlocal has_gone
            await exchange.send("first")
            has_gone = True

        async def third() -> None:
            # It comes in the very turn in which the first has gone and the second is only woken.
            while not has_gone:
                await asyncio.sleep(0)
            await exchange.send("third")

        async def end() -> None:
            while not has_gone:
                await asyncio.sleep(0)
            await exchange.end()

        sends = [
            asyncio.ensure_future(each)
            for each in (first(), exchange.send("second"), third(), end())
        ]
        await peer.nothing()
        peer.send({"op": "credit", "id": 1, "bytes": 10_000})
        for word in (b"first", b"second", b"third"):
            assert (await peer.next("data")).content == word
        assert (await peer.next("data"))["end"]
        await bounded(asyncio.gather(*sends))


@aio
async def test_a_body_over_the_frame_limit_goes_in_parts() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        entering = asyncio.ensure_future(client.__aenter__())
        peer = await sidecar.welcome(max_content=600_000)
        await bounded(entering)
        text = "é" * 450_000
        calling = asyncio.ensure_future(client.call("a", text))
        call = await peer.next("call")
        assert (call["input"], call.content) == (True, b"")
        pieces = []
        while True:
            piece = await peer.next("data")
            assert len(piece.content) <= 256 * 1024
            piece.content.decode()  # Cut between characters.
            assert ("content_type" in piece) == (not pieces)
            assert piece.get("part", False) != piece.get("end", False)
            pieces.append(piece.content)
            if piece.get("end"):
                break
        assert b"".join(pieces).decode() == text
        answer(peer, 1, "ok", end=True)
        assert await bounded(calling) == "ok"
        await client.aclose()


@aio
async def test_large_messages_of_two_tasks_do_not_mix() -> None:
    async with linked() as (client, peer):
        exchange = client.open("a")
        await peer.next("call")
        sends = [asyncio.ensure_future(exchange.send(letter * 700_000)) for letter in (b"a", b"b")]
        got = b""
        while len(got) < 1_400_000:
            piece = await peer.next("data")
            got += piece.content
            peer.send({"op": "credit", "id": 1, "bytes": len(piece.content) + 256})
        assert got == b"a" * 700_000 + b"b" * 700_000
        for send in sends:
            await bounded(send)


@aio
async def test_an_exchange_opened_without_a_connection_sends_once_there_is_one() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        peer = await entered(sidecar, client)
        peer.send({"op": "goodbye", "reason": "shutdown", "timeout_ms": 1000})
        await peer.nothing()
        exchange = client.open("a", timeout=float("inf"))
        sending = asyncio.ensure_future(exchange.send("early"))
        await peer.nothing()
        peer.close()
        peer = await sidecar.welcome()
        assert "timeout_ms" not in await peer.next("call")
        assert (await peer.next("data")).content == b"early"
        await bounded(sending)
        await client.aclose()


@aio
async def test_a_message_that_has_begun_goes_out_whole_whoever_waits_for_it() -> None:
    async with linked() as (client, peer):
        exchange = client.open("a")
        ident = (await peer.next("call"))["id"]
        content = b"x" * (5 * 256 * 1024)  # More than the window.
        begun = asyncio.ensure_future(exchange.send(content))
        waiting = asyncio.ensure_future(exchange.send("not begun"))
        after = asyncio.ensure_future(exchange.send("after"))
        got = b"".join([(await peer.next("data")).content for _ in range(4)])
        for sending in (begun, waiting):
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
        await peer.nothing()
        peer.send({"op": "credit", "id": ident, "bytes": 10_000_000})
        last = await peer.next("data")
        assert got + last.content == content
        assert "part" not in last
        assert (await peer.next("data")).content == b"after"
        await bounded(after)
        begun = asyncio.ensure_future(exchange.send(b"y" * 20_000_000))
        while (await peer.next("data")).content[:1] != b"y":
            continue
        begun.cancel()
        peer.send({"op": "error", "id": ident, "code": "aborted"})
        with pytest.raises(coagent.AbortedError):
            await bounded(exchange.send("too late"))
