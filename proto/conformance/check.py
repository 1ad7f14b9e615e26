"""Checks that the scenarios cover SPEC.md. Run: .venv/bin/python proto/conformance/check.py

Every clause is classified in requirements.json, and every one that binds a side has a scenario for
it: a conversation, a vector or a scenario of the daemon for the sidecar, a vector or a scenario of
clients for the client. Lists what is wrong, and then exits 1; `-v` lists what covers each clause.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from runner import LANGUAGES, scenarios, vectors
from runner.driver import ROOT
from runner.scenarios import CONFORMANCE, Scenario

SIDES = ("sidecar", "client")
SPEC = (ROOT / "proto" / "SPEC.md").read_text(encoding="utf-8")
CLAUSES = re.findall(r"^\* \*\*([A-Z]{3}-\d+)\*\*", SPEC, re.M)

Requirements = dict[str, dict[str, Any]]
Covered = dict[str, dict[str, list[str]]]


def load(name: str) -> Any:
    return json.loads((CONFORMANCE / name).read_text(encoding="utf-8"))


def covered(by_side: dict[str, list[Scenario]]) -> Covered:
    """The names of scenarios by clause and side."""
    found: Covered = {}
    for side, played in by_side.items():
        for scenario in played:
            for clause in scenario.clauses:
                found.setdefault(clause, {}).setdefault(side, []).append(scenario.name)
    return found


def check_requirements(requirements: Requirements, found: Covered, clauses: list[str]) -> list[str]:
    """What is wrong with the classification, and what has no scenario."""
    problems = [f"{clause} is not classified" for clause in clauses if clause not in requirements]
    problems += [f"SPEC.md has no {clause}" for clause in requirements if clause not in clauses]
    problems += [
        f"{names[0]} names {clause}, which SPEC.md does not have"
        for clause, sides in found.items()
        if clause not in clauses
        for names in sides.values()
    ]
    for clause, requirement in requirements.items():
        binds = requirement["binds"]
        if set(binds) - set(SIDES):
            problems.append(f"{clause} binds {binds}")
        if not binds and not requirement.get("why"):
            problems.append(f"{clause} binds nobody, and nothing says why")
        problems += [
            f"{clause} binds the {side} and has no scenario for it"
            for side in binds
            if not found.get(clause, {}).get(side)
        ]
    return problems


def check_lists(by_side: dict[str, list[Scenario]]) -> list[str]:
    """The conversations set aside are there; known failures are of scenarios and languages."""
    conversations = {each.name for each in scenarios.conversations()}
    problems = [
        f"only_in_virtual_time.json names {name}, which is no conversation"
        for name in scenarios.set_aside()
        if name not in conversations
    ]
    names = {each.name for played in by_side.values() for each in played}
    areas = {f"{each.area}/" for each in by_side["client"]}
    for name, languages in load("known_failures.json").items():
        if name not in names | areas:
            problems.append(f"known_failures.json names {name}, which is no scenario")
        for language in set(languages) - {"daemon", *LANGUAGES}:
            problems.append(f"known_failures.json names {language}, which is no language")
    for name in sorted(each for each in names if not re.fullmatch(r"[^/\s]+(/\S+)+", each)):
        problems.append(f"{name!r} is no area and name")
    return problems


def main() -> int:
    read = vectors.all_vectors()
    by_side = {
        "sidecar": scenarios.conversations() + scenarios.of_daemon() + read,
        "client": scenarios.of_clients() + read,
    }
    requirements: Requirements = load("requirements.json")
    found = covered(by_side)
    problems = check_requirements(requirements, found, CLAUSES) + check_lists(by_side)
    for problem in problems:
        sys.stdout.write(f"conformance: {problem}\n")
    if "-v" in sys.argv:
        for clause, requirement in requirements.items():
            for side in requirement["binds"]:
                names = found.get(clause, {}).get(side, [])
                sys.stdout.write(f"{clause} {side}: {' '.join(names[:6])}\n")
    binding = sum(bool(each["binds"]) for each in requirements.values())
    sys.stdout.write(
        f"conformance: {binding} rules bind, {len(scenarios.conversations())} conversations, "
        f"{len(scenarios.of_daemon())} scenarios of the daemon, "
        f"{len(scenarios.of_clients())} of clients, {len(problems)} problems\n"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
