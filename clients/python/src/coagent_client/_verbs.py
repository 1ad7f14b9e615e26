"""The verbs of a caller: call, stream, open, send."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import Any, Final, TypeVar, overload

from ._address import quoted_run
from ._calls import OwnCall, Request, fit_content
from ._connection import Connection
from ._context import Context, current
from ._delegated import Delegated
from ._errors import AgentError, CancelledCallError, Detail, InvalidArgumentError
from ._registrar import Registrar
from ._reply import Collect, Exchange, Reply, one_value
from ._requests import (
    INHERIT,
    Inherit,
    call_rest,
    conversion,
    message_from,
    milliseconds,
    options_rest,
    window_rest,
)
from ._runs import RunReading
from ._sends import Post
from ._wire import CONTENT_BYTES_MAX, WINDOW_DEFAULT, WINDOW_MAX

T = TypeVar("T")

TIMEOUT_S: Final = 30.0
_TIMEOUT_MAX_S: Final = 1e9
"""More is for ever."""


class Verbs(Registrar):
    """The verbs of a client, on whatever connection it has at the moment."""

    loop: asyncio.AbstractEventLoop
    repeats: int
    waiting: list[OwnCall]
    thread: int
    _deadline_timer: asyncio.TimerHandle | None
    _rejoin_until: float

    def is_rejoining(self, error: AgentError) -> bool:
        """This client has just connected again, and whom it asked for perhaps not yet."""
        is_away = error.reason in ("unknown_agent", "no_replica")
        return is_away and self.loop.time() < self._rejoin_until

    async def wait_connected(
        self, until: float | None = None, *, takes_draining: bool = False
    ) -> Connection:
        """The connection as soon as there is one that takes new work; raises if there will be
        none, or not until then, in the loop's time."""
        raise NotImplementedError

    # Calling

    @overload
    async def call(
        self,
        to: str,
        body: object = None,
        *,
        returns: type[T],
        timeout: float | None = TIMEOUT_S,
        type: str | None = None,
        content_type: str | None = None,
        ext: Mapping[str, Detail] | None = None,
        trace: str | None = None,
        sender: str | None = None,
        window: int = WINDOW_DEFAULT,
        parent: Context | Inherit | None = INHERIT,
        run: str | None = None,
        detach: bool = False,
    ) -> T: ...
    @overload
    async def call(
        self,
        to: str,
        body: object = None,
        *,
        timeout: float | None = TIMEOUT_S,
        returns: Any = None,
        collect: Collect | None = None,
        type: str | None = None,
        content_type: str | None = None,
        ext: Mapping[str, Detail] | None = None,
        trace: str | None = None,
        sender: str | None = None,
        window: int = WINDOW_DEFAULT,
        parent: Context | Inherit | None = INHERIT,
        run: str | None = None,
        detach: bool = False,
    ) -> Any: ...
    async def call(
        self,
        to: str,
        body: object = None,
        *,
        returns: Any = None,
        collect: Collect | None = None,
        timeout: float | None = TIMEOUT_S,
        **options: Any,
    ) -> Any:
        """Calls an agent and returns the one value it answers.

        Several texts are joined, other messages listed, none is None; `collect` says it
        otherwise: `join` texts (or bytes), `list` all, or the `last`. `timeout` in seconds is
        also the agent's deadline. `returns` is what each message is made into (a dataclass, a
        pydantic model, …). Raises the AgentError of the code the call failed with. Cancelling
        the task cancels the call down to the agent. With `run`, the name of a run, the call goes
        on over a lost connection, and others may attach to it.
        """
        call = self._call(to, body, timeout=timeout, **options)
        start = call.receiving.last
        call.start()
        return await one_value(call, start, conversion(returns), collect)

    @overload
    def stream(
        self,
        to: str,
        body: object = None,
        *,
        returns: type[T],
        timeout: float | None = None,
        type: str | None = None,
        content_type: str | None = None,
        ext: Mapping[str, Detail] | None = None,
        trace: str | None = None,
        sender: str | None = None,
        window: int = WINDOW_DEFAULT,
        lazy: bool = False,
        parent: Context | Inherit | None = INHERIT,
        run: str | None = None,
        detach: bool = False,
    ) -> Reply[T]: ...
    @overload
    def stream(
        self,
        to: str,
        body: object = None,
        *,
        returns: Any = None,
        timeout: float | None = None,
        type: str | None = None,
        content_type: str | None = None,
        ext: Mapping[str, Detail] | None = None,
        trace: str | None = None,
        sender: str | None = None,
        window: int = WINDOW_DEFAULT,
        lazy: bool = False,
        parent: Context | Inherit | None = INHERIT,
        run: str | None = None,
        detach: bool = False,
    ) -> Reply[Any]: ...
    def stream(
        self,
        to: str,
        body: object = None,
        *,
        returns: Any = None,
        **options: Any,
    ) -> Reply[Any]:
        """Calls an agent, at once, and returns its reply to iterate over: `async for value in …`.

        `window` bounds, in bytes, how far the agent may run ahead of the fastest reader (1: one
        message at a time). With `lazy` it starts with the first reader. Leaving the loop
        cancels the call. With `run`, the name of a run, it goes on over a lost connection, and
        others may attach to it; with `detach` it outlives its readers.
        """
        return Reply(self._call(to, body, **options), conversion(returns))

    def delegate(
        self, context: Context, to: str, body: object, returns: Any, **options: Any
    ) -> Delegated[Any]:
        """See `Context.delegate`."""
        call = self._call(to, body, parent=context, is_held=True, **options)
        context.hosted.delegates(call)
        return Delegated(call, conversion(returns))

    def open(
        self,
        to: str,
        body: object = None,
        *,
        returns: Any = None,
        timeout: float | None = None,
        type: str | None = None,
        content_type: str | None = None,
        ext: Mapping[str, Detail] | None = None,
        trace: str | None = None,
        sender: str | None = None,
        window: int = WINDOW_DEFAULT,
        parent: Context | Inherit | None = INHERIT,
        run: str | None = None,
        detach: bool = False,
    ) -> Exchange[Any]:
        """Opens a call in both directions: `send` messages, `end` the input, iterate the reply.

        A body that is not None is the first message.
        """
        call = self._call(
            to,
            body,
            timeout=timeout,
            type=type,
            content_type=content_type,
            ext=ext,
            trace=trace,
            sender=sender,
            window=window,
            parent=parent,
            run=run,
            detach=detach,
            is_open=True,
        )
        return Exchange(call, conversion(returns))

    async def send(
        self,
        to: str,
        body: object = None,
        *,
        ack: bool = True,
        observe: bool = False,
        timeout: float | None = None,
        type: str | None = None,
        content_type: str | None = None,
        ext: Mapping[str, Detail] | None = None,
        trace: str | None = None,
        sender: str | None = None,
        parent: Context | Inherit | None = INHERIT,
    ) -> None:
        """Sends one message that nobody answers.

        With `ack` (the default) returns once it is in the agent's mailbox, or raises; without,
        what is lost is lost. `observe`: to take note of, not to act on. `timeout`: how long it
        may wait there.
        """
        message = message_from(body, type, content_type)
        rest = call_rest(to, message.type, message.content_type)
        context = current.get() if parent is INHERIT else parent
        served = None
        if context is not None:
            served = self.parent_of(context, is_inherited=parent is INHERIT)
        rest += options_rest(message, ext, trace, sender, context)
        if observe:
            rest += ',"observe":true'
        if timeout is not None:
            rest += f',"timeout_ms":{milliseconds(timeout)}'
        post = Post("send", to, rest, message.content, served)
        wait_s = TIMEOUT_S if timeout is None else timeout
        await (post.acknowledged(self, wait_s) if ack else post.written(self, wait_s))

    async def signal_call(
        self, call: OwnCall, name: str, payload: object, content_type: str | None, ack: bool
    ) -> None:
        """A signal to what handles a call of this client."""
        raise NotImplementedError

    # Parts of a call

    def _call(
        self,
        to: str,
        body: object,
        *,
        timeout: float | None = None,
        type: str | None = None,
        content_type: str | None = None,
        ext: Mapping[str, Detail] | None = None,
        trace: str | None = None,
        sender: str | None = None,
        window: int = WINDOW_DEFAULT,
        lazy: bool = False,
        parent: Context | Inherit | None = INHERIT,
        run: str | None = None,
        detach: bool = False,
        is_open: bool = False,
        is_held: bool = False,
    ) -> OwnCall:
        self._check_thread()
        message = message_from(body, type, content_type)
        context = current.get() if parent is INHERIT else parent
        rest = call_rest(to, message.type, message.content_type)
        if context is not None or ext or trace or sender or message.ext:
            rest += options_rest(message, ext, trace, sender, context)
        request = Request(to, rest, b"")
        if body is not None:
            fit_content(request, message, self.content_bytes_max)
        request.is_open = is_open
        request.is_held = is_held or lazy
        if window != WINDOW_DEFAULT or request.is_held:
            request.window = min(max(1, window), WINDOW_MAX)
            request.rest += window_rest(0 if request.is_held else request.window)
        if run is not None:
            request.rest += f',"run":{quoted_run(run)}'
            request.run = RunReading(run, first=0, is_opener=True)
            if request.is_held:
                raise InvalidArgumentError(
                    "a run starts at once, and has readers of its own",
                    reason="bad_field",
                    details={"field": "run"},
                )
        if lazy:
            request.rest += ',"lazy":true'
        if request.has_input:
            request.rest += ',"input":true'
        if detach:
            request.is_detached = True
            request.rest += ',"detach":true'
        self._set_deadline(request, timeout)
        if context is not None:
            request.parent = self.parent_of(context, is_inherited=parent is INHERIT)
        return OwnCall(self, request)

    def _set_deadline(self, request: Request, timeout: float | None) -> None:
        if timeout is not None and timeout < _TIMEOUT_MAX_S:
            request.deadline = self.loop.time() + timeout

    def parent_of(self, context: Context, *, is_inherited: bool) -> tuple[Connection, int] | None:
        """The connection and id of the call that a new one serves.

        A context that is only inherited, of a call that has ended or that another client
        handles, is none.
        """
        call = context.hosted
        if call.is_ended and not is_inherited:
            raise CancelledCallError("the call this serves has ended", reason="parent_ended")
        if call.is_ended or call.client is not self:
            return None
        return call.connection, call.ident

    @property
    def content_bytes_max(self) -> int:
        """What the sidecar takes in one frame."""
        connection = self.connection
        return CONTENT_BYTES_MAX if connection is None else connection.content_bytes_max

    def _check_thread(self) -> None:
        if threading.get_ident() != self.thread:
            if not self.thread:
                raise RuntimeError("the client is not connected: use `async with connect()`")
            raise RuntimeError(
                "a client belongs to the thread of its event loop; a plain function calls with "
                "`context.wait(context.call(…))`, a script with coagent_client.sync"
            )

    def watch_deadlines(self) -> None:
        """Ends calls here whose deadline the sidecar lets pass, looking once a second."""
        if self._deadline_timer is None:
            self._deadline_timer = self.loop.call_later(1.0, self._look_at_deadlines)

    def _look_at_deadlines(self) -> None:
        self._deadline_timer = None
        connection = self.connection
        if connection is None or connection.error is not None:
            return
        now = self.loop.time()
        is_needed = False
        for endpoint in list(connection.open.values()):
            if isinstance(endpoint, OwnCall) and endpoint.request.deadline:
                endpoint.expire(now)
                is_needed = True
        if is_needed:
            self.watch_deadlines()
