"""Start-up, the command-line tool as a whole process, and the registry when it is large."""

import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from .calls import LOAD
from .plan import Plan
from .processes import Child, Daemon, Failed, Scratch, memory_bytes, run_for_json
from .report import Mark, Report

AGENTS = 10_000
IN_NAMESPACE = 100
MANY_AGENTS = 100_000


def measure_start(plan: Plan, report: Report) -> None:
    starts = []
    for _ in range(3 if plan.quick else 15):
        with Scratch() as folder, Daemon(plan.binaries, folder) as daemon:
            starts.append(daemon.start_seconds * 1e3)
    report.add(
        "Start", "spawn to welcome", starts, "ms",
        mark=Mark("< 50 ms", at_most=50, on_value=True))


def run_ms(command: list[str | Path], url: str) -> float:
    """A whole process, from before it is made to its end."""
    began = time.perf_counter()
    ended = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30,
        env={"COAGENT_URL": url, "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"})
    took = (time.perf_counter() - began) * 1e3
    if ended.returncode != 0:
        said = (ended.stderr or ended.stdout).decode(errors="replace").strip()[-300:]
        words = " ".join(str(word) for word in command)
        raise Failed(f"{words} ended with {ended.returncode}: {said}")
    return took


def measure_cli(plan: Plan, report: Report) -> None:
    section = "Command line, whole process"
    times = 5 if plan.quick else 25
    coagent = plan.binaries / "coagent"
    with ExitStack() as stack:
        folder = stack.enter_context(Scratch())
        daemon = stack.enter_context(Daemon(plan.binaries, folder))
        pings: list[float] = []
        nothing: list[float] = []
        for _ in range(times):
            pings.append(run_ms([coagent, "ping"], daemon.url))
            nothing.append(run_ms(["/bin/true"], daemon.url))
        report.add(
            section, "coagent ping", pings, "ms", "/bin/true", nothing,
            Mark("< 30 ms", at_most=30, on_value=True))
        crowd = agents_of(daemon)
        stack.enter_context(crowd).wait_for_line(60)
        lists = [run_ms([coagent, "ls", "-r"], daemon.url) for _ in range(times)]
        report.add(
            section, f"coagent ls -r, {AGENTS:,} agents", lists, "ms",
            mark=Mark("< 50 ms", at_most=50, on_value=True))


def agents_of(daemon: Daemon, count: int = AGENTS) -> Child:
    """A crowd, so many of which are in each namespace whatever their number."""
    return Child([
        LOAD, "agents", "--url", daemon.url, "--count", str(count),
        "--namespaces", str(count // IN_NAMESPACE),
    ])


def measure_discovery(plan: Plan, report: Report) -> None:
    among(plan, report, AGENTS)
    among(plan, report, 2 * AGENTS if plan.quick else MANY_AGENTS)


def among(plan: Plan, report: Report, agents: int) -> None:
    """The mark is on what is asked most, a namespace: it must not depend on what else there is."""
    section = f"Discovery with {agents:,} agents, {IN_NAMESPACE} in a namespace"
    queries = [
        ("one namespace, p50", '{"namespace":"crowd.n7"}', True),
        ("all, recursive, p50", '{"namespace":"","recursive":true}', False),
        ("all, recursive, detailed, p50", '{"namespace":"","recursive":true,"detailed":true}',
         False),
    ]
    with ExitStack() as stack:
        folder = stack.enter_context(Scratch())
        daemon = stack.enter_context(Daemon(plan.binaries, folder))
        before = memory_bytes(daemon.pid)
        began = time.perf_counter()
        stack.enter_context(agents_of(daemon, agents)).wait_for_line(120)
        took = time.perf_counter() - began
        each = (memory_bytes(daemon.pid) - before) / agents
        for name, query, marked in queries:
            results = [
                run_for_json([
                    LOAD, "caller", "--url", daemon.url, "--to", "discovery",
                    "--type", "DiscoveryQuery", "--content", query, *plan.timing(),
                ], plan.seconds_max)
                for _ in range(plan.rounds)
            ]
            mark = Mark("< 1 ms", at_most=1000, on_value=True) if marked else None
            note = f"{results[0]['bytes_per_s'] / results[0]['calls_per_s'] / 1024:,.0f} KiB each"
            report.add(
                section, name, [result["p50_us"] for result in results], "µs", mark=mark,
                note=note)
        report.add(section, "registered", [agents / took], "agents/s")
        report.add(section, "memory per registered agent", [each], "B")
