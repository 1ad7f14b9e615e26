"""One direction of a call as its sender sees it: messages go out while there is credit.

A frame may be sent while the window is above zero, and overdraws it by itself at most. Content
over 256 KiB, or than the sidecar takes, goes in parts, so that nothing else waits long behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

from ._changing import Changing
from ._content import TEXT_TYPE, Encoded, Part
from ._errors import AgentError, FailedPreconditionError, InvalidArgumentError
from ._wire import FRAME_COST, WINDOW_MAX, flat_object, quoted

if TYPE_CHECKING:
    from ._connection import Connection


class Sending(Changing):
    """The sender of one direction. Frames are numbered by nothing: order is the order of calls."""

    __slots__ = (
        "_connection",
        "_error",
        "_in_part",
        "_lock",
        "_rest",
        "_turns",
        "ident",
        "window",
    )

    def __init__(self, connection: Connection, ident: int, window: int) -> None:
        super().__init__(connection.loop)
        self._connection = connection
        self.ident = ident
        self.window = window
        self._in_part = False
        self._error: AgentError | None = None
        self._lock: asyncio.Lock | None = None
        self._rest: asyncio.Task[None] | None = None
        self._turns = 0

    @property
    def may_send(self) -> bool:
        """There is credit, the socket takes more, and the call goes on."""
        return self.window > 0 and not self._connection.is_paused and self._error is None

    @property
    def error(self) -> AgentError | None:
        """Why nothing can be sent any more."""
        return self._error

    def credit(self, size: int) -> None:
        """The receiver grants more."""
        self.window = min(self.window + size, WINDOW_MAX)
        if self.window > 0:
            self.wake()

    def close(self, error: AgentError) -> None:
        """The direction is over; who waits to send gets this."""
        if self._error is None:
            self._error = error
            self.wake()

    def try_send(self, message: Encoded, *, end: bool = False) -> bool:
        """Sends at once if that needs no waiting. `end`: the last of this direction."""
        if (
            self.window <= 0
            or self._in_part
            or self._connection.is_paused
            or self._error is not None
            or len(message.content) > self._connection.part_bytes_max
            or self._turns > 0
        ):
            return False
        self._write(message, message.content, part=False, end=end, first=True)
        return True

    async def send(self, message: Encoded, *, end: bool = False) -> None:
        """Sends one message, in parts if it is large, waiting for credit before each. One that
        has begun goes out whole, also if nobody waits for that any more."""
        if self.try_send(message, end=end):
            return
        await self._take_turn()
        at = 0
        goes_on = False
        try:
            await self._end_part()
            while at == 0 or at < len(message.content):
                await self.ready()
                at = self._send_piece(message, at, end) or 1  # Even if it is empty.
        except asyncio.CancelledError:
            goes_on = 0 < at < len(message.content)
            if goes_on:
                self._rest = self._loop.create_task(self._send_rest(message, at, end))
            raise
        finally:
            if not goes_on:
                self._leave_turn()

    async def _send_rest(self, message: Encoded, at: int, end: bool) -> None:
        """What is left of a message, in the turn that it had."""
        try:
            while at < len(message.content):
                await self.ready()
                at = self._send_piece(message, at, end)
        except AgentError:
            return  # The call has ended, and says why to all who ask.
        finally:
            self._leave_turn()

    def _send_piece(self, message: Encoded, at: int, end: bool) -> int:
        """Sends what stands from there on, as much as a frame should hold; where it stops."""
        stop = self._cut_at(message.content, at, message.content_type)
        is_last = stop == len(message.content)
        piece = message.content[at:stop]
        self._write(message, piece, part=not is_last, end=end and is_last, first=at == 0)
        return stop

    async def _take_turn(self) -> None:
        """One sender at a time, in the order in which they came. The lock alone does not tell that
        somebody waits: it is free from when one has left until the next has woken up."""
        if self._lock is None:
            self._lock = asyncio.Lock()
        self._turns += 1
        try:
            await self._lock.acquire()
        except BaseException:
            self._turns -= 1
            raise

    def _leave_turn(self) -> None:
        assert self._lock is not None
        self._lock.release()
        self._turns -= 1

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        await self._take_turn()
        try:
            yield
        finally:
            self._leave_turn()

    async def send_part(self, part: Part) -> None:
        """Sends a piece of a message that goes on."""
        content = part.content
        message = (
            Encoded(content.encode("utf-8"), TEXT_TYPE, part.type)
            if isinstance(content, str)
            else Encoded(bytes(content), "application/octet-stream", part.type)
        )
        at = 0
        while at == 0 or at < len(message.content):
            if not self.may_send:
                await self.ready()
            stop = self._cut_at(message.content, at, message.content_type)
            first, self._in_part = not self._in_part, True
            self._write(message, message.content[at:stop], part=True, end=False, first=first)
            at = max(stop, 1)

    async def send_aside(self, message: Encoded) -> None:
        """Sends one message, in one frame, that need not wait for what is spliced before it."""
        size = len(message.content)
        if size > self._connection.content_bytes_max:
            raise InvalidArgumentError(
                f"content of {size} bytes exceeds {self._connection.content_bytes_max}: a message "
                "out of order goes in one frame",
                reason="too_large",
            )
        await self.ready()
        self._write(message, message.content, part=False, end=False, first=True, aside=True)

    @asynccontextmanager
    async def between_messages(self) -> AsyncIterator[None]:
        """Where something else may stand: an open message is ended first."""
        async with self._turn():
            await self._end_part()
            if self._error is not None:
                raise self._error.with_traceback(None)
            yield

    async def send_error(self, error: AgentError) -> None:
        """Sends an error at this position, which ends an open message; the stream goes on."""
        await self.ready()
        self._in_part = False
        self.window -= FRAME_COST
        self._connection.write_error(self.ident, error, more=True)

    async def ready(self) -> None:
        """Waits until a frame may be sent; raises the error that ended the call."""
        while not self.may_send:
            await self.change()

    async def change(self) -> None:
        """Waits until it may be different; raises the error that ended the call."""
        if self._error is not None:
            raise self._error.with_traceback(None)
        if self._connection.is_paused:
            self._connection.stalled.add(self)
        await self.wait()

    async def finish(self) -> None:
        """No more messages: an empty last frame, which needs no credit."""
        if self._turns > 0:
            async with self._turn():
                await self._end_part(end=True)
                self.end()
            return
        if self._in_part:
            await self._end_part(end=True)
        self.end()

    def end(self) -> None:
        """As `finish`, where no other task is sending."""
        if self._error is None:
            self._connection.write(f'{{"op":"data","id":{self.ident},"end":true}}')
            self._close_input()

    def _close_input(self) -> None:
        self.close(FailedPreconditionError("the input has ended", reason="call_ended"))

    async def _end_part(self, *, end: bool = False) -> None:
        """An empty last piece for a message that went on; with `end`, the last of all."""
        if self._in_part:
            await self.ready()
            self._in_part = False
            self.window -= FRAME_COST
            # Named as content, or with `end` it would be no piece of a message at all.
            rest = ',"content_type":"text/plain","end":true}' if end else "}"
            self._connection.write(f'{{"op":"data","id":{self.ident}{rest}')
            if end:
                self._close_input()

    def _cut_at(self, content: bytes, at: int, content_type: str) -> int:
        """Where the piece that starts at `at` stops: texts are cut between characters."""
        stop = at + self._connection.part_bytes_max
        if stop >= len(content):
            return len(content)
        if content_type.startswith("text/"):
            earliest = stop - 4
            while content[stop] & 0xC0 == 0x80 and stop > earliest:
                stop -= 1
        return stop

    def _write(
        self,
        message: Encoded,
        content: bytes,
        *,
        part: bool,
        end: bool,
        first: bool,
        aside: bool = False,
    ) -> None:
        self.window -= len(content) + FRAME_COST
        if first:
            rest = data_rest(message.type, message.content_type, part, end)
            if message.ext:
                rest = f',"ext":{flat_object(message.ext, "ext")}{rest}'
            if aside:
                rest = f',"unordered":true{rest}'
        else:
            rest = _later_rest[part, end]
        self._connection.write(f'{{"op":"data","id":{self.ident}{rest}', content)


_later_rest = {
    (False, False): "}",
    (True, False): ',"part":true}',
    (False, True): ',"end":true}',
}


@lru_cache(maxsize=1024)
def data_rest(type: str, content_type: str, part: bool, end: bool) -> str:
    """What follows the id in the header of a message's first frame."""
    rest = f',"type":{quoted(type)}' if type else ""
    if content_type != "application/json":
        rest += f',"content_type":{quoted(content_type)}'
    if part:
        rest += ',"part":true'
    if end:
        rest += ',"end":true'
    return rest + "}"
