"""What the integration tests share: real daemons and real processes of agents, both ended."""

from __future__ import annotations

import asyncio
import functools
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from coagent_client import Client, connect
from fleet import Fleet
from processes import BOUND_S, Daemon, Host, Program

TRANSPORTS = ("unix", "tcp")


@pytest.fixture(autouse=True)
def programs() -> Iterator[None]:
    """A test that fails in the middle leaves no process behind."""
    before = len(Program.started)
    yield
    for program in Program.started[before:]:
        if program.process.poll() is None:
            program.kill()
    del Program.started[before:]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A private folder whose path is short enough for a socket in it."""
    with tempfile.TemporaryDirectory(prefix="coagent-", dir="/tmp") as path:
        yield Path(path)


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    """A daemon for the tests of a file, on a Unix socket and on TCP."""
    with tempfile.TemporaryDirectory(prefix="coagent-", dir="/tmp") as path:
        running = Daemon(Path(path))
        yield running
        assert running.end() == 0


def fleet_of(daemon: Daemon, transport: str = "unix") -> Iterator[Fleet]:
    """Peers of all languages, for a fixture."""
    with Fleet(daemon, transport) as running:
        running.start()
        yield running


@pytest.fixture(scope="module")
def fleet(daemon: Daemon) -> Iterator[Fleet]:
    """A process of each language for the tests of a file."""
    yield from fleet_of(daemon)


class Sidecar:
    """A daemon as seen over one transport."""

    def __init__(self, daemon: Daemon, transport: str) -> None:
        self.daemon = daemon
        self.transport = transport
        self.url = daemon.url(transport)
        self.token = daemon.token(transport)

    def connect(self, name: str | None = None) -> Client:
        return connect(self.url, token=self.token or "", name=name)


@pytest.fixture(params=TRANSPORTS)
def sidecar(request: pytest.FixtureRequest, daemon: Daemon) -> Sidecar:
    return Sidecar(daemon, request.param)


@pytest.fixture
def host(sidecar: Sidecar) -> Iterator[Host]:
    """All agents of host_program.py, in one process."""
    running = Host(sidecar.url, sidecar.token)
    yield running
    running.end()


def bounded(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """An `async def` test as pytest runs it, with a bound."""

    @functools.wraps(test)
    def run(*arguments: object, **fixtures: object) -> None:
        async def whole() -> None:
            await asyncio.wait_for(test(*arguments, **fixtures), 2 * BOUND_S)

        asyncio.run(whole())

    return run
