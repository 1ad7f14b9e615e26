"""Scenario 11: the slow reader of a one-gigabyte stream costs the sidecar a bounded memory."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from coagent_client import CancelledCallError
from conftest import Sidecar, bounded
from processes import Daemon, Host
from raw_peer import RawPeer

MIB = 1 << 20
CHUNK = MIB // 4  # what a library sends in one frame
COUNT = 4096
MARGIN = 64 * MIB
COST = CHUNK + 256


async def produced(sidecar: Sidecar) -> int:
    async with sidecar.connect() as client:
        count: int = await client.call("produced", b"")
        return count


def order(count: int = COUNT) -> bytes:
    return b'{"count":%d,"size":%d}' % (count, CHUNK)


def idle_bytes(daemon: Daemon) -> int:
    """What the daemon holds now, with its peak begun anew."""
    daemon.reset_peak()
    return daemon.memory_bytes


def read_chunk(reader: RawPeer, number: int) -> None:
    header, content = reader.expect("data", id=1)
    assert len(content) == CHUNK and int.from_bytes(content[:8], "big") == number
    assert "end" not in header


def test_scenario_11_without_credit_the_producer_waits(sidecar: Sidecar, host: Host) -> None:
    before = idle_bytes(sidecar.daemon)
    with RawPeer(sidecar.url, sidecar.token) as reader:
        reader.send({"op": "call", "id": 1, "to": "chunks"}, order())
        # The window of 1 MiB is four chunks, the last overdrawing it; then as many as are granted.
        for number in range(4):
            read_chunk(reader, number)
        for number in range(4, 12):
            reader.ping()
            assert asyncio.run(produced(sidecar)) <= number + 2
            reader.send({"op": "credit", "id": 1, "bytes": COST})
            read_chunk(reader, number)
        reader.send({"op": "cancel", "id": 1})
        while (header := reader.receive()[0])["op"] == "data":
            assert header["id"] == 1
        assert header["code"] == "cancelled"
        host.out.expect("chunks cancelled")
    assert asyncio.run(produced(sidecar)) < 24
    assert sidecar.daemon.peak_bytes - before < MARGIN


def test_scenario_11_a_reader_that_stops_reading_holds_nobody_up(
    sidecar: Sidecar, host: Host
) -> None:
    before = idle_bytes(sidecar.daemon)
    with (
        RawPeer(sidecar.url, sidecar.token) as reader,
        RawPeer(sidecar.url, sidecar.token) as other,
    ):
        # It permits everything, and does not read.
        call: dict[str, Any] = {"op": "call", "id": 1, "to": "chunks", "window": 2**31 - 1}
        reader.send(call, order())
        # Meanwhile others are served, until the producer has stood still for a while.
        last, same, ident = -1, 0, 1
        while same < 200:
            other.send({"op": "call", "id": ident, "to": "produced"})
            _, content = other.expect("data", id=ident, end=True)
            same = same + 1 if int(content) == last else 0
            last, ident = int(content), ident + 2
        assert 0 < last < 128
        assert sidecar.daemon.peak_bytes - before < MARGIN
        # Then it reads on, slowly and then fast, misses nothing, and has enough.
        for number in range(512):
            read_chunk(reader, number)
            reader.send({"op": "credit", "id": 1, "bytes": COST})
            if number < 16:
                other.ping()
        reader.send({"op": "cancel", "id": 1})
        while (header := reader.receive()[0])["op"] == "data":
            assert header["id"] == 1
        assert header["code"] == "cancelled"
        host.out.expect("chunks cancelled")
    assert sidecar.daemon.peak_bytes - before < MARGIN


@bounded
async def test_scenario_11_the_client_reads_a_gigabyte_in_bounded_memory(
    sidecar: Sidecar, host: Host
) -> None:
    before = idle_bytes(sidecar.daemon)
    async with sidecar.connect() as client:
        number = 0
        async for chunk in client.stream("chunks", {"count": COUNT, "size": CHUNK}):
            assert len(chunk) == CHUNK and int.from_bytes(chunk[:8], "big") == number
            number += 1
            if number == 4:
                # The application is busy elsewhere: the producer waits for it.
                for _ in range(50):
                    assert await client.call("produced", b"") < 24
        assert number == COUNT
    assert sidecar.daemon.peak_bytes - before < MARGIN


@bounded
async def test_scenario_11_leaving_the_loop_stops_the_producer(
    sidecar: Sidecar, host: Host
) -> None:
    async with sidecar.connect() as client:
        reply = client.stream("chunks", {"count": COUNT, "size": CHUNK})
        async for chunk in reply:
            assert len(chunk) == CHUNK
            break
        await asyncio.to_thread(host.out.expect, "chunks cancelled")
        with pytest.raises(CancelledCallError):
            await reply
        assert await client.call("produced", b"") < 24
