"""Calls from agent to agent: handed over, against agents that read replies and write them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from .calls import LOAD, Service, Workload, run_beside, service
from .plan import Plan, Result, alternate, values
from .processes import Child, Scratch, on_one_core
from .report import Mark, Report

UNARY = Workload("16 B, 1 in flight, one core", 1, one_core=True)
MANY = Workload("16 B, 64 in flight", 64)
STREAMED = Workload("5 B parts, 1 stream", 1, parts=20_000)
LEVELS = (0, 1, 2, 3)


@contextmanager
def delegators(service: Service) -> Iterator[list[Child]]:
    """Agents spliced1 to 3 and copied1 to 3: each leaves its calls to the one below it."""
    with ExitStack() as stack:
        children = []
        for way in ("spliced", "copied"):
            below = "bench"
            for level in LEVELS[1:]:
                name = f"{way}{level}"
                command = [LOAD, "delegator", *service.address, "--agent", name, "--to", below]
                child = stack.enter_context(
                    Child([*command, *(["--copy"] if way == "copied" else [])]))
                child.wait_for_line()
                children.append(child)
                below = name
        yield children


def sides(
    plan: Plan, service: Service, children: list[Child], workload: Workload
) -> dict[str, Callable[[], Result]]:
    def run(agent: str) -> Result:
        leaf = "stream" if workload.parts else "echo"
        command = [
            LOAD, "caller", *service.address, "--to", f"{agent}.{leaf}", *workload.arguments,
            *plan.timing(),
        ]
        if not workload.one_core:
            return run_beside(service.daemon, command, plan)
        with on_one_core([service.daemon, service.host, *children]):
            return run_beside(service.daemon, command, plan)

    found = {"0": lambda: run("bench")}
    for level in LEVELS[1:]:
        for way in ("spliced", "copied"):
            found[f"{way}{level}"] = lambda agent=f"{way}{level}": run(agent)
    return found


def measure_splices(plan: Plan, report: Report) -> None:
    section = "Calls through agents that hand them over (Unix socket, C everywhere)"
    with Scratch() as folder, service(plan, folder) as ours, delegators(ours) as children:
        for workload, key, unit in (
            (UNARY, "p50_us", "µs"),
            (MANY, "calls_per_s", "calls/s"),
            (STREAMED, "parts_per_s", "parts/s"),
        ):
            results = alternate(plan.rounds, sides(plan, ours, children, workload))
            report.add(section, f"{workload.name}, none between", values(results["0"], key), unit)
            for level in LEVELS[1:]:
                mark = None
                if workload is STREAMED:
                    mark = Mark("≥ 400 k/s", at_least=400_000, on_value=True)
                report.add(
                    section, f"{workload.name}, {level} between",
                    values(results[f"spliced{level}"], key), unit, "copied",
                    values(results[f"copied{level}"], key), mark)
