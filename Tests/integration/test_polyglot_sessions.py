"""A thousand conversations at once, spread over four languages, each in its order."""

from __future__ import annotations

import itertools
from collections import Counter

from fleet import LANGUAGES, Fleet, fresh, value
from processes import BOUND_S

SESSIONS = 1000
MESSAGES = 10


def test_a_thousand_sessions_spread_over_all_and_keep_their_order(fleet: Fleet) -> None:
    name = fresh("thousand")
    registrations = {peer.language: peer.register(name, "recorder") for peer in fleet}
    sessions = list(zip((f"{name}:{n}" for n in range(SESSIONS)), itertools.cycle(fleet)))
    # One by one they begin: where nobody has work, who has the fewest sessions takes the next.
    for number, (address, caller) in enumerate(sessions):
        caller.call(address, {"json": [number, 0], "type": "add"}).result()
    spread = Counter(session["connection"] for session in fleet.sessions(name))
    assert spread == {f"{language}-hosting": SESSIONS // len(LANGUAGES) for language in LANGUAGES}
    # Message by message over all sessions, so that all are at work at the same time. The last of
    # each is a call: when it is answered, all before it were handled.
    for turn in range(1, MESSAGES - 1):
        for number, (address, caller) in enumerate(sessions):
            caller.send(address, {"json": [number, turn], "type": "add"}, ack=False)
    last = [
        caller.call(address, {"json": [number, MESSAGES - 1], "type": "add"})
        for number, (address, caller) in enumerate(sessions)
    ]
    for call in last:
        call.result(BOUND_S)
    # Another language than the one that spoke looks at what became of it.
    shows = [
        fleet.after(caller).call(address, {"json": None, "type": "show"})
        for address, caller in sessions
    ]
    for number, show in enumerate(shows):
        items = [[number, turn] for turn in range(MESSAGES)]
        assert value(show.result(BOUND_S)) == {"items": items, "most_running": 1}
    for language, registration in registrations.items():
        fleet[language].unregister(registration)


def test_scenario_07_first_messages_from_everywhere_make_one_instance(fleet: Fleet) -> None:
    name = fresh("meeting")
    registrations = {peer.language: peer.register(name, "recorder") for peer in fleet}
    address = f"{name}:all"
    # None waits for another: each language has written all its messages before one is answered.
    calls = [
        peer.call(address, {"json": [peer.language, turn], "type": "add"})
        for turn in range(25)
        for peer in fleet
    ]
    for call in calls:
        call.result(BOUND_S)
    [session] = fleet.sessions(name)
    assert session["address"] == address
    shown = fleet.ask_agent(address, "show")
    assert shown["most_running"] == 1
    assert len(shown["items"]) == len(calls)
    for language in LANGUAGES:
        assert [turn for who, turn in shown["items"] if who == language] == list(range(25))
    for language, registration in registrations.items():
        fleet[language].unregister(registration)
