"""Topics through a real daemon: wide fan-outs, readers that do not read, hosts that go."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from processes import Daemon
from raw_peer import RawPeer

MEBIBYTE = 1 << 20


@pytest.fixture
def peers() -> Iterator[ExitStack]:
    """Closes the peers of a test."""
    with ExitStack() as stack:
        yield stack


def reader(daemon: Daemon, peers: ExitStack, topic: str, **fields: object) -> RawPeer:
    peer = peers.enter_context(RawPeer(daemon.unix_url))
    peer.send({"op": "subscribe", "id": 1, "topic": topic, **fields})
    peer.expect("ok", id=1)
    return peer


def publish(peer: RawPeer, topic: str, content: bytes) -> None:
    peer.send({"op": "publish", "topic": topic, "source": "s"}, content)


def test_a_message_reaches_ten_thousand_subscriptions(daemon: Daemon, peers: ExitStack) -> None:
    readers = [peers.enter_context(RawPeer(daemon.unix_url)) for _ in range(10)]
    for each in readers:
        for number in range(1000):
            topic = ("wide.open", "wide.*", "wide.>")[number % 3]
            each.send({"op": "subscribe", "id": 2 * number + 1, "topic": topic})
        for number in range(1000):
            each.expect("ok", id=2 * number + 1)
    publisher = peers.enter_context(RawPeer(daemon.unix_url))
    publisher.send({"op": "publish", "id": 1, "topic": "wide.open", "source": "s"}, b"news")
    publisher.expect("ok", id=1)
    for each in readers:
        got = set()
        for _ in range(1000):
            header, content = each.expect("data", topic="wide.open", source="s")
            assert content == b"news"
            got.add(header["id"])
        assert got == set(range(1, 2001, 2))


def test_who_does_not_read_costs_little_and_stops_nobody(daemon: Daemon, peers: ExitStack) -> None:
    sleepers = [reader(daemon, peers, "flood") for _ in range(20)]
    awake = reader(daemon, peers, "flood", window=2**31 - 1)
    publisher = peers.enter_context(RawPeer(daemon.unix_url))
    size, count = 64 << 10, 2000
    daemon.reset_peak()
    before = daemon.memory_bytes

    def flood() -> None:
        for number in range(count):
            publish(publisher, "flood", number.to_bytes(4, "big") + bytes(size - 4))

    flooding = threading.Thread(target=flood)
    flooding.start()
    # The one that reads falls behind at times, and is told by how much.
    expected = 0
    while expected < count // 2:
        header, content = awake.expect("data", id=1)
        expected += header.get("dropped", 0)
        assert int.from_bytes(content[:4], "big") == expected
        expected += 1
    flooding.join()
    # What is published passes through; what waits is a window and a buffer for each.
    assert daemon.peak_bytes - before < 160 * MEBIBYTE
    publisher.ping()
    for sleeper in sleepers:
        header, content = sleeper.expect("data", id=1)
        assert int.from_bytes(content[:4], "big") == 0


def test_sessions_that_a_topic_feeds_move_to_another_host(daemon: Daemon, peers: ExitStack) -> None:
    hosts = [peers.enter_context(RawPeer(daemon.unix_url)) for _ in range(2)]
    for host in hosts:
        host.send({"op": "register", "id": 1, "name": "moving"})
        host.expect("ok", id=1)
        host.send({"op": "subscribe", "id": 3, "topic": "moves.>", "agent": "moving"})
        host.expect("ok", id=3)
    publisher = peers.enter_context(RawPeer(daemon.unix_url))
    for source in range(10):
        header = {"op": "publish", "topic": "moves.now", "source": str(source)}
        publisher.send(header, b"1")
    publisher.ping()
    hosts[0].close()
    # Those that were its own are made anew by the next message of each.
    for source in range(10):
        header = {"op": "publish", "topic": "moves.now", "source": str(source)}
        publisher.send(header, b"2")
    publisher.ping()
    seen: dict[str, list[bytes]] = {}
    while sum(messages[-1] == b"2" for messages in seen.values()) < 10:
        call, content = hosts[1].expect("call", oneway=True, topic="moves.now")
        assert call["to"] == f"moving:{call['source']}"
        seen.setdefault(call["source"], []).append(content)
        hosts[1].send({"op": "data", "id": call["id"], "end": True})
    assert all(messages in ([b"1", b"2"], [b"2"]) for messages in seen.values())
    assert {len(messages) for messages in seen.values()} == {1, 2}
