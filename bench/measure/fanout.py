"""Publish and subscribe beside nats-server: one message to one, to a hundred, to ten thousand."""

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Protocol

from .plan import Plan, Result, alternate, values
from .processes import Child, Daemon, Failed, NatsServer, Scratch, cpu_seconds
from .report import Mark, Report
from .topics import SECONDS_MAX, SUBSCRIPTIONS, Drain, Peer, frame

SECTION = "Publish and subscribe against nats-server (bare readers at both)"
TOPIC = "fan.out.now"
CONTENT = b"x" * 64
READERS = (1, 100, 10_000)
# So many deliveries wait for their readers at a time, of both servers.
BATCH = 20_000
# And so many messages for one: less than the sidecar holds for a slow one.
BATCH_OF_ONE = 1_000


class Side(Protocol):
    """A server, and how its clients subscribe and publish."""

    server: Child
    message: bytes

    def connect(self) -> "Client": ...


class Client(Protocol):
    socket: socket.socket

    def subscribe(self, count: int) -> None: ...

    def wait(self) -> None: ...


class CoagentClient(Peer):
    def subscribe(self, count: int) -> None:
        self.say(*(
            {"op": "subscribe", "id": 2 * number + 1, "topic": TOPIC, "window": 2**31 - 1}
            for number in range(count)))


class Coagent:
    message = frame({"op": "publish", "topic": TOPIC, "source": "s"}, CONTENT)

    def __init__(self, daemon: Daemon) -> None:
        self.server = daemon
        self.path = daemon.path

    def connect(self) -> Client:
        return CoagentClient(self.path)


class NatsClient:
    """Says lines; the server's text protocol needs no library for this little."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), SECONDS_MAX)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(b'CONNECT {"verbose":false,"pedantic":false}\r\n')
        self.wait()

    def subscribe(self, count: int) -> None:
        topic = TOPIC.encode()
        self.socket.sendall(b"".join(b"SUB %s %d\r\n" % (topic, n + 1) for n in range(count)))

    def wait(self) -> None:
        self.socket.sendall(b"PING\r\n")
        heard = b""
        while not heard.endswith(b"PONG\r\n"):
            more = self.socket.recv(1 << 16)
            if not more:
                raise Failed(f"nats-server hung up: {heard[-300:]!r}")
            heard = heard[-4096:] + more


class Nats:
    message = b"PUB %s %d\r\n%s\r\n" % (TOPIC.encode(), len(CONTENT), CONTENT)

    def __init__(self, server: NatsServer) -> None:
        self.server = server
        self.port = int(server.url.rsplit(":", 1)[1])

    def connect(self) -> Client:
        return NatsClient(self.port)


def measure_fanout(plan: Plan, report: Report) -> None:
    deliveries = 50_000 if plan.quick else 500_000
    for readers in READERS:
        sides: dict[str, Callable[[], Result]] = {
            "ours": lambda: run_ours(plan, readers, deliveries),
            "nats": lambda: run_nats(readers, deliveries),
        }
        results = alternate(plan.rounds, sides)
        ours, nats = results["ours"], results["nats"]
        what = f"{readers:,} reader{'s' if readers > 1 else ''}"
        report.add(
            SECTION, f"{what}, rate", values(ours, "per_s"), "deliveries/s", "nats-server",
            values(nats, "per_s"), Mark("≥ 1 ×", at_least=1))
        report.add(
            SECTION, f"{what}, processor time per delivery", values(ours, "cpu_us"), "µs",
            "nats-server", values(nats, "cpu_us"))


def run_ours(plan: Plan, readers: int, deliveries: int) -> Result:
    with Scratch() as folder, Daemon(plan.binaries, folder) as daemon:
        return fan_out(Coagent(daemon), readers, deliveries)


def run_nats(readers: int, deliveries: int) -> Result:
    with Scratch() as folder, NatsServer(folder) as server:
        return fan_out(Nats(server), readers, deliveries)


def fan_out(side: Side, readers: int, deliveries: int) -> Result:
    """Publishes batch by batch, and waits until the readers have each whole."""
    with ExitStack() as stack:

        def connect() -> Client:
            client = side.connect()
            stack.callback(client.socket.close)
            return client

        reading: list[Client] = []
        for first in range(0, readers, SUBSCRIPTIONS):
            client = connect()
            client.subscribe(min(SUBSCRIPTIONS, readers - first))
            client.wait()
            reading.append(client)
        publisher = connect()
        publisher.wait()
        drain = Drain(reading)
        stack.callback(drain.close)
        publisher.socket.sendall(side.message)
        each = drain.until_quiet()
        batch = max(1, min(BATCH_OF_ONE, BATCH // readers))
        rounds = max(1, deliveries // (batch * readers))
        return batches(side, publisher, drain, each, rounds, batch, readers)


def batches(
    side: Side, publisher: Client, drain: Drain, each: int, rounds: int, batch: int, readers: int
) -> Result:
    before, began = cpu_seconds(side.server.pid), time.perf_counter()
    for _ in range(rounds):
        publisher.socket.sendall(side.message * batch)
        drain.take(each * batch)
    took = time.perf_counter() - began
    count = rounds * batch * readers
    return {
        "cpu_us": (cpu_seconds(side.server.pid) - before) / count * 1e6,
        "per_s": count / took,
    }
