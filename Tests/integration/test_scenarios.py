"""The acceptance scenarios that need real processes, by their number."""

from __future__ import annotations

import asyncio
import random
import signal

import pytest
from coagent_client import (
    DeadlineExceededError,
    InternalError,
    Message,
    NotFoundError,
    RemoteCause,
    UnavailableError,
)
from conftest import Sidecar, bounded
from processes import Host
from raw_peer import RawPeer

# What a thread of the pool reads off a host's output, while the loop goes on.


async def expect(host: Host, beginning: str) -> str:
    return await asyncio.to_thread(host.out.expect, beginning)


def test_scenario_01_the_same_id_on_two_connections_gets_two_answers(
    sidecar: Sidecar, host: Host
) -> None:
    with RawPeer(sidecar.url, sidecar.token) as one, RawPeer(sidecar.url, sidecar.token) as two:
        for number in range(50):
            ident = 2 * number + 1
            for peer, word in ((one, b"one"), (two, b"two")):
                call = {"op": "call", "id": ident, "to": "echo", "content_type": "text/plain"}
                peer.send(call, word + b" %d" % number)
        for number in range(50):
            for peer, word in ((one, b"one"), (two, b"two")):
                _, content = peer.expect("data", id=2 * number + 1, end=True)
                assert content == word + b" %d" % number


@bounded
async def test_scenario_02_an_unknown_agent_is_not_found_at_once(sidecar: Sidecar) -> None:
    async with sidecar.connect() as client:
        with pytest.raises(NotFoundError) as caught:
            await client.call("nobody.here", "x", timeout=20)
        assert caught.value.reason == "unknown_agent"
        with pytest.raises(NotFoundError):
            await client.call("nobody:session", "x", timeout=20)


@bounded
async def test_scenario_03_a_killed_host_ends_the_calls_it_had(sidecar: Sidecar) -> None:
    host = Host(sidecar.url, sidecar.token, "hang")
    async with sidecar.connect() as client:
        calls = [asyncio.create_task(client.call(to, "dead")) for to in ("hang", "hang:s")]
        for _ in calls:
            await expect(host, "hang begun dead")
        host.process.kill()
        for call in calls:
            with pytest.raises(UnavailableError) as caught:
                await call
            assert caught.value.reason == "host_lost"
        with pytest.raises(UnavailableError) as caught:
            await client.call("hang", "again", timeout=5)
        assert caught.value.reason == "no_replica"
    host.end()


@bounded
async def test_scenario_04_an_exception_reaches_the_caller_and_the_next_call_is_fine(
    sidecar: Sidecar, host: Host
) -> None:
    async with sidecar.connect() as client:
        for address in ("fail", "fail:session"):
            with pytest.raises(InternalError) as caught:
                await client.call(address, "pear")
            error = caught.value
            assert (error.reason, error.message) == ("agent_error", "no price for pear")
            assert error.details["type"] == "ValueError"
            assert isinstance(error.__cause__, RemoteCause)
            assert error.__cause__.type == "KeyError"
            assert await client.call(address, "apple") == 3


@bounded
async def test_scenario_05_a_deadline_holds_and_the_agent_hears_of_it(
    sidecar: Sidecar, host: Host
) -> None:
    async with sidecar.connect() as client:
        for address in ("hang", "hang:s", "hang:s"):
            with pytest.raises(DeadlineExceededError) as caught:
                await client.call(address, "late", timeout=0.2)
            assert caught.value.reason == "deadline"
            await expect(host, "hang cancelled late")


@bounded
async def test_scenario_05_a_deadline_goes_down_the_tree(sidecar: Sidecar, host: Host) -> None:
    async with sidecar.connect() as client:
        with pytest.raises(DeadlineExceededError):
            await client.call("relay", "hang", timeout=0.3)
        await expect(host, "hang cancelled from relay")


@bounded
async def test_scenario_06_one_of_two_calls_of_a_session_is_cancelled(
    sidecar: Sidecar, host: Host
) -> None:
    async with sidecar.connect() as client:
        # Side by side: `pair` takes two calls of a session at a time.
        first = asyncio.create_task(client.call("pair:a", "first"))
        await expect(host, "hang begun first")
        second = asyncio.create_task(client.call("pair:a", "second"))
        await expect(host, "hang begun second")
        first.cancel()
        await expect(host, "hang cancelled first")
        await client.call("release", "second")
        assert await second == "released second"
        # One behind the other: the second has its turn when the first is gone.
        first = asyncio.create_task(client.call("hang:b", "third"))
        await expect(host, "hang begun third")
        second = asyncio.create_task(client.call("hang:b", "fourth"))
        first.cancel()
        await expect(host, "hang begun fourth")
        await client.call("release", "fourth")
        assert await second == "released fourth"
        for call in (first,):
            with pytest.raises(asyncio.CancelledError):
                await call


