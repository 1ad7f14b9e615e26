"""What a call answers, to be awaited whole or read as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any, Generic, Literal, TypeVar

from ._calls import OwnCall
from ._content import Message, encode, joined, text_of
from ._errors import AgentError, FailedPreconditionError
from ._receiving import Link, MessageReader, PartReader, call_on_loop, message_of
from ._sending import Sending
from ._wire import Fields

T = TypeVar("T")


Collect = Literal["join", "list", "last"]
"""What is made of several messages for one who wants one value."""


async def one_value(
    call: OwnCall,
    start: Link,
    convert: Callable[[Fields, bytes], Any],
    collect: Collect | None = None,
) -> Any:
    """What one who wants one value gets of a call: waits for its end."""
    call.begin()
    reader = MessageReader(call.receiving, start, convert)
    try:
        if collect == "last":
            last = None
            async for value in reader:
                last = value
            return last
        values = await reader.take_all()
        if collect == "list":
            return values
        return joined(values) if collect is None else text_of(values)
    finally:
        reader.leave()


class Call:
    """A call that was opened here, without its messages: for whoever steers it, while another
    reads a reply that is too long to be kept."""

    __slots__ = ("_call",)

    def __init__(self, call: OwnCall) -> None:
        self._call = call

    @property
    def address(self) -> str:
        """What was called."""
        return self._call.request.address

    @property
    def is_done(self) -> bool:
        """The last frame is here, or the call failed."""
        return self._call.receiving.ended

    @property
    def error(self) -> AgentError | None:
        """The error that ended it, if one did."""
        return self._call.receiving.error

    async def interrupt(
        self, payload: object = None, *, content_type: str | None = None, ack: bool = True
    ) -> None:
        """Interrupts what handles the call, see `Client.interrupt`; the reply goes on."""
        await self.signal("interrupt", payload, content_type=content_type, ack=ack)

    async def signal(
        self,
        name: str,
        payload: object = None,
        *,
        content_type: str | None = None,
        ack: bool = True,
    ) -> None:
        """Gives what handles the call a signal of its own, see `Client.signal`."""
        await self._call.client.signal_call(self._call, name, payload, content_type, ack)

    async def aclose(self) -> None:
        """Cancels the call if it has not ended."""
        self._call.cancel()

    def cancel(self) -> None:
        """As `aclose`, for where nothing can be awaited."""
        self._call.cancel()


class Reply(Call, Generic[T]):
    """What a call answers: await it whole, or iterate over its messages as they come.

    Any number of readers, early or late, read the same from the start. `await reply` gives one
    value: None if nothing came, the value if one did, several texts joined, other values listed.
    Leaving the last loop over it, or `aclose`, cancels the call down to the agent.
    """

    __slots__ = ("_convert", "_start")

    def __init__(self, call: OwnCall, convert: Callable[[Fields, bytes], T]) -> None:
        super().__init__(call)
        self._convert = convert
        self._start = call.receiving.last
        call.start()

    @property
    def call(self) -> Call:
        """The call without what it has answered, which is kept for as long as this is."""
        return Call(self._call)

    @property
    def opened(self) -> OwnCall:
        """The library's side of it."""
        return self._call

    def __aiter__(self) -> MessageReader[T]:
        self._call.begin()
        return MessageReader(self._call.receiving, self._start, self._convert)

    def messages(self, *, errors: bool = False) -> MessageReader[Message]:
        """Messages with type, content type and ext. With `errors`, an error at a position of the
        stream is a message with `error` set; else it is raised there."""
        self._call.begin()
        return MessageReader(self._call.receiving, self._start, message_of, shows_errors=errors)

    def parts(self) -> PartReader:
        """Pieces as they come, tokens for instance: str of texts, bytes of anything else."""
        self._call.begin()
        return PartReader(self._call.receiving, self._start)

    def __await__(self) -> Generator[Any, None, Any]:
        return self.whole().__await__()

    async def whole(self, collect: Collect | None = None) -> Any:
        """One value, see the class; with `collect` texts joined, all in a list, or the last."""
        return await one_value(self._call, self._start, self._convert, collect)

    async def __aenter__(self) -> Reply[T]:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._call.cancel()

    def __del__(self) -> None:
        call = getattr(self, "_call", None)
        if call is not None and not call.receiving.ended and call.receiving.readers == 0:
            call_on_loop(call.receiving, call.cancel)


class Exchange(Reply[T]):
    """A call open in both directions: `send`, `end`, and the reply to iterate over."""

    __slots__ = ()

    async def send(
        self,
        value: object,
        *,
        type: str | None = None,
        content_type: str | None = None,
    ) -> None:
        """Sends one message, waiting for the agent's credit; raises what ended the call."""
        message = encode(value)
        if type is not None:
            message.type = type
        if content_type is not None:
            message.content_type = content_type
        await (await self._sending()).send(message)

    async def end(self) -> None:
        """No more input. The reply goes on."""
        sending = await self._sending()
        if sending.error is None:
            await sending.finish()

    async def __aenter__(self) -> Exchange[T]:
        return self

    async def _sending(self) -> Sending:
        call = self._call
        while call.sending is None:
            if call.receiving.ended:
                raise call.receiving.error or FailedPreconditionError(
                    "the call has ended", reason="call_ended"
                )
            await call.receiving.wait()
        if call.first_sent is not None:
            await asyncio.shield(call.first_sent)
        return call.sending
