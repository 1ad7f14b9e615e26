"""Signals between all languages: they reach the right call, with what they say, and it goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from fleet import LANGUAGES, PAIR_IDS, PAIRS, Fields, Fleet, Peer, Reply, fresh, refusal, value
Hosted = Callable[..., str]


@pytest.fixture(params=PAIRS, ids=PAIR_IDS)
def pair(request: pytest.FixtureRequest, fleet: Fleet) -> tuple[Peer, Peer]:
    """Who calls and signals, and who hosts."""
    caller, host = request.param
    return fleet[caller], fleet[host]


@contextmanager
def hosting(host: Peer, agent: str = "scripted", **options: object) -> Iterator[str]:
    """The name of an agent, while it is hosted."""
    name = fresh("signalled")
    registration = host.register(name, agent, **options)
    yield name
    host.unregister(registration)


@pytest.fixture
def hosted(pair: tuple[Peer, Peer]) -> Iterator[Hosted]:
    """Hosts agents at the pair's host, for the test."""
    with ExitStack() as agents:
        yield lambda *agent, **options: agents.enter_context(hosting(pair[1], *agent, **options))


def begun(caller: Peer, host: Peer, address: str, word: str) -> tuple[Fields, Reply]:
    """A call whose first message was read: how it is called by its host, and its reply."""
    reply = caller.stream(address, {"text": word})
    called = host.called(address)
    assert called["message"]["text"] == word
    host.reply(called, {"text": f"{word} has begun"}).result()
    assert reply.take(1)[0]["text"] == f"{word} has begun"
    return called, reply


def test_scenario_14_an_interrupt_reaches_the_right_one_of_two_with_its_payload(
    pair: tuple[Peer, Peer], hosted: Hosted
) -> None:
    caller, host = pair
    name = hosted(interrupts="go_on")
    one, first = begun(caller, host, name, "one")
    two, second = begun(caller, host, name, "two")
    payload = {"why": "stop", "after": [1, None, "pages"]}
    second.interrupt({"json": payload})
    told = host.event("interrupted", call=two["call"])
    assert told["message"]["json"] == payload
    # The interrupted one finishes its reply, the other goes on as if nothing were.
    host.answer(two, body={"json": {"finish": "interrupted"}})
    assert second.rest()["messages"][0]["json"] == {"finish": "interrupted"}
    host.reply(one, {"text": "more"}).result()
    host.answer(one, body={"text": "done"})
    assert first.texts() == ["more", "done"]
    left = [event for event in host.driver.events() if event["event"] == "interrupted"]
    assert left == []


def test_who_does_nothing_about_it_ends_as_interrupted(
    pair: tuple[Peer, Peer], hosted: Hosted
) -> None:
    caller, host = pair
    called, reply = begun(caller, host, hosted(), "one")
    reply.interrupt({"text": "hör auf 🛑"})
    assert host.event("interrupted", call=called["call"])["message"]["text"] == "hör auf 🛑"
    failed = refusal(reply.begin("next"))
    assert (failed.code, failed.reason) == ("aborted", "interrupted")


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_interrupted_call_still_has_its_deadline(fleet: Fleet, language: str) -> None:
    host = fleet[language]
    caller = fleet.after(host)
    with hosting(host, interrupts="go_on") as name:
        late = caller.call(f"{name}:s", {"text": "late"}, timeout_ms=1500)
        called = host.called(f"{name}:s")
        caller.signal("interrupt", to=f"{name}:s", body={"text": "now"}).result()
        assert host.event("interrupted", call=called["call"])["message"]["text"] == "now"
        host.event("cancelled", call=called["call"])
        assert refusal(late).code == "deadline_exceeded"


def test_a_hook_is_called_beside_an_agent_that_waits_for_its_reader(
    pair: tuple[Peer, Peer], hosted: Hosted
) -> None:
    caller, host = pair
    name = hosted(interrupts="hook")
    reply = caller.stream(name, {"text": "x"}, window=1)
    called = host.called(name)
    first = host.reply(called, {"text": "one"})
    second = host.reply(called, {"text": "two"})
    for number in range(3):
        reply.interrupt({"json": number})
        assert host.event("interrupted", call=called["call"])["message"]["json"] == number
    assert [message["text"] for message in reply.take(2)] == ["one", "two"]
    first.result()
    second.result()
    host.answer(called)
    assert reply.next() == {"end": True}


