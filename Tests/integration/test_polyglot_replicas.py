"""One agent, hosted in four languages at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from fleet import LANGUAGES, Fleet, Peer, fresh, outcome, value
from runner import Pending

CALLS = 40


class Shared:
    """A scripted agent with a replica in each peer."""

    def __init__(self, fleet: Fleet) -> None:
        self.name = fresh("shared")
        self.fleet = fleet
        self.registrations = {
            peer.language: peer.register(self.name, "scripted") for peer in fleet
        }

    def leave(self, language: str) -> None:
        self.fleet[language].unregister(self.registrations.pop(language))

    def call(self, caller: Peer, count: int) -> list[Pending]:
        return [caller.call(self.name, {"json": number}) for number in range(count)]

    def answer(self, held: Counter[str], address: str) -> None:
        """Each peer answers what it holds with its language."""
        for language, count in held.items():
            for _ in range(count):
                called = self.fleet[language].called(address)
                self.fleet[language].answer(called, body={"text": language})

    def spread(self, caller: Peer) -> Counter[str]:
        """How calls that are all open at once are spread over the languages."""
        calls = self.call(caller, CALLS)
        held = self.fleet.await_running(self.name, CALLS)
        self.answer(held, self.name)
        assert Counter(value(call.result()) for call in calls) == held
        return held

    def converse(self, caller: Peer, session: str) -> str:
        """One call of a session; the language that has it."""
        call = caller.call(session, {"json": None})
        [holder] = held = self.fleet.await_running(session, 1)
        self.answer(held, session)
        assert value(call.result()) == holder
        return holder


@pytest.fixture
def shared(fleet: Fleet) -> Iterator[Shared]:
    agent = Shared(fleet)
    yield agent
    for language in list(agent.registrations):
        agent.leave(language)


@pytest.mark.parametrize("caller", LANGUAGES)
def test_calls_spread_over_the_replicas(fleet: Fleet, shared: Shared, caller: str) -> None:
    held = shared.spread(fleet[caller])
    # Of two taken at random, the less loaded gets the next: nobody has next to nothing.
    assert min(held[language] for language in LANGUAGES) >= CALLS // 8, held


def test_a_session_stays_where_it_is_whoever_calls(fleet: Fleet, shared: Shared) -> None:
    homes = Counter[str]()
    for number in range(2 * len(LANGUAGES)):
        session = f"{shared.name}:s{number}"
        [home] = {shared.converse(peer, session) for peer in fleet}
        homes[home] += 1
    # Of replicas without work, the one with the fewest sessions takes the next.
    assert homes == dict.fromkeys(LANGUAGES, 2)


@pytest.mark.parametrize("caller", LANGUAGES)
def test_when_a_replica_leaves_the_others_go_on(
    fleet: Fleet, shared: Shared, caller: str
) -> None:
    session = f"{shared.name}:moving"
    while len(shared.registrations) > 1:
        home = shared.converse(fleet[caller], session)
        assert home in shared.registrations
        shared.leave(home)
        # Its session goes with it, and the next message makes another elsewhere.
        assert set(shared.spread(fleet[caller])) == set(shared.registrations)


@pytest.mark.parametrize("language", LANGUAGES)
def test_when_a_replica_is_killed_the_others_go_on(
    fleet: Fleet, shared: Shared, language: str
) -> None:
    lost = fleet.another(language)
    lost.register(shared.name, "scripted")
    caller = fleet.after(lost)
    calls = shared.call(caller, CALLS)
    held = fleet.await_running(shared.name, CALLS)
    doomed = held.pop(lost.name)
    lost.kill()
    shared.answer(held, shared.name)
    outcomes = Counter(outcome(call) for call in calls)
    assert outcomes == {"answered": CALLS - doomed, "host_lost": doomed}
    assert set(shared.spread(caller)) == set(LANGUAGES)
