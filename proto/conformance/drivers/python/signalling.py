"""The commands that signal, and the hooks of scripted agents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from coagent_client import AbortedError, Client, Context, Interrupted, Message, Signal
from callers import Callers
from values import body_of, message_json

Command = dict[str, Any]
Emit = Callable[[Command], None]
NameOf = Callable[[Context], str]


class Signalling:
    """Signals to sessions, runs, and calls that were opened here."""

    def __init__(
        self,
        clients: dict[str, Client],
        callers: Callers,
        context: Callable[[str], Context],
    ) -> None:
        self._clients = clients
        self._callers = callers
        self._context = context
        self.commands: dict[str, Callable[[Command], Awaitable[None]]] = {
            "signal": self.signal,
            "interrupt": self.interrupt,
            "pause": self.pause,
            "resume": self.resume,
        }

    async def signal(self, command: Command) -> None:
        body = body_of(command.get("body"))
        if "of" in command:
            await self._callers.opened(command).signal(command["name"], body)
            return
        client = self._clients[command["client"]]
        await client.signal(name=command["name"], payload=body, **self._options(command))

    async def interrupt(self, command: Command) -> None:
        body = body_of(command.get("body"))
        if "of" in command:
            await self._callers.opened(command).interrupt(body)
            return
        client = self._clients[command["client"]]
        await client.interrupt(payload=body, **self._options(command))

    async def cancel(self, command: Command) -> None:
        client = self._clients[command["client"]]
        await client.cancel(command.get("to"), run=command.get("run"))

    async def pause(self, command: Command) -> None:
        await self._clients[command["client"]].pause(command["to"])

    async def resume(self, command: Command) -> None:
        await self._clients[command["client"]].resume(command["to"])

    def _options(self, command: Command) -> dict[str, Any]:
        options = {name: command[name] for name in ("to", "run", "sender") if name in command}
        options["parent"] = self._context(command["under"]) if "under" in command else None
        return options


def interrupted_json(interrupted: Interrupted, call: str) -> Command:
    """The event that tells of an interrupt."""
    told: Command = {"event": "interrupted", "call": call}
    return _with_payload(told, interrupted.sender, interrupted.payload_message)


def interrupt_hook(emit: Emit, command: Command, name_of: NameOf) -> Any:
    """Tells of an interrupt, and disturbs nothing unless it is to fail."""
    if command.get("interrupts") != "hook":
        return None

    async def on_interrupt(payload: Message, signal: Signal) -> None:
        assert signal.context is not None
        told: Command = {"event": "interrupted", "call": name_of(signal.context)}
        emit(_with_payload(told, signal.sender, payload))
        if "hook_fails" in command:
            raise RuntimeError(command["hook_fails"])

    return on_interrupt


def signal_hook(emit: Emit, command: Command, name_of: NameOf, instance: str = "") -> Any:
    """Tells of a signal of the agent's own, and may fail then."""
    if not command.get("signals"):
        return None

    async def on_signal(name: str, payload: Message, signal: Signal) -> None:
        told: Command = {"event": "signalled", "address": signal.address, "name": name}
        if signal.context is not None:
            told["call"] = name_of(signal.context)
        elif instance:
            told["instance"] = instance
        emit(_with_payload(told, signal.sender, payload))
        if command["signals"] == "fail":
            raise AbortedError("not now", reason="not_now")

    return on_signal


def _with_payload(told: Command, sender: str, payload: Message) -> Command:
    if sender:
        told["sender"] = sender
    if payload.content:
        told["message"] = message_json(payload)
    return told