def test_an_agents_own_signals_reach_its_sessions_and_its_calls(
    pair: tuple[Peer, Peer], hosted: Hosted
) -> None:
    caller, host = pair
    name = hosted("sessions", signals=True)
    instances = {}
    for session in ("ann", "bob"):
        reply = caller.stream(f"{name}:{session}", {"text": "x"})
        called = host.called(f"{name}:{session}")
        instances[session] = (called, reply)
    called, reply = instances["ann"]
    note = {"name": "steer.note", "body": {"json": {"temperature": 0.5}}}
    caller.signal("signal", to=f"{name}:ann", **note).result()
    told = host.event("signalled", name="steer.note")
    assert told["instance"] == called["instance"]
    assert told["message"]["json"] == {"temperature": 0.5}
    reply.begin("signal", client="calling", name="steer.note", body={"text": "slower"}).result()
    told = host.event("signalled", name="steer.note")
    assert (told["call"], told["message"]["text"]) == (called["call"], "slower")
    for called, reply in instances.values():
        host.answer(called, body={"text": "ok"})
        assert reply.texts() == ["ok"]


def test_what_takes_no_signals_says_so(pair: tuple[Peer, Peer], hosted: Hosted) -> None:
    caller, host = pair
    name = hosted("sessions")
    unknown = refusal(caller.signal("interrupt", to=f"{name}:nobody"))
    assert (unknown.code, unknown.reason) == ("not_found", "unknown_session")
    call = caller.call(f"{name}:s", {"text": "x"})
    called = host.called(f"{name}:s")
    failed = refusal(caller.signal("signal", to=f"{name}:s", name="steer.note"))
    assert (failed.code, failed.reason) == ("unimplemented", "unhandled_signal")
    host.answer(called, body={"text": "ok"})
    assert value(call.result()) == "ok"
    idle = refusal(caller.signal("interrupt", to=f"{name}:s"))
    assert (idle.code, idle.reason) == ("failed_precondition", "not_running")


def test_a_paused_session_keeps_its_messages_until_it_is_resumed(
    fleet: Fleet, pair: tuple[Peer, Peer], hosted: Hosted
) -> None:
    caller, host = pair
    address = f"{hosted()}:s"
    running = caller.call(address, {"text": "running"})
    called = host.called(address)
    caller.signal("pause", to=address).result()
    waiting = [caller.call(address, {"text": word}) for word in ("one", "two")]
    fleet.await_waiting(address, 2)
    # What ran goes on to its end, and nothing follows it.
    host.answer(called, body={"text": "ran"})
    assert value(running.result()) == "ran"
    described = fleet.ask("SessionDescribe", address=address)
    assert (described["state"], described["waiting"]) == ("paused", 2)
    caller.signal("resume", to=address).result()
    for word, call in zip(("one", "two"), waiting, strict=True):
        called = host.called(address)
        assert called["message"]["text"] == word
        host.answer(called, body={"text": word})
        assert value(call.result()) == word


def test_a_cancelled_session_ends_all_its_calls(
    fleet: Fleet, pair: tuple[Peer, Peer], hosted: Hosted
) -> None:
    caller, host = pair
    address = f"{hosted()}:s"
    calls = [caller.call(address, {"text": word}) for word in ("running", "waiting")]
    called = host.called(address)
    fleet.await_waiting(address, 1)
    caller.signal("cancel", to=address).result()
    host.event("cancelled", call=called["call"])
    assert [refusal(call).code for call in calls] == ["cancelled"] * 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_interrupted_agent_interrupts_nothing_below_it_but_ends_what_it_waits_for(
    fleet: Fleet, language: str
) -> None:
    front = fleet[language]
    back = fleet.after(front)
    caller = fleet.after(back)
    with hosting(front, interrupts="go_on") as name, hosting(back) as below:
        reply = caller.stream(name, {"text": "x"})
        called = front.called(name)
        under = {"client": "hosting", "to": below, "under": called["call"]}
        asking = front.driver.command("call", body={"text": "slow"}, **under)
        asked = back.called(below)
        reply.interrupt({"text": "be brief"})
        assert front.event("interrupted", call=called["call"])["message"]["text"] == "be brief"
        back.event("cancelled", call=asked["call"])
        refusal(asking)
        # It may ask again, to finish what it says.
        asking = front.driver.command("call", body={"text": "short"}, **under)
        asked = back.called(below)
        assert asked["message"]["text"] == "short"
        back.answer(asked, body={"text": "in short"})
        assert value(asking.result()) == "in short"
        front.answer(called, body={"text": "in short"})
        assert reply.texts() == ["in short"]
