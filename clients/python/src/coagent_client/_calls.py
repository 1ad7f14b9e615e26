"""The caller's side of a call.

A call that fails with `retry:true` (no agent saw it) is made again within its time, a few times;
nothing else is ever repeated.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, TypeVar

from ._content import Encoded
from ._errors import (
    AgentError,
    CancelledCallError,
    DeadlineExceededError,
    FailedPreconditionError,
    UnavailableError,
)
from ._receiving import Receiving
from ._requests import call_rest, window_rest
from ._runs import RunReading
from ._sending import Sending
from ._wire import FRAME_COST, WINDOW_DEFAULT, Fields

if TYPE_CHECKING:
    from ._connection import Connection
    from ._verbs import Verbs

T = TypeVar("T")

_REPEAT_DELAY_S = 0.05
_REPEAT_DELAY_MAX_S = 2.0
_REJOIN_DELAY_MAX_S = 0.5


class Request:
    """What a call says, ready to be written, and again if it is repeated."""

    __slots__ = (
        "address",
        "content",
        "deadline",
        "first",
        "is_detached",
        "is_held",
        "is_open",
        "parent",
        "rest",
        "run",
        "window",
    )

    def __init__(self, address: str, rest: str, content: bytes) -> None:
        self.address = address
        self.rest = rest
        """The header behind the id, without its closing brace, parent and time."""
        self.content = content
        self.first: Encoded | None = None
        """The first message where it is too large for the call's own frame."""
        self.deadline = 0.0
        self.is_open = False
        """The caller sends messages of its own behind the first."""
        self.is_held = False
        """Opened without a window; its first reader grants one."""
        self.is_detached = False
        self.window = WINDOW_DEFAULT
        self.parent: tuple[Connection, int] | None = None
        self.run: RunReading | None = None

    @property
    def has_input(self) -> bool:
        """Whether `data` frames follow the call's own."""
        return self.is_open or self.first is not None


