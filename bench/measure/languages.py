"""The languages: their programs, which all take the same arguments, and how they are served.

A program is a ``host``, which registers bench.echo and bench.stream and prints a line when it is
ready, or a ``caller``, which makes one workload and prints a line of JSON. One language's caller
can call another's host.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from .plan import Plan, Result
from .processes import (
    BENCH, PROGRAMS, ROOT, Child, Daemon, Failed, Relay, on_one_core, run_for_json,
)

# Until what is called often is compiled, a call in Node takes twice the time it takes then.
NODE_WARMUP = 1.0
PYTHON_CLIENT = ROOT / "clients" / "python" / "src"


@dataclass(frozen=True)
class Program:
    command: Sequence[str | Path]
    environment: dict[str, str] = field(default_factory=dict)
    warmup: float = 0  # seconds at least before the measured ones


@dataclass(frozen=True)
class Language:
    name: str
    library: Program  # written with the client library
    bare: Program  # the least code, which the library is held against
    bare_name: str = "bare pair"
    is_like_library: bool = True  # the bare program is written in the same language


@dataclass(frozen=True)
class Workload:
    name: str
    arguments: list[str]
    key: str
    unit: str
    one_core: bool = False


ONE_IN_FLIGHT = Workload("16 B, 1 in flight, one core, p50", ["--depth", "1"], "p50_us", "µs", True)
WORKLOADS = [
    ONE_IN_FLIGHT,
    Workload("16 B, 1 in flight, p50", ["--depth", "1"], "p50_us", "µs"),
    Workload("16 B, 64 in flight", ["--depth", "64"], "calls_per_s", "calls/s"),
    Workload("one-token parts, 1 stream", ["--parts", "20000"], "parts_per_s", "parts/s"),
]


def languages(plan: Plan) -> list[Language]:
    """All of them, with the programs that need it built."""
    python_path = os.pathsep.join([str(PYTHON_CLIENT), os.environ.get("PYTHONPATH", "")])
    python, node, swift = BENCH / "python", BENCH / "node", plan.binaries / "bench-swift"
    if not swift.exists():
        raise Failed(f"no bench-swift in {plan.binaries}: run swift build -c release")
    build_go()
    return [
        Language(
            "Python",
            Program([sys.executable, python / "library.py"], {"PYTHONPATH": python_path}),
            Program([sys.executable, python / "bare.py"])),
        Language(
            "Node",
            Program(["node", node / "library.mjs"], warmup=NODE_WARMUP),
            Program(["node", node / "bare.mjs"], warmup=NODE_WARMUP)),
        Language("Go", Program([PROGRAMS / "go-library"]), Program([PROGRAMS / "go-bare"])),
        Language(
            "Swift", Program([swift]), Program([PROGRAMS / "load"]), "C pair",
            is_like_library=False),
    ]


def build_go() -> None:
    """Needs nothing from the network: the client has no dependencies."""
    installed = ROOT / ".venv" / "bin" / "go"
    go = os.environ.get("GO") or (installed if installed.exists() else shutil.which("go"))
    if go is None:
        raise Failed("no go: make setup")
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "GOPROXY": "off"}
    for program in ("bare", "library"):
        subprocess.run(
            [go, "build", "-o", PROGRAMS / f"go-{program}", f"./{program}"],
            cwd=BENCH / "go", env=environment, check=True)


@dataclass(frozen=True)
class Service:
    """A coagentd of its own, and a host on it."""

    daemon: Daemon
    host: Child


def serve(stack: ExitStack, plan: Plan, folder: Path, program: Program) -> Service:
    daemon = stack.enter_context(Daemon(plan.binaries, folder))
    command = [*program.command, "host", "--url", daemon.url]
    host = stack.enter_context(Child(command, program.environment))
    host.wait_for_line()
    return Service(daemon, host)


def through_daemon(plan: Plan, service: Service, caller: Program, workload: Workload) -> Result:
    command = [*caller.command, "caller", "--url", service.daemon.url, *workload.arguments]
    with on_one_core([service.daemon, service.host]) if workload.one_core else nullcontext():
        result: Result = run_for_json(
            [*command, *plan.timing(caller.warmup)], plan.seconds_max, **caller.environment)
    return result


def through_relay(plan: Plan, relay: Relay, bare: Program, workload: Workload) -> Result:
    pair = ["--url", relay.url, "--relay", relay.next_pair()]
    with ExitStack() as stack:
        if workload.one_core:
            stack.enter_context(on_one_core([relay]))
        host = stack.enter_context(Child([*bare.command, "host", *pair], bare.environment))
        host.wait_for_line()
        command = [*bare.command, "caller", *pair, *workload.arguments]
        command += plan.timing(bare.warmup)
        result: Result = run_for_json(command, plan.seconds_max, **bare.environment)
        return result
