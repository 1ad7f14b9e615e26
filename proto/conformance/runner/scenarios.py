"""The files of scenarios: JSON lines, where a line with a `name` begins a scenario."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .driver import ROOT
from .notation import BadScenario, Step

CONFORMANCE = ROOT / "proto" / "conformance"
CONVERSATIONS = ROOT / "proto" / "vectors" / "conversations"


@dataclass(frozen=True)
class Scenario:
    """What happens, line by line."""

    name: str
    clauses: list[str]
    head: dict[str, Any]
    steps: list[tuple[int, Step]] = field(default_factory=list)
    """Each with the number of its line."""

    @property
    def area(self) -> str:
        """The part of the name before the slash."""
        return self.name.partition("/")[0]


def read(path: Path) -> list[Scenario]:
    """The scenarios of a file."""
    found: list[Scenario] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            step = json.loads(line)
        except ValueError as error:
            raise BadScenario(f"{path.name}:{number}: {error}") from None
        if "name" in step and "clauses" in step:
            found.append(Scenario(step["name"], step["clauses"], step))
        elif not found:
            raise BadScenario(f"{path.name}:{number}: a step before any scenario")
        else:
            found[-1].steps.append((number, step))
    return found


def read_all(folder: Path) -> list[Scenario]:
    """The scenarios of a folder, each name once."""
    found = [each for path in sorted(folder.glob("*.jsonl")) for each in read(path)]
    names = [each.name for each in found]
    for name in {name for name in names if names.count(name) > 1}:
        raise BadScenario(f"{name} occurs twice")
    return found


def of_clients() -> list[Scenario]:
    return read_all(CONFORMANCE / "scenarios" / "client")


def of_daemon() -> list[Scenario]:
    return read_all(CONFORMANCE / "scenarios" / "daemon")


def conversations() -> list[Scenario]:
    return read_all(CONVERSATIONS)


def set_aside() -> dict[str, str]:
    """The conversations that only virtual time can play, and why."""
    path = CONFORMANCE / "only_in_virtual_time.json"
    reasons: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return reasons