class OwnCall:
    """An open call of ours: an endpoint of the connection, the source of a Reply."""

    __slots__ = (
        "__weakref__",
        "_attempts",
        "_is_started",
        "_rejoins",
        "_timer",
        "client",
        "connection",
        "first_sent",
        "ident",
        "is_spliced",
        "receiving",
        "request",
        "sending",
    )

    def __init__(self, client: Verbs, request: Request) -> None:
        self.client = client
        self.request = request
        self.connection: Connection | None = None
        self.ident = 0
        self.sending: Sending | None = None
        self.receiving = Receiving(client.loop, request.window, self._grant, self.cancel)
        self._attempts = 0
        self._rejoins = 0
        self._timer: asyncio.TimerHandle | None = None
        self._is_started = not request.is_held
        self.is_spliced = False
        self.first_sent: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Writes the call, or waits for a connection to write it to."""
        client = self.client
        request = self.request
        connection = client.connection
        if (
            connection is None
            or not connection.is_open
            or (connection.is_draining and request.parent is None)
        ):
            error = client.end_error
            if error is not None:
                self.receiving.end(error)
                return
            client.waiting.append(self)
            if request.deadline:
                self._timer = client.loop.call_at(request.deadline, self._late)
            return
        if request.run is not None and request.run.is_resumed:
            request = self.request = self._resumption(request, request.run)
        header = request.rest
        if request.deadline:
            left_ms = int((request.deadline - client.loop.time()) * 1000)
            if left_ms <= 0:
                self._late()
                return
            header += f',"timeout_ms":{left_ms}'
        if request.parent is not None:
            if request.parent[0] is not connection:
                self.receiving.end(
                    CancelledCallError(
                        "the call this serves was lost with its connection", reason="parent_ended"
                    )
                )
                return
            header += f',"parent":{request.parent[1]}'
        self.connection = connection
        self.ident = connection.open_id(self, "call", header + "}", request.content)
        if request.has_input:
            window = WINDOW_DEFAULT
            if request.content:
                window -= len(request.content) + FRAME_COST
            self.sending = Sending(connection, self.ident, window)
            self.receiving.wake()  # Who wants to send waits for this.
        if request.first is not None:
            self.first_sent = client.loop.create_task(self._send_first(request.first))
        if request.is_held and self._is_started:
            self._grant(request.window)
        if request.deadline:
            client.watch_deadlines()

    def _resumption(self, request: Request, run: RunReading) -> Request:
        """What continues a run behind what has come, with the room that is left for it here."""
        window = self.receiving.renew(request.window)
        rest = call_rest("runs", "Attach", "application/json") + window_rest(window)
        resumed = Request(request.address, rest, run.attach(self.receiving.last.index))
        resumed.deadline = request.deadline
        resumed.window = request.window
        resumed.is_detached = request.is_detached
        resumed.run = run
        return resumed

    async def _send_first(self, first: Encoded) -> None:
        assert self.sending is not None
        try:
            await self.sending.send(first, end=not self.request.is_open)
        except AgentError:
            return  # The reply says it.

    def cancel(self) -> None:
        """Ends the call here and all below it. Once it has ended, nothing happens."""
        if not self.receiving.ended:
            self._leave("cancelled", "the caller left the call")

    def interrupt(self) -> None:
        """The call that this serves was interrupted: as `cancel`, with that reason."""
        if not self.receiving.ended and not self.request.is_detached:
            self._leave("interrupted", "the call this serves was interrupted")

    def _leave(self, reason: str, message: str) -> None:
        ident, connection = self.ident, self.connection
        self._forget()
        self.receiving.end(
            CancelledCallError(message, reason=reason, address=self.request.address)
        )
        if ident and connection is not None and connection.error is None:
            rest = "" if reason == "cancelled" else f',"reason":"{reason}"'
            connection.write(f'{{"op":"cancel","id":{ident}{rest}}}')

    def may_be_spliced(self, served: tuple[Connection, int]) -> bool:
        """Whether it stands in for a part of the reply of the call that it serves: nobody has
        begun to read it. Raises if it does so already."""
        if self.is_spliced:
            raise _spliced(self.request.address)
        return (
            self.request.is_held
            and not self._is_started
            and self.ident > 0
            and self.request.parent == served
        )

    def spliced(self) -> int:
        """It has ended here; its id, for the frame that says where it goes."""
        ident = self.ident
        self.is_spliced = True
        self._forget()
        self.receiving.end(_spliced(self.request.address))
        return ident

    def cancel_unread(self) -> None:
        """The call it serves has ended, and nobody wants it."""
        if not self._is_started:
            self.cancel()

    def begin(self) -> None:
        """A held call is let go by its first reader."""
        if not self._is_started:
            self._is_started = True
            if self.ident:
                self._grant(self.request.window)

    def on_data(self, fields: Fields, content: bytes) -> None:
        if fields.get("end") is True:
            self._forget()
        self.receiving.frame(fields, content)

    def on_credit(self, size: int) -> None:
        if self.sending is not None:
            self.sending.credit(size)

    def on_ok(self) -> None:
        return

    def on_error(self, error: AgentError, more: bool) -> None:
        error.address = self.request.address
        if more:
            self.receiving.failed_at(error)
            return
        self._forget(error)
        run = self.request.run
        is_rejoining = self.client.is_rejoining(error)
        if is_rejoining and self._is_new():
            self._rejoins += 1
            self._repeat(error, repeat_delay(self._rejoins, _REJOIN_DELAY_MAX_S))
        elif error.retry and self._is_new() and self._attempts < self.client.repeats:
            self._attempts += 1
            self._repeat(error, repeat_delay(self._attempts, _REPEAT_DELAY_MAX_S))
        elif error.reason == "unknown_run" and run is not None and run.is_resumed:
            lost = UnavailableError(
                "the connection was lost, and the sidecar does not know the run any more",
                reason="connection_lost",
                address=self.request.address,
            )
            self.receiving.end(lost)
        else:
            self.receiving.end(error)

    def on_cancel(self, reason: str) -> None:
        self.on_error(CancelledCallError("the sidecar ended the call", reason="cancelled"), False)

    def on_lost(self, error: AgentError) -> None:
        run = self._resumable()
        self._forget(error)
        if run is not None:
            run.is_resumed = True
            self._attempts = 0
            self.start()  # That is, as soon as there is a connection.
            return
        lost = UnavailableError(
            error.message, reason="connection_lost", address=self.request.address
        )
        lost.__cause__ = error
        self.receiving.end(lost)

    def _resumable(self) -> RunReading | None:
        """The run, if another connection may go on with it: the call has reached the sidecar
        whole, and does not end with the one it serves."""
        request = self.request
        run = request.run
        if run is None or self.receiving.ended or self.client.end_error is not None:
            return None
        if request.parent is not None and not request.is_detached:
            return None
        if self.first_sent is not None and not self.first_sent.done():
            return None
        return run if run.may_resume(self.receiving.last.index) else None

    def expire(self, now: float) -> None:
        """The sidecar did not keep the deadline: the call ends here, a second late."""
        if self.request.deadline and now > self.request.deadline + 1.0:
            self._late()

    def _late(self) -> None:
        ident, connection = self.ident, self.connection
        self._forget()
        self.receiving.end(
            DeadlineExceededError(
                "no answer in time", reason="deadline", address=self.request.address
            )
        )
        if ident and connection is not None and connection.error is None:
            connection.write(f'{{"op":"cancel","id":{ident}}}')

    def _is_new(self) -> bool:
        """Nothing has come of it, or it goes on from where it stands; and nothing has gone but
        its own message: else it cannot be made again."""
        run = self.request.run
        is_new = self.receiving.last.index == 0 or (run is not None and run.is_resumed)
        return is_new and not self.request.has_input

    def _repeat(self, error: AgentError, delay_s: float) -> None:
        after_ms = error.details.get("retry_after_ms")
        if type(after_ms) is int:
            delay_s = max(delay_s, after_ms / 1000)
        loop = self.client.loop
        if self.request.deadline and loop.time() + delay_s >= self.request.deadline:
            self.receiving.end(error)
            return
        self._timer = loop.call_later(delay_s, self.restart)

    def restart(self) -> None:
        """Made again, or for the first time now that there is a connection."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.receiving.ended:
            self.start()

    def _grant(self, size: int) -> None:
        connection = self.connection
        if self.ident and connection is not None and connection.error is None:
            connection.write(f'{{"op":"credit","id":{self.ident},"bytes":{size}}}')

    def _forget(self, error: AgentError | None = None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.connection is not None:
            self.connection.end_id(self.ident)
        if self.sending is not None:
            self.sending.close(
                error or FailedPreconditionError("the call has ended", reason="call_ended")
            )
        if self.first_sent is not None:
            self.first_sent.cancel()
            self.first_sent = None
        self.ident = 0
        self.connection = None


def repeat_delay(attempt: int, delay_max_s: float) -> float:
    """How long to wait before the first, second, … time that something is made again."""
    delay_s = min(_REPEAT_DELAY_S * (1 << (attempt - 1)), delay_max_s)
    return delay_s * random.uniform(0.5, 1.5)


def _spliced(address: str) -> AgentError:
    return FailedPreconditionError(
        "the call is a part of another's reply", reason="call_spliced", address=address
    )


def fit_content(request: Request, message: Encoded, connection_bytes_max: int) -> None:
    """Puts the message into the call's frame, or behind it in parts if it is over the limit."""
    if len(message.content) <= connection_bytes_max:
        request.content = message.content
    else:
        request.first = message
