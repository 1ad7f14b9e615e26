"""The verbs of a host: register an agent, by call or by decorator."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ._address import quoted_address
from ._agents import AgentSpec, Declared
from ._connection import Connection
from ._errors import AgentError, AlreadyExistsError, InvalidArgumentError
from ._hooks import method_hooks, read_hooks
from ._registration import Registration

if TYPE_CHECKING:
    from ._hosting import Hosting

F = TypeVar("F", bound=Callable[..., Any])


class Registrar:
    """The agents of a client, on whatever connection it has at the moment."""

    connection: Connection | None
    hosting: Hosting
    end_error: AgentError | None
    _registrations: list[Registration]

    def register(
        self,
        name: str,
        target: Callable[..., Any],
        *,
        description: str = "",
        version: str = "",
        labels: Mapping[str, str] | None = None,
        concurrency: int | None = None,
        session_concurrency: int | None = None,
        idle: float | None = None,
        exclusive: bool = False,
        topics: Sequence[str] = (),
        make: Callable[..., Any] | None = None,
        on_interrupt: Callable[..., Any] | None = None,
        on_signal: Callable[..., Any] | None = None,
        validate: bool = False,
        input: Mapping[str, Any] | None = None,
        output: Mapping[str, Any] | None = None,
        names: Mapping[str, Any] | None = None,
    ) -> Registration:
        """Hosts an agent here: a function, or a class with one instance per session.

        `await` the registration to know that calls from anywhere reach it now. `concurrency`
        bounds its open calls, `session_concurrency` those of one session (1); a session is closed
        after `idle` seconds (300; 0: never). `topics`, or patterns, feed the agent: a message of
        source `s` comes to its session `s`, as one that nobody answers. `make` makes the
        instances of a class. `on_interrupt(payload)` is called, beside the code, when a call of
        the agent is interrupted, `on_signal(name, payload)` for its own signals; each may take a
        Context or a Signal too, and a class has them as methods. `input` and `output` are the
        JSON Schemas of a function, else those of its hints; with `validate` each message is
        checked against them, those that come before the code sees them.
        `names` is where the hints' names are looked up besides the function's module (the locals
        of whoever calls this).
        """
        quoted_address(name)
        if ":" in name:
            raise InvalidArgumentError(f"{name!r} is no agent's name", reason="bad_address")
        if any(each.name == name for each in self._registrations):
            raise AlreadyExistsError(f"{name} is registered here", reason="name_registered")
        names = names if names is not None else sys._getframe(1).f_locals
        declared = Declared(
            validate=validate,
            input=None if input is None else dict(input),
            output=None if output is None else dict(output),
        )
        spec = AgentSpec(target, names, declared)
        registration = Registration(
            self,
            name,
            spec,
            make=make,
            description=description,
            version=version,
            labels=labels,
            concurrency=concurrency,
            session_concurrency=session_concurrency,
            idle=idle,
            exclusive=exclusive,
            topics=topics,
            hooks=read_hooks(on_interrupt, on_signal, names),
            method_hooks=method_hooks(spec.cls, names),
        )
        self._registrations.append(registration)
        if self.connection is not None and self.connection.takes_new:
            registration.start(self.connection)
        return registration

    def agent(self, name: str, **options: Any) -> Callable[[F], F]:
        """`register` as a decorator of a function or class, with the same options.

        It may stand before the client is entered; `serve` and `run` wait for the sidecar's
        answer and raise what was wrong.
        """

        def decorate(target: F) -> F:
            # The caller's own classes may stand in the hints.
            options.setdefault("names", sys._getframe(1).f_locals)
            self.register(name, target, **options)
            return target

        return decorate

    def forget(self, registration: Registration) -> None:
        """It is not to be made again after a reconnect."""
        if registration in self._registrations:
            self._registrations.remove(registration)
