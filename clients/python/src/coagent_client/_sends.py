"""A `send` that waits for the sidecar to have it in the mailbox."""

from __future__ import annotations

import asyncio

from ._errors import AgentError, CancelledCallError, UnavailableError
from ._wire import Fields


class Acknowledged:
    """The endpoint of such a send; `answer` is None once it is accepted, else the error."""

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
