"""The runner finds what is wrong: scenarios that must fail are shown to fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from runner import LANGUAGES, Driver, suite, vectors
from runner.client_player import ClientPlayer
from runner.conversation import Conversation
from runner.driver import DriverFault
from runner.notation import BadScenario, Failure
from runner.scenarios import Scenario

Step = dict[str, Any]

CALL: Step = {"driver": {"do": "call", "client": "c", "to": "a"}, "n": 1}
GETS_CALL: Step = {"gets": {"op": "call", "id": "$x", "to": "a", "timeout_ms": "*"}}


@pytest.fixture(scope="module")
def driver() -> Iterator[Driver]:
    with Driver("python") as running:
        yield running


def scenario(*steps: Step, **head: Any) -> Scenario:
    return Scenario("self/test", [], head, list(enumerate(steps, 2)))


def play(driver: Driver, *steps: Step) -> None:
    ClientPlayer(scenario(*steps), driver).play()


def answered(result: Step) -> list[Step]:
    """A call that is answered with 1, and what the scenario says came of it."""
    answer = {"sends": {"op": "data", "id": "$x", "end": True}, "content": "1"}
    return [CALL, GETS_CALL, answer, {"result": 1, **result}]


def test_what_is_right_passes(driver: Driver) -> None:
    play(driver, *answered({"ok": {"value": {"json": 1}}}))


@pytest.mark.parametrize(
    "result",
    [{"ok": {"value": {"json": 2}}}, {"ok": {"value": {"text": "1"}}}, {"error": {}}],
    ids=["another value", "another kind", "an error"],
)
def test_a_result_that_is_not_what_it_should_be_is_reported(result: Step) -> None:
    with Driver("python") as driver, pytest.raises(Failure, match="line 5"):
        play(driver, *answered(result))


@pytest.mark.parametrize(
    "wanted",
    [
        {"gets": {"op": "call", "id": "$x", "to": "b", "timeout_ms": "*"}},
        {"gets": {"op": "call", "id": "$x", "to": "a"}},
        {"gets": {"op": "call", "id": "$x", "to": "a", "timeout_ms": "*", "trace": "t"}},
        {**GETS_CALL, "content": "1"},
        {"gets_nothing": True},
        {"closed": True},
    ],
    ids=["another value", "a field besides", "a field missing", "content", "nothing", "an end"],
)
def test_a_frame_that_is_not_what_it_should_be_is_reported(wanted: Step) -> None:
    with Driver("python") as driver, pytest.raises(Failure, match="line 3"):
        play(driver, CALL, wanted)


def test_an_error_is_compared_by_code_and_reason(driver: Driver) -> None:
    error = {"sends": {"op": "error", "id": "$x", "code": "aborted", "reason": "r", "message": "m"}}
    play(driver, CALL, GETS_CALL, error, {"result": 1, "error": {"code": "aborted", "reason": "r"}})
    with Driver("python") as another, pytest.raises(Failure, match="reason"):
        wrong = {"result": 1, "error": {"code": "aborted", "reason": "other"}}
        play(another, CALL, GETS_CALL, error, wrong)


def test_an_unknown_step_is_an_error(driver: Driver) -> None:
    with pytest.raises(BadScenario, match="unknown step"):
        play(driver, {"whistles": True})
    with pytest.raises(BadScenario, match="unknown step"):
        Conversation(scenario({"peer": "A", "whistles": True})).play()


def test_a_name_without_a_value_is_an_error(driver: Driver) -> None:
    with pytest.raises(BadScenario, match="no value"):
        play(driver, {"sends": {"op": "data", "id": "$nobody"}})


def test_an_unknown_command_is_a_failure() -> None:
    with Driver("python") as driver, pytest.raises(Failure, match="not supported"):
        play(driver, {"driver": {"do": "whistle"}})


def test_a_conversation_that_goes_otherwise_is_reported() -> None:
    ping = {"peer": "A", "sends": {"op": "ping"}}
    Conversation(scenario(ping, {"peer": "A", "gets": {"op": "pong"}})).play()
    with pytest.raises(Failure, match="line 3"):
        Conversation(scenario(ping, {"peer": "A", "gets_nothing": True})).play()
    with pytest.raises(Failure, match="line 3"):
        Conversation(scenario(ping, {"peer": "A", "gets": {"op": "welcome"}})).play()


def test_a_limit_that_cannot_be_configured_is_an_error() -> None:
    with pytest.raises(BadScenario, match="cannot be configured"):
        Conversation(scenario(config={"name_bytes_max": 3})).play()


def test_a_driver_that_is_missing_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LANGUAGES, "go", lambda: ["/nowhere/driver"])
    with pytest.raises(DriverFault, match="cannot be started"):
        Driver("go")
    outcome = suite.outcome(suite.DriverOf("go"), scenario())
    assert "cannot be started" in outcome.why


def test_a_decoder_that_takes_what_it_should_not_is_reported() -> None:
    class Careless:
        def run(self, do: str, **fields: Any) -> Step:
            return {"frames": [], "rest": 0}

    refused = {"hex": "0000000100000000" + "7b", "name": "x", "clause": "FRM-2"}
    with pytest.raises(Failure, match="header_length"):
        vectors.play(refused, Careless())  # type: ignore[arg-type]
    taken = {"hex": "0000000d00000000" + b'{"op":"ping"}'.hex(), "name": "x", "clause": "FRM-1"}
    with pytest.raises(Failure, match="0 frames"):
        vectors.play(taken, Careless())  # type: ignore[arg-type]


def test_a_known_failure_must_still_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "known_failures", lambda: {"self/test": {"python": "because"}})
    player = suite.DriverOf("python")
    passes = suite.outcome(player, scenario(*answered({"ok": {"value": {"json": 1}}})))
    assert "listed as a known failure: because" in passes.why
    fails = suite.outcome(player, scenario(*answered({"ok": {"value": {"json": 2}}})))
    assert fails.why == ""
    player.end()


def test_scenarios_are_json_lines(tmp_path: Any) -> None:
    from runner.scenarios import read

    path = tmp_path / "some.jsonl"
    path.write_text(json.dumps({"gets": {}}) + "\n")
    with pytest.raises(BadScenario, match="before any scenario"):
        read(path)
    path.write_text('{"name":"a/b","clauses":[]}\n{no\n')
    with pytest.raises(BadScenario, match="some.jsonl:2"):
        read(path)
