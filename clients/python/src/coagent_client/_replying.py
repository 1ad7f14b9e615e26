"""The replies of a call that is handled here: what its code returns or yields, as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Any

from ._content import Message, Part, encode
from ._reply import Reply
from ._sending import Sending

if TYPE_CHECKING:
    from ._hosted_call import HostedCall

_ITEMS_PER_TURN = 64

BEFORE, RUNNING, AT_YIELD, AFTER = range(4)
"""Where the agent's code is: not begun, running, at a `yield`, ended."""


class Replying:
    """Sends replies in their order; a generator is not resumed while there is no credit."""

    __slots__ = ("_sending", "is_due", "stage")

    def __init__(self, call: HostedCall) -> None:
        self._sending: Sending = call.sending
        self.stage = BEFORE
        self.is_due = False
        """An interrupt is to be thrown into the generator where it stands."""

    def throw_at_yield(self) -> bool:
        """If a generator stands at a `yield`, it gets an interrupt there; False: it does not."""
        if self.stage != AT_YIELD:
            return False
        self.is_due = True
        self._sending.wake()
        return True

    async def answer(self, value: Any) -> None:
        """Sends what a function returned, the last or all of the reply."""
        if value is None:
            self._sending.end()
        elif isinstance(value, Reply):
            await self.each(value.messages())  # Passed on as it comes.
        elif isinstance(value, AsyncIterable):
            await self.each(value)
        else:
            message = encode(value)
            if not self._sending.try_send(message, end=True):
                await self._sending.send(message, end=True)

    async def each(self, values: AsyncIterable[Any]) -> None:
        """Sends what is yielded, to the end of the reply."""
        sending = self._sending
        iterator = values.__aiter__()
        step = iterator.__anext__
        count = 0
        self.stage = AT_YIELD
        try:
            while True:
                while not sending.may_send and not self.is_due:
                    await sending.change()
                self.stage = RUNNING
                try:
                    item = await (self._interrupted(iterator) if self.is_due else step())
                except StopAsyncIteration:
                    break
                self.stage = AT_YIELD
                await self.put(item)
                count += 1
                if count % _ITEMS_PER_TURN == 0:
                    await asyncio.sleep(0)  # Others have a turn, however fast this one yields.
        finally:
            self.stage = AFTER
            close = getattr(iterator, "aclose", None)
            if close is not None:
                await close()
        await sending.finish()

    async def put(self, item: Any) -> None:
        """Sends one thing that was yielded, in its place."""
        if type(item) is Part:
            await self._sending.send_part(item)
        elif isinstance(item, Message) and item.error is not None:
            await self._sending.send_error(item.error)
        else:
            message = encode(item)
            if not self._sending.try_send(message):
                await self._sending.send(message)

    async def _interrupted(self, iterator: Any) -> Any:
        """What is yielded next by one that is interrupted at its `yield`."""
        self.is_due = False
        throw = getattr(iterator, "athrow", None)
        if throw is None:
            raise asyncio.CancelledError
        return await throw(asyncio.CancelledError())
