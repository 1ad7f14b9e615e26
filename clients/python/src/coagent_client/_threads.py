"""Plain functions and generators as agents: they run in threads, under the call's context.

A thread cannot be interrupted. A cancelled call whose function still runs keeps its place until
the function returns; the function may look at `Context.cancelled`.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from ._content import Encoded, Part, encode
from ._sending import Sending
from ._wire import FRAME_COST

_QUEUED_MAX = 64


async def run_in_thread(
    threads: Executor, function: Callable[..., Any], arguments: list[Any]
) -> Any:
    """What the function returns. If cancelled meanwhile, waits for it nevertheless."""
    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    work = loop.run_in_executor(threads, lambda: context.run(function, *arguments))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await _ended(work)
        raise


async def _ended(work: asyncio.Future[Any]) -> None:
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            continue  # Cancelled again; the thread does not care.
    if not work.cancelled():
        work.exception()  # Seen: nobody else will ask for it.


class GeneratorThread:
    """Runs a plain generator in a thread and sends what it yields.

    The generator is not resumed while what it yielded has used up the credit.
    """

    def __init__(self, threads: Executor, sending: Sending) -> None:
        self._threads = threads
        self._sending = sending
        self._changed = threading.Condition()
        self._items: deque[Encoded | Part] = deque()
        self._queued_cost = 0
        self._is_stopped = False
        self._is_done = False
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()

    async def run(self, function: Callable[..., Any], arguments: list[Any]) -> None:
        """Until the generator ends; raises what it raises."""
        context = contextvars.copy_context()
        work = self._loop.run_in_executor(
            self._threads, lambda: context.run(self._pump, function, arguments)
        )
        try:
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                await self._send_queued()
                if self._is_done and not self._items:
                    break
            await work
        finally:
            with self._changed:
                self._is_stopped = True
                self._changed.notify_all()
            await _ended(work)

    async def _send_queued(self) -> None:
        while self._items:
            item = self._items[0]
            if isinstance(item, Part):
                await self._sending.send_part(item)
            else:
                await self._sending.send(item)
            if not self._sending.may_send:
                await self._sending.ready()
            with self._changed:
                self._items.popleft()
                self._queued_cost -= _cost(item)
                self._changed.notify_all()

    def _pump(self, function: Callable[..., Any], arguments: list[Any]) -> None:
        try:
            values = function(*arguments)
            try:
                for value in values:
                    if not self._put(value if isinstance(value, Part) else encode(value)):
                        return
            finally:
                values.close()
        finally:
            with self._changed:
                self._is_done = True
            self._loop.call_soon_threadsafe(self._arrived.set)

    def _put(self, item: Encoded | Part) -> bool:
        """Queues an item, then waits until the generator may go on. False: it must stop."""
        with self._changed:
            if self._is_stopped:
                return False
            was_empty = not self._items
            self._items.append(item)
            self._queued_cost += _cost(item)
        if was_empty:
            self._loop.call_soon_threadsafe(self._arrived.set)
        with self._changed:
            self._changed.wait_for(self._may_go_on)
            return not self._is_stopped

    def _may_go_on(self) -> bool:
        return self._is_stopped or (
            len(self._items) < _QUEUED_MAX and self._sending.window > self._queued_cost
        )


def _cost(item: Encoded | Part) -> int:
    return len(item.content) + FRAME_COST
