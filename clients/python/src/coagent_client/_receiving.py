"""One direction of a call as its receiver sees it.

Frames stand in a chain that any number of readers walk, each from the start. A reader holds only
the frame it stands on, so frames that nobody can reach any more are freed at once; whoever keeps
the first one (a `Reply` does) keeps the whole for replay.

Credit is granted for what the fastest reader has taken, half a window at a time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from ._changing import Changing
from ._content import Message, decode, is_text
from ._errors import AgentError
from ._wire import FRAME_COST, Fields

T = TypeVar("T")

_NO_FIELDS: Fields = {}
_COUNT_MAX = 2**62


def _nothing(size: int) -> None:
    """Grants nothing: the direction has ended."""


class Link:
    """A frame in the chain. `part`: its message goes on in the next one."""

    __slots__ = ("content", "cost", "error", "fields", "index", "next", "part")

    def __init__(self, index: int, fields: Fields, content: bytes, part: bool, cost: int) -> None:
        self.index = index
        self.fields = fields
        self.content = content
        self.part = part
        self.cost = cost
        self.error: AgentError | None = None
        self.next: Link | None = None


class Receiving(Changing):
    """The frames of one direction, as they arrive. Its methods run on the loop and never wait."""

    __slots__ = (
        "_abandoned",
        "_grant",
        "_owed",
        "_tail",
        "_threshold",
        "ended",
        "error",
        "readers",
        "taken_link",
        "thread",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        window: int,
        grant: Callable[[int], None],
        abandoned: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(loop)
        self._tail = Link(0, _NO_FIELDS, b"", False, 0)
        self._grant = grant
        self._abandoned = abandoned
        self._threshold = max(window // 2, 1)
        self._owed = 0
        self.taken_link = self._tail
        self.ended = False
        self.error: AgentError | None = None
        self.readers = 0
        self.thread = threading.get_ident()

    @property
    def last(self) -> Link:
        """The last link so far; before any frame, the one to start reading from."""
        return self._tail

    def frame(self, fields: Fields, content: bytes) -> None:
        """A `data` frame arrived."""
        if self.ended:
            return
        end = fields.get("end") is True
        tail = self._tail
        if end and not (content or fields.get("type") or fields.get("content_type")):
            if tail.part:  # The open message ends here; no message of its own.
                self._tail = tail.next = Link(tail.index + 1, fields, b"", False, 0)
        else:
            part = not end and fields.get("part") is True
            cost = len(content) + FRAME_COST
            self._tail = tail.next = Link(tail.index + 1, fields, content, part, cost)
        if end:
            self._close()
        if self._waiters:
            self.wake()

    def failed_at(self, error: AgentError) -> None:
        """An error at a position: it ends an open message, the stream goes on."""
        if not self.ended:
            link = Link(self._tail.index + 1, _NO_FIELDS, b"", False, FRAME_COST)
            link.error = error
            self._tail.next = link
            self._tail = link
            self.wake()

    def end(self, error: AgentError | None = None) -> None:
        """Nothing more comes."""
        if not self.ended:
            if error is None and self._tail.part:
                link = Link(self._tail.index + 1, _NO_FIELDS, b"", False, 0)
                self._tail.next = link
                self._tail = link
            self.error = error
            self._close()
            self.wake()

    def _close(self) -> None:
        self.ended = True
        # What they are bound to holds this direction: without the circle all is freed at once.
        self._grant = _nothing
        self._abandoned = None

    def taken(self, link: Link) -> None:
        """A reader took this link, the first to come so far."""
        self.taken_link = link
        if not self.ended:
            self._owed += link.cost
            if self._owed >= self._threshold:
                owed, self._owed = self._owed, 0
                self._grant(owed)

    def renew(self, window: int) -> int:
        """The frames go on from another sender, which gets what of the window is not taken up
        by frames that nobody has taken yet."""
        unread = 0
        link = self.taken_link.next
        while link is not None:
            unread += link.cost
            link = link.next
        self._owed = min(window - unread, 0)
        return max(window - unread, 0)

    def left(self) -> None:
        """A reader left before the end."""
        self.readers -= 1
        if self.readers == 0 and not self.ended and self._abandoned is not None:
            self._abandoned()


class _Pending:
    """Not yet a value: the message goes on."""


_PENDING = _Pending()


class Reader(Generic[T]):
    """Reads one direction from where it starts: an async iterator of its own pace.

    Leaving it before the end (`break`, `aclose`, a cancelled task) tells the direction; when the
    last reader of a reply leaves, the call is cancelled.
    """

    __slots__ = ("_at", "_first", "_is_open", "_receiving")

    def __init__(self, receiving: Receiving, start: Link) -> None:
        self._receiving = receiving
        self._at = start
        self._first: Link | None = None
        self._is_open = True
        receiving.readers += 1

    def __aiter__(self) -> Reader[T]:
        return self

    async def __anext__(self) -> T:
        while True:
            link = self._next_link()
            if link is not None:
                value = self._step(link)
                if value is not _PENDING:
                    return value  # type: ignore[return-value]
            elif self._is_over():
                raise StopAsyncIteration
            else:
                await self._more()

    async def aclose(self) -> None:
        """As `leave`."""
        self.leave()

    def take(self, values: list[T], count: int) -> bool:
        """Appends what is there, up to so many values in all; False at the end.

        Raises an error where it stands: what came before is in the list by then.
        """
        while len(values) < count:
            link = self._next_link()
            if link is None:
                return not self._is_over()
            value = self._step(link)
            if value is not _PENDING:
                values.append(value)  # type: ignore[arg-type]
        return True

    async def take_all(self) -> list[T]:
        """All values to the end."""
        values: list[T] = []
        try:
            while self.take(values, _COUNT_MAX):
                await self._receiving.wait()
        except asyncio.CancelledError:
            self.leave()
            raise
        return values

    def _step(self, link: Link) -> T | _Pending:
        """The value that is complete with this frame, if one is."""
        raise NotImplementedError

    def _next_link(self) -> Link | None:
        """The next frame if it is there."""
        link = self._at.next
        if link is not None and self._is_open:
            self._at = link
            receiving = self._receiving
            if link.index > receiving.taken_link.index:
                receiving.taken(link)
            return link
        return None

    def _is_over(self) -> bool:
        """Nothing more will come; raises the error that ended the direction."""
        receiving = self._receiving
        if self._is_open and not receiving.ended:
            return False
        if self._is_open:
            self._is_open = False
            receiving.readers -= 1
        if receiving.error is not None:
            raise receiving.error.with_traceback(None)
        return True

    async def _more(self) -> None:
        """Waits for a frame or the end. To be cancelled here is to leave."""
        try:
            await self._receiving.wait()
        except asyncio.CancelledError:
            self.leave()
            raise

    def leave(self) -> None:
        """Reads no further. After the end, nothing."""
        if self._is_open:
            self._is_open = False
            self._receiving.left()

    def __del__(self) -> None:
        if self._is_open:
            self._is_open = False
            call_on_loop(self._receiving, self._receiving.left)


class OfLoop(Protocol):
    """What belongs to an event loop and its thread."""

    thread: int
    _loop: asyncio.AbstractEventLoop


def call_on_loop(owner: OfLoop, function: Callable[[], None]) -> None:
    """For finalizers, which run wherever the last reference goes."""
    if threading.get_ident() == owner.thread:
        function()
        return
    loop = owner._loop
    if not loop.is_closed():
        try:
            loop.call_soon_threadsafe(function)
        except RuntimeError:
            return  # The loop closed in between: its connections are gone as well.


class MessageReader(Reader[T]):
    """Reads whole messages, each as `convert` makes it."""

    __slots__ = ("_convert", "_shows_errors")

    def __init__(
        self,
        receiving: Receiving,
        start: Link,
        convert: Callable[[Fields, bytes], T],
        *,
        shows_errors: bool = False,
    ) -> None:
        super().__init__(receiving, start)
        self._convert = convert
        self._shows_errors = shows_errors

    def __aiter__(self) -> MessageReader[T]:
        return self

    def _step(self, link: Link) -> T | _Pending:
        if link.part:
            if self._first is None:
                self._first = link
            return _PENDING
        first, self._first = self._first, None
        if link.error is not None:
            if self._shows_errors:
                return Message(error=link.error)  # type: ignore[return-value]
            raise link.error.with_traceback(None)
        if first is None:
            return self._convert(link.fields, link.content)
        return self._convert(first.fields, _join(first, link))


class PartReader(Reader["str | bytes"]):
    """Reads frames as they come: pieces of texts as str, of anything else as bytes."""

    __slots__ = ()

    def __aiter__(self) -> PartReader:
        return self

    def _step(self, link: Link) -> str | bytes | _Pending:
        first = self._first or link
        self._first = first if link.part else None
        if link.error is not None:
            raise link.error.with_traceback(None)
        if not link.content and first is not link:
            return _PENDING  # The empty frame that only ends a message.
        if is_text(first.fields.get("content_type")):
            return link.content.decode("utf-8", "replace")
        return link.content


def value_of(fields: Fields, content: bytes) -> Any:
    """A message as a Python value."""
    return decode(content, fields.get("content_type"))


def message_of(fields: Fields, content: bytes) -> Message:
    """A message with what its header says."""
    return Message(
        content=content,
        content_type=fields.get("content_type") or "application/json",
        type=fields.get("type", ""),
        ext=fields.get("ext") or {},
    )


def _join(first: Link, last: Link) -> bytes:
    pieces: list[bytes] = []
    link: Link | None = first
    while link is not None and link is not last:
        pieces.append(link.content)
        link = link.next
    pieces.append(last.content)
    return b"".join(pieces)
