"""Topics: what a reader gets of one, and what feeds one to an agent.

A subscription that reads is made again on the next connection, for as long as somebody holds it.
What was published in between is lost, and so is what the sidecar held back for its window.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._changing import Changing
from ._connection import check_header
from ._content import JSON_TYPE, Message
from ._errors import AgentError, CancelledCallError
from ._receiving import call_on_loop
from ._wire import FRAME_COST, WINDOW_DEFAULT, WINDOW_MAX, Fields, quoted

if TYPE_CHECKING:
    from ._connection import Connection
    from ._registration import Registration
    from ._topic_verbs import TopicVerbs


@dataclass(frozen=True, slots=True)
class TopicMessage(Message):
    """A message of a topic: what was published, and what its reader is told besides."""

    topic: str = ""
    source: str = ""
    """Whom it concerns."""
    sender: str = ""
    """The address of the agent that published it, or ""."""
    dropped: int = 0
    """How many messages went before this one because the reader was slow."""


class Subscription:
    """The messages of a topic, or of all that a pattern matches: an async iterator.

    `await` it, or enter it with `async with`, to know that messages come from now on; it raises
    what the sidecar has against it. Leaving the block, `close`, or letting go of it ends it. It
    goes on over reconnects, without what was published in between.
    """

    __slots__ = ("_reader",)

    def __init__(self, client: TopicVerbs, topic: str, window: int) -> None:
        self._reader = TopicReader(client, topic, window)

    @property
    def topic(self) -> str:
        """The topic or pattern."""
        return self._reader.topic

    def __await__(self) -> Generator[Any, None, Subscription]:
        return self.ready().__await__()

    async def ready(self) -> Subscription:
        """Waits for the sidecar's answer; raises the error if it refused."""
        await self._reader.ready()
        return self

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> TopicMessage:
        """The next message. Asking for it is what says that the one before is done with."""
        fields, content = await self._reader.next()
        return TopicMessage(
            content=content,
            content_type=fields.get("content_type") or JSON_TYPE,
            type=fields.get("type", ""),
            ext=fields.get("ext") or {},
            topic=fields.get("topic", ""),
            source=fields.get("source", ""),
            sender=fields.get("from", ""),
            dropped=fields.get("dropped", 0),
        )

    async def close(self) -> None:
        """Ends it; who iterates comes to the end."""
        self._reader.close()

    async def aclose(self) -> None:
        """As `close`."""
        self._reader.close()

    async def __aenter__(self) -> Subscription:
        return await self.ready()

    async def __aexit__(self, *exc: object) -> None:
        self._reader.close()

    def __del__(self) -> None:
        reader = getattr(self, "_reader", None)  # None where its making failed.
        if reader is not None and not reader.is_ended:
            call_on_loop(reader, reader.close)


class TopicReader(Changing):
    """The endpoint of a subscription: messages wait in it until they are asked for."""

    __slots__ = (
        "_connection",
        "_error",
        "_ident",
        "_is_subscribed",
        "_messages",
        "_owed",
        "_rest",
        "_taken",
        "_window",
        "client",
        "is_ended",
        "thread",
        "topic",
    )

    def __init__(self, client: TopicVerbs, topic: str, window: int) -> None:
        super().__init__(client.loop)
        self.client = client
        self.topic = topic
        self.thread = threading.get_ident()
        self.is_ended = False
        self._window = min(max(window, 1), WINDOW_MAX)
        self._messages: deque[tuple[Fields, bytes]] = deque()
        self._taken = 0
        """The cost of the message that was given out last."""
        self._owed = 0
        self._ident = 0
        self._is_subscribed = False
        self._connection: Connection | None = None
        self._error: AgentError | None = None
        self._rest = f',"topic":{quoted(topic)}'
        if self._window != WINDOW_DEFAULT:
            self._rest += f',"window":{self._window}'
        self._rest += "}"
        check_header(self._rest)
        client.subscribed(self)

    def start(self, connection: Connection) -> None:
        """Writes `subscribe`."""
        self._owed = self._taken = 0
        self._connection = connection
        self._ident = connection.open_id(self, "subscribe", self._rest)

    async def ready(self) -> None:
        while not self._is_subscribed:
            if self.is_ended:
                raise self._error or CancelledCallError(
                    "the subscription was closed", reason="cancelled"
                )
            await self.wait()

    async def next(self) -> tuple[Fields, bytes]:
        self._settle()
        while not self._messages:
            if self.is_ended:
                raise self._error or StopAsyncIteration
            await self.wait()
        fields, content = self._messages.popleft()
        if self._ident:
            self._taken = len(content) + FRAME_COST
        return fields, content

    def close(self) -> None:
        """Nothing more is wanted."""
        if not self.is_ended:
            connection, ident = self._connection, self._ident
            self.end(None)
            self._messages.clear()
            if ident and connection is not None and connection.error is None:
                connection.end_id(ident)
                connection.write(f'{{"op":"cancel","id":{ident}}}')

    def end(self, error: AgentError | None) -> None:
        """Nothing more comes; what is there can still be read."""
        self.is_ended = True
        self._error = error
        self._ident = 0
        self._connection = None
        self.client.unsubscribed(self)
        self.wake()

    def _settle(self) -> None:
        """Grants what was taken, half a window at a time."""
        self._owed += self._taken
        self._taken = 0
        connection = self._connection
        if self._ident and connection is not None and self._owed >= max(self._window // 2, 1):
            owed, self._owed = self._owed, 0
            connection.write(f'{{"op":"credit","id":{self._ident},"bytes":{owed}}}')

    # Frames

    def on_data(self, fields: Fields, content: bytes) -> None:
        self._messages.append((fields, content))
        self.wake()

    def on_credit(self, size: int) -> None:
        return

    def on_ok(self) -> None:
        self._is_subscribed = True
        self.wake()

    def on_cancel(self, reason: str) -> None:
        return

    def on_error(self, error: AgentError, more: bool) -> None:
        connection, ident = self._connection, self._ident
        if connection is not None:
            connection.end_id(ident)
        error.address = self.topic
        is_waiting = connection is not None and not connection.is_drained
        if error.reason == "draining" and is_waiting:
            self._ident = 0  # The connection closes soon, and the next one takes it.
        else:
            self.end(error)

    def on_lost(self, error: AgentError) -> None:
        self._ident = 0
        self._connection = None


class Feed:
    """The endpoint of a subscription that feeds an agent; it lives with the registration."""

    __slots__ = ("_connection", "_ident", "_registration")

    def __init__(self, registration: Registration, connection: Connection, topic: str) -> None:
        self._registration = registration
        self._connection = connection
        rest = f',"topic":{quoted(topic)},"agent":{quoted(registration.name)}}}'
        self._ident = connection.open_id(self, "subscribe", rest)

    def on_data(self, fields: Fields, content: bytes) -> None:
        return

    def on_credit(self, size: int) -> None:
        return

    def on_cancel(self, reason: str) -> None:
        return

    def on_ok(self) -> None:
        self._registration.on_ok()

    def on_error(self, error: AgentError, more: bool) -> None:
        self._connection.end_id(self._ident)
        self._registration.not_fed(error, self._connection)

    def on_lost(self, error: AgentError) -> None:
        return  # The registration hears of it too.
