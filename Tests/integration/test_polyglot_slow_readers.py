"""Readers that take their time: who produces for them waits, in every language."""

from __future__ import annotations

import hashlib

import pytest
from fleet import LANGUAGES, PAIR_IDS, PAIRS, Fleet, Peer

CHUNK_BYTES = 64 << 10
CHUNKS = 1024
WINDOW_BYTES = 1 << 20
FRAME_COST_BYTES = 256

# How many chunks may be made beyond those that were read: a window of them, one that overdraws it,
# one that is made and waits for credit, and one that a library asks for before it knows.
AHEAD_MAX = WINDOW_BYTES // (CHUNK_BYTES + FRAME_COST_BYTES) + 3

# A producer that is cancelled while its last one goes out may not have counted that.
UNCOUNTED_MAX = 1

STREAM = {"json": {"count": CHUNKS, "bytes": CHUNK_BYTES}}


@pytest.fixture(params=PAIRS, ids=PAIR_IDS)
def pair(request: pytest.FixtureRequest, fleet: Fleet) -> tuple[Peer, Peer]:
    """Who reads, and who produces."""
    reader, producer = request.param
    return fleet[reader], fleet[producer]


def digest(number: int) -> str:
    """Of a chunk that begins with its number."""
    return hashlib.sha256(number.to_bytes(8, "big") + bytes(CHUNK_BYTES - 8)).hexdigest()


def test_a_slow_reader_holds_its_producer_back(pair: tuple[Peer, Peer]) -> None:
    reader, producer = pair
    stream = reader.stream(producer.named("generate"), STREAM)
    count = 40
    for number, message in enumerate(stream.take(count)):
        assert (message["bytes"], message["sha256"]) == (CHUNK_BYTES, digest(number))
    stream.leave()
    made = producer.event("generated")["count"]
    assert count - UNCOUNTED_MAX <= made <= count + AHEAD_MAX


def test_one_message_at_a_time(pair: tuple[Peer, Peer]) -> None:
    """A window of one byte is overdrawn by each message; the next comes after its credit."""
    reader, producer = pair
    body = {"json": {"count": 100, "bytes": 100}}
    stream = reader.stream(producer.named("generate"), body, window=1)
    stream.take(10)
    stream.leave()
    made = producer.event("generated")["count"]
    assert 10 - UNCOUNTED_MAX <= made <= 10 + 3


def test_input_waits_for_an_agent_that_takes_its_time(pair: tuple[Peer, Peer]) -> None:
    """The other direction: a `put` is done when the agent's window has taken it."""
    writer, host = pair
    address = host.named("scripted")
    exchange = writer.open(address)
    called = host.called(address)
    puts = [
        exchange.begin("put", body={"repeat": number, "bytes": CHUNK_BYTES})
        for number in range(4 * AHEAD_MAX)
    ]
    for taken in range(len(puts)):
        done = sum(put.is_done for put in puts)
        assert done <= taken + AHEAD_MAX
        got = host.run("input", call=called["call"])
        expected = hashlib.sha256(bytes([taken]) * CHUNK_BYTES).hexdigest()
        assert got["message"]["sha256"] == expected
    for put in puts:
        put.result()
    exchange.finish()
    assert host.run("input", call=called["call"]) == {"end": True}
    host.answer(called)
    assert exchange.next() == {"end": True}


@pytest.mark.parametrize("reader", LANGUAGES)
def test_scenario_11_read_one_by_one_all_of_it_comes(fleet: Fleet, reader: str) -> None:
    """64 MiB from each language to another in turn, through a daemon that holds next to nothing."""
    producer = fleet.after(fleet[reader])
    fleet.daemon.reset_peak()
    before = fleet.daemon.memory_bytes
    stream = fleet[reader].stream(producer.named("generate"), STREAM)
    for number in range(CHUNKS):
        assert stream.next()["message"]["sha256"] == digest(number)
    assert stream.next() == {"end": True}
    assert producer.event("generated")["count"] == CHUNKS
    assert fleet.daemon.peak_bytes - before < 16 << 20
