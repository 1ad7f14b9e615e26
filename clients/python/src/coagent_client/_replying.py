"""The replies of a call that is handled here: what its code returns or yields, as it comes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Any

from ._content import Encoded, Message, Part, encode
from ._deferred import Deferred
from ._delegated import PLACED, Handoff, OutOfOrder
from ._errors import AgentError
from ._reply import Reply
from ._sending import Sending
from ._validation import Check

if TYPE_CHECKING:
    from ._calls import OwnCall
    from ._hosted_call import HostedCall

_ITEMS_PER_TURN = 64

_VALUES = frozenset((str, bytes, int, float, bool, dict, list, tuple))
"""What is a message by itself, looked at first because most is."""

BEFORE, RUNNING, AT_YIELD, AFTER = range(4)
"""Where the agent's code is: not begun, running, at a `yield`, ended."""


class Replying:
    """Sends replies in their order; a generator is not resumed while there is no credit."""

    __slots__ = ("_call", "_sending", "check", "is_deferred", "is_due", "stage")

    def __init__(self, call: HostedCall) -> None:
        self._call = call
        self._sending: Sending = call.sending
        self.stage = BEFORE
        self.is_due = False
        """An interrupt is to be thrown into the generator where it stands."""
        self.is_deferred = False
        """The end of the code is not the end of the reply."""
        self.check: Check | None = None
        """Raises for what must not be answered."""

    def throw_at_yield(self) -> bool:
        """If a generator stands at a `yield`, it gets an interrupt there; False: it does not."""
        if self.stage != AT_YIELD:
            return False
        self.is_due = True
        self._sending.wake()
        return True

    async def answer(self, value: Any) -> None:
        """Sends what a function returned, the last or all of the reply unless it is deferred."""
        if type(value) in _VALUES and not self.is_deferred:
            message = self._encoded(value)
            if not self._sending.try_send(message, end=True):
                await self._sending.send(message, end=True)
        elif isinstance(value, AsyncIterable) and not isinstance(value, Reply):
            await self.each(value)
        elif self.is_deferred:
            if value is not None and not isinstance(value, Deferred):
                await self.put(value)
        elif value is None:
            self._encoded(None)
            self._sending.end()
        elif isinstance(value, Reply):
            await self.put(Handoff(value))
        elif isinstance(value, PLACED) and not is_plain(value):
            await self.put(value)
            await self.finish()
        else:
            await self._send(value, end=True)

    async def each(self, values: AsyncIterable[Any]) -> None:
        """Sends what is yielded, to the end of the reply."""
        sending = self._sending
        iterator = values.__aiter__()
        step = iterator.__anext__
        count = 0
        self.stage = AT_YIELD
        try:
            while not self._call.is_ended:
                while not sending.may_send and not self.is_due:
                    await sending.change()
                self.stage = RUNNING
                try:
                    item = await (self._interrupted(iterator) if self.is_due else step())
                except StopAsyncIteration:
                    break
                self.stage = AT_YIELD
                if type(item) not in _VALUES or not sending.try_send(self._encoded(item)):
                    await self.put(item)
                count += 1
                if count % _ITEMS_PER_TURN == 0:
                    await asyncio.sleep(0)  # Others have a turn, however fast this one yields.
        finally:
            self.stage = AFTER
            close = getattr(iterator, "aclose", None)
            if close is not None:
                await close()
        await self.finish()

    async def finish(self) -> None:
        """No more comes of the code: the end, unless that is deferred, or was handed off."""
        if not self._call.is_ended and not self.is_deferred:
            await self._sending.finish()

    async def put(self, item: Any) -> None:
        """Sends one thing that was yielded, in its place."""
        if type(item) not in _VALUES and isinstance(item, PLACED) and not is_plain(item):
            await self._place(item)
        else:
            await self._send(item)

    async def _send(self, value: Any, *, end: bool = False) -> None:
        message = self._encoded(value)
        if not self._sending.try_send(message, end=end):
            await self._sending.send(message, end=end)

    def _encoded(self, value: Any) -> Encoded:
        """A message of the agent's own, which its operation may have checked."""
        message = encode(value)
        if self.check is not None:
            self.check(message)
        return message

    async def _place(self, item: Any) -> None:
        if isinstance(item, Part):
            await self._sending.send_part(item)
        elif isinstance(item, Message):
            assert item.error is not None
            await self._sending.send_error(item.error)
        elif isinstance(item, OutOfOrder):
            if isinstance(item.value, Reply):
                await self._pass_on(item.value, is_ordered=False)
            else:
                await self._sending.send_aside(self._encoded(item.value))
        elif isinstance(item, Handoff):
            await self._pass_on(item.reply, is_last=True)
        else:
            await self._pass_on(item)

    async def _pass_on(
        self, reply: Reply[Any], *, is_ordered: bool = True, is_last: bool = False
    ) -> None:
        """Puts the reply of another call here: spliced if nobody has begun to read it."""
        call = reply.opened
        if call.first_sent is not None:
            await asyncio.wait([call.first_sent])  # A splice ends its input.
        served = self._call.connection, self._call.ident
        if call.may_be_spliced(served):
            async with self._sending.between_messages():
                if call.may_be_spliced(served):  # Still.
                    self._splice(call, is_ordered=is_ordered, is_last=is_last)
                    return
        await self._copy(reply, is_ordered=is_ordered, is_last=is_last)

    def _splice(self, call: OwnCall, *, is_ordered: bool, is_last: bool) -> None:
        words = f',"call":{call.spliced()}'
        if is_last:
            words += ',"end":true'
        if not is_ordered:
            words += ',"unordered":true'
        hosted = self._call
        hosted.connection.write(f'{{"op":"splice","id":{hosted.ident}{words}}}')
        if is_last:
            hosted.close()

    async def _copy(self, reply: Reply[Any], *, is_ordered: bool, is_last: bool) -> None:
        """Message by message, errors at their places. What ends the reply is an error at its
        place too, unless this is the last: then it is what ends this one."""
        sending = self._sending
        async with contextlib.aclosing(reply.messages(errors=True)) as messages:
            while True:
                try:
                    message = await messages.__anext__()
                except StopAsyncIteration:
                    break
                except AgentError as error:
                    if is_last or error.reason == "call_spliced":
                        raise
                    await sending.send_error(error)
                    break
                if message.error is not None:
                    await sending.send_error(message.error)
                elif is_ordered:
                    await sending.send(encode(message))
                else:
                    await sending.send_aside(encode(message))
        if is_last:
            await sending.finish()
            self._call.close()

    async def _interrupted(self, iterator: Any) -> Any:
        """What is yielded next by one that is interrupted at its `yield`."""
        self.is_due = False
        throw = getattr(iterator, "athrow", None)
        if throw is None:
            raise asyncio.CancelledError
        return await throw(asyncio.CancelledError())


def is_plain(item: Any) -> bool:
    """A message with content, which is sent as any value is."""
    return isinstance(item, Message) and item.error is None
