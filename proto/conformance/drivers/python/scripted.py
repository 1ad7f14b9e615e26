"""Agents whose calls do what the runner says next."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from coagent_client import (
    AgentError,
    Context,
    Interrupted,
    Message,
    Reply,
    Signal,
    handoff,
    operation,
    out_of_order,
)
from signalling import interrupt_hook, interrupted_json, signal_hook
from values import message_json, message_of, part_of

Command = dict[str, Any]
Emit = Callable[[Command], None]


class ScriptedCall:
    """One call that is being handled: the commands for it, in their order."""

    def __init__(self, name: str, context: Context) -> None:
        self.name = name
        self.context = context
        self.steps: asyncio.Queue[tuple[Command, asyncio.Future[None]]] = asyncio.Queue()
        self._reader: Any = None
        self._turn = asyncio.Lock()

    async def first(self) -> Message | None:
        """The first message, if it came with the call: what is there already takes no waiting."""
        self._reader = self.context.messages()
        taking = asyncio.ensure_future(_next(self._reader))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if taking.done():
            return taking.result()
        taking.cancel()
        await asyncio.wait([taking])
        self._reader = None  # Who is cancelled has left.
        return None

    async def input(self) -> Message | None:
        """The next message of the input."""
        async with self._turn:
            if self._reader is None:
                self._reader = self.context.messages()
            return await _next(self._reader)


async def _next(reader: Any) -> Message | None:
    async for message in reader:
        return message
    return None


class ScriptedCalls:
    """All calls of scripted agents."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._calls: dict[str, ScriptedCall] = {}
        self.reply: Callable[[Command], Reply[Any]]
        """Finds a reply that was opened here."""
        self._call_numbers = itertools.count(1)
        self._instance_numbers = itertools.count(1)
        self.agents: dict[str, Callable[[Emit, Command], Any]] = {
            "scripted": self._agent,
            "sessions": self._sessions,
        }
        self.commands: dict[str, Callable[[Command], Awaitable[Command | None]]] = {
            "input": self._input,
            **{
                name: self._step
                for name in (
                    *("reply", "answer", "fail", "fail_at", "forward"),
                    *("splice", "hand_off"),
                )
            },
        }

    def context(self, name: str) -> Context:
        """The context of a call that is being handled here."""
        return self._calls[name].context

    def hooks(self, command: Command) -> Command:
        """What an agent that is a function is registered with; a class has them as methods."""
        if command["agent"] != "scripted":
            return {}
        return {
            "on_interrupt": interrupt_hook(self._emit, command, self._name_of),
            "on_signal": signal_hook(self._emit, command, self._name_of),
        }

    def _name_of(self, context: Context) -> str:
        return next(each.name for each in self._calls.values() if each.context is context)

    # Agents

    def _agent(self, emit: Emit, command: Command) -> Any:
        async def scripted(context: Context) -> AsyncIterator[Any]:
            return self._handle(context, command)

        return scripted

    def _sessions(self, emit: Emit, command: Command) -> Any:
        scripted = self

        class Sessions:
            def __init__(self, context: Context) -> None:
                self.name = f"i{next(scripted._instance_numbers)}"
                emit({"event": "opened", "instance": self.name, "address": context.address})

            @operation
            async def handle(self, context: Context) -> AsyncIterator[Any]:
                return scripted._handle(context, command, self.name)

            async def closed(self, reason: str) -> None:
                emit({"event": "closed", "instance": self.name, "reason": reason})

        if command.get("interrupts") == "hook":

            async def on_interrupt(self: Any, payload: Message, signal: Signal) -> None:
                await interrupt_hook(emit, command, scripted._name_of)(payload, signal)

            Sessions.on_interrupt = on_interrupt  # type: ignore[attr-defined]
        if command.get("signals"):

            async def on_signal(self: Any, name: str, payload: Message, signal: Signal) -> None:
                hook = signal_hook(emit, command, scripted._name_of, self.name)
                await hook(name, payload, signal)

            Sessions.on_signal = on_signal  # type: ignore[attr-defined]
        return Sessions

    async def _handle(
        self, context: Context, command: Command, instance: str = ""
    ) -> AsyncIterator[Any]:
        call = ScriptedCall(f"h{next(self._call_numbers)}", context)
        self._calls[call.name] = call
        try:
            message = await call.first()
            self._emit(_called_json(call, message, instance))
            goes_on = command.get("interrupts") == "go_on"
            work = self._go_on(call) if goes_on else self._perform(call)
            async with contextlib.aclosing(work) as items:
                async for item in items:
                    yield item
        except (asyncio.CancelledError, GeneratorExit):
            if context.interrupted is not None and not context.cancelled:
                self._emit(interrupted_json(context.interrupted, call.name))
                raise
            if not context.cancelled:
                raise  # Handed off.
            self._emit({"event": "cancelled", "call": call.name})
            if not command.get("stubborn", False):
                raise
            # Whatever it would send goes nowhere: it only ends when told to.
            async for _ in self._perform(call):
                continue
        finally:
            del self._calls[call.name]

    async def _go_on(self, call: ScriptedCall) -> AsyncIterator[Any]:
        """As `_perform`, whatever interrupts it."""
        while True:
            try:
                async with call.context.interruptible():
                    async with contextlib.aclosing(self._perform(call)) as items:
                        async for item in items:
                            yield item
                    return
            except Interrupted as interrupted:
                self._emit(interrupted_json(interrupted, call.name))

    async def _perform(self, call: ScriptedCall) -> AsyncIterator[Any]:
        """What the commands say, to the end of the call. A step is done when the next is asked
        for: by then the client has sent what was yielded."""
        while True:
            step, done = await call.steps.get()
            try:
                kind = step["do"]
                if kind == "splice":
                    reply = self.reply(step)
                    yield out_of_order(reply) if step.get("unordered") else reply
                elif kind == "hand_off":
                    yield handoff(self.reply(step))
                elif kind == "reply":
                    yield _replied(step)
                elif kind == "answer":
                    if "body" in step:
                        yield message_of(step["body"])
                    return
                elif kind == "forward":
                    body = message_of(step["body"]) if "body" in step else None
                    async for message in call.context.stream(step["to"], body).messages():
                        yield message
                    return
                elif kind == "fail_at":
                    yield Message(error=_chosen(step))
                elif "code" in step:
                    raise _chosen(step)
                else:
                    cause = ValueError(step["cause"]) if "cause" in step else None
                    raise RuntimeError(step.get("message", "failed")) from cause
            finally:
                if not done.done():
                    done.set_result(None)

    # Commands

    async def _input(self, command: Command) -> Command:
        message = await self._calls[command["call"]].input()
        return {"end": True} if message is None else {"message": message_json(message)}

    async def _step(self, command: Command) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._calls[command["call"]].steps.put_nowait((command, done))
        await done


def _replied(step: Command) -> Any:
    if step.get("part"):
        return part_of(step["body"])
    message = message_of(step["body"])
    return out_of_order(message) if step.get("unordered") else message


def _chosen(step: Command) -> AgentError:
    """An error of the code that the step names, known or not."""
    known = {each.code: each for each in AgentError.__subclasses__()}
    cls = known.get(step["code"]) or type("Custom", (AgentError,), {"code": step["code"]})
    return cls(step.get("message", ""), reason=step.get("reason", ""), details=step.get("details"))


def _called_json(call: ScriptedCall, message: Message | None, instance: str) -> Command:
    context = call.context
    told: Command = {"event": "called", "call": call.name, "address": context.address}
    if instance:
        told["instance"] = instance
    for name, value in (
        ("type", context.type),
        ("sender", context.sender),
        ("ext", dict(context.ext)),
        ("trace", context.trace),
        ("topic", context.topic),
        ("source", context.source),
        ("new", context.is_new),
        ("oneway", context.is_send),
        ("observe", context.is_observation),
    ):
        if value:
            told[name] = value
    if context.time_left is not None:
        told["time_left_ms"] = round(context.time_left * 1000)
    if message is not None:
        told["message"] = message_json(message)
    return told
