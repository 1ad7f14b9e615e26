"""Replies that are finished later than the function that was called returns, from any task."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from ._errors import CancelledCallError, InternalError
from ._receiving import call_on_loop

if TYPE_CHECKING:
    from ._hosted_call import HostedCall


class Later:
    """What a call waits for once its function has returned."""

    __slots__ = ("_loop", "ended", "thread", "value")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.thread = threading.get_ident()
        self.value: asyncio.Future[Any] = loop.create_future()
        """What it answers at last, or the error."""
        self.ended: asyncio.Future[None] = loop.create_future()
        """Done when that was sent; the error if it could not be."""

    def fail(self, error: BaseException) -> None:
        if not self.value.done():
            self.value.set_exception(error)
            self.value.exception()  # Seen: the call may have gone before it looks.

    def forgotten(self) -> None:
        """Nobody can finish it any more."""
        self.fail(InternalError("nobody finished the reply", reason="unfinished_reply"))

    def finish(self, error: BaseException | None) -> None:
        """The call has ended."""
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)
            self.ended.exception()


class Deferred:
    """The reply of a call whose function has returned, by `Context.defer`.

    `await` its `send` and `end` from any task, at any time: the call stays open till then, and
    keeps its place in its session. One that nobody holds any more fails, `unfinished_reply`.
    """

    __slots__ = ("_call", "_later")

    def __init__(self, call: HostedCall, later: Later) -> None:
        self._call = call
        self._later = later

    @property
    def is_ended(self) -> bool:
        """Nothing can be sent any more."""
        return self._later.value.done() or self._call.is_ended or self._call.is_stopping

    @property
    def cancelled(self) -> bool:
        """The caller left, or its time is over."""
        return self._call.is_cancelled

    async def send(self, value: Any) -> None:
        """Sends what an agent may yield: a message, a Part, a delegated call; waits for credit."""
        self._check()
        await self._call.replying.put(value)
        if self._call.is_ended and not self._later.value.done():
            self._later.value.set_result(None)  # Handed off.

    async def end(self, value: Any = None) -> None:
        """Ends the call, with what a function may return; raises what could not be sent."""
        self._check()
        self._later.value.set_result(value)
        await asyncio.shield(self._later.ended)

    async def fail(self, error: BaseException) -> None:
        """Ends the call with an error, as raising it would."""
        self._check()
        self._later.fail(error)
        await asyncio.wait([self._later.ended])

    def _check(self) -> None:
        if self.is_ended:
            raise CancelledCallError("the call has ended", reason="cancelled")

    def __del__(self) -> None:
        later = getattr(self, "_later", None)
        if later is not None and not later.value.done():
            call_on_loop(later, later.forgotten)
