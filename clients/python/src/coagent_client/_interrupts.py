"""How an interrupt reaches the code that handles a call.

The code is cancelled where it waits, once, as by `asyncio.timeout`: inside an `interruptible`
block the cancellation ends with the block and `Interrupted` is raised there; elsewhere it is
`asyncio.CancelledError`. Either way the call goes on until the code ends, which may finish its
reply. A generator that stands at a `yield` gets it there.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ._content import Message
from ._errors import AbortedError

if TYPE_CHECKING:
    from ._hosted_call import HostedCall


class Interrupted(AbortedError):
    """The call being handled was interrupted. Not caught, it ends the call with its code.

    `payload` is what the interrupt said, or None, `payload_message` the same with its content
    type; `sender` is the address of the agent that sent it, or "".
    """

    def __init__(self, message: Message | None = None, sender: str = "") -> None:
        super().__init__("the call was interrupted", reason="interrupted")
        self.payload_message = message or Message()
        self.payload: Any = self.payload_message.value
        self.sender = sender


class Interruptible:
    """The block of `context.interruptible()`: an interrupt ends it with `Interrupted`."""

    __slots__ = ("_call", "_is_cancelling", "_is_hit", "_task")

    def __init__(self, call: HostedCall) -> None:
        self._call = call
        self._task: asyncio.Task[Any] | None = None
        self._is_hit = False
        self._is_cancelling = False

    async def __aenter__(self) -> None:
        if self._task is not None:
            raise RuntimeError("an interruptible block is entered once")
        self._task = asyncio.current_task()
        self._call.interruptible.append(self)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._call.interruptible.remove(self)
        if self._is_cancelling and self._task is not None:
            uncancel(self._task)
        interrupted = self._call.interrupted
        if (
            self._is_hit
            and interrupted is not None
            and isinstance(error, asyncio.CancelledError)
            and not self._call.is_stopping
        ):
            raise interrupted.with_traceback(None) from None

    def interrupt(self) -> None:
        """Ends the block, unless it is ending already."""
        if self._is_hit or self._task is None:
            return
        self._is_hit = True
        if self._task is self._call.task and self._call.throw_at_yield():
            return
        self._is_cancelling = True
        self._task.cancel()


def cancel_once(task: asyncio.Task[Any]) -> None:
    """Cancels what the task waits for; the task itself does not count as cancelled afterwards,
    so that timeouts and task groups in what it does next work as ever."""
    task.cancel()
    # Behind the step in which the task is told.
    task.get_loop().call_soon(uncancel, task)


def uncancel(task: asyncio.Task[Any]) -> None:
    """Takes one cancellation back, where Python counts them (from 3.11)."""
    take_back = getattr(task, "uncancel", None)
    if take_back is not None:
        take_back()
