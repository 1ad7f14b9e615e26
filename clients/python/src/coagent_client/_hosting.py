"""The host's side: calls that arrive, the sessions they belong to, and the agents that run them.

Order within a session is the sidecar's doing; here a call starts when it arrives.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING, Any

from ._context import Context
from ._errors import AgentError, InternalError, NotFoundError, wire_error
from ._hosted_call import HostedCall
from ._signalled import Signalled
from ._wire import Fields

if TYPE_CHECKING:
    from ._client import Client
    from ._connection import Connection
    from ._registration import Registration

log = logging.getLogger("coagent_client")


class Session:
    """One conversation with an agent here: its instance, if the agent is a class."""

    __slots__ = ("address", "calls", "instance", "registration")

    def __init__(self, address: str, registration: Registration) -> None:
        self.address = address
        self.registration = registration
        self.instance: Any = None
        self.calls = 0

    async def close(self, reason: str) -> None:
        """Runs the instance's `closed` hook."""
        instance, self.instance = self.instance, None
        hook = getattr(instance, "closed", None)
        if hook is None:
            return
        try:
            result = hook(reason)
            if inspect.isawaitable(result):
                await result
        except Exception:
            log.exception("closed(%r) of %s failed", reason, self.address)


class Hosting:
    """The agents of one client: who hosts what here, and the sessions that live here."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._registrations: dict[str, Registration] = {}
        self._sessions: dict[str, Session] = {}
        self._calls: set[HostedCall] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._signalled = Signalled(self)

    def add(self, registration: Registration) -> None:
        """From now on calls to this name come to this registration."""
        self._registrations[registration.name] = registration

    def remove(self, registration: Registration) -> None:
        """Calls that run go on, and so do its sessions till the sidecar closes them."""
        if self._registrations.get(registration.name) is registration:
            del self._registrations[registration.name]

    @property
    def registrations(self) -> list[Registration]:
        return list(self._registrations.values())

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """Calls and hooks that run, and sessions that close."""
        return [*(call.task for call in self._calls), *self._signalled.tasks, *self._closing]

    def registration(self, name: str) -> Registration | None:
        """Who hosts this name here."""
        return self._registrations.get(name)

    def instances(self, registration: Registration, address: str = "") -> list[Any]:
        """The instance of a session, or of all sessions that are here."""
        sessions = self._sessions.values() if not address else [self._sessions.get(address)]
        return [
            each.instance
            for each in sessions
            if each is not None and each.registration is registration
        ]

    def called(self, connection: Connection, ident: int, fields: Fields, content: bytes) -> None:
        """A call arrived."""
        name = str(fields.get("to", "")).partition(":")[0]
        registration = self._registrations.get(name)
        if registration is None:
            connection.write_error(
                ident,
                NotFoundError(f"{name} is not registered here", reason="unknown_agent"),
                retry=True,
            )
            return
        call = HostedCall(self._client, connection, registration, ident, fields, content)
        connection.open[ident] = call
        self._calls.add(call)

    def signalled(self, connection: Connection, ident: int, fields: Fields, content: bytes) -> None:
        """A signal arrived."""
        self._signalled.arrived(connection, ident, fields, content)

    def session(self, registration: Registration, context: Context) -> Session:
        """The session a call belongs to, made if it is not there; one of its own without."""
        address = context.address
        known = self._sessions.get(address)
        if known is not None and (known.registration is not registration or context.is_new):
            # A new one begins: what is still here belongs to one that is gone.
            del self._sessions[address]
            self._close(known, "replaced")
            known = None
        if known is None:
            known = Session(address, registration)
            try:
                known.instance = registration.make(context)
            except Exception as raised:
                raise activation_error(raised) from raised
            if context.session:
                self._sessions[address] = known
        known.calls += 1
        return known

    def ended(self, call: HostedCall) -> None:
        """The call's task is about to end."""
        self._calls.discard(call)

    async def left(self, session: Session) -> None:
        """A call of the session has ended; without a session, so has its instance."""
        session.calls -= 1
        if ":" not in session.address:
            await session.close("ended")

    def closing(self, connection: Connection, ident: int, fields: Fields) -> None:
        """The sidecar closes a session: free it, then say so."""
        session = self._sessions.pop(str(fields.get("to", "")), None)
        if session is None:
            connection.write(f'{{"op":"ok","id":{ident}}}')
            return
        task = self._close(session, str(fields.get("reason", "")))
        task.add_done_callback(lambda _: _confirm(connection, ident))

    def lost(self) -> None:
        """The connection is gone, and with it every session."""
        self._signalled.lost()
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            self._close(session, "connection_lost")

    def _close(self, session: Session, reason: str) -> asyncio.Task[None]:
        task = self._client.loop.create_task(session.close(reason))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        return task


def _confirm(connection: Connection, ident: int) -> None:
    if connection.error is None:
        connection.write(f'{{"op":"ok","id":{ident}}}')


def activation_error(exception: Exception) -> AgentError:
    """A constructor raised: the call fails, the next message tries again."""
    _, _, message, details = wire_error(exception)
    return InternalError(message, reason="activation_failed", details=details)
