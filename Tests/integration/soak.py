"""The real daemon with everything at once, for a while: usage: soak.py [SECONDS].

Agents of four languages are called, streamed from, cancelled, signalled, published to and read from
by connections that come and go, while hosts are killed, stopped and started again, readers read
slowly and strangers send garbage. In the end every call must have ended, memory must be flat, and
no descriptor may be left.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from coagent_client.sync import connect
from fleet import LANGUAGES, Fleet, Peer
from processes import Daemon
from raw_peer import frame
from soak_peers import Caller, SoakPeer

CONNECTIONS = 8
CALLERS_PER_CONNECTION = 4
SAMPLES = 40
# How far the median of the second half's samples may be above the first's.
GROWTH = 0.10
GROWTH_BYTES = 4 << 20


@dataclass
class Sample:
    seconds: float
    memory_bytes: int
    descriptors: int
    ended: int


class Soak:
    def __init__(self, daemon: Daemon, fleet: Fleet, seconds: float, seed: int) -> None:
        self.daemon = daemon
        self.fleet = fleet
        self.seconds = seconds
        self.chance = random.Random(seed)
        self.tally: Counter[str] = Counter()
        self.samples: list[Sample] = []
        self._begun = time.monotonic()
        self._mortals: list[Peer] = []

    @property
    def is_over(self) -> bool:
        return time.monotonic() - self._begun > self.seconds

    async def run(self) -> None:
        self._begun = time.monotonic()
        await asyncio.gather(
            *(self._keep_calling(number) for number in range(CONNECTIONS)),
            *(self._keep_reading(pattern) for pattern in ("soak.>", "*.1", "soak.2")),
            self._keep_losing_hosts(),
            self._keep_reading_slowly(),
            self._keep_sending_garbage(),
            self._keep_sampling(),
        )

    # What goes on

    def _transport(self) -> tuple[str, str | None]:
        transport = self.chance.choice(("unix", "tcp"))
        return self.daemon.url(transport), self.daemon.token(transport)

    async def _keep_calling(self, number: int) -> None:
        """A connection with many callers, again and again; half of them go with calls open."""
        while not self.is_over:
            peer = SoakPeer(self.tally)
            await peer.connect(*self._transport())
            until = time.monotonic() + self.chance.uniform(1, 6)
            callers = [
                asyncio.create_task(self._act(peer, until)) for _ in range(CALLERS_PER_CONNECTION)
            ]
            if self.chance.random() < 0.5:
                await asyncio.wait(callers)
            else:
                await asyncio.sleep(max(0.0, until - time.monotonic() - 0.2))
            await peer.close()
            await asyncio.gather(*callers)

    async def _act(self, peer: SoakPeer, until: float) -> None:
        caller = Caller(peer, list(LANGUAGES), random.Random(self.chance.random()))
        while time.monotonic() < until and not self.is_over:
            if peer.is_lost:
                return
            await caller.act()

    async def _keep_reading(self, pattern: str) -> None:
        peer = SoakPeer(self.tally)
        await peer.connect(*self._transport())
        reading = peer.open("subscribe", topic=pattern, window=50_000)
        header, _ = await reading.next()
        assert header["op"] == "ok", header
        while not self.is_over:
            with suppress(TimeoutError):
                header, content = await asyncio.wait_for(reading.next(), 0.5)
                self.tally["read of topics"] += 1
                reading.say("credit", bytes=len(content) + 256)
        await peer.close()

    async def _keep_losing_hosts(self) -> None:
        """Replicas of the agents, killed or stopped for a while, and others in their place."""
        while not self.is_over:
            language = self.chance.choice(LANGUAGES)
            mortal = await asyncio.to_thread(self._start, language)
            process = mortal.driver.process
            await asyncio.sleep(self.chance.uniform(0.2, 1))
            if self.chance.random() < 0.5:
                self.tally["hosts stopped"] += 1
                process.send_signal(signal.SIGSTOP)
                await asyncio.sleep(self.chance.uniform(0.2, 1))
                process.send_signal(signal.SIGCONT)
                await asyncio.sleep(0.2)
            self.tally["hosts killed"] += 1
            await asyncio.to_thread(mortal.kill)

    def _start(self, language: str) -> Peer:
        mortal = self.fleet.another(language)
        mortal.host_all()
        return mortal

    async def _keep_reading_slowly(self) -> None:
        """Someone asks for much and reads nothing of it, and goes."""
        while not self.is_over:
            url, token = self._transport()
            slow = SoakPeer(self.tally)
            await slow.connect(url, token)
            slow.stop_reading()
            slow.open("subscribe", topic=">", window=1 << 24)
            for language in LANGUAGES:
                order = b'{"count":2000,"bytes":8000}'
                slow.open("call", order, to=f"{language}.generate", window=1 << 24)
            await asyncio.sleep(self.chance.uniform(0.3, 1.5))
            self.tally["slow readers"] += 1
            await slow.close()

    async def _keep_sending_garbage(self) -> None:
        """Strangers who say nothing, too little, or what is no frame."""
        while not self.is_over:
            url = self.daemon.unix_url.removeprefix("unix:")
            _, writer = await asyncio.open_unix_connection(url)
            hello = frame({"op": "hello", "v": 1, "client": "stranger"})
            writer.write(
                self.chance.choice(
                    (
                        b"",
                        hello[: self.chance.randrange(len(hello))],
                        self.chance.randbytes(self.chance.randrange(1, 5_000)),
                        hello + self.chance.randbytes(100),
                        hello + frame({"op": "call", "id": 2, "to": "x"}),
                        hello + frame({"op": "call", "id": 1, "to": "go.echo", "input": True}),
                    )
                )
            )
            self.tally["strangers"] += 1
            await asyncio.sleep(self.chance.uniform(0, 0.1))
            writer.transport.abort()

    # What is seen

    async def _keep_sampling(self) -> None:
        while not self.is_over:
            await asyncio.sleep(self.seconds / SAMPLES)
            self.sample()
            if len(self.samples) % (SAMPLES // 10) == 0:
                print(self.shown(self.samples[-1]), flush=True)

    def sample(self) -> None:
        self.samples.append(
            Sample(
                time.monotonic() - self._begun,
                self.daemon.memory_bytes,
                self.descriptors,
                self.tally["ended"],
            )
        )

    @property
    def descriptors(self) -> int:
        return len(opened(self.daemon))

    @staticmethod
    def shown(sample: Sample) -> str:
        return (
            f"{sample.seconds:6.0f} s  {sample.memory_bytes / 1e6:6.1f} MB  "
            f"{sample.descriptors:4} descriptors  {sample.ended:8} calls ended"
        )

    # What must hold

    def check(self) -> None:
        tally = self.tally
        assert tally["opened"] == tally["ended"] > 0, tally
        wrong = {what: count for what, count in tally.items() if "WRONG" in what or "UN" in what}
        assert not wrong, wrong
        # The first fifth is for warming up.
        memory = [sample.memory_bytes for sample in self.samples][len(self.samples) // 5 :]
        half = len(memory) // 2
        first, second = statistics.median(memory[:half]), statistics.median(memory[half:])
        most = first * (1 + GROWTH) + GROWTH_BYTES
        print(
            f"memory: {first / 1e6:.1f} MB, then {second / 1e6:.1f} MB (at most {most / 1e6:.1f})"
        )
        assert second <= most, f"memory grows: {first} bytes, then {second}"

    def check_empty(self, before: list[str]) -> None:
        """Everyone has gone: so have their descriptors, calls and sessions."""
        end = time.monotonic() + 30
        # One is the operator's, who asks until the ends of all others have been heard of.
        most = len(before) + 1
        with connect(self.daemon.unix_url, token="") as operator:
            stats = operator.call("stats", type="StatsQuery")
            while self.descriptors > most and time.monotonic() < end:
                stats = operator.call("stats", type="StatsQuery")
            assert self.descriptors <= most, (before, opened(self.daemon))
        left = {key: stats[key] for key in ("replicas", "sessions")}
        assert left == {"replicas": 0, "sessions": 0}, left
        assert stats["calls"]["open"] <= 1, stats["calls"]


def opened(daemon: Daemon) -> list[str]:
    """What the daemon's descriptors are, but for the one kept for when there are no more."""
    folder = Path(f"/proc/{daemon.pid}/fd")
    found = []
    for entry in folder.iterdir():
        with suppress(FileNotFoundError):
            found.append(str(entry.readlink()))
    return sorted(path for path in found if path != "/dev/null")


def soak(folder: Path, seconds: float, seed: int) -> Soak:
    """Everything at once on a daemon of its own; returns what was seen."""
    daemon = Daemon(folder)
    before = opened(daemon)
    try:
        with Fleet(daemon) as fleet:
            fleet.start()
            running = Soak(daemon, fleet, seconds, seed)
            asyncio.run(running.run())
            running.check()
        running.check_empty(before)
        assert daemon.end() == 0
    finally:
        if daemon.process.poll() is None:
            daemon.kill()
    return running


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
    seed = int(os.environ.get("COAGENT_SEED") or time.time())
    print(f"COAGENT_SEED={seed}: everything at once for {seconds:.0f} s", flush=True)
    with tempfile.TemporaryDirectory(prefix="coagent-", dir="/tmp") as path:
        running = soak(Path(path), seconds, seed)
    for what, count in sorted(running.tally.items()):
        print(f"{count:9}  {what}")


if __name__ == "__main__":
    main()
