"""Scenario 22: whatever arrives, connections end cleanly, others go on, memory is bounded."""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Sidecar, bounded
from processes import BOUND_S, ROOT, Daemon, Host
from raw_peer import RawPeer, frame

MIB = 1 << 20
CONNECTIONS = 10_000


def expect_error(peer: RawPeer, reason: str) -> None:
    """One error without id, and the end."""
    header, _ = peer.expect("error", reason=reason)
    assert "id" not in header
    assert peer.is_closed()


@pytest.fixture
def bystander(sidecar: Sidecar) -> Iterator[RawPeer]:
    """Somebody else, who is served before and after, and whose daemon keeps its memory."""
    sidecar.daemon.reset_peak()
    before = sidecar.daemon.memory_bytes
    with RawPeer(sidecar.url, sidecar.token) as peer:
        yield peer
        peer.send({"op": "call", "id": 1, "to": "stats", "type": "StatsQuery"}, b"{}")
        peer.expect("data", id=1, end=True)
    assert sidecar.daemon.process.poll() is None
    assert sidecar.daemon.peak_bytes - before < 32 * MIB


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "header_length"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "header_length"),
        (b"\xff" * 64, "header_length"),
        (b"\0" * 64, "header_length"),
        (struct.pack(">II", 0xFFFFFFFF, 0), "header_length"),
        (struct.pack(">II", 64, 0xFFFFFFFF), "content_length"),
        (struct.pack(">II", 2, 0) + b"[]", "bad_header"),
        (frame({"op": "call", "id": 1, "to": "echo"}), "hello_expected"),
        (frame({"op": "hello", "v": 2, "client": "x"}), "version_unsupported"),
    ],
)
def test_scenario_22_garbage_instead_of_hello(
    sidecar: Sidecar, bystander: RawPeer, data: bytes, reason: str
) -> None:
    with RawPeer(sidecar.url, greet=False) as peer:
        peer.send_bytes(data)
        expect_error(peer, reason)


def test_scenario_22_lengths_of_four_gibibytes_behind_hello(
    sidecar: Sidecar, bystander: RawPeer
) -> None:
    for header, content, reason in (
        (0xFFFFFFFF, 0xFFFFFFFF, "header_length"),
        (0x80000000, 0, "header_length"),
        (20, 0xFFFFFFFF, "content_length"),
        (20, 16 * MIB + 1, "content_length"),
    ):
        with RawPeer(sidecar.url, sidecar.token) as peer:
            peer.send_bytes(struct.pack(">II", header, content) + b"x" * 1000)
            expect_error(peer, reason)


def test_scenario_22_every_hostile_frame_of_the_vectors(
    sidecar: Sidecar, bystander: RawPeer
) -> None:
    for path in sorted((ROOT / "proto" / "vectors" / "frames").glob("*.json")):
        for vector in json.loads(path.read_text(encoding="utf-8")):
            if vector["from"] != "client" or "fatal" not in vector:
                continue
            with RawPeer(sidecar.url, sidecar.token, greet=not vector.get("first")) as peer:
                peer.send_bytes(bytes.fromhex(vector["hex"]))
                header, _ = peer.receive()
                assert (header["op"], header["reason"]) == ("error", vector["fatal"]), vector[
                    "name"
                ]
                assert peer.is_closed(), vector["name"]


def test_scenario_22_half_frames(sidecar: Sidecar, bystander: RawPeer) -> None:
    whole = frame(
        {"op": "call", "id": 1, "to": "stats", "type": "StatsQuery"}, b"{}" + b" " * 90_000
    )
    for cut in [*range(80), 1000, 40_000, len(whole) - 1]:
        peer = RawPeer(sidecar.url, sidecar.token)
        peer.send_bytes(whole[:cut])
        peer.close()
    # A frame that announces 16 MiB and brings nothing costs nothing, a hundred times over.
    peers = [RawPeer(sidecar.url, sidecar.token) for _ in range(100)]
    for peer in peers:
        peer.send_bytes(struct.pack(">II", 20, 16 * MIB) + b'{"op":"call","id":1}'[:20] + b"x" * 99)
    bystander.ping()
    for peer in peers:
        peer.close()


def test_scenario_22_random_bytes_from_a_seed(sidecar: Sidecar, bystander: RawPeer) -> None:
    seed = int(os.environ.get("COAGENT_TEST_SEED") or random.SystemRandom().randrange(2**32))
    print(f"COAGENT_TEST_SEED={seed}")
    source = random.Random(seed)
    good = [
        frame({"op": "ping"}),
        frame({"op": "call", "id": 1, "to": "nobody", "ext": {"k": "v"}}, b"content"),
        frame({"op": "register", "id": 3, "name": "garbage.agent"}, b"[]"),
        frame({"op": "send", "to": "garbage.agent:s"}, b"{}"),
    ]
    for _ in range(300):
        with RawPeer(sidecar.url, sidecar.token) as peer:
            data = bytearray(b"".join(source.choices(good, k=source.randrange(1, 6))))
            for _ in range(source.randrange(1, 8)):
                data[source.randrange(len(data))] = source.randrange(256)
            peer.send_bytes(bytes(data))
            peer.socket.shutdown(socket.SHUT_WR)
            # It hangs up, whatever it made of that.
            try:
                while peer.socket.recv(65536):
                    pass
            except ConnectionResetError:
                pass


