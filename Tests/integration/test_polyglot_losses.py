"""Processes that are killed in the middle of calls: hosts and callers of every language."""

from __future__ import annotations

import pytest
from fleet import LANGUAGES, Fleet, Peer, Reply, fresh, refusal, value
from runner import Pending


class Doomed:
    """An agent in a process that will be killed, with calls of all kinds from every language."""

    def __init__(self, fleet: Fleet, language: str) -> None:
        self.fleet = fleet
        self.name = fresh("doomed")
        self.host = fleet.another(language)
        self.host.register(self.name, "scripted")
        self.running: list[Pending] = []
        self.waiting: dict[str, Pending] = {}

    def call_from(self, caller: Peer) -> None:
        session = f"{self.name}:{caller.language}"
        for address in (self.name, session):
            self.running.append(caller.call(address, {"text": "running"}))
            self.host.called(address)
        # A stream that is read half way.
        stream = caller.stream(self.name, {"text": "stream"})
        called = self.host.called(self.name)
        self.host.run("reply", call=called["call"], body={"text": "half"})
        assert stream.next()["message"]["text"] == "half"
        self.running.append(stream.begin("next"))
        # A send and a call that wait behind what runs in the session.
        caller.send(session, {"text": "waiting send"}).result()
        self.waiting[session] = caller.call(session, {"text": "waiting call"})
        self.fleet.await_waiting(session, 2)


@pytest.mark.parametrize("language", LANGUAGES)
def test_scenario_03_a_killed_host_is_missed_at_once_and_replaced(
    fleet: Fleet, language: str
) -> None:
    doomed = Doomed(fleet, language)
    for caller in fleet:
        doomed.call_from(caller)
    assert len(fleet.sessions(doomed.name)) == len(LANGUAGES)
    # Somebody of another language is there to go on.
    other = fleet.after(doomed.host)
    registration = other.register(doomed.name, "scripted")
    doomed.host.kill()
    for call in doomed.running:
        failed = refusal(call)
        assert (failed.code, failed.reason) == ("unavailable", "host_lost")
        assert not failed.error.get("retry")
    # What waited is not lost, and it is a new session that takes it.
    for session, call in doomed.waiting.items():
        send = other.called(session)
        assert send["new"] and send["oneway"]
        assert send["message"]["text"] == "waiting send"
        other.answer(send)
        called = other.called(session)
        assert not called.get("new") and called["message"]["text"] == "waiting call"
        other.answer(called, body={"text": "from another"})
        assert value(call.result()) == "from another"
    other.unregister(registration)
    # Nobody is left: each client asks again some times, since no agent has seen it, and gives up.
    for call in [caller.call(doomed.name, {"text": "gone"}) for caller in fleet]:
        failed = refusal(call)
        assert (failed.code, failed.reason) == ("unavailable", "no_replica")
    assert fleet.sessions(doomed.name) == []


class Orphans:
    """What a caller that will be killed has under way at one host."""

    def __init__(self, fleet: Fleet, caller: Peer, host: Peer) -> None:
        self.fleet = fleet
        self.host = host
        self.session = host.named("scripted", fresh("orphan"))
        self.below = host.named("hang", fresh("orphan"))
        caller.call(self.session, {"text": "running"})
        self.called = host.called(self.session)
        caller.call(self.session, {"text": "waiting"})
        fleet.await_waiting(self.session, 1)
        self.stream: Reply = caller.stream(
            host.named("generate"), {"json": {"count": 9999, "bytes": 9999}}
        )
        self.stream.take(3)
        caller.stream(host.named("relay"), {"json": {"path": [self.below], "text": "x"}})
        host.event("begun", address=self.below)

    def expect_the_end(self) -> None:
        self.host.event("cancelled", call=self.called["call"])
        assert self.host.event("generated")["count"] < 9999
        self.host.event("ended", address=self.below)
        # The session is free, and what comes next in it is not what waited for the lost caller.
        call = self.fleet.after(self.host).call(self.session, {"text": "next"})
        called = self.host.called(self.session)
        assert called["message"]["text"] == "next"
        self.host.answer(called, body={"text": "answered"})
        assert value(call.result()) == "answered"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_killed_caller_is_noticed_by_hosts_of_every_language(
    fleet: Fleet, language: str
) -> None:
    caller = fleet.another(language)
    orphans = [Orphans(fleet, caller, host) for host in fleet]
    caller.kill()
    for each in orphans:
        each.expect_the_end()


@pytest.mark.parametrize("silent", LANGUAGES)
def test_scenario_10_a_branch_that_stays_silent_takes_nothing_from_the_others(
    fleet: Fleet, silent: str
) -> None:
    """A caller asks all at once, and one never answers: the others' answers are there."""
    caller = fleet.after(fleet[silent])
    mute = caller.call(fleet[silent].named("hang"), {"text": "x"}, timeout_ms=300)
    others = [caller.call(host.named("echo"), {"text": host.language}) for host in fleet]
    assert [value(call.result()) for call in others] == list(LANGUAGES)
    failed = refusal(mute)
    assert (failed.code, failed.reason) == ("deadline_exceeded", "deadline")
    fleet[silent].event("ended", address=fleet[silent].named("hang"))
    again = [caller.call(host.named("echo"), {"text": host.language}) for host in fleet]
    assert [value(call.result()) for call in again] == list(LANGUAGES)
