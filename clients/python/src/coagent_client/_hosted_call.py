"""One call that is handled here: it runs as a task and ends with exactly one terminal frame."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ._agents import (
    ASYNC_GENERATOR,
    COROUTINE,
    GENERATOR,
    REQUIRED,
    OperationSpec,
)
from ._content import Message, Part, encode
from ._context import Context, current
from ._errors import AgentError, CancelledCallError
from ._receiving import MessageReader, Receiving, value_of
from ._reply import Reply
from ._sending import Sending
from ._threads import GeneratorThread, run_in_thread
from ._wire import WINDOW_DEFAULT, Fields

if TYPE_CHECKING:
    from ._client import Client
    from ._connection import Connection
    from ._hosting import Session
    from ._registration import Registration

T = TypeVar("T")

log = logging.getLogger("coagent_client")

_ITEMS_PER_TURN = 64
_ENDED = CancelledCallError("the call has ended", reason="cancelled")


class HostedCall:
    """A call that is handled here: an endpoint of the connection."""

    __slots__ = (
        "_input",
        "_is_running",
        "_operation",
        "_session",
        "client",
        "connection",
        "content",
        "context",
        "deadline",
        "fields",
        "ident",
        "is_cancelled",
        "is_ended",
        "loop",
        "registration",
        "sending",
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
        self.context = Context(self, fields)
        self._input: Receiving | None = None
        if fields.get("input") is True:
            self._input = Receiving(self.loop, WINDOW_DEFAULT, self._grant)
            if content:
                self._input.frame(_message_fields(fields), content)
        self._operation: OperationSpec | None = None
        self._session: Session | None = None
        self._is_running = False
        self.is_ended = False
        self.task: asyncio.Task[None] = self.loop.create_task(self._run())

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
        self.sending.close(error)
        if self._input is not None:
            self._input.end(error)
        if not self._is_running:  # The task will not even begin.
            self._end(error)
            self.client.hosting.ended(self)
        self.task.cancel()

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
        self._is_running = True
        current.set(self.context)
        error: BaseException | None = None
        try:
            await self._handle()
        except asyncio.CancelledError as cancelled:
            error = CancelledCallError("the call was cancelled", reason="cancelled")
            error.__cause__ = cancelled.__cause__
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as raised:
            error = raised
        self._end(error)
        if self._session is not None:
            await self.client.hosting.left(self._session)
        self.client.hosting.ended(self)

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
            self._session = self.client.hosting.session(self.registration, self.context)
            instance = self._session.instance
            arguments.append(instance)
        for each in operation.arguments:
            if each == "context":
                arguments.append(self.context)
            elif each == "stream":
                arguments.append(self.context.__aiter__())
            else:
                arguments.append(await self._body(operation))
        if operation.kind == ASYNC_GENERATOR:
            await self._send_all(operation.function(*arguments))
        elif operation.kind == COROUTINE:
            await self._answer(await operation.function(*arguments))
        elif operation.kind == GENERATOR:
            thread = GeneratorThread(self.client.threads, self.sending)
            await thread.run(operation.function, arguments)
            await self.sending.finish()
        else:
            await self._answer(
                await run_in_thread(self.client.threads, operation.function, arguments)
            )

    async def _first_type(self) -> str:
        assert self._input is not None
        while self._input.taken_link.next is None and not self._input.ended:
            await self._input.wait()
        first = self._input.taken_link.next
        return str(first.fields.get("type", "")) if first is not None else ""

    async def _answer(self, value: Any) -> None:
        if value is None:
            self.sending.end()
        elif isinstance(value, Reply):
            await self._send_all(value.messages())  # Passed on as it comes.
        elif isinstance(value, AsyncIterable):
            await self._send_all(value)
        else:
            message = encode(value)
            if not self.sending.try_send(message, end=True):
                await self.sending.send(message, end=True)

    async def _send_all(self, values: Any) -> None:
        """Sends what the agent yields; it is not resumed while there is no credit."""
        sending = self.sending
        iterator = values.__aiter__()
        step = iterator.__anext__
        count = 0
        try:
            while True:
                if not sending.may_send:
                    await sending.ready()
                try:
                    item = await step()
                except StopAsyncIteration:
                    break
                if type(item) is Part:
                    await sending.send_part(item)
                elif isinstance(item, Message) and item.error is not None:
                    await sending.send_error(item.error)
                else:
                    message = encode(item)
                    if not sending.try_send(message):
                        await sending.send(message)
                count += 1
                if count % _ITEMS_PER_TURN == 0:
                    await asyncio.sleep(0)  # Others have a turn, however fast this one yields.
        finally:
            close = getattr(iterator, "aclose", None)
            if close is not None:
                await close()
        await sending.finish()

    def _end(self, error: BaseException | None) -> None:
        """The one terminal frame."""
        if self.is_ended:
            return
        self.is_ended = True
        self.sending.close(_ENDED)
        if self._input is not None:
            self._input.end()
        self.connection.end_id(self.ident)
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
