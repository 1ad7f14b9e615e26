"""One language at both ends: its client library, and the least code that can speak the protocol."""

from collections.abc import Callable
from contextlib import ExitStack

from .languages import (
    WORKLOADS, Language, Program, Service, Workload, languages, serve, through_daemon,
    through_relay,
)
from .plan import Plan, Result, alternate, values
from .processes import Relay, Scratch
from .report import Mark, Report

# Measured once on the same kind of machine, not in this run: what the marks are multiples of.
AUTOGEN_CALLS_PER_S = 1_700.0
COAGENT_COS_CALLS_PER_S = 45.0

Sides = dict[str, Callable[[], Result]]
Results = dict[str, list[Result]]


def measure_pairs(plan: Plan, report: Report) -> None:
    """All languages take turns, so that one language can be held against another."""
    spoken = languages(plan)
    with ExitStack() as stack:
        folder = stack.enter_context(Scratch())
        relay = stack.enter_context(Relay(folder))
        services = {
            language.name: (
                serve(stack, plan, folder, language.library),
                serve(stack, plan, folder, language.bare),
            )
            for language in spoken
        }
        for workload in WORKLOADS:
            sides: Sides = {}
            for language in spoken:
                library, bare = services[language.name]
                sides |= sides_of(plan, language, library, bare, relay, workload)
            results = alternate(plan.rounds, sides)
            for language in spoken:
                add_rows(report, language, workload, results)


def sides_of(
    plan: Plan, language: Language, library: Service, bare: Service, relay: Relay,
    workload: Workload,
) -> Sides:
    def side(service: Service, program: Program) -> Callable[[], Result]:
        return lambda: through_daemon(plan, service, program, workload)

    sides: Sides = {
        f"{language.name} library": side(library, language.library),
        f"{language.name} bare": side(bare, language.bare),
    }
    if language.is_like_library:
        sides[f"{language.name} raw"] = lambda: through_relay(plan, relay, language.bare, workload)
    return sides


def add_rows(report: Report, language: Language, workload: Workload, results: Results) -> None:
    name, key, unit = workload.name, workload.key, workload.unit
    section = f"{language.name} to {language.name} (one process each)"

    def of(side: str) -> list[float]:
        return values(results[side], key)

    library, bare = of(f"{language.name} library"), of(f"{language.name} bare")
    mark = None
    if workload.one_core and language.is_like_library:
        mark = Mark("≤ 1.5 × p50", at_most=1.5)
    elif key == "parts_per_s":
        mark = Mark("≥ 60 k/s", at_least=60_000, on_value=True)
    report.add(section, f"library, {name}", library, unit, language.bare_name, bare, mark)
    if language.is_like_library:
        raw = of(f"{language.name} raw")
        report.add(section, f"bare pair, {name}", bare, unit, "bare pair, raw relay", raw)
    if language.name == "Python":
        if key == "calls_per_s":
            add_earlier_peers(report, section, name, library)
        return
    mark = None
    if workload.one_core:
        mark = Mark("≤ 1 × p50", at_most=1)
    elif key == "calls_per_s":
        mark = Mark("≥ 1 × rate", at_least=1)
    report.add(
        section, f"library, {name}", library, unit, "Python's library", of("Python library"), mark)


def add_earlier_peers(report: Report, section: str, name: str, library: list[float]) -> None:
    for peer, rate, times in (
        ("AutoGen 0.7.5 gRPC", AUTOGEN_CALLS_PER_S, 5),
        ("Coagent CoS", COAGENT_COS_CALLS_PER_S, 50),
    ):
        report.add(
            section, f"library, {name}", library, "calls/s", peer, [rate] * len(library),
            Mark(f"≥ {times} × rate", at_least=times), "peer measured earlier")
