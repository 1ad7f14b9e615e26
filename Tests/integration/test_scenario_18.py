"""Scenario 18: a client, or the sidecar, is killed in the middle of a run.

A client that comes back in time goes on where it was; what was kept in a sidecar that is killed is
lost, and whoever reads it is told.
"""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
from conftest import TRANSPORTS
from processes import BOUND_S, Daemon
from raw_peer import RawPeer

COUNT = 200
HEAD = 80
"""How many frames the client reads before it is killed."""


class Writer(RawPeer):
    """A host of one agent, `writer`, that numbers what it says."""

    def __init__(self, url: str, token: str | None) -> None:
        super().__init__(url, token, name="writer")
        self.send({"op": "register", "id": 1, "name": "writer"})
        self.expect("ok", id=1)

    def asked(self) -> int:
        header, _ = self.expect("call", to="writer")
        return int(header["id"])

    def say(self, call: int, numbers: range, *, end: bool = False) -> None:
        for number in numbers:
            self.send({"op": "data", "id": call}, b"%d" % number)
        if end:
            self.send({"op": "data", "id": call, "end": True})


def attach(peer: RawPeer, identity: int, run: str, start: int, *, resume: bool = True) -> None:
    request = {"run": run, "from": start, "resume": resume}
    header = {"op": "call", "id": identity, "to": "runs", "type": "Attach"}
    peer.send(header, json.dumps(request).encode())


def read(peer: RawPeer, identity: int, numbers: range) -> None:
    for number in numbers:
        header, content = peer.expect("data", id=identity)
        assert content == b"%d" % number and "end" not in header


def readers(peer: RawPeer, identity: int, run: str) -> int:
    header = {"op": "call", "id": identity, "to": "runs", "type": "RunDescribe"}
    peer.send(header, json.dumps({"run": run}).encode())
    _, content = peer.expect("data", id=identity, end=True)
    count: int = json.loads(content)["readers"]
    return count


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_scenario_18_a_client_that_comes_back_misses_nothing(
    daemon: Daemon, transport: str
) -> None:
    url, token = daemon.url(transport), daemon.token(transport)
    run = f"back-{transport}"
    with Writer(url, token) as writer, RawPeer(url, token) as second:
        with RawPeer(url, token) as first:
            first.send({"op": "call", "id": 1, "to": "writer", "run": run})
            call = writer.asked()
            writer.say(call, range(HEAD))
            read(first, 1, range(HEAD))
        # Its connection is gone, as that of a process that was killed.
        writer.say(call, range(HEAD, COUNT))
        attach(second, 1, run, HEAD)
        read(second, 1, range(HEAD, COUNT))
        writer.say(call, range(COUNT, COUNT + 10), end=True)
        read(second, 1, range(COUNT, COUNT + 10))
        second.expect("data", id=1, end=True)
        attach(second, 3, run, 0)
        read(second, 3, range(COUNT + 10))
        second.expect("data", id=3, end=True)


def test_scenario_18_a_run_ends_when_nobody_comes_back(folder: Path) -> None:
    daemon = Daemon(folder, "--run-grace-ms", "300", tcp=False)
    url = daemon.unix_url
    with Writer(url, None) as writer, RawPeer(url) as other:
        with RawPeer(url) as first:
            first.send({"op": "call", "id": 1, "to": "writer", "run": "left"})
            first.send({"op": "call", "id": 3, "to": "writer", "run": "on", "detach": True})
            left, going = writer.asked(), writer.asked()
        writer.expect("cancel", id=left, reason="caller_lost")
        writer.send({"op": "error", "id": left, "code": "cancelled"})
        attach(other, 1, "left", 0)
        other.expect("error", id=1, code="cancelled", reason="caller_lost")
        writer.say(going, range(3), end=True)
        attach(other, 3, "on", 0)
        read(other, 3, range(3))
        other.expect("data", id=3, end=True)
    assert daemon.end() == 0


def test_scenario_18_who_came_in_time_keeps_a_run_going(folder: Path) -> None:
    daemon = Daemon(folder, "--run-grace-ms", "300", tcp=False)
    url = daemon.unix_url
    with Writer(url, None) as writer, RawPeer(url) as second:
        with RawPeer(url) as first:
            first.send({"op": "call", "id": 1, "to": "writer", "run": "kept"})
            call = writer.asked()
            attach(second, 1, "kept", 0, resume=False)
            end = time.monotonic() + BOUND_S
            identity = 3
            while readers(second, identity, "kept") != 2:
                assert time.monotonic() < end
                identity += 2
        # Longer than the grace; the run has a reader all the while.
        second.socket.settimeout(0.6)
        with pytest.raises(TimeoutError):
            second.receive()
        second.socket.settimeout(BOUND_S)
        writer.say(call, range(3), end=True)
        read(second, 1, range(3))
        second.expect("data", id=1, end=True)
    assert daemon.end() == 0


def test_scenario_18_a_sidecar_that_is_killed_has_forgotten(folder: Path) -> None:
    first = Daemon(folder, tcp=False)
    with Writer(first.unix_url, None) as writer, RawPeer(first.unix_url) as opener:
        opener.send({"op": "call", "id": 1, "to": "writer", "run": "lost"})
        call = writer.asked()
        writer.say(call, range(3))
        read(opener, 1, range(3))
        first.signal(signal.SIGKILL)
        first.wait()
        first.end()
        assert opener.is_closed()
    second = Daemon(folder, tcp=False)
    with Writer(second.unix_url, None) as writer, RawPeer(second.unix_url) as again:
        attach(again, 1, "lost", 3)
        again.expect("error", id=1, code="not_found", reason="unknown_run")
        again.send({"op": "call", "id": 3, "to": "writer", "run": "lost"})
        writer.say(writer.asked(), range(2), end=True)
        read(again, 3, range(2))
        again.expect("data", id=3, end=True)
    assert second.end() == 0
