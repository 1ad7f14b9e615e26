"""The books that the fake sidecar keeps, and the checks of what covers the rules."""

from __future__ import annotations

import json
from typing import Any

import check
import pytest
from runner.ledger import Ledger
from runner.notation import Frame
from runner.scenarios import Scenario

Header = dict[str, Any]

HELLO: Header = {"op": "hello", "v": 1, "client": "c/1"}


def frame(header: Header | str, content: bytes = b"") -> Frame:
    text = header if isinstance(header, str) else json.dumps(header, separators=(",", ":"))
    return Frame(json.loads(text), content, text.encode())


def complaints(*frames: Header | str, hosted: Header | None = None, content: int = 0) -> list[str]:
    """What the books say of a client that writes these behind its hello."""
    ledger = Ledger()
    ledger.received(frame(HELLO))
    if hosted is not None:
        ledger.sent(hosted, b"")
    for each in frames:
        ledger.received(frame(each, b"x" * content))
    return ledger.complaints


CALL: Header = {"op": "call", "id": 1, "to": "a"}
EXCHANGE: Header = {**CALL, "input": True}
DELEGATED: Header = {**CALL, "parent": 2, "window": 0}
SPLICE: Header = {"op": "splice", "id": 2, "call": 1}
HOSTED: Header = {"op": "call", "id": 2, "to": "a", "window": 1000}


def test_a_client_that_keeps_the_rules_is_left_alone() -> None:
    assert complaints(EXCHANGE, {"op": "data", "id": 1}, {"op": "data", "id": 1, "end": True}) == []
    replies = [{"op": "data", "id": 2}, {"op": "data", "id": 2, "end": True}]
    assert complaints(*replies, hosted=HOSTED, content=500) == []


@pytest.mark.parametrize(
    ("clause", "frames"),
    [
        ("IDS-2", [{**CALL, "id": 2}]),
        ("IDS-3", [{**CALL, "id": 3}, {**CALL, "id": 3}]),
        ("IDS-7", [{"op": "cancel", "id": 9}]),
        ("HDR", [{**CALL, "window": 1.5}]),
        ("HDR", ['{"op":"call","id":1,"to":"a","ext":{"k":null}}']),
        ("HDR-15", [{"op": "welcome", "v": 1}]),
        ("HDR-15", [HELLO]),
        ("DAT-9", [CALL, {"op": "data", "id": 1}]),
        ("DAT-9", [EXCHANGE, {"op": "data", "id": 1, "end": True}, {"op": "data", "id": 1}]),
        ("CRD-4", [CALL, {"op": "credit", "id": 1, "bytes": 1}]),
        ("PAR-1", [{**CALL, "parent": 8}]),
        ("ERR-5", [{"op": "error", "id": 2, "code": "internal", "message": "x" * 5000}]),
        ("CAL-14", [{"op": "data", "id": 2, "end": True}, {"op": "error", "id": 2, "code": "a"}]),
        ("SPL-1", [CALL, {"op": "splice", "id": 2, "call": 1}]),
        ("SPL-1", [DELEGATED, {"op": "credit", "id": 1, "bytes": 9}, SPLICE]),
        ("SPL-1", [DELEGATED, SPLICE, SPLICE]),
        ("SPL-2", [DELEGATED, SPLICE, {"op": "credit", "id": 1, "bytes": 9}]),
        ("SPL-7", [DELEGATED, {**SPLICE, "end": True, "unordered": True}]),
        ("SPL-7", [{"op": "data", "id": 2, "part": True, "unordered": True}]),
        ("SPL-9", [DELEGATED, {"op": "data", "id": 2, "part": True}, SPLICE]),
        ("CAL-14", [DELEGATED, {**SPLICE, "end": True}, {"op": "data", "id": 2}]),
        ("IDS-7", [{"op": "splice", "id": 2, "call": 9}]),
    ],
)
def test_a_broken_rule_is_named(clause: str, frames: list[Header | str]) -> None:
    found = complaints(*frames, hosted=HOSTED)
    assert [each.partition(":")[0] for each in found] == [clause]


def test_a_signal_is_answered_once() -> None:
    signal: Header = {"op": "signal", "id": 4, "call": 2, "name": "interrupt"}
    ok: Header = {"op": "ok", "id": 4}
    assert complaints(ok, hosted=signal) == []
    found = complaints({"op": "error", "id": 4, "code": "aborted"}, ok, hosted=signal)
    assert [each.partition(":")[0] for each in found] == ["SIG-9"]


def test_windows_are_kept() -> None:
    replies = [{"op": "data", "id": 2}] * 3
    assert complaints(*replies[:2], hosted=HOSTED, content=600) == []
    found = complaints(*replies, hosted=HOSTED, content=600)
    assert [each.partition(":")[0] for each in found] == ["CRD-3"]


def test_content_is_bounded_by_the_welcome() -> None:
    ledger = Ledger()
    ledger.received(frame(HELLO))
    ledger.max_content = 10
    ledger.received(frame(CALL, b"x" * 11))
    assert ledger.complaints[0].startswith("FRM-3")


def covered(*names: str, side: str = "client") -> check.Covered:
    return check.covered({side: [Scenario(name, ["ABC-1"], {}) for name in names]})


def test_a_rule_without_a_scenario_is_a_problem() -> None:
    binding = {"ABC-1": {"binds": ["client"]}}
    assert check.check_requirements(binding, covered("a/b"), ["ABC-1"]) == []
    assert check.check_requirements(binding, covered("a/b", side="sidecar"), ["ABC-1"]) == [
        "ABC-1 binds the client and has no scenario for it"
    ]


def test_a_rule_that_is_not_classified_is_a_problem() -> None:
    both = ["ABC-1", "ABC-2"]
    binding: check.Requirements = {"ABC-1": {"binds": ["client"]}}
    assert check.check_requirements(binding, covered("a/b"), both) == ["ABC-2 is not classified"]
    silent: check.Requirements = {**binding, "ABC-2": {"binds": []}}
    assert check.check_requirements(silent, covered("a/b"), both) == [
        "ABC-2 binds nobody, and nothing says why"
    ]


def test_an_unknown_rule_is_a_problem() -> None:
    problems = check.check_requirements({}, covered("a/b"), [])
    assert problems == ["a/b names ABC-1, which SPEC.md does not have"]
