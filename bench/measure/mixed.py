"""Two languages, one at each end: every ordered pair, with the client libraries."""

from collections.abc import Callable
from contextlib import ExitStack
from itertools import product

from .languages import ONE_IN_FLIGHT, Language, Service, languages, serve, through_daemon
from .plan import Plan, Result, alternate, values
from .processes import Scratch
from .report import Report

SECTION = "Caller to agent, each pair of languages (client libraries, 16 B, 1 in flight, one core)"


def measure_mixed(plan: Plan, report: Report) -> None:
    spoken = languages(plan)
    with ExitStack() as stack:
        folder = stack.enter_context(Scratch())
        services = {
            language.name: serve(stack, plan, folder, language.library) for language in spoken}

        def side(caller: Language, host: Service) -> Callable[[], Result]:
            return lambda: through_daemon(plan, host, caller.library, ONE_IN_FLIGHT)

        results = alternate(plan.rounds, {
            f"{caller.name} → {host.name}": side(caller, services[host.name])
            for caller, host in product(spoken, spoken)
        })
    for caller, host in product(spoken, spoken):
        add_row(report, caller.name, host.name, results)


def add_row(report: Report, caller: str, host: str, results: dict[str, list[Result]]) -> None:
    """Two languages should take what each of them takes with itself, half and half."""
    ours, key, unit = f"{caller} → {host}", ONE_IN_FLIGHT.key, ONE_IN_FLIGHT.unit
    if caller == host:
        report.add(SECTION, f"{ours}, p50", values(results[ours], key), unit)
        return
    same = zip(*(values(results[f"{name} → {name}"], key) for name in (caller, host)))
    report.add(
        SECTION, f"{ours}, p50", values(results[ours], key), unit,
        f"mean of {caller} and {host} alone", [sum(both) / 2 for both in same])
