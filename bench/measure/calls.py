"""Relayed calls: coagentd against the raw relay and NATS, C programs at both ends of each."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from .plan import Plan, Result, alternate, values
from .processes import (
    PROGRAMS, Child, Daemon, NatsServer, Relay, Scratch, cpu_seconds, on_one_core, run_for_json,
)
from .report import Mark, Report

LOAD = PROGRAMS / "load"
NATS_LOAD = PROGRAMS / "nats_load"


@dataclass(frozen=True)
class Workload:
    name: str
    depth: int
    size: int = 16
    parts: int = 0
    one_core: bool = False

    @property
    def arguments(self) -> list[str]:
        words = ["--depth", str(self.depth), "--size", str(self.size)]
        return words + (["--parts", str(self.parts)] if self.parts else [])


# 1 MiB is at 8, not 64, in flight: 64 MiB waiting for one connection is over the protocol's marks.
UNARY = [
    Workload("16 B, 1 in flight, one core", 1, one_core=True),
    Workload("16 B, 1 in flight", 1),
    Workload("16 B, 64 in flight", 64),
    Workload("16 B, 64 in flight, one core", 64, one_core=True),
    Workload("4 KiB, 1 in flight", 1, 4096),
    Workload("4 KiB, 64 in flight", 64, 4096),
    Workload("1 MiB, 1 in flight", 1, 1024 * 1024),
    Workload("1 MiB, 8 in flight", 8, 1024 * 1024),
]
STREAMED = [
    Workload("5 B parts, 1 stream", 1, parts=20_000),
    Workload("5 B parts, 16 streams", 16, parts=20_000),
]


@dataclass(frozen=True)
class Service:
    """A coagentd and a native host that serves bench.echo and bench.stream on it."""

    daemon: Daemon
    host: Child
    address: list[str]


@contextmanager
def service(plan: Plan, folder: Path, tcp: bool = False) -> Iterator[Service]:
    """With ``tcp`` the host and the callers come over loopback, else over the Unix socket."""
    with Daemon(plan.binaries, folder, tcp=tcp) as daemon:
        address = ["--url", daemon.url]
        if tcp:
            address = ["--url", daemon.tcp_url, "--token", Daemon.TOKEN]
        with Child([LOAD, "host", *address]) as host:
            host.wait_for_line()
            yield Service(daemon, host, address)


def through_daemon(plan: Plan, service: Service, workload: Workload) -> Result:
    command = [LOAD, "caller", *service.address, *workload.arguments, *plan.timing()]
    with placed(workload, [service.daemon, service.host]):
        return run_beside(service.daemon, command, plan)


def placed(workload: Workload, children: list[Child]) -> AbstractContextManager[None]:
    return on_one_core(children) if workload.one_core else nullcontext()


def through_relay(plan: Plan, relay: Relay, workload: Workload) -> Result:
    pair = ["--url", relay.url, "--relay", relay.next_pair()]
    with placed(workload, [relay]), Child([LOAD, "host", *pair]) as host:
        host.wait_for_line()
        command = [LOAD, "caller", *pair, *workload.arguments, *plan.timing()]
        return run_beside(relay, command, plan)


def run_beside(between: Child, command: Sequence[str | Path], plan: Plan) -> Result:
    """Runs a caller, and adds the processor time that the process in between took per call."""
    before = cpu_seconds(between.pid)
    result: Result = run_for_json(command, plan.seconds_max)
    result["cpu_us"] = (cpu_seconds(between.pid) - before) / result["begun"] * 1e6
    return result


def measure_relay(plan: Plan, report: Report) -> None:
    """Side by side with the limit, which parses nothing."""
    section = "Relayed calls against the raw relay (Unix socket, C at both ends)"
    with Scratch() as folder, Relay(folder) as relay:
        with service(plan, folder) as ours:
            for workload in UNARY + STREAMED:
                sides: dict[str, Callable[[], Result]] = {
                    "ours": lambda: through_daemon(plan, ours, workload),
                    "limit": lambda: through_relay(plan, relay, workload),
                }
                results = alternate(plan.rounds, sides)
                add_relay_rows(report, section, workload, results["ours"], results["limit"])


def add_relay_rows(
    report: Report, section: str, workload: Workload, ours: list[Result], limit: list[Result]
) -> None:
    if workload.parts:
        mark = Mark("≥ 400 k/s", at_least=400_000, on_value=True)
        key, unit = "parts_per_s", "parts/s"
        report.add(
            section, workload.name, values(ours, key), unit, "raw relay", values(limit, key), mark)
        return
    name, key = workload.name, "p50_us"
    if workload.depth == 1 or workload.one_core:
        mark = None
        if workload.one_core and workload.depth == 1:
            mark = Mark("≤ 1.25 × p50", at_most=1.25)
        report.add(
            section, f"{name}, p50", values(ours, key), "µs", "raw relay", values(limit, key), mark)
    if workload.one_core:
        key = "cpu_us"
        report.add(
            section, f"{name}, processor time per call", values(ours, key), "µs", "raw relay",
            values(limit, key))
    elif workload.depth > 1 or workload.size > 16:
        key = "calls_per_s"
        report.add(
            section, f"{name}, rate", values(ours, key), "calls/s", "raw relay",
            values(limit, key), Mark("≥ 0.7 × rate", at_least=0.7))


def nats_sides(
    plan: Plan, server: NatsServer, host: Child, workload: Workload
) -> dict[str, Callable[[], Result]]:
    """The C client both ways: writing at once, and through its flusher thread."""
    command = [
        NATS_LOAD, "caller", "--url", server.url, "--depth", str(workload.depth),
        "--size", str(workload.size), *plan.timing(),
    ]

    def run(*more: str) -> Result:
        with placed(workload, [server, host]):
            result: Result = run_for_json([*command, *more], plan.seconds_max)
        return result

    return {"nats, at once": lambda: run("--asap"), "nats, flusher": run}


def measure_nats(plan: Plan, report: Report) -> None:
    """Request and reply; NATS with whichever of its client's two ways of writing is better."""
    section = "Request and reply against nats-server (its C client; loopback)"
    with ExitStack() as stack:
        folder = stack.enter_context(Scratch())
        server = stack.enter_context(NatsServer(folder))
        host = stack.enter_context(Child([NATS_LOAD, "host", "--url", server.url, "--asap"]))
        host.wait_for_line()
        over_unix = stack.enter_context(service(plan, folder))
        over_tcp = stack.enter_context(service(plan, folder, tcp=True))
        for workload in [w for w in UNARY if w.depth == 1 or not w.one_core]:
            sides = nats_sides(plan, server, host, workload)
            sides["unix"] = lambda: through_daemon(plan, over_unix, workload)
            sides["tcp"] = lambda: through_daemon(plan, over_tcp, workload)
            results = alternate(plan.rounds, sides)
            for transport in ("unix", "tcp"):
                add_nats_rows(report, section, workload, transport, results)


def add_nats_rows(
    report: Report, section: str, workload: Workload, transport: str,
    results: dict[str, list[Result]],
) -> None:
    ways = ("nats, at once", "nats, flusher")
    better = max(ways, key=lambda way: median(values(results[way], "calls_per_s")))
    # Its p50 is marked as it comes: a server of many threads is not meant for one core.
    marked = workload.size <= 16 and transport == "unix" and not workload.one_core
    what = f"{workload.name}, {transport}"
    if workload.depth == 1:
        mark = Mark("≤ 1/3 × p50", at_most=1 / 3) if marked else None
        report.add(
            section, f"{what}, p50", values(results[transport], "p50_us"), "µs", better,
            values(results[better], "p50_us"), mark)
    mark = Mark("≥ 4 × rate", at_least=4) if marked and workload.depth > 1 else None
    report.add(
        section, f"{what}, rate", values(results[transport], "calls_per_s"), "calls/s", better,
        values(results[better], "calls_per_s"), mark)

