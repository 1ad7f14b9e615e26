"""The client: one connection kept to the sidecar, the verbs, and the agents registered here."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import signal
import sys
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from ._address import default_token, default_url, parse_url
from ._calls import OwnCall
from ._connection import Connection
from ._errors import (
    AgentError,
    DeadlineExceededError,
    FailedPreconditionError,
    UnavailableError,
)
from ._hosting import Hosting
from ._registration import Registration
from ._run_verbs import RunVerbs
from ._topics import TopicReader
from ._version import VERSION
from ._wire import FEATURES, Fields, quoted

C = TypeVar("C", bound="Client")

log = logging.getLogger("coagent_client")

_HELLO_S = 5.0
_BACKOFF_S = 0.1
_BACKOFF_MAX_S = 5.0
_CLOSE_S = 5.0
_REJOIN_S = 5.0
_FINAL_CODES = ("unauthenticated", "permission_denied", "failed_precondition", "invalid_argument")


class Client(RunVerbs):
    """A connection to a sidecar that is made again when it is lost. See `connect`.

    All of it belongs to the event loop it was entered on.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        name: str | None = None,
        token: str | None = None,
        wait: float = 0.0,
        repeats: int = 3,
        threads: int = 64,
    ) -> None:
        self._url = url
        self._name = name
        self._token = token
        self._wait_s = wait
        self.repeats = repeats
        self.loop: asyncio.AbstractEventLoop = None  # type: ignore[assignment]
        self.connection: Connection | None = None
        self.end_error: AgentError | None = None
        """Why there will be no connection any more."""
        self.waiting: list[OwnCall] = []
        self.hosting = Hosting(self)
        self._registrations: list[Registration] = []
        self._readers: list[TopicReader] = []
        self.thread = 0
        self._threads_max = threads
        self._threads: ThreadPoolExecutor | None = None
        self._connected: asyncio.Future[None] | None = None
        self._reconnecting: asyncio.Task[None] | None = None
        self._deadline_timer: asyncio.TimerHandle | None = None
        self._ended: asyncio.Future[None] | None = None
        self._drained = asyncio.Event()
        self._rejoin_until = 0.0
        """In the loop's time: until then others may still be on their way back."""
        self._is_closed = False

    # Life

    async def __aenter__(self: C) -> C:
        await self._start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    def __await__(self: C) -> Generator[Any, None, C]:
        return self.__aenter__().__await__()

    @property
    def url(self) -> str:
        """Where the sidecar is."""
        return self._url or default_url()

    @property
    def is_connected(self) -> bool:
        return self.connection is not None and self.connection.is_open

    @property
    def threads(self) -> ThreadPoolExecutor:
        """Where plain functions run."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._threads_max, "coagent-agent")
        return self._threads

    async def _start(self) -> None:
        if self.loop is not None:
            raise FailedPreconditionError("a client is entered once", reason="entered_twice")
        self.loop = asyncio.get_running_loop()
        self.thread = threading.get_ident()
        self._ended = self.loop.create_future()
        until = self.loop.time() + self._wait_s
        delay_s = _BACKOFF_S / 2
        while True:
            try:
                await self._connect()
                return
            except AgentError as error:
                if error.code in _FINAL_CODES or self.loop.time() + delay_s > until:
                    self._finish(error)
                    raise
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, 1.0)

    async def _connect(self) -> None:
        """Opens the socket, says hello, registers; returns once welcome."""
        where = parse_url(self.url)
        token = self._token if self._token is not None else default_token()
        hello = f'{{"op":"hello","v":1,"client":"coagent-client-python/{VERSION}"'
        hello += f',"features":"{FEATURES}"'
        if self._name:
            hello += f',"name":{quoted(self._name)}'
        if token:
            hello += f',"token":{quoted(token)}'
        hello += "}"
        loop = self.loop

        def make() -> Connection:
            return Connection(self, loop, hello, _HELLO_S)

        try:
            if isinstance(where, str):
                _, connection = await loop.create_unix_connection(make, where)
            else:
                opening = loop.create_connection(make, where[0], where[1])
                _, connection = await asyncio.wait_for(opening, _HELLO_S)
        except (OSError, asyncio.TimeoutError) as error:
            raise UnavailableError(
                f"cannot reach the sidecar at {self.url} "
                f"({error or 'no answer'}); is coagentd running?",
                reason="connection_lost",
                retry=True,
            ) from error
        try:
            while not connection.is_welcome and connection.error is None:
                await self._change()
        except asyncio.CancelledError:
            connection.abort(UnavailableError("connecting was cancelled", reason="cancelled"))
            raise
        if connection.error is not None:
            raise connection.error.with_traceback(None)

    async def aclose(self) -> None:
        """Ends open calls, handlers and sessions, says goodbye and closes."""
        if self.loop is None or self._ended is None:
            return
        self._is_closed = True
        self._finish(UnavailableError("the client was closed", reason="connection_lost"))
        if self._reconnecting is not None:
            self._reconnecting.cancel()
            await asyncio.wait([self._reconnecting])
        connection = self.connection
        if connection is not None:
            connection.close()
        tasks = self.hosting.tasks
        me = asyncio.current_task()
        tasks = [task for task in tasks if task is not me]
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_S)
        if connection is not None:
            await asyncio.wait([connection.closed], timeout=_CLOSE_S)
            if not connection.closed.done():
                connection.discard()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def drain(self, timeout: float = 10.0) -> None:
        """Takes no new calls, lets those it handles finish for so long, then closes."""
        connection = self.connection
        if connection is not None and connection.error is None:
            connection.goodbye("drain", round(timeout * 1000))
            await connection.round_trip()  # Calls that had been sent before are here then.
            tasks = self.hosting.tasks
            if tasks:
                await asyncio.wait(tasks, timeout=timeout)
        await self.aclose()

    async def serve(self) -> None:
        """Waits until all agents are registered, then until the client is closed, or has been
        drained by the sidecar's operator and is done with what it handles; raises what else ends
        it."""
        for registration in list(self._registrations):
            await registration
        assert self._ended is not None
        drained = self.loop.create_task(self._drained.wait())
        changes: list[asyncio.Future[Any]] = [self._ended, drained]
        try:
            await asyncio.wait(changes, return_when=asyncio.FIRST_COMPLETED)
        finally:
            drained.cancel()
        while self.hosting.tasks and not self._ended.done():
            changes = [self._ended, *self.hosting.tasks]
            await asyncio.wait(changes, return_when=asyncio.FIRST_COMPLETED)
        if self._ended.done() and not self._is_closed:
            self.check_alive()

    def run(self) -> None:
        """For a program that only hosts: connects, serves until SIGINT or SIGTERM, drains."""
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._run())

    async def _run(self) -> None:
        async with self:
            serving = asyncio.ensure_future(self.serve())
            main = asyncio.current_task()
            assert main is not None

            def stop() -> None:
                if not serving.done():
                    serving.cancel()
                else:
                    main.cancel()  # Told twice: no draining.

            if sys.platform != "win32":
                for number in (signal.SIGINT, signal.SIGTERM):
                    self.loop.add_signal_handler(number, stop)
            try:
                await serving
            except asyncio.CancelledError:
                await self.drain()

    async def wait_connected(
        self, until: float | None = None, *, takes_draining: bool = False
    ) -> Connection:
        """The connection as soon as there is one that takes new work; raises if there will be
        none, or not until then, in the loop's time."""
        while True:
            self.check_alive()
            connection = self.connection
            if (
                connection is not None
                and connection.is_open
                and (takes_draining or not connection.is_draining)
            ):
                return connection
            left_s = None if until is None else until - self.loop.time()
            if left_s is not None and left_s <= 0:
                raise DeadlineExceededError("there was no connection in time", reason="deadline")
            await self._change(left_s)

    async def _change(self, seconds: float | None = None) -> None:
        """Waits until a connection became welcome or was lost, or for so long."""
        if self._connected is None:
            self._connected = self.loop.create_future()
        await asyncio.wait([self._connected], timeout=seconds)

    def check_alive(self) -> None:
        """Raises if the client has ended."""
        if self.end_error is not None:
            raise self.end_error.with_traceback(None)

    def _finish(self, error: AgentError) -> None:
        """No connection will come any more."""
        if self.end_error is not None:
            return
        self.end_error = error
        if self._deadline_timer is not None:
            self._deadline_timer.cancel()
            self._deadline_timer = None
        waiting, self.waiting = self.waiting, []
        for call in waiting:
            call.on_lost(error)
        for registration in self._registrations:
            registration.failed(error)
        for reader in list(self._readers):
            reader.end(error)
        self._wake_connected()
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    # What the connection reports

    def opened(self, connection: Connection) -> None:
        """Hello is written; what follows need not wait for the welcome."""
        self.connection = connection
        self._drained.clear()
        for registration in self._registrations:
            registration.start(connection)
        for reader in self._readers:
            reader.start(connection)

    def welcomed(self, connection: Connection) -> None:
        if self._reconnecting is not None:
            self._rejoin_until = self.loop.time() + _REJOIN_S
        self._wake_connected()
        waiting, self.waiting = self.waiting, []
        for call in waiting:
            call.restart()

    def called(self, connection: Connection, ident: int, fields: Fields, body: bytes) -> None:
        self.hosting.called(connection, ident, fields, body)

    def signalled(self, connection: Connection, ident: int, fields: Fields, body: bytes) -> None:
        self.hosting.signalled(connection, ident, fields, body)

    def closing(self, connection: Connection, ident: int, fields: Fields) -> None:
        self.hosting.closing(connection, ident, fields)

    def draining(self, connection: Connection, reason: str) -> None:
        if reason == "drained":  # The sidecar stays, and so does the connection.
            log.warning("the operator has drained this client: it hosts nothing any more")
            connection.is_drained = True
            self._drained.set()
            error = UnavailableError("the operator has drained this client", reason="draining")
            for registration in self._registrations:
                registration.withdrawn(error)
            for reader in list(self._readers):
                reader.end(error)
        else:
            log.info("the sidecar takes no new calls")
            connection.is_draining = True

    def lost(self, connection: Connection, error: AgentError) -> None:
        self.hosting.lost()
        if connection is not self.connection:
            return
        self._wake_connected()
        if self.end_error is None and connection.is_welcome:
            log.warning("%s; reconnecting", error)
            self._reconnecting = self.loop.create_task(self._reconnect())

    async def _reconnect(self) -> None:
        delay_s = _BACKOFF_S
        while True:
            await asyncio.sleep(delay_s * random.uniform(0.5, 1.0))
            delay_s = min(delay_s * 2, _BACKOFF_MAX_S)
            try:
                await self._connect()
                return
            except AgentError as error:
                if error.code in _FINAL_CODES:
                    log.error("the sidecar refused the connection: %s", error)
                    self._finish(error)
                    return

    def _wake_connected(self) -> None:
        connected, self._connected = self._connected, None
        if connected is not None and not connected.done():
            connected.set_result(None)


def connect(
    url: str | None = None,
    *,
    name: str | None = None,
    token: str | None = None,
    wait: float = 0.0,
    repeats: int = 3,
    threads: int = 64,
) -> Client:
    """A client of the sidecar at `url` (`unix:/path`, `tcp://host:port`), connected by
    `async with` or `await`.

    Without a url: `COAGENT_URL`, else the default socket. `name` shows in the sidecar's lists.
    The token is `COAGENT_TOKEN` or in the file `COAGENT_TOKEN_FILE` unless given. `wait`: seconds
    to keep trying at first; afterwards a lost connection is always made again. `repeats`: how
    often a call that no agent has seen is made again. `threads`: how many plain functions run at
    once. Raises UnavailableError if nobody listens, or what the sidecar says against it.
    """
    return Client(url, name=name, token=token, wait=wait, repeats=repeats, threads=threads)
