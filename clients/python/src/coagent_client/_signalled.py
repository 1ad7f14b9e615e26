"""Signals that arrive: whom they are for here, and what the sidecar is answered.

All of it happens beside whatever runs: an interrupt is answered at once, a signal of the agent's
own when its hook is done.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Any

from ._context import Context, current
from ._errors import FailedPreconditionError, NotFoundError, UnimplementedError
from ._hooks import Hook, Signal
from ._hosted_call import HostedCall
from ._interrupts import Interrupted
from ._receiving import message_of
from ._wire import Fields

if TYPE_CHECKING:
    from ._connection import Connection
    from ._hosting import Hosting
    from ._registration import Registration

Target = tuple[Hook, Any]
"""A hook, and the instance whose method it is, or None."""


class Signalled:
    """Gives signals to the agents of one client."""

    def __init__(self, hosting: Hosting) -> None:
        self._hosting = hosting
        self.tasks: set[asyncio.Task[None]] = set()
        """Hooks that run."""

    def arrived(self, connection: Connection, ident: int, fields: Fields, content: bytes) -> None:
        """A signal came, perhaps with the call that it is for, or that makes the session: these
        begin with the loop's next turn, and then it is given."""
        connection.loop.call_soon(self._give, connection, ident, fields, content)

    def lost(self) -> None:
        """The connection is gone."""
        for task in self.tasks:
            task.cancel()

    def _give(self, connection: Connection, ident: int, fields: Fields, content: bytes) -> None:
        if connection.error is not None:
            return
        call = connection.open.get(fields.get("call", 0))
        running: list[Awaitable[Any]] = []
        try:
            if isinstance(call, HostedCall) and not call.is_stopping:
                if fields.get("name") == "interrupt":
                    self._interrupt(call, fields, content)
                else:
                    running = self._to_call(call, fields, content)
            elif "call" not in fields:
                running = self._to_agent(fields, content)
            # Else the call ended, or was cancelled, while the signal was on its way.
        except Exception as error:
            _answer(connection, ident, error)
            return
        if running:
            self._start(connection.loop, _answer_later(connection, ident, running))
        else:
            _answer(connection, ident, None)

    def _interrupt(self, call: HostedCall, fields: Fields, content: bytes) -> None:
        message = message_of(fields, content)
        interrupted = Interrupted(message, str(fields.get("from", "")))
        target = _target(call.registration, "interrupt", _instance(call))
        if target is None:
            call.interrupt(interrupted)
            return
        signal = _signal(target, fields, content, call.context)
        call.interrupted = interrupted

        async def run() -> None:
            try:
                for each in _begun([target], signal):
                    await each
            except Exception as error:
                call.fail(error)

        self._start(call.loop, run())

    def _to_call(self, call: HostedCall, fields: Fields, content: bytes) -> list[Awaitable[Any]]:
        target = _target(call.registration, "signal", _instance(call))
        if target is None:
            raise _unhandled(fields, call.registration)
        return _begun([target], _signal(target, fields, content, call.context))

    def _to_agent(self, fields: Fields, content: bytes) -> list[Awaitable[Any]]:
        address = str(fields.get("to", ""))
        name, _, session = address.partition(":")
        registration = self._hosting.registration(name)
        if registration is None:
            raise NotFoundError(f"{name} is not registered here", reason="unknown_agent")
        instances = self._hosting.instances(registration, address if session else "")
        targets = [_target(registration, "signal", each) for each in instances or [None]]
        found = [each for each in targets if each is not None]
        if not found:
            raise _unhandled(fields, registration)
        if found[0][1] is None:
            found = found[:1]  # One hook for all.
        return _begun(found, _signal(found[0], fields, content, None))

    def _start(self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]) -> None:
        task = loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


def _instance(call: HostedCall) -> Any:
    return call.session.instance if call.session is not None else None


def _target(registration: Registration, word: str, instance: Any) -> Target | None:
    """The hook of the instance's class, or the one given with the registration."""
    method: Hook | None = getattr(registration.method_hooks, word)
    if method is not None and instance is not None:
        return method, instance
    given: Hook | None = getattr(registration.hooks, word)
    return None if given is None else (given, None)


def _signal(target: Target, fields: Fields, content: bytes, context: Context | None) -> Signal:
    return Signal(
        name=str(fields.get("name", "")),
        payload=target[0].convert(fields, content),
        sender=str(fields.get("from", "")),
        address=context.address if context is not None else str(fields.get("to", "")),
        context=context,
    )


def _begun(targets: list[Target], signal: Signal) -> list[Awaitable[Any]]:
    """Calls the hooks as part of the call that the signal is for; what is left to be awaited."""
    scope = contextvars.copy_context()
    scope.run(current.set, signal.context)
    running: list[Awaitable[Any]] = []
    failed: Exception | None = None
    for hook, instance in targets:
        try:
            result = scope.run(hook.call, instance, signal)
            if inspect.isawaitable(result):
                running.append(scope.run(asyncio.ensure_future, result))
        except Exception as error:
            failed = failed or error
    if failed is not None:
        raise failed
    return running


async def _answer_later(
    connection: Connection, ident: int, running: list[Awaitable[Any]]
) -> None:
    outcomes = await asyncio.gather(*running, return_exceptions=True)
    failed = [each for each in outcomes if isinstance(each, BaseException)]
    _answer(connection, ident, failed[0] if failed else None)


def _answer(connection: Connection, ident: int, error: BaseException | None) -> None:
    if connection.error is not None:
        return
    if error is None:
        connection.write(f'{{"op":"ok","id":{ident}}}')
    else:
        connection.write_error(ident, error)


def _unhandled(fields: Fields, registration: Registration) -> Exception:
    name = str(fields.get("name", ""))
    if registration.method_hooks.signal is not None:
        return FailedPreconditionError(
            f"{registration.name} has no instance for {name!r}", reason="not_running"
        )
    return UnimplementedError(
        f"{registration.name} takes no signal {name!r}",
        reason="unhandled_signal",
        details={"name": name},
    )
