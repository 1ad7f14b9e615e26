"""What machines do to a daemon: stopped peers, floods, no descriptors left, a log nobody takes."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from coagent_client import AgentError, UnavailableError
from conftest import Sidecar, bounded
from processes import BOUND_S, Daemon, Host, clean_environment, daemon_binary
from raw_peer import RawPeer, open_socket

DESCRIPTORS = 64


def exchange(caller: RawPeer, ident: int) -> None:
    """A call that is answered."""
    caller.send({"op": "call", "id": ident, "to": "echo"}, b"1")
    assert caller.expect("data", id=ident, end=True)[1] == b"1"


@bounded
async def test_a_stopped_host_is_given_up_and_its_replica_goes_on(folder: Path) -> None:
    daemon = Daemon(folder, "--heartbeat-ms-tcp", "200")
    stopped = Host(daemon.tcp_url, Daemon.TOKEN, "hang")
    other = Host(daemon.unix_url, None, "echo")
    async with Sidecar(daemon, "unix").connect() as client:
        waiting = client.stream("hang", "k")
        stopped.out.expect("hang begun")
        stopped.signal(signal.SIGSTOP)
        # It has its connection, and says nothing any more.
        with pytest.raises(UnavailableError) as caught:
            await waiting
        assert caught.value.reason == "host_lost" and not caught.value.retry
        assert await client.call("echo", 1) == 1
        with pytest.raises(AgentError) as gone:
            await client.call("hang", "k", timeout=1)
        assert gone.value.code in ("unavailable", "deadline_exceeded")
        # Once it runs again it comes back by itself.
        stopped.signal(signal.SIGCONT)
        async for change in client.watch():
            if any(card.name == "hang" for card in change.registered):
                break
    stopped.end()
    other.end()
    assert daemon.end() == 0


def test_without_descriptors_it_waits_and_then_accepts_again(folder: Path) -> None:
    daemon = Daemon(folder, tcp=False)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    host = Host(daemon.unix_url, None, "echo")
    with RawPeer(daemon.unix_url) as caller:
        crowd = [open_socket(daemon.unix_url) for _ in range(2 * DESCRIPTORS)]
        while "not accepting" not in json.loads(daemon.err.expect("{"))["message"]:
            pass
        # Who was there before is served, and who waits is accepted once there is room.
        exchange(caller, 1)
        late = open_socket(daemon.unix_url)
        for one in crowd:
            one.close()
        late.close()
        with RawPeer(daemon.unix_url) as newcomer:
            exchange(newcomer, 1)
        exchange(caller, 3)
    host.end()
    assert daemon.end() == 0


def test_a_flood_of_connections_that_say_nothing_is_cleared(folder: Path) -> None:
    daemon = Daemon(folder, "--hello-timeout-ms", "500", "--connections-max", "300", tcp=False)
    host = Host(daemon.unix_url, None, "echo")
    with RawPeer(daemon.unix_url) as caller:
        crowd = [open_socket(daemon.unix_url) for _ in range(1000)]
        exchange(caller, 1)
        for one in crowd:
            # Each is told why: there are too many, or it was too late.
            told = b"".join(iter(lambda one=one: one.recv(4096), b""))  # type: ignore[misc]
            assert b"too_many_connections" in told or b"hello_timeout" in told
            one.close()
        exchange(caller, 3)
        with RawPeer(daemon.unix_url) as newcomer:
            exchange(newcomer, 1)
    host.end()
    assert daemon.end() == 0


@pytest.fixture
def notices(folder: Path) -> Iterator[socket.socket]:
    """Where a daemon tells that it is ready, when its log cannot."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        notices.bind(str(folder / "notify"))
        notices.settimeout(BOUND_S)
        yield notices


def start_with_log(folder: Path, log: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [daemon_binary(), "--listen", f"unix:{folder}/c.sock", "--log-level", "trace"],
        stdin=subprocess.DEVNULL,
        stderr=log,
        env=clean_environment(NOTIFY_SOCKET=f"{folder}/notify"),
    )


def serves_and_ends(folder: Path, notices: socket.socket, daemon: subprocess.Popen[bytes]) -> None:
    try:
        assert b"READY=1" in notices.recv(4096)
        url = f"unix:{folder}/c.sock"
        host = Host(url, None, "echo")
        # Each is worth a few lines in the log.
        for _ in range(300):
            with RawPeer(url) as peer:
                exchange(peer, 1)
        host.end()
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(BOUND_S) == 0
    finally:
        if daemon.poll() is None:
            daemon.kill()
            daemon.wait()


def test_a_full_disk_under_the_log_stops_nothing(folder: Path, notices: socket.socket) -> None:
    with open("/dev/full", "wb") as full:
        daemon = start_with_log(folder, full.fileno())
    serves_and_ends(folder, notices, daemon)


def test_a_log_that_nobody_reads_stops_nothing(folder: Path, notices: socket.socket) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, bytes(65536))
    except BlockingIOError:
        pass  # Not another byte fits.
    os.set_blocking(writing, True)
    try:
        daemon = start_with_log(folder, writing)
        serves_and_ends(folder, notices, daemon)
    finally:
        os.close(reading)
        os.close(writing)
