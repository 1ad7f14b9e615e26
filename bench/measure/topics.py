"""What a published message costs the daemon: for one reader, for many, and beside many others."""

import json
import selectors
import socket
import struct
import time
from collections.abc import Sequence
from contextlib import ExitStack

from .plan import Plan, Result, alternate, values
from .processes import Daemon, Failed, Scratch, cpu_seconds
from .report import Mark, Report

SECTION = "Topics, processor time of coagentd"
TOPIC = "fan.out.now"
PATTERN = "fan.*.now"
OTHERS = 10_000
# So much of what is published may wait for its reader: less than the sidecar holds for one.
WAITING_BYTES_MAX = 500_000
# As many as one connection may have.
SUBSCRIPTIONS = 1_000
SECONDS_MAX = 60.0


def measure_topics(plan: Plan, report: Report) -> None:
    deliveries = 50_000 if plan.quick else 500_000
    one = "one reader"
    sides = {
        one: lambda: publish(plan, deliveries, readers=1),
        f"one reader beside {OTHERS:,} other subscriptions":
            lambda: publish(plan, deliveries, readers=1, others=OTHERS),
        f"one reader by a pattern, beside {OTHERS:,} others":
            lambda: publish(plan, deliveries, readers=1, topic=PATTERN, others=OTHERS),
        "100 readers": lambda: publish(plan, deliveries, readers=100),
        "10,000 readers": lambda: publish(plan, deliveries, readers=10_000),
        "10,000 readers by a pattern":
            lambda: publish(plan, deliveries, readers=10_000, topic=PATTERN),
    }
    results = alternate(plan.rounds, sides)
    alone = values(results[one], "cpu_us")
    for side, found in results.items():
        rate = sorted(values(found, "per_s"))[len(found) // 2]
        note = f"{rate:,.0f} deliveries/s"
        if side == one:
            report.add(SECTION, f"delivery to {side}", alone, "µs", note=note)
        else:
            report.add(
                SECTION, f"delivery to {side}", values(found, "cpu_us"), "µs", one, alone,
                Mark("≤ 1.50 ×", at_most=1.5), note)


class Peer:
    """A connection that says frames and counts bytes."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(SECONDS_MAX)
        self.socket.connect(path)
        self.say({"op": "hello", "v": 1, "client": "bench"})

    def say(self, *headers: dict[str, object]) -> None:
        self.socket.sendall(b"".join(frame(header) for header in headers))

    def wait(self) -> None:
        """Returns when all that was said before is done, and passes over what came of it."""
        self.say({"op": "ping"})
        heard = b""
        while b'"pong"' not in heard[-64:]:
            more = self.socket.recv(1 << 16)
            if not more:
                raise Failed(f"the sidecar hung up: {heard[-300:]!r}")
            heard = heard[-64:] + more


def frame(header: dict[str, object], content: bytes = b"") -> bytes:
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack(">II", len(text), len(content)) + text + content


def publish(
    plan: Plan, deliveries: int, readers: int, topic: str = TOPIC, others: int = 0
) -> Result:
    """Publishes until there have been so many deliveries, each of which is waited for."""
    with ExitStack() as stack:
        folder = stack.enter_context(Scratch())
        daemon = stack.enter_context(Daemon(plan.binaries, folder))

        def peers(count: int, topics: Sequence[str]) -> list[Peer]:
            made = []
            for first in range(0, count, SUBSCRIPTIONS):
                peer = Peer(daemon.path)
                stack.callback(peer.socket.close)
                wanted = topics[first : first + SUBSCRIPTIONS]
                peer.say(*(
                    {"op": "subscribe", "id": 2 * number + 1, "topic": name, "window": 2**31 - 1}
                    for number, name in enumerate(wanted)))
                peer.wait()
                made.append(peer)
            return made

        reading = peers(readers, [topic] * readers)
        peers(others, [f"fan.{n}.now" if n % 2 else f"fan.{n}.*" for n in range(others)])
        publisher = Peer(daemon.path)
        stack.callback(publisher.socket.close)
        message = frame({"op": "publish", "topic": TOPIC, "source": "s"}, b"x" * 64)
        drain = Drain(reading)
        stack.callback(drain.close)
        publisher.socket.sendall(message)
        publisher.wait()
        each = drain.until_quiet()
        batch = max(1, min(WAITING_BYTES_MAX // 512, 20_000 // readers))
        rounds = max(1, deliveries // (batch * readers))
        before, began = cpu_seconds(daemon.pid), time.perf_counter()
        for _ in range(rounds):
            publisher.socket.sendall(message * batch)
            drain.take(each * batch)
        took = time.perf_counter() - began
        used = cpu_seconds(daemon.pid) - before
        count = rounds * batch * readers
        return {"cpu_us": used / count * 1e6, "per_s": count / took}


class Drain:
    """Takes what comes for several peers, and counts its bytes."""

    def __init__(self, peers: Sequence[Peer]) -> None:
        self.selector = selectors.DefaultSelector()
        for peer in peers:
            peer.socket.setblocking(False)
            self.selector.register(peer.socket, selectors.EVENT_READ, peer.socket)

    def close(self) -> None:
        self.selector.close()

    def turn(self, seconds: float) -> int:
        taken = 0
        for key, _ in self.selector.select(seconds):
            data = key.data.recv(1 << 18)
            if not data:
                raise Failed("the sidecar hung up on a reader")
            taken += len(data)
        return taken

    def until_quiet(self) -> int:
        """All that comes until nothing does for a moment."""
        total = 0
        while taken := self.turn(0.2):
            total += taken
        return total

    def take(self, count: int) -> None:
        deadline = time.monotonic() + SECONDS_MAX
        while count > 0:
            count -= self.turn(1)
            if time.monotonic() > deadline:
                raise Failed(f"{count} bytes of what was published did not come")
        if count < 0:
            raise Failed(f"{-count} bytes more came than were published")
