"""One call that is handled here: it runs as a task and ends with exactly one terminal frame."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from ._agents import (
    ASYNC_GENERATOR,
    COROUTINE,
    GENERATOR,
    REQUIRED,
    OperationSpec,
)
from ._calls import OwnCall
from ._context import Context, current
from ._deferred import Deferred, Later
from ._errors import AgentError, CancelledCallError, FailedPreconditionError
from ._interrupts import Interrupted, Interruptible, cancel_once
from ._receiving import MessageReader, Receiving, value_of
from ._replying import AFTER, BEFORE, RUNNING, Replying
from ._sending import Sending
from ._threads import CancelledWait, GeneratorThread, Waits, run_in_thread
from ._wire import WINDOW_DEFAULT, Fields

if TYPE_CHECKING:
    from ._client import Client
    from ._connection import Connection
    from ._hosting import Session
    from ._registration import Registration

T = TypeVar("T")

log = logging.getLogger("coagent_client")

_ENDED = CancelledCallError("the call has ended", reason="cancelled")


class HostedCall:
    """A call that is handled here: an endpoint of the connection."""

    __slots__ = (
        "_delegated",
        "_failure",
        "_input",
        "_operation",
        "_pump",
        "_waits",
        "client",
        "connection",
        "content",
        "context",
        "deadline",
        "fields",
        "ident",
        "interrupted",
        "interruptible",
        "is_begun",
        "is_cancelled",
        "is_ended",
        "later",
        "loop",
        "registration",
        "replying",
        "sending",
        "session",
        "task",
    )

    def __init__(
        self,
        client: Client,
        connection: Connection,
        registration: Registration,
        ident: int,
        fields: Fields,
        content: bytes,
    ) -> None:
        self.client = client
        self.loop = connection.loop
        self.connection = connection
        self.registration = registration
        self.ident = ident
        self.fields = fields
        self.content = content
        self.is_cancelled = False
        timeout_ms = fields.get("timeout_ms")
        self.deadline = self.loop.time() + timeout_ms / 1000 if timeout_ms else None
        self.sending = Sending(connection, ident, fields.get("window", WINDOW_DEFAULT))
        self.replying = Replying(self)
        self.context = Context(self, fields)
        self.interrupted: Interrupted | None = None
        """The newest interrupt, if there was any."""
        self.interruptible: list[Interruptible] = []
        """The blocks that an interrupt ends, the innermost last."""
        self._delegated: WeakSet[OwnCall] | None = None
        self._input: Receiving | None = None
        if fields.get("input") is True:
            self._input = Receiving(self.loop, WINDOW_DEFAULT, self._grant)
            if content:
                self._input.frame(_message_fields(fields), content)
        self._operation: OperationSpec | None = None
        self.session: Session | None = None
        """Of an agent that is a class, once its instance is made."""
        self._failure: BaseException | None = None
        self._pump: GeneratorThread | None = None
        self._waits: Waits | None = None
        self.later: Later | None = None
        """Its reply is finished later than its function."""
        self.is_begun = False
        self.is_ended = False
        self.task: asyncio.Task[None] = self.loop.create_task(self._run())

    def defer(self) -> Deferred:
        """The reply goes on behind the end of the function."""
        if self.later is not None or self.is_ended:
            raise FailedPreconditionError("the reply was deferred, or has ended", reason="deferred")
        self.later = Later(self.loop)
        self.replying.is_deferred = True
        return Deferred(self, self.later)

    def delegates(self, call: OwnCall) -> None:
        """A call that is to be spliced; if it never is, it ends with this one."""
        if self._delegated is None:
            self._delegated = WeakSet()
        self._delegated.add(call)

    # Frames

    def on_data(self, fields: Fields, content: bytes) -> None:
        if self._input is not None:
            self._input.frame(fields, content)

    def on_credit(self, size: int) -> None:
        self.sending.credit(size)

    def on_ok(self) -> None:
        return

    def on_error(self, error: AgentError, more: bool) -> None:
        self._stop(error)

    def on_cancel(self, reason: str) -> None:
        self._stop(CancelledCallError("the call was cancelled", reason="cancelled"))

    def on_lost(self, error: AgentError) -> None:
        self.is_ended = True
        self._stop(error)

    def _stop(self, error: AgentError) -> None:
        self.is_cancelled = True
        self._halt(error)

    def _halt(self, error: AgentError) -> None:
        self.sending.close(error)
        if self._input is not None:
            self._input.end(error)
        if not self.is_begun:  # The task will not even begin.
            self._end(self._failure or error)
            self.client.hosting.ended(self)
        self.task.cancel()

    # Interrupts

    @property
    def is_stopping(self) -> bool:
        """The call was cancelled, or a hook failed: what the code does now reaches nobody."""
        return self.is_cancelled or self._failure is not None

    def fail(self, error: BaseException) -> None:
        """The call ends with this error, as soon as its code does."""
        if not self.is_stopping and not self.is_ended:
            self._failure = error
            self._halt(_ENDED)

    def interrupt(self, interrupted: Interrupted) -> None:
        """Tells the code, which no hook does; calls that it waits for end."""
        is_first = self.interrupted is None
        self.interrupted = interrupted
        stage = self.replying.stage
        if self.is_stopping or self.is_ended:
            return
        if stage == BEFORE:
            self.fail(interrupted)  # Nobody is there who could do better.
            return
        if stage == AFTER:
            if self.later is not None:
                self.fail(interrupted)
            else:
                self._end_children()  # Whose reply is copied, perhaps.
            return
        if self.interruptible:
            self.interruptible[-1].interrupt()
        elif not is_first:
            return  # It is finishing.
        elif self._operation is not None and self._operation.is_threaded:
            self._interrupt_thread(interrupted)
        elif not self.replying.throw_at_yield():
            cancel_once(self.task)
        self._end_children()

    def _interrupt_thread(self, interrupted: Interrupted) -> None:
        """A thread hears of it where it waits: in `Context.wait`, or at a `yield`."""
        if self._waits is not None:
            self._waits.cancel()
        if self._pump is not None:
            self._pump.interrupt(interrupted)

    def _end_children(self) -> None:
        served = self.connection, self.ident
        for endpoint in list(self.connection.open.values()):
            if isinstance(endpoint, OwnCall) and endpoint.request.parent == served:
                endpoint.interrupt()

    def on_loop(self, work: Callable[[], T]) -> T:
        """What it returns, from whatever thread."""
        if threading.get_ident() == self.client.thread:
            return work()

        async def run() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result()

    def throw_at_yield(self) -> bool:
        """As `Replying.throw_at_yield`."""
        return self.replying.throw_at_yield()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """For the thread of a plain function: its result; Interrupted if that comes first."""
        waits = self._waits = self._waits or Waits()
        try:
            return waits.result(work, self.loop)
        except CancelledWait:
            if self.interrupted is not None and not self.is_stopping:
                raise self.interrupted.with_traceback(None) from None
            raise

    def _grant(self, size: int) -> None:
        if not self.is_ended:
            self.connection.write(f'{{"op":"credit","id":{self.ident},"bytes":{size}}}')

    # Input

    def input_reader(self, convert: Callable[[Fields, bytes], T]) -> MessageReader[T]:
        """Reads the messages that the function did not get as its argument."""
        if self._input is None:
            self._input = Receiving(self.loop, WINDOW_DEFAULT, self._grant)
            if self.content and not (self._operation and self._operation.takes_body):
                self._input.frame(_message_fields(self.fields), self.content)
            self._input.end()
        return MessageReader(self._input, self._input.taken_link, convert)

    def input_value(self, fields: Fields, content: bytes) -> Any:
        """A message of the input as the operation's hints want it."""
        operation = self._operation
        if operation is not None and "stream" in operation.arguments:
            return operation.convert(fields, content)
        return value_of(fields, content)

    async def _body(self, operation: OperationSpec) -> Any:
        """The first message, as the function wants it."""
        fields, content = self.fields, self.content
        if self._input is not None:
            async for first in MessageReader(self._input, self._input.taken_link, _as_it_is):
                fields, content = first
                break
        if operation.default is not REQUIRED and not content and not fields.get("type"):
            return operation.default
        return operation.convert(fields, content)

    # Running

    async def _run(self) -> None:
        self.is_begun = True
        current.set(self.context)
        error: BaseException | None = None
        try:
            await self._handle()
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as raised:
            error = self._outcome(raised)
        self.replying.stage = AFTER
        error = self._failure or error
        self._end(error)
        if self.later is not None:
            self.later.finish(error)
        if self.session is not None:
            await self.client.hosting.left(self.session)
        self.client.hosting.ended(self)

    def _outcome(self, raised: BaseException) -> BaseException:
        """What the caller is told of an exception that left the code."""
        if self.interrupted is not None and not self.is_stopping:
            is_child = isinstance(raised, CancelledCallError) and raised.reason == "interrupted"
            if is_child or isinstance(raised, asyncio.CancelledError):
                return self.interrupted
        if isinstance(raised, asyncio.CancelledError):
            error = CancelledCallError("the call was cancelled", reason="cancelled")
            error.__cause__ = raised.__cause__
            return error
        return raised

    async def _handle(self) -> None:
        spec = self.registration.spec
        fields = self.fields
        if self._input is not None and not self.content and "type" not in fields:
            # The kind of message is known only with the first of the input.
            first = await self._first_type() if len(spec.operations) > 1 else ""
            operation = spec.operation(first)
        else:
            operation = spec.operation(fields.get("type", ""))
        self._operation = operation
        arguments: list[Any] = []
        instance: Any = None
        if spec.cls is not None:
            self.session = self.client.hosting.session(self.registration, self.context)
            instance = self.session.instance
            arguments.append(instance)
        for each in operation.arguments:
            if each == "context":
                arguments.append(self.context)
            elif each == "stream":
                arguments.append(self.context.__aiter__())
            else:
                arguments.append(await self._body(operation))
        replying = self.replying
        replying.check = operation.check
        replying.stage = RUNNING
        if operation.kind == ASYNC_GENERATOR:
            await replying.each(operation.function(*arguments))
        elif operation.kind == COROUTINE:
            value = await operation.function(*arguments)
            replying.stage = AFTER
            await replying.answer(value)
            del value  # A deferred reply ends when nobody holds it any more.
        elif operation.kind == GENERATOR:
            self._waits = Waits()
            self._pump = GeneratorThread(self.client.threads, self.sending, replying.put)
            await self._pump.run(operation.function, arguments)
            replying.stage = AFTER
            await replying.finish()
        else:
            self._waits = Waits()
            value = await run_in_thread(self.client.threads, operation.function, arguments)
            replying.stage = AFTER
            await replying.answer(value)
            del value
        if self.later is not None:
            value = await self.later.value
            replying.is_deferred = False
            await replying.answer(value)

    async def _first_type(self) -> str:
        assert self._input is not None
        while self._input.taken_link.next is None and not self._input.ended:
            await self._input.wait()
        first = self._input.taken_link.next
        return str(first.fields.get("type", "")) if first is not None else ""

    def close(self) -> None:
        """Nothing more is sent for the call: it has ended, or its end is another's now."""
        self.is_ended = True
        self.sending.close(_ENDED)
        if self._input is not None:
            self._input.end()
        self.connection.end_id(self.ident)
        for each in list(self._delegated or ()):
            each.cancel_unread()

    def _end(self, error: BaseException | None) -> None:
        """The one terminal frame."""
        if self.is_ended:
            return
        self.close()
        if self.is_cancelled and error is None:
            error = CancelledCallError("the call was cancelled", reason="cancelled")
        if error is not None:
            if not isinstance(error, AgentError):
                log.debug("%s failed", self.context.address, exc_info=error)
            self.connection.write_error(self.ident, error)


def _as_it_is(fields: Fields, content: bytes) -> tuple[Fields, bytes]:
    return fields, content


def _message_fields(fields: Fields) -> Fields:
    return {key: fields[key] for key in ("type", "content_type", "ext") if key in fields}
