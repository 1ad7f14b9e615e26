"""Messages that nobody answers: `send`, in a mailbox once the sidecar says so, and `publish`."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from ._connection import Connection, check_header
from ._errors import (
    AgentError,
    CancelledCallError,
    DeadlineExceededError,
    InvalidArgumentError,
    UnavailableError,
)
from ._requests import parent_rest
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

    async def written(self, client: Verbs) -> None:
        """Returns once it is written: what is lost is lost."""
        connection, header = await self._header(client)
        header = f'{{"op":"{self._op}"{header}'
        check_header(header)
        connection.write(header, self._content)

    async def acknowledged(self, client: Verbs, timeout_s: float) -> None:
        """Returns once the sidecar has it where it belongs; raises what it has against it."""
        attempt = 0
        while True:
            connection, header = await self._header(client)
            waiting = Acknowledged(client.loop, self._address)
            connection.open_id(waiting, self._op, header, self._content)
            answered, _ = await asyncio.wait([waiting.answer], timeout=timeout_s)
            if not answered:
                raise DeadlineExceededError("not acknowledged in time", reason="deadline")
            error = waiting.answer.result()
            if error is None:
                return
            if not error.retry or attempt >= client.repeats:
                raise error
            attempt += 1
            await asyncio.sleep(0.05 * 2**attempt * random.uniform(0.5, 1.5))

    async def _header(self, client: Verbs) -> tuple[Connection, str]:
        size = len(self._content)
        if size > client.content_bytes_max:
            raise InvalidArgumentError(
                f"content of {size} bytes exceeds {client.content_bytes_max}", reason="too_large"
            )
        await client.wait_connected()
        connection = client.connection
        assert connection is not None
        return connection, self._rest + parent_rest(self._served, connection) + "}"


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
