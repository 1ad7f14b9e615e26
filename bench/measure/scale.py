"""What a call costs the daemon when there are few agents or sessions, and when there are many."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from .calls import LOAD, run_beside
from .plan import Plan, Result, alternate, values
from .processes import Child, Daemon, Scratch, on_one_core, run_for_json
from .report import Mark, Report

SECTION = "Calls among many, processor time of coagentd"
COUNTS = (10, 1_000, 100_000)
# As many as one connection may register, two of which the host has for itself.
NAMES = 900
NAMESPACES = 1_000


@dataclass(frozen=True)
class Place:
    """A coagentd with a host, and how its callers spread their calls."""

    daemon: Daemon
    host: Child
    spread: list[str]


def measure_scale(plan: Plan, report: Report) -> None:
    counts = [min(count, 2_000) for count in COUNTS] if plan.quick else COUNTS
    measure_over(plan, report, counts, "agents", among_agents)
    measure_over(plan, report, counts, "sessions", among_sessions)


def measure_over(
    plan: Plan, report: Report, counts: Sequence[int], what: str,
    place: Callable[[Plan, int], Iterator[Place]],
) -> None:
    """The sides stand side by side for the whole time; those at rest take nothing.

    Eight are in flight, so that among ten sessions none waits for another.
    """
    with ExitStack() as stack:
        places = {
            f"{count:,} {what}": stack.enter_context(contextmanager(place)(plan, count))
            for count in counts
        }
        sides = {
            name: lambda found=found: call(plan, found) for name, found in places.items()
        }
        results = alternate(plan.rounds, sides)
    first = next(iter(sides))
    few = values(results[first], "cpu_us")
    for name, found in results.items():
        rate = sorted(values(found, "calls_per_s"))[len(found) // 2]
        note = f"{rate:,.0f} calls/s"
        if name == first:
            report.add(SECTION, f"call among {name}", few, "µs", note=note)
        else:
            report.add(
                SECTION, f"call among {name}", values(found, "cpu_us"), "µs", first, few,
                Mark("≤ 1.50 ×", at_most=1.5), note)


def call(plan: Plan, place: Place) -> Result:
    command = [
        LOAD, "caller", "--url", place.daemon.url, "--depth", "8", *place.spread, *plan.timing()]
    with on_one_core([place.daemon, place.host]):
        return run_beside(place.daemon, command, plan)


def among_agents(plan: Plan, count: int) -> Iterator[Place]:
    """Calls go round the names of one host; the others are registered by a crowd."""
    names = min(count, NAMES)
    with ExitStack() as stack:
        folder = stack.enter_context(Scratch())
        daemon = stack.enter_context(Daemon(plan.binaries, folder))
        host = stack.enter_context(
            Child([LOAD, "host", "--url", daemon.url, "--names", str(names)]))
        host.wait_for_line()
        if count > names:
            crowd = Child([
                LOAD, "agents", "--url", daemon.url, "--count", str(count - names),
                "--namespaces", str(NAMESPACES)])
            stack.enter_context(crowd).wait_for_line(120)
        yield Place(daemon, host, ["--names", str(names)])


def among_sessions(plan: Plan, count: int) -> Iterator[Place]:
    """Calls go round all sessions of one agent, each of which has had a call before."""
    spread = ["--sessions", str(count)]
    with ExitStack() as stack:
        folder = stack.enter_context(Scratch())
        daemon = stack.enter_context(Daemon(plan.binaries, folder))
        host = stack.enter_context(Child([LOAD, "host", "--url", daemon.url]))
        host.wait_for_line()
        run_for_json(
            [LOAD, "caller", "--url", daemon.url, "--depth", "64", "--calls", str(count), *spread],
            120)
        yield Place(daemon, host, spread)
