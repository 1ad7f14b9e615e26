"""What the Python pairs share: arguments, the measured time, and the line of JSON at the end."""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter


@dataclass
class Arguments:
    role: str
    url: str
    relay: int | None
    depth: int
    size: int
    seconds: float
    warmup: float
    parts: int


def read_arguments(description: str | None) -> Arguments:
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("role", choices=["host", "caller"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--relay", type=int, metavar="PAIR")
    parser.add_argument("--depth", type=int, default=1)
    parser.add_argument("--size", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--warmup", type=float, default=0.2)
    parser.add_argument("--parts", type=int, default=0)
    return Arguments(**vars(parser.parse_args()))


class Measurement:
    """Counts what ends between the end of the warm-up and the end of the time."""

    def __init__(self, arguments: Arguments) -> None:
        self.start = perf_counter() + arguments.warmup
        self.stop = self.start + arguments.seconds
        self.last = self.start
        self.latencies: list[float] = []
        self.parts = 0

    def may_begin(self) -> bool:
        return perf_counter() < self.stop

    def part(self) -> None:
        now = perf_counter()
        if self.start <= now <= self.stop:
            self.parts += 1
            self.last = now

    def ended(self, began: float) -> None:
        now = perf_counter()
        if self.start <= now <= self.stop:
            self.latencies.append(now - began)
            self.last = now

    def print(self) -> None:
        ordered = sorted(self.latencies)
        seconds = max(self.last - self.start, 1e-9)

        def percentile(percent: float) -> float:
            return ordered[round(percent / 100 * (len(ordered) - 1))] * 1e6 if ordered else 0.0

        result = {
            "calls": len(ordered),
            "seconds": round(seconds, 3),
            "calls_per_s": round(len(ordered) / seconds, 1),
            "p50_us": round(percentile(50), 1),
            "p90_us": round(percentile(90), 1),
            "p99_us": round(percentile(99), 1),
            "parts": self.parts,
            "parts_per_s": round(self.parts / seconds, 1),
            "errors": 0,
        }
        print(json.dumps(result), flush=True)


async def workers(
    measurement: Measurement, depth: int, call: Callable[[], Awaitable[None]]
) -> None:
    """Keeps ``depth`` calls in flight until the time is over."""

    async def worker() -> None:
        while measurement.may_begin():
            began = perf_counter()
            await call()
            measurement.ended(began)

    await asyncio.gather(*(worker() for _ in range(depth)))


async def streams_of(measurement: Measurement, stream: Callable[[], Awaitable[None]]) -> None:
    """One stream after the other until the time is over; the parts are counted as they come."""
    while measurement.may_begin():
        began = perf_counter()
        await stream()
        measurement.ended(began)
