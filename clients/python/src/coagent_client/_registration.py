"""An agent registered with the sidecar, for as long as it is."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ._agents import AgentSpec
from ._context import Context
from ._errors import AgentError, InvalidArgumentError
from ._hooks import Hooks
from ._topics import Feed
from ._wire import Fields, flat_object, quoted

if TYPE_CHECKING:
    from ._connection import Connection
    from ._registrar import Registrar

log = logging.getLogger("coagent_client")

_REGISTER_BYTES_MAX = 256 * 1024


class Registration:
    """`await` it to know that the sidecar took it (it raises what was wrong), or use it as an
    async context manager: leaving ends it. After a reconnect it is made again by itself."""

    def __init__(
        self,
        client: Registrar,
        name: str,
        spec: AgentSpec,
        *,
        make: Callable[..., Any] | None,
        description: str,
        version: str,
        labels: Mapping[str, str] | None,
        concurrency: int | None,
        session_concurrency: int | None,
        idle: float | None,
        exclusive: bool,
        topics: Sequence[str],
        hooks: Hooks,
        method_hooks: Hooks,
    ) -> None:
        self.name = name
        self.spec = spec
        self.hooks = hooks
        """Those given for it; methods of its class come before them."""
        self.method_hooks = method_hooks
        self.error: AgentError | None = None
        """Why the sidecar refused or ended it."""
        self._client = client
        self._make = make or spec.cls
        self._ident = 0
        self._connection: Connection | None = None
        self._is_wanted = True
        self._answered: asyncio.Future[None] | None = None
        self._is_answered = False
        self._topics = (topics,) if isinstance(topics, str) else tuple(topics)
        self._unanswered = 0
        self._not_fed: AgentError | None = None
        self._ended: asyncio.Future[None] | None = None
        rest = f',"name":{quoted(name)}'
        description = description or spec.description
        if description:
            rest += f',"description":{quoted(description)}'
        if version:
            rest += f',"version":{quoted(version)}'
        if labels:
            if not all(isinstance(value, str) for value in labels.values()):
                raise InvalidArgumentError("labels are strings", reason="bad_field")
            rest += f',"labels":{flat_object(labels, "labels")}'
        for key, number in (
            ("concurrency", concurrency),
            ("session_concurrency", session_concurrency),
            ("idle_ms", None if idle is None else round(idle * 1000)),
        ):
            if number is not None:
                rest += f',"{key}":{number}'
        if exclusive:
            rest += ',"exclusive":true'
        self._rest = rest + "}"
        self._content = spec.content()
        if len(self._content) > _REGISTER_BYTES_MAX:
            raise InvalidArgumentError(
                f"the schemas of {name} take {len(self._content)} bytes; "
                f"the limit is {_REGISTER_BYTES_MAX}",
                reason="too_large",
            )

    @property
    def is_registered(self) -> bool:
        """Calls from any connection reach it now."""
        return self._is_answered and self.error is None and self._ident != 0

    def __await__(self) -> Generator[Any, None, Registration]:
        return self.ready().__await__()

    async def ready(self) -> Registration:
        """Waits for the sidecar's answer; raises the error if it refused."""
        while not self._is_answered:
            if self._answered is None:
                self._answered = asyncio.get_running_loop().create_future()
            if self._client.end_error is not None:
                raise self._client.end_error.with_traceback(None)
            await asyncio.shield(self._answered)
        if self.error is not None:
            raise self.error.with_traceback(None)
        return self

    async def close(self) -> None:
        """Takes nothing new; calls in flight finish, sessions close."""
        if not self._is_wanted:
            return
        self._is_wanted = False
        self._client.forget(self)
        connection = self._connection
        if self._ident and connection is not None and connection.error is None:
            self._ended = connection.loop.create_future()
            connection.write(f'{{"op":"cancel","id":{self._ident}}}')
            await self._ended
        self._client.hosting.remove(self)

    async def __aenter__(self) -> Registration:
        return await self.ready()

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    def make(self, context: Context) -> Any:
        """A new instance for a session; None where a function is the agent."""
        make = self._make
        if make is None:
            return None
        parameters = inspect.signature(make).parameters.values()
        wants_context = any(
            each.annotation in (Context, "Context") or each.name in ("context", "ctx")
            for each in parameters
        )
        return make(context) if wants_context else make()

    def start(self, connection: Connection) -> None:
        """Writes `register`; calls may follow on the connection at once."""
        self._connection = connection
        self._is_answered = False
        self._client.hosting.add(self)
        self._ident = connection.open_id(self, "register", self._rest, self._content)
        self._not_fed = None
        self._unanswered = 1 + len(self._topics)
        for topic in self._topics:
            Feed(self, connection, topic)

    # Frames

    def on_data(self, fields: Fields, content: bytes) -> None:
        return

    def on_credit(self, size: int) -> None:
        return

    def on_cancel(self, reason: str) -> None:
        return

    def on_ok(self) -> None:
        self._unanswered -= 1
        if self._unanswered == 0:
            self.error = None
            self._answer()

    def not_fed(self, error: AgentError, connection: Connection) -> None:
        """A topic does not feed the agent: it is withdrawn, for it would wait in vain. That the
        subscription ends with the registration is no news."""
        is_news = self._not_fed is None and error.code != "cancelled"
        if is_news and self._is_wanted and self._ident and connection is self._connection:
            self._not_fed = error
            connection.write(f'{{"op":"cancel","id":{self._ident}}}')

    def on_error(self, error: AgentError, more: bool) -> None:
        connection = self._connection
        if connection is not None:
            connection.end_id(self._ident)
        self._ident = 0
        self._client.hosting.remove(self)
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)
        is_waiting = connection is not None and not connection.is_drained
        if self._is_wanted and is_waiting and error.reason == "draining":
            return  # The connection closes soon, and the next one takes it.
        if self._is_wanted:
            self.error = error = self._not_fed or error
            if self._answered is None:
                log.warning("agent %s is not registered: %s", self.name, error)
        self._answer()

    def on_lost(self, error: AgentError) -> None:
        self._ident = 0
        self._client.hosting.remove(self)
        self._connection = None
        self._is_answered = False
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def withdrawn(self, error: AgentError) -> None:
        """It has ended without an answer: a connection that comes later takes it."""
        if self._connection is not None:
            self._connection.end_id(self._ident)
        self._ident = 0
        self._client.hosting.remove(self)
        self.error = error
        self._answer()

    def failed(self, error: AgentError) -> None:
        """The client has ended for good."""
        if not self._is_answered:
            self.error = error
            self._answer()

    def _answer(self) -> None:
        self._is_answered = True
        answered, self._answered = self._answered, None
        if answered is not None and not answered.done():
            answered.set_result(None)
