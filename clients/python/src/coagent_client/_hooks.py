"""Hooks of an agent: what is called when a signal comes, beside the code that handles calls."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ._agents import hints_of, message_converter, name_of
from ._context import Context
from ._wire import Fields


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal as it came, for a hook that takes more than its name and payload.

    `address` is the agent's, with its session if the signal has one; `sender` the address of the
    agent that sent it, or ""; `context` the call that it is for, or None.
    """

    name: str
    payload: Any = None
    sender: str = ""
    address: str = ""
    context: Context | None = None


@dataclass(frozen=True, slots=True)
class Hook:
    """A function to call, and what it takes."""

    function: Callable[..., Any]
    arguments: tuple[str, ...]
    """What each positional argument is: `name`, `payload`, `context` or `signal`."""
    convert: Callable[[Fields, bytes], Any]
    """The payload as it wants it; raises InvalidArgumentError if it is something else."""

    def call(self, instance: Any, signal: Signal) -> Any:
        """What the function returns, perhaps to be awaited."""
        values = {
            "name": signal.name,
            "payload": signal.payload,
            "context": signal.context,
            "signal": signal,
        }
        owner = () if instance is None else (instance,)
        return self.function(*owner, *(values[each] for each in self.arguments))


@dataclass(frozen=True, slots=True)
class Hooks:
    """The two hooks of an agent; methods of its class come before functions given for it."""

    interrupt: Hook | None = None
    signal: Hook | None = None


def read_hooks(
    on_interrupt: Callable[..., Any] | None,
    on_signal: Callable[..., Any] | None,
    names: Mapping[str, Any] | None,
    *,
    is_method: bool = False,
) -> Hooks:
    """The hooks, by the hints of their functions."""
    return Hooks(
        on_interrupt and _read(on_interrupt, ("payload",), names, is_method),
        on_signal and _read(on_signal, ("name", "payload"), names, is_method),
    )


def method_hooks(cls: type | None, names: Mapping[str, Any] | None) -> Hooks:
    """The methods `on_interrupt` and `on_signal` of an agent's class."""
    if cls is None:
        return Hooks()
    return read_hooks(
        getattr(cls, "on_interrupt", None), getattr(cls, "on_signal", None), names, is_method=True
    )


def _read(
    function: Callable[..., Any],
    words: tuple[str, ...],
    names: Mapping[str, Any] | None,
    is_method: bool,
) -> Hook:
    hints = hints_of(function, names)
    parameters = list(inspect.signature(function).parameters.values())[1 if is_method else 0 :]
    left = list(words)
    arguments: list[str] = []
    payload_hint: Any = Any
    for parameter in parameters:
        hint = hints.get(parameter.name, Any)
        if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            continue
        if _is_context(hint) or (hint is Any and parameter.name in ("context", "ctx")):
            arguments.append("context")
        elif hint is Signal:
            arguments.append("signal")
        elif left:
            arguments.append(left.pop(0))
            if arguments[-1] == "payload":
                payload_hint = hint
        elif parameter.default is parameter.empty:
            raise TypeError(
                f"{name_of(function)} takes more than {', '.join(words)}, a Context and a Signal: "
                f"{parameter.name}"
            )
    return Hook(function, tuple(arguments), message_converter(payload_hint))


def _is_context(hint: Any) -> bool:
    return hint is Context or hint == (Context | None)