def test_scenario_22_a_client_that_asks_and_does_not_read(sidecar: Sidecar) -> None:
    """What waits for it is bounded: beyond the mark its calls end, with one answer each."""
    sidecar.daemon.reset_peak()
    before = sidecar.daemon.memory_bytes
    asked, reply = 1000, b"r" * 65_536
    with RawPeer(sidecar.url, sidecar.token) as host, RawPeer(sidecar.url, sidecar.token) as peer:
        host.send({"op": "register", "id": 1, "name": "generous"})
        host.expect("ok", id=1)
        for number in range(asked):
            peer.send({"op": "call", "id": 2 * number + 1, "to": "generous"})
        answered = 0
        while answered < asked:
            header, _ = host.receive()
            if header["op"] == "call":
                host.send({"op": "data", "id": header["id"], "end": True}, reply)
                answered += 1
        reasons: dict[int, str] = {}
        while len(reasons) < asked:
            header, content = peer.receive()
            if header["op"] == "ping":
                continue
            assert header["id"] not in reasons and (header["op"] == "error" or header["end"])
            assert header["op"] == "error" or content == reply
            reasons[header["id"]] = header.get("reason", "")
        assert set(reasons.values()) == {"", "reader_overrun"}
    assert sidecar.daemon.peak_bytes - before < 64 * MIB


@pytest.fixture
def crowded(folder: Path) -> Iterator[Daemon]:
    running = Daemon(folder, tcp=False)
    yield running
    assert running.end() == 0


@bounded
async def test_scenario_22_ten_thousand_connections(crowded: Daemon) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard > CONNECTIONS + 100, "the hard limit of file descriptors is too low for this test"
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    host = Host(crowded.unix_url, None, "echo")
    peers: list[RawPeer] = []
    try:
        before = crowded.memory_bytes
        for _ in range(CONNECTIONS):
            peers.append(RawPeer(crowded.unix_url))
        each = (crowded.memory_bytes - before) / CONNECTIONS
        assert each < 16 * 1024, f"{each:.0f} bytes a connection"
        # All are served, the first as the last.
        for peer in (peers[0], peers[CONNECTIONS // 2], peers[-1]):
            peer.send({"op": "call", "id": 1, "to": "echo"}, b"1")
            _, content = peer.expect("data", id=1, end=True)
            assert content == b"1"
        assert connections(peers[0], 3) == CONNECTIONS + 1
        for peer in peers[1:]:
            peer.close()
        ident = 5
        while connections(peers[0], ident) > 2:
            ident += 2
    finally:
        for peer in peers:
            peer.close()
        host.end()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    await asyncio.to_thread(crowded.end)


def connections(peer: RawPeer, ident: int) -> int:
    peer.send({"op": "call", "id": ident, "to": "stats", "type": "StatsQuery"})
    _, content = peer.expect("data", id=ident, end=True)
    stats: dict[str, Any] = json.loads(content)
    return int(stats["connections"])


def test_scenario_22_more_frames_at_once_than_a_turn_takes(sidecar: Sidecar) -> None:
    """They are answered without waiting for something else to happen: forty times, within the
    bound of one."""
    until = time.monotonic() + BOUND_S
    with RawPeer(sidecar.url, sidecar.token) as peer:
        for count in (511, 512, 513, 1000) * 10:
            peer.send_bytes(frame({"op": "ping"}) * count)
            for _ in range(count):
                peer.expect("pong")
            assert time.monotonic() < until


def test_scenario_22_who_takes_nothing_is_thrown_out(folder: Path) -> None:
    daemon = Daemon(folder, "--undrained-ms", "300", tcp=False)
    with RawPeer(daemon.unix_url) as host, RawPeer(daemon.unix_url) as peer:
        host.send({"op": "register", "id": 1, "name": "generous"})
        host.expect("ok", id=1)
        peer.send({"op": "call", "id": 1, "to": "generous", "window": 2**31 - 1})
        host.expect("call", id=2)
        host.send({"op": "data", "id": 2}, b"r" * (4 * MIB))
        host.expect("credit", id=2)
        # Nothing else happens: no other event wakes the daemon up.
        ended = json.loads(daemon.err.expect("{", 20))
        assert ended["reason"] == "slow_reader"
        host.expect("cancel", id=2, reason="caller_lost")
    assert daemon.end() == 0
