"""How long and how often, and the rule by which sides alternate."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Result = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    binaries: Path
    quick: bool
    rounds: int
    seconds: float  # measured, each side and round
    warmup: float

    def timing(self, warmup: float = 0) -> list[str]:
        """``warmup``: what a program needs at least, unless the run is to be quick."""
        warmup = self.warmup if self.quick else max(self.warmup, warmup)
        return ["--seconds", str(self.seconds), "--warmup", str(warmup)]

    @property
    def seconds_max(self) -> float:
        """Bound on one run of a caller."""
        return self.seconds + self.warmup + 30


def alternate(
    rounds: int, sides: Mapping[str, Callable[[], Result]]
) -> dict[str, list[Result]]:
    """Runs every side once a round, each round in the opposite order, so that noise hits all."""
    results: dict[str, list[Result]] = {side: [] for side in sides}
    for number in range(rounds):
        order = list(sides) if number % 2 == 0 else list(reversed(sides))
        for side in order:
            results[side].append(sides[side]())
    return results


def values(results: list[Result], key: str) -> list[float]:
    return [float(result[key]) for result in results]
