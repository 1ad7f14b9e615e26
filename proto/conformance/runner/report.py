"""The table of areas and subjects, and what failed."""

from __future__ import annotations

from .suite import Outcome


def table(outcomes: list[Outcome], subjects: list[str]) -> str:
    """Passed of total, by area and subject."""
    cells: dict[tuple[str, str], list[bool]] = {}
    for each in outcomes:
        cells.setdefault((each.area, each.subject), []).append(not each.why)
    areas = sorted({area for area, _ in cells})
    width = max([len("area"), *(len(area) for area in areas)])
    lines = [f"{'area':{width}}" + "".join(f"{subject:>10}" for subject in subjects)]
    for area in areas:
        lines.append(
            f"{area:{width}}"
            + "".join(f"{_cell(cells.get((area, subject))):>10}" for subject in subjects)
        )
    totals = [
        _cell([not each.why for each in outcomes if each.subject == subject])
        for subject in subjects
    ]
    lines.append(f"{'all':{width}}" + "".join(f"{total:>10}" for total in totals))
    return "\n".join(lines)


def _cell(passed: list[bool] | None) -> str:
    return f"{sum(passed)}/{len(passed)}" if passed else "·"


def failures(outcomes: list[Outcome]) -> str:
    """What failed, in detail."""
    return "\n\n".join(
        f"FAILED {each.scenario} of {each.subject}\n  {each.why}"
        for each in sorted(outcomes, key=lambda each: (each.subject, each.scenario))
        if each.why
    )
