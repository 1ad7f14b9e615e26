"""Runs: calls with a name, whose replies the sidecar keeps for many readers, early and late.

A reader counts the frames it got. When its connection is lost, it goes on behind the last of them
on the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ._content import encode_json


@dataclass(frozen=True, slots=True)
class Run:
    """A run as the sidecar lists it. `age` and `ended` are seconds ago; `ended` is None while it
    is open, and `code` how it ended ("": open, or well). `first` is the number of the oldest
    frame that is kept, `frames` how many there were so far."""

    name: str
    to: str
    type: str
    state: str
    """`waiting`, `running` or `ended`."""
    frames: int
    first: int
    bytes: int
    readers: int
    is_detached: bool
    age: float
    ended: float | None
    code: str
    principal: str


def run_of(value: Mapping[str, Any]) -> Run:
    """A run as the sidecar writes it."""
    state = value.get("state", "")
    return Run(
        name=value["run"],
        to=value.get("to", ""),
        type=value.get("type", ""),
        state=state,
        frames=value.get("frames", 0),
        first=value.get("first", 0),
        bytes=value.get("bytes", 0),
        readers=value.get("readers", 0),
        is_detached=value.get("detached", False),
        age=value.get("age_ms", 0) / 1000,
        ended=value.get("ended_ms", 0) / 1000 if state == "ended" else None,
        code=value.get("code", ""),
        principal=value.get("principal", ""),
    )


class RunReading:
    """Where a reader of a run began, and whether it has to go on from where it stands."""

    __slots__ = ("_first", "_is_opener", "is_resumed", "name")

    def __init__(self, name: str, *, first: int | None, is_opener: bool) -> None:
        self.name = name
        self._first = first
        """The number of the first frame it gets; None for whoever takes what comes."""
        self._is_opener = is_opener
        self.is_resumed = False

    def may_resume(self, received: int) -> bool:
        """Who only took what came knows no numbers, and misses nothing if nothing came."""
        return self._first is not None or received == 0

    def attach(self, received: int) -> bytes:
        """The request that continues it behind so many frames."""
        body: dict[str, Any] = {"run": self.name}
        if self._first is None:
            body["tail"] = True
        else:
            body["from"] = self._first + received
        if self._is_opener:
            body["resume"] = True  # Its window goes on to pace the run, and to leave ends it.
        return encode_json(body)
