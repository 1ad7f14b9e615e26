"""Calls whose replies become a part of the reply of the agent that made them, or the rest of it.

They are opened without a window, so that the sidecar keeps what they answer, and told their place
by `splice`: what they answer never visits this process.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from ._content import Message, Part
from ._reply import Reply

T = TypeVar("T")


class Delegated(Reply[T], Generic[T]):
    """A call to be yielded or returned by the agent that made it, by `Context.delegate`.

    It runs from the beginning, like any call. Whoever reads it instead gets its messages, as of
    any reply; it can only be copied to its place then. Neither yielded, returned nor read it is
    cancelled when the agent's call ends.
    """

    __slots__ = ()


class OutOfOrder:
    """Yielded by an agent: it need not wait for what stands before it. See `out_of_order`."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Handoff:
    """Yielded by an agent: a reply that is the rest of its own. See `handoff`."""

    __slots__ = ("reply",)

    def __init__(self, reply: Reply[Any]) -> None:
        self.reply = reply


PLACED = (Message, Part, Reply, OutOfOrder, Handoff)
"""What an agent may yield besides values."""


def out_of_order(value: object) -> OutOfOrder:
    """`yield out_of_order(x)`: x, a message or a delegated call, goes before what still waits for
    an earlier delegated call, its messages each whole and in order among themselves."""
    if isinstance(value, (Part, Handoff, OutOfOrder)) or (
        isinstance(value, Message) and value.error is not None
    ):
        raise TypeError(f"{type(value).__name__} has its place: it cannot be out of order")
    return OutOfOrder(value)


def handoff(reply: Reply[Any]) -> Handoff:
    """`yield handoff(call)`: its reply is the rest of this one, its end the end; the generator is
    not resumed. What a function `return`s, for a generator."""
    return Handoff(reply)
