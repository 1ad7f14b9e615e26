"""Scenario 18: the daemon goes and comes again under load, and all four languages with it."""

from __future__ import annotations

import queue
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import TRANSPORTS
from fleet import CANNED, PAIRS, Fields, Fleet, Peer, arrived, fresh, refusal, until, value
from processes import BOUND_S, Daemon
from runner import Failed, Pending

# How calls may fail while there is no daemon, or one that nobody has registered with again.
LOSSES = {
    "unavailable/connection_lost",
    "unavailable/host_lost",
    "unavailable/no_replica",
    "unavailable/draining",
    "unavailable/shutdown",
    "not_found/unknown_agent",
}
# Swift's driver opens its streams with `open`, which leaves it to its caller to call again.
UNREPEATED = {"unavailable/draining", "unavailable/no_replica", "not_found/unknown_agent"}
ANSWERED = "answered"


class Load(threading.Thread):
    """Calls of one language to another, one after the other, and what became of each."""

    def __init__(self, caller: Peer, host: Peer) -> None:
        super().__init__(daemon=True)
        self.pair = (caller, host)
        self.outcomes: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.counts: Counter[str] = Counter()
        self.is_over = threading.Event()

    def run(self) -> None:
        turns = (self.unary, self.streamed, self.sent)
        number = 0
        while not self.is_over.is_set():
            self.outcomes.put(self.outcome_of(number, turns[number % len(turns)]))
            number += 1

    def outcome_of(self, number: int, turn: object) -> str:
        try:
            turn(number)  # type: ignore[operator]
        except Failed as failed:
            return f"{failed.code}/{failed.reason}"
        except AssertionError as fault:
            return str(fault)
        return ANSWERED

    def unary(self, number: int) -> None:
        caller, host = self.pair
        body = {"text": f"number {number}"}
        assert caller.call(host.named("echo"), body).result(BOUND_S)["value"] == arrived(body)

    def streamed(self, number: int) -> None:
        caller, host = self.pair
        reply = caller.stream(host.named("generate"), {"json": {"count": 9, "bytes": 999}})
        assert reply.rest()["count"] == 9

    def sent(self, number: int) -> None:
        caller, host = self.pair
        body = {"json": number, "type": "add"}
        caller.send(host.named("recorder", "load"), body).result(BOUND_S)

    def expect(self, answers: int) -> None:
        """So many more were answered."""
        while answers > 0:
            outcome = self.outcomes.get(timeout=BOUND_S)
            self.counts[outcome] += 1
            answers -= outcome == ANSWERED

    def pass_over(self) -> None:
        """What became of the calls until now."""
        while not self.outcomes.empty():
            self.counts[self.outcomes.get()] += 1

    def end(self, losses: set[str]) -> None:
        """Nothing hung, and whatever failed did so with one of these."""
        self.is_over.set()
        self.join(BOUND_S)
        assert not self.is_alive(), f"a call hangs: {self.pair[0].driver.fault('under load')}"
        self.pass_over()
        if self.pair[0].language == "swift":
            losses = losses | UNREPEATED
        assert set(self.counts) <= losses | {ANSWERED}, (self.pair[0].language, self.counts)


class Restarted:
    """A fleet under load at a daemon that is started again."""

    def __init__(self, folder: Path, transport: str) -> None:
        self.folder = folder
        self.transport = transport
        self.daemon = Daemon(folder)
        self.fleet = Fleet(self.daemon, transport)
        self.loads: list[Load] = []

    def start(self) -> None:
        self.fleet.start()
        self.loads = [Load(self.fleet[caller], self.fleet[host]) for caller, host in PAIRS]
        for load in self.loads:
            load.start()
        self.expect_answers()

    def start_again(self) -> None:
        """Another daemon in the place of the one that is gone."""
        self.daemon.end()
        for load in self.loads:
            load.pass_over()
        self.daemon = self.fleet.daemon = Daemon(self.folder, tcp_url=self.daemon.tcp_url)

    def expect_answers(self) -> None:
        for load in self.loads:
            load.expect(6)

    def pairs(self) -> Iterator[tuple[Peer, Peer]]:
        for caller, host in PAIRS:
            yield self.fleet[caller], self.fleet[host]

    def expect_all_as_before(self) -> None:
        """Everybody is known again, to everybody, and answers."""
        for peer in self.fleet:
            expected = {host.named(agent) for host in self.fleet for agent in CANNED}
            until(lambda: expected <= names(peer), f"{peer.language} sees all agents")
        for caller, host in self.pairs():
            body = {"text": caller.language}
            assert value(caller.call(host.named("echo"), body).result()) == caller.language

    def end(self, losses: set[str]) -> None:
        for load in self.loads:
            load.end(losses)


def names(peer: Peer) -> set[str]:
    """Whom a peer discovers."""
    told = peer.run("discover", client="calling", recursive=True)
    return {agent["name"] for agent in told["agents"]}


@pytest.fixture(params=TRANSPORTS)
def restarted(request: pytest.FixtureRequest, folder: Path) -> Iterator[Restarted]:
    running = Restarted(folder, request.param)
    with running.fleet:
        running.start()
        yield running
    assert running.daemon.end() == 0


def test_scenario_18_killed_and_started_again(restarted: Restarted) -> None:
    session = fresh("before")
    calls = []
    for caller, host in restarted.pairs():
        address = host.named("hang", fresh("hung"))
        calls.append((caller.call(address, {"text": "x"}), host, address))
        host.event("begun", address=address)
        item: Fields = {"json": caller.language, "type": "add"}
        caller.send(host.named("recorder", session), item).result()
    restarted.daemon.kill()
    restarted.start_again()
    # What ran ends at both of its ends.
    for call, host, address in calls:
        failed = refusal(call)
        assert (failed.code, failed.reason) == ("unavailable", "connection_lost")
        host.event("ended", address=address)
    restarted.expect_answers()
    restarted.expect_all_as_before()
    # Sessions are new: none remembers what it was told.
    for caller, host in restarted.pairs():
        show = caller.call(host.named("recorder", session), {"json": None, "type": "show"})
        assert value(show.result())["items"] == []
    restarted.end(LOSSES)


def test_scenario_18_drained_and_started_again(restarted: Restarted) -> None:
    held: list[tuple[Pending, Peer, Fields]] = []
    for caller, host in restarted.pairs():
        address = host.named("scripted", fresh("held"))
        call = caller.call(address, {"text": "x"})
        held.append((call, host, host.called(address)))
    restarted.daemon.signal(signal.SIGTERM)
    while '"draining"' not in (restarted.daemon.err.next() or '"draining"'):
        pass
    # What is in flight finishes, in every language, and nothing keeps the daemon then.
    for number, (_, host, called) in enumerate(held):
        host.answer(called, body={"json": [number]})
    for number, (call, _, _) in enumerate(held):
        assert value(call.result()) == [number]
    assert restarted.daemon.wait() == 0
    restarted.start_again()
    restarted.expect_answers()
    restarted.expect_all_as_before()
    # No call has failed: what ran has finished, and what came then has waited.
    restarted.end(set())
