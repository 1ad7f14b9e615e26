"""What has no reply: `send`, in a mailbox once the sidecar says so, `publish` and `signal`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ._calls import OwnCall, repeat_delay
from ._connection import Connection, check_header
from ._errors import (
    AgentError,
    CancelledCallError,
    DeadlineExceededError,
    FailedPreconditionError,
    InvalidArgumentError,
    UnavailableError,
    UnimplementedError,
)
from ._wire import Fields

if TYPE_CHECKING:
    from ._verbs import Verbs


class Post:
    """Such a message, ready to be written, and again if nobody saw it."""

    __slots__ = ("_address", "_content", "_op", "_rest", "_served")

    def __init__(
        self,
        op: str,
        address: str,
        rest: str,
        content: bytes,
        served: tuple[Connection, int] | None,
    ) -> None:
        self._op = op
        self._address = address
        self._rest = rest
        """The header behind the id, without its closing brace and parent."""
        self._content = content
        self._served = served

    async def written(self, client: Verbs, timeout_s: float) -> None:
        """Returns once it is written: what is lost is lost."""
        connection, header = await self._header(client, client.loop.time() + timeout_s)
        header = f'{{"op":"{self._op}"{header}'
        check_header(header)
        connection.write(header, self._content)

    async def acknowledged(self, client: Verbs, timeout_s: float) -> None:
        """Returns once the sidecar has it where it belongs; raises what it has against it."""
        until = client.loop.time() + timeout_s
        attempt = rejoins = 0
        while True:
            connection, header = await self._header(client, until)
            waiting = Acknowledged(client.loop, self._address)
            ident = connection.open_id(waiting, self._op, header, self._content)
            try:
                left_s = max(until - client.loop.time(), 0)
                answered, _ = await asyncio.wait([waiting.answer], timeout=left_s)
            except asyncio.CancelledError:
                self._left(connection, ident)
                raise
            if not answered:
                self._left(connection, ident)
                raise DeadlineExceededError("not acknowledged in time", reason="deadline")
            error = waiting.answer.result()
            if error is None:
                return
            if self._op == "send" and client.is_rejoining(error):
                rejoins += 1
                await asyncio.sleep(repeat_delay(rejoins, 0.5))
            elif error.retry and attempt < client.repeats:
                attempt += 1
                await asyncio.sleep(repeat_delay(attempt + 1, 2.0))
            else:
                raise error

    def _left(self, connection: Connection, ident: int) -> None:
        """Nobody waits for the answer any more. The sidecar has the message all the same."""

    async def _connected(self, client: Verbs, until: float) -> Connection:
        """The connection to write it to; one for a call in flight goes where that came from."""
        if self._served is None:
            return await client.wait_connected(until)
        connection, _ = self._served
        if connection.error is not None:
            raise CancelledCallError(
                "the call this serves was lost with its connection", reason="parent_ended"
            )
        return connection

    async def _header(self, client: Verbs, until: float) -> tuple[Connection, str]:
        size = len(self._content)
        if size > client.content_bytes_max:
            raise InvalidArgumentError(
                f"content of {size} bytes exceeds {client.content_bytes_max}", reason="too_large"
            )
        connection = await self._connected(client, until)
        parent = f',"parent":{self._served[1]}' if self._served is not None else ""
        return connection, self._rest + parent + "}"


class SignalPost(Post):
    """A signal: by address or run on whatever connection there is, by call on that call's."""

    __slots__ = ("_call", "_ident")

    def __init__(
        self,
        address: str,
        rest: str,
        content: bytes,
        served: tuple[Connection, int] | None,
        call: OwnCall | None = None,
    ) -> None:
        super().__init__("signal", address, rest, content, served)
        self._call = call
        self._ident = call.ident if call is not None else 0

    def _left(self, connection: Connection, ident: int) -> None:
        if ident in connection.open:
            connection.end_id(ident)
            connection.write(f'{{"op":"cancel","id":{ident}}}')

    async def _connected(self, client: Verbs, until: float) -> Connection:
        call = self._call
        if call is None:
            # Other than messages, a sidecar that drains takes it.
            connection = await client.wait_connected(until, takes_draining=True)
        else:
            if not self._ident or call.ident != self._ident or call.connection is None:
                raise FailedPreconditionError(
                    "the call does not run", reason="not_running", address=self._address
                )
            connection = call.connection
        if connection.is_welcome and "signals" not in connection.features:
            raise UnimplementedError("the sidecar knows no signals", reason="unknown_op")
        return connection


class Acknowledged:
    """The endpoint of one; `answer` is None once it is accepted, else the error."""

    __slots__ = ("_address", "answer")

    def __init__(self, loop: asyncio.AbstractEventLoop, address: str) -> None:
        self._address = address
        self.answer: asyncio.Future[AgentError | None] = loop.create_future()

    def on_data(self, fields: Fields, content: bytes) -> None:
        return

    def on_credit(self, size: int) -> None:
        return

    def on_ok(self) -> None:
        self._set(None)

    def on_error(self, error: AgentError, more: bool) -> None:
        error.address = self._address
        self._set(error)

    def on_cancel(self, reason: str) -> None:
        self._set(CancelledCallError("the sidecar dropped the message", reason="cancelled"))

    def on_lost(self, error: AgentError) -> None:
        self._set(UnavailableError(error.message, reason="connection_lost", address=self._address))

    def _set(self, error: AgentError | None) -> None:
        if not self.answer.done():
            self.answer.set_result(error)
