"""What an agent knows of the call it handles, and how it calls others for it."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from ._content import Message
from ._errors import Detail
from ._interrupts import Interruptible
from ._receiving import MessageReader, message_of
from ._wire import Fields

if TYPE_CHECKING:
    from ._deferred import Deferred
    from ._delegated import Delegated
    from ._hosted_call import HostedCall
    from ._interrupts import Interrupted
    from ._reply import Exchange, Reply

T = TypeVar("T")

current: ContextVar[Context | None] = ContextVar("coagent_client_context", default=None)


class Context:
    """The call being handled. Give an agent's function a parameter hinted `Context` to get it.

    Calls made through it, or through the client while it is handled, are children of this call:
    they have at most its time, end when it is cancelled, and carry its `trace` and `ext`.
    """

    __slots__ = ("_call", "_fields")

    def __init__(self, call: HostedCall, fields: Fields) -> None:
        self._call = call
        self._fields = fields

    @property
    def address(self) -> str:
        """What was called: `name` or `name:session`."""
        return str(self._fields["to"])

    @property
    def name(self) -> str:
        """The agent's name."""
        return self.address.partition(":")[0]

    @property
    def session(self) -> str:
        """The session, or "" if the call has none."""
        return self.address.partition(":")[2]

    @property
    def sender(self) -> str:
        """The address of the agent that calls, or ""."""
        return str(self._fields.get("from", ""))

    @property
    def type(self) -> str:
        """The type of the first message, or ""."""
        return str(self._fields.get("type", ""))

    @property
    def ext(self) -> Mapping[str, Detail]:
        """What the caller said to whoever handles this. It proves nothing."""
        ext: Mapping[str, Detail] = self._fields.get("ext") or {}
        return ext

    @property
    def trace(self) -> str:
        """The caller's traceparent, or ""."""
        return str(self._fields.get("trace", ""))

    @property
    def topic(self) -> str:
        """The topic this message was published to, or "" if it was not."""
        return str(self._fields.get("topic", ""))

    @property
    def source(self) -> str:
        """Whom that message concerns, or ""."""
        return str(self._fields.get("source", ""))

    @property
    def is_new(self) -> bool:
        """This call creates its session."""
        return self._fields.get("new") is True

    @property
    def is_send(self) -> bool:
        """Nobody waits for an answer; what is returned is dropped."""
        return self._fields.get("oneway") is True

    @property
    def is_observation(self) -> bool:
        """A message to take note of, not to act on."""
        return self._fields.get("observe") is True

    @property
    def deadline(self) -> float | None:
        """When the caller stops waiting, in the loop's time, or None."""
        return self._call.deadline

    @property
    def time_left(self) -> float | None:
        """Seconds until then, or None."""
        deadline = self._call.deadline
        return None if deadline is None else max(0.0, deadline - self._call.loop.time())

    @property
    def cancelled(self) -> bool:
        """The caller left, or its time is over. For plain functions, which nothing interrupts."""
        return self._call.is_cancelled

    @property
    def interrupted(self) -> Interrupted | None:
        """The newest interrupt of this call, or None. For plain functions to look at; others
        are told, see `interruptible`."""
        return self._call.interrupted

    def defer(self) -> Deferred:
        """The reply, to be finished by whichever task, and whenever: what the function returns
        does not end it."""
        return self._call.on_loop(self._call.defer)

    def in_session(self, name: str) -> str:
        """Another agent's address, in this call's session: `name:session`, or `name` if this call
        has none."""
        return f"{name}:{self.session}" if self.session else name

    def interruptible(self) -> Interruptible:
        """`async with context.interruptible():` an interrupt ends this block with `Interrupted`.

        Behind it the reply may be finished. Outside of such a block, and where the agent has no
        `on_interrupt`, an interrupt is one `asyncio.CancelledError`. A call that is cancelled or
        late is never interrupted: it is cancelled.
        """
        return Interruptible(self._call)

    def messages(self) -> MessageReader[Message]:
        """The input behind the message that the function got as its argument; all of it if it
        takes none. Credit is granted as this is read."""
        return self._call.input_reader(message_of)

    def __aiter__(self) -> MessageReader[Any]:
        return self._call.input_reader(self._call.input_value)

    async def call(self, to: str, body: object = None, **options: Any) -> Any:
        """As `Client.call`, as a child of this call."""
        return await self._call.client.call(to, body, parent=self, **options)

    def stream(self, to: str, body: object = None, **options: Any) -> Reply[Any]:
        """As `Client.stream`, as a child of this call."""
        return self._call.client.stream(to, body, parent=self, **options)

    def open(self, to: str, body: object = None, **options: Any) -> Exchange[Any]:
        """As `Client.open`, as a child of this call."""
        return self._call.client.open(to, body, parent=self, **options)

    def delegate(
        self,
        to: str,
        body: object = None,
        *,
        returns: Any = None,
        lazy: bool = False,
        **options: Any,
    ) -> Delegated[Any]:
        """A call whose reply is to be a part of this one, or the rest: yield it, or return it.

        It runs from now on, with `lazy` from when it is yielded, returned or read. Its messages
        and errors take the place where it is yielded, and never visit this process; what is
        returned ends this call as it ends. Options are those of `Client.stream`.
        """
        client = self._call.client

        def start() -> Delegated[Any]:
            return client.delegate(self, to, body, returns, lazy=lazy, **options)

        return self._call.on_loop(start)

    async def send(self, to: str, body: object = None, **options: Any) -> None:
        """As `Client.send`, as a child of this call."""
        await self._call.client.send(to, body, parent=self, **options)

    async def publish(self, topic: str, body: object = None, **options: Any) -> None:
        """As `Client.publish`, as a child of this call."""
        await self._call.client.publish(topic, body, parent=self, **options)

    async def signal(
        self, to: str | None = None, name: str = "", payload: object = None, **options: Any
    ) -> None:
        """As `Client.signal`, from this agent."""
        await self._call.client.signal(to, name, payload, parent=self, **options)

    async def interrupt(
        self, to: str | None = None, payload: object = None, **options: Any
    ) -> None:
        """As `Client.interrupt`, from this agent."""
        await self._call.client.interrupt(to, payload, parent=self, **options)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """For plain functions, which run in a thread: `context.wait(context.call(…))`. Raises
        Interrupted if the call is interrupted meanwhile."""
        return self._call.wait(work)

    @property
    def hosted(self) -> HostedCall:
        """The library's side of it."""
        return self._call


def current_context() -> Context | None:
    """The call that is being handled here, or None."""
    return current.get()
