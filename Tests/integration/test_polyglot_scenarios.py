"""More of the acceptance scenarios, by their number, between all languages."""

from __future__ import annotations

import pytest
from fleet import LANGUAGES, PAIR_IDS, PAIRS, Fleet, Peer, fresh, refusal, value

IDLE_MS = 100


@pytest.fixture(params=PAIRS, ids=PAIR_IDS)
def pair(request: pytest.FixtureRequest, fleet: Fleet) -> tuple[Peer, Peer]:
    """Who calls, and who has the agent."""
    caller, host = request.param
    return fleet[caller], fleet[host]


@pytest.mark.parametrize("caller", LANGUAGES)
def test_scenario_02_an_unknown_agent_or_type_is_refused_at_once(
    fleet: Fleet, caller: str
) -> None:
    for address in (fresh("nobody"), f"{fresh('nobody')}:session"):
        failed = refusal(fleet[caller].call(address, {"text": "x"}))
        assert (failed.code, failed.reason) == ("not_found", "unknown_agent")
    for host in fleet:
        asked = fleet[caller].call(host.named("recorder"), {"json": 1, "type": "sing"})
        failed = refusal(asked)
        assert (failed.code, failed.reason) == ("unimplemented", "unhandled_type")
        # What is no address does not even leave.
        failed = refusal(fleet[caller].call("no body", {"text": "x"}))
        assert (failed.code, failed.reason) == ("invalid_argument", "bad_address")


def test_scenario_06_one_of_two_calls_of_a_session_is_cancelled(
    fleet: Fleet, pair: tuple[Peer, Peer]
) -> None:
    caller, host = pair
    name = fresh("two")
    registration = host.register(name, "scripted", session_concurrency=2)
    address = f"{name}:s"
    # Side by side: the one is cancelled and the other answers.
    first = caller.call(address, {"text": "first"})
    began = host.called(address)
    second = caller.call(address, {"text": "second"})
    beside = host.called(address)
    caller.cancel(first)
    host.event("cancelled", call=began["call"])
    host.answer(beside, body={"text": "answered"})
    assert refusal(first).code == "cancelled"
    assert value(second.result()) == "answered"
    # One behind the other: who waits and is cancelled is never begun.
    running = [caller.call(address, {"text": "running"}) for _ in range(2)]
    held = [host.called(address) for _ in running]
    waiting = caller.call(address, {"text": "waiting"})
    after = caller.call(address, {"text": "after"})
    fleet.await_waiting(address, 2)
    caller.cancel(waiting)
    assert refusal(waiting).code == "cancelled"
    # Its caller knows at once; the sidecar, when it has read so.
    fleet.await_waiting(address, 1)
    for called in held:
        host.answer(called, body={"text": "ran"})
    assert [value(call.result()) for call in running] == ["ran", "ran"]
    last = host.called(address)
    assert last["message"]["text"] == "after"
    host.answer(last, body={"text": "ran as well"})
    assert value(after.result()) == "ran as well"
    host.unregister(registration)


@pytest.mark.parametrize("language", LANGUAGES)
def test_scenario_17_a_session_is_not_closed_under_a_running_handler(
    fleet: Fleet, language: str
) -> None:
    host = fleet[language]
    caller = fleet.after(host)
    name = fresh("idle")
    registration = host.register(name, "sessions", idle_ms=IDLE_MS)
    address = f"{name}:s"
    call = caller.call(address, {"text": "long"})
    instance = host.event("opened", address=address)["instance"]
    called = host.called(address)
    # A deadline is the clock: several times `idle_ms` pass while the handler runs.
    clock = caller.call(host.named("hang"), {"text": "x"}, timeout_ms=4 * IDLE_MS)
    assert refusal(clock).code == "deadline_exceeded"
    host.answer(called, body={"text": "done"})
    assert value(call.result()) == "done"
    # Only now it is idle, and is closed; the next message makes another.
    assert host.event("closed", instance=instance)["reason"] == "idle"
    again = caller.call(address, {"text": "again"})
    other = host.called(address)
    assert other["new"] and other["instance"] != instance
    host.answer(other, body={"text": "anew"})
    assert value(again.result()) == "anew"
    host.unregister(registration)


@pytest.mark.parametrize("language", LANGUAGES)
def test_scenario_18_a_host_that_was_killed_comes_again(fleet: Fleet, language: str) -> None:
    name = fresh("again")
    lost = fleet.another(language)
    lost.register(name, "recorder")
    address = f"{name}:s"
    for caller in fleet:
        caller.call(address, {"json": caller.language, "type": "add"}).result()
    shown = fleet.ask_agent(address, "show")
    assert shown["items"] == list(LANGUAGES)
    lost.kill()
    back = fleet.another(language)
    back.register(name, "recorder")
    # It is another process: what the session had is gone, and said to be.
    for number, caller in enumerate(fleet, 1):
        caller.call(address, {"json": number, "type": "add"}).result()
    assert fleet.ask_agent(address, "show")["items"] == list(range(1, len(LANGUAGES) + 1))
    assert back.driver.end() == 0
