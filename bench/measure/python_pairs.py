"""Python at both ends: the client library, and the least code that can speak the protocol."""

import os
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass

from .plan import Plan, Result, alternate, values
from .processes import (
    ROOT, Child, Daemon, Relay, Scratch, on_one_core, python, run_for_json,
)
from .report import Mark, Report

LIBRARY = ROOT / "clients" / "python" / "src"


@dataclass(frozen=True)
class Workload:
    name: str
    arguments: list[str]
    key: str
    unit: str
    one_core: bool = False


WORKLOADS = [
    Workload("16 B, 1 in flight, one core, p50", ["--depth", "1"], "p50_us", "µs", one_core=True),
    Workload("16 B, 1 in flight, p50", ["--depth", "1"], "p50_us", "µs"),
    Workload("16 B, 64 in flight", ["--depth", "64"], "calls_per_s", "calls/s"),
    Workload("one-token parts, 1 stream", ["--parts", "20000"], "parts_per_s", "parts/s"),
]
# Measured once on the same kind of machine, not in this run: what the marks are multiples of.
AUTOGEN_CALLS_PER_S = 1_700.0
COAGENT_COS_CALLS_PER_S = 45.0


def measure_python(plan: Plan, report: Report) -> None:
    section = "Python to Python (asyncio, one process each)"
    library_path = os.pathsep.join([str(LIBRARY), os.environ.get("PYTHONPATH", "")])
    with ExitStack() as stack:
        folder = stack.enter_context(Scratch())
        relay = stack.enter_context(Relay(folder))
        services: dict[str, tuple[Daemon, Child]] = {}
        for script in ("bare.py", "library.py"):
            daemon = stack.enter_context(Daemon(plan.binaries, folder))
            command = [*python(script), "host", "--url", daemon.url]
            host = stack.enter_context(Child(command, {"PYTHONPATH": library_path}))
            host.wait_for_line()
            services[script] = (daemon, host)

        def through_daemon(script: str, workload: Workload) -> Result:
            daemon, host = services[script]
            command = [*python(script), "caller", "--url", daemon.url, *workload.arguments]
            with on_one_core([daemon, host]) if workload.one_core else nullcontext():
                result: Result = run_for_json(
                    [*command, *plan.timing], plan.seconds_max, PYTHONPATH=library_path)
            return result

        for workload in WORKLOADS:
            sides: dict[str, Callable[[], Result]] = {
                "library": lambda: through_daemon("library.py", workload),
                "bare": lambda: through_daemon("bare.py", workload),
                "bare, raw relay": lambda: through_relay(plan, relay, workload),
            }
            add_rows(report, section, workload, alternate(plan.rounds, sides))


def through_relay(plan: Plan, relay: Relay, workload: Workload) -> Result:
    pair = ["--url", relay.url, "--relay", relay.next_pair()]
    with ExitStack() as stack:
        if workload.one_core:
            stack.enter_context(on_one_core([relay]))
        host = stack.enter_context(Child([*python("bare.py"), "host", *pair]))
        host.wait_for_line()
        command = [*python("bare.py"), "caller", *pair, *workload.arguments, *plan.timing]
        result: Result = run_for_json(command, plan.seconds_max)
        return result


def add_rows(
    report: Report, section: str, workload: Workload, results: dict[str, list[Result]]
) -> None:
    name, key, unit = workload.name, workload.key, workload.unit
    library, bare, raw = (
        values(results[side], key) for side in ("library", "bare", "bare, raw relay"))
    mark = None
    if workload.one_core:
        mark = Mark("≤ 1.5 × p50", at_most=1.5)
    elif key == "parts_per_s":
        mark = Mark("≥ 60 k/s", at_least=60_000, on_value=True)
    report.add(section, f"library, {name}", library, unit, "bare pair", bare, mark)
    report.add(section, f"bare pair, {name}", bare, unit, "bare pair, raw relay", raw)
    if key == "calls_per_s":
        note = "peer measured earlier"
        report.add(
            section, f"library, {name}", library, unit, "AutoGen 0.7.5 gRPC",
            [AUTOGEN_CALLS_PER_S] * len(library), Mark("≥ 5 × rate", at_least=5), note)
        report.add(
            section, f"library, {name}", library, unit, "Coagent CoS",
            [COAGENT_COS_CALLS_PER_S] * len(library), Mark("≥ 50 × rate", at_least=50), note)