@bounded
async def test_scenario_07_a_hundred_first_messages_make_one_instance(sidecar: Sidecar) -> None:
    hosts = [Host(sidecar.url, sidecar.token, "recorder") for _ in range(3)]
    clients = [sidecar.connect(f"sender-{number}") for number in range(5)]
    for client in clients:
        await client
    session = f"recorder:{random.randrange(2**60)}"
    # Each sender has twenty calls under way at once, written in order.
    calls = [
        asyncio.create_task(client.call(session, [sender, item], type="add"))
        for item in range(20)
        for sender, client in enumerate(clients)
    ]
    instances = set(await asyncio.gather(*calls))
    shown = await clients[0].call(session, type="show")
    assert instances == {shown["instance"]}
    assert len(shown["items"]) == 100 and shown["most_running"] == 1
    for sender in range(5):
        assert [item for who, item in shown["items"] if who == sender] == list(range(20))
    # With the host that has it gone, the next message makes another elsewhere.
    holder = int(shown["instance"].partition("-")[0])
    for host in hosts:
        if host.pid == holder:
            host.signal(signal.SIGKILL)
            host.wait()
    while True:
        try:
            other = await clients[0].call(session, type="show", timeout=10)
            break
        except UnavailableError as error:
            # The sidecar may still be told of the loss.
            assert error.reason == "host_lost"
    assert other["instance"] != shown["instance"] and other["items"] == []
    for client in clients:
        await client.aclose()
    for host in hosts:
        host.end()


@bounded
async def test_scenario_16_a_thousand_messages_are_handled_in_order_one_at_a_time(
    sidecar: Sidecar, host: Host
) -> None:
    async with sidecar.connect() as client:
        for number in range(1000):
            await client.send("recorder:order", number, type="add")
        shown = await client.call("recorder:order", type="show")
        assert shown["items"] == list(range(1000))
        assert shown["most_running"] == 1


@bounded
async def test_scenario_16_sends_without_acknowledgement_keep_their_order(
    sidecar: Sidecar, host: Host
) -> None:
    async with sidecar.connect() as client:
        for number in range(1000):
            await client.send("recorder:quick", number, type="add", ack=False)
        shown = await client.call("recorder:quick", type="show")
        assert shown["items"] == list(range(1000))


@bounded
async def test_scenario_17_a_session_is_not_closed_under_a_running_handler(
    sidecar: Sidecar, host: Host
) -> None:
    async with sidecar.connect() as client:
        work = asyncio.create_task(client.call("patient:p", "long", type="work"))
        await expect(host, "patient begun long")
        # A deadline is the clock: three times `idle` pass while the handler runs.
        with pytest.raises(DeadlineExceededError):
            await client.call("hang", "clock", timeout=0.6)
        await client.call("release", "long")
        instance = await work
        assert await client.call("patient:p", type="which") == instance
        # Idle now, it is closed.
        assert await expect(host, "patient closed") == "patient closed p idle"
        assert await client.call("patient:p", type="which") != instance
        await expect(host, "patient closed p idle")


@bounded
async def test_scenario_19_any_bytes_and_eight_mebibytes_come_back_equal(
    sidecar: Sidecar, host: Host
) -> None:
    async with sidecar.connect() as client:
        every = bytes(range(256)) + b"\xff\xfe\x00\xc0\x80\xed\xa0\x80"
        assert await client.call("echo", every) == every
        large = random.Random(1).randbytes(8 << 20)
        assert await client.call("echo", large, timeout=60) == large
        text = "é\u0000\u2028😀" * 100_000
        assert await client.call("echo", text) == text
        message = Message(large[:100_000], type="Picture", content_type="image/png")
        [back] = [each async for each in client.stream("echo", message).messages()]
        assert (back.content, back.type, back.content_type) == (
            message.content,
            "Picture",
            "image/png",
        )
