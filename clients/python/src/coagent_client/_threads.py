"""Plain functions and generators as agents: they run in threads, under the call's context.

A thread cannot be interrupted. A cancelled call whose function still runs keeps its place until
the function returns; the function may look at `Context.cancelled`.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from concurrent import futures
from concurrent.futures import Executor
from typing import Any, TypeVar

from ._content import encode
from ._delegated import PLACED
from ._sending import Sending
from ._wire import FRAME_COST

T = TypeVar("T")

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


CancelledWait = futures.CancelledError
_waits_lock = threading.Lock()


class Waits:
    """What the threads of a call wait for on its loop."""

    __slots__ = ("_futures",)

    def __init__(self) -> None:
        self._futures: set[futures.Future[Any]] = set()

    def result(self, work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T:
        """What it returns; raises CancelledWait if it is cancelled before."""
        with _waits_lock:  # A cancel comes before, or finds it.
            future = asyncio.run_coroutine_threadsafe(work, loop)
            self._futures.add(future)
        try:
            return future.result()
        finally:
            with _waits_lock:
                self._futures.discard(future)

    def cancel(self) -> None:
        """Ends what is waited for now."""
        with _waits_lock:
            waiting, self._futures = self._futures, set()
        for future in waiting:
            future.cancel()


class GeneratorThread:
    """Runs a plain generator in a thread and sends what it yields.

    The generator is not resumed while what it yielded has used up the credit.
    """

    def __init__(
        self, threads: Executor, sending: Sending, put: Callable[[Any], Awaitable[None]]
    ) -> None:
        self._threads = threads
        self._sending = sending
        self._put_on_loop = put
        self._changed = threading.Condition()
        self._items: deque[Any] = deque()
        self._queued_cost = 0
        self._is_stopped = False
        self._is_done = False
        self._interrupt: Exception | None = None
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

    def interrupt(self, error: Exception) -> None:
        """The generator gets this at its `yield`, where it stands or comes to next."""
        with self._changed:
            self._interrupt = error
            self._changed.notify_all()

    async def _send_queued(self) -> None:
        while self._items:
            item = self._items[0]
            await self._put_on_loop(item)
            if not self._sending.may_send:
                await self._sending.ready()
            with self._changed:
                self._items.popleft()
                self._queued_cost -= _cost(item)
                self._changed.notify_all()

    def _pump(self, function: Callable[..., Any], arguments: list[Any]) -> None:
        try:
            values = function(*arguments)
            with contextlib.closing(values), contextlib.suppress(StopIteration):
                while self._put(self._next(values)):
                    continue
        finally:
            with self._changed:
                self._is_done = True
            self._loop.call_soon_threadsafe(self._arrived.set)

    def _next(self, values: Generator[Any, None, None]) -> Any:
        """What is yielded next, encoded here rather than on the loop."""
        with self._changed:
            interrupt, self._interrupt = self._interrupt, None
        value = next(values) if interrupt is None else values.throw(interrupt)
        return value if isinstance(value, PLACED) else encode(value)

    def _put(self, item: Any) -> bool:
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
        if self._is_stopped or self._interrupt is not None:
            return True
        return len(self._items) < _QUEUED_MAX and self._sending.window > self._queued_cost


def _cost(item: Any) -> int:
    return len(getattr(item, "content", b"")) + FRAME_COST
