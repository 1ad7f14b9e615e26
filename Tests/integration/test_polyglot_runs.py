"""Runs between all languages: read by many, early and late, and over connections that are cut."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from coagent_client import NotFoundError
from cutting_proxy import CuttingProxy
from fleet import LANGUAGES, PAIR_IDS, PAIRS, Fields, Fleet, Peer, Reply, fresh, refusal, until

COUNT = 400
CHUNK_BYTES = 4_096
CUT_AFTER = (0, 3, 150, 151, COUNT - 1)
"""Behind how many messages the connection is cut; more than a window lies between some."""


@pytest.fixture(params=PAIRS, ids=PAIR_IDS)
def pair(request: pytest.FixtureRequest, fleet: Fleet) -> tuple[Peer, Peer]:
    """Who reads, and who hosts."""
    reader, host = request.param
    return fleet[reader], fleet[host]


@pytest.fixture
def proxy(fleet: Fleet, folder: Path) -> Iterator[CuttingProxy]:
    with CuttingProxy(folder / "cut.sock", fleet.daemon.socket) as cutting:
        yield cutting


@contextmanager
def through(proxy: CuttingProxy, peer: Peer) -> Iterator[str]:
    """The name of a client of this peer that connects through the proxy."""
    name = fresh("cut")
    peer.run("connect", **{"as": name}, url=proxy.url)
    yield name
    peer.run("close", client=name)


@contextmanager
def hosting(host: Peer, **options: object) -> Iterator[str]:
    """The name of a scripted agent, while it is hosted."""
    name = fresh("run-of")
    registration = host.register(name, "scripted", **options)
    yield name
    host.unregister(registration)


def chunk(number: int) -> bytes:
    return number.to_bytes(8, "big") + bytes(CHUNK_BYTES - 8)


def say(host: Peer, called: Fields, *words: str) -> None:
    for word in words:
        host.reply(called, {"text": word}).result()


def test_scenario_12_three_readers_one_late_read_the_same(
    fleet: Fleet, pair: tuple[Peer, Peer]
) -> None:
    opener, host = pair
    early = fleet.after(opener)
    late = fleet.after(early)
    run = fresh("run")
    with hosting(host) as name:
        first = opener.stream(name, {"text": "x"}, run=run)
        called = host.called(name)
        second = early.attach(run)
        say(host, called, "one", "two")
        for reply in (first, second):
            assert [message["text"] for message in reply.take(2)] == ["one", "two"]
        host.run("fail_at", call=called["call"], code="aborted", reason="torn")
        until(lambda: described(fleet, run)["frames"] == 3, "the error is in the run")
        tail = late.attach(run, tail=True)
        until(lambda: described(fleet, run)["readers"] == 3, "three read the run")
        say(host, called, "three")
        host.answer(called, body={"json": 4, "type": "Last"})
        for reply in (first, second):
            torn, three, last = reply.rest()["messages"]
            assert torn["failed"] == {"code": "aborted", "reason": "torn"}
            assert (three["text"], last["json"], last["type"]) == ("three", 4, "Last")
        assert [message.get("text") for message in tail.rest()["messages"]] == ["three", None]
        # It has ended, and is read again, whole and in part.
        again = late.attach(run).rest()["messages"]
        assert [message.get("text") for message in again] == ["one", "two", None, "three", None]
        assert late.attach(run, **{"from": 3}).rest()["count"] == 2


def described(fleet: Fleet, run: str) -> Fields:
    """What the sidecar says of a run, which it may not have heard of yet."""
    try:
        return fleet.ask_agent("runs", "RunDescribe", {"run": run})
    except NotFoundError:
        return {"frames": 0, "readers": 0}


def test_nothing_is_lost_or_doubled_over_cut_connections(
    fleet: Fleet, pair: tuple[Peer, Peer], proxy: CuttingProxy
) -> None:
    reader, host = pair
    body = {"json": {"count": COUNT, "bytes": CHUNK_BYTES}}
    with through(proxy, reader) as client:
        run = fresh("run")
        reply = reader.stream(host.named("generate"), body, run=run, client=client, window=65_536)
        until(lambda: described(fleet, run)["frames"] > 0, "the run has begun")
        for number in range(COUNT):
            if number in CUT_AFTER:
                until(lambda: proxy.cut() == 1, "it was connected, and is cut")
            message = reply.next()["message"]
            assert message["sha256"] == hashlib.sha256(chunk(number)).hexdigest()
        proxy.cut()
        assert reply.next() == {"end": True}
    assert host.event("generated")["count"] == COUNT


def test_a_message_that_was_cut_comes_whole(
    fleet: Fleet, pair: tuple[Peer, Peer], proxy: CuttingProxy
) -> None:
    reader, host = pair
    run = fresh("run")
    with hosting(host) as name, through(proxy, reader) as client:
        reply = reader.stream(name, {"text": "x"}, run=run, client=client)
        called = host.called(name)
        piece = reply.begin("next")
        host.reply(called, {"text": "Drip"}, part=True).result()
        until(lambda: described(fleet, run)["frames"] == 1, "the first part is in the run")
        proxy.cut()
        host.reply(called, {"text": "drop"}, part=True).result()
        host.answer(called)
        assert piece.result()["message"]["text"] == "Dripdrop"
        assert reply.next() == {"end": True}


def test_a_call_of_one_value_survives_a_cut(
    pair: tuple[Peer, Peer], proxy: CuttingProxy
) -> None:
    reader, host = pair
    with hosting(host) as name, through(proxy, reader) as client:
        call = reader.call(name, {"text": "x"}, run=fresh("run"), client=client)
        called = host.called(name)
        proxy.cut()
        say(host, called, "one, ")
        host.answer(called, body={"text": "two"})
        assert call.result()["value"]["text"] == "one, two"


def test_a_detached_run_outlives_who_opened_it(fleet: Fleet, pair: tuple[Peer, Peer]) -> None:
    reader, host = pair
    opener = fleet.another(reader.language)
    run = fresh("run")
    with hosting(host) as name:
        opener.stream(name, {"text": "x"}, run=run, detach=True)
        called = host.called(name)
        say(host, called, "one")
        opener.kill()
        until(lambda: described(fleet, run)["readers"] == 0, "nobody reads the run")
        reply = reader.attach(run)
        say(host, called, "two")
        host.answer(called)
        assert reply.texts() == ["one", "two"]


def test_a_repeated_run_is_not_run_again(fleet: Fleet, pair: tuple[Peer, Peer]) -> None:
    opener, host = pair
    run = fresh("run")
    with hosting(host) as name:
        calls = [peer.call(name, {"text": "same"}, run=run) for peer in (opener, opener)]
        called = host.called(name)
        host.answer(called, body={"text": "once"})
        assert [call.result()["value"]["text"] for call in calls] == ["once"] * 2
        # Whatever language says it again: what it reads is kept.
        for peer in fleet:
            again = peer.call(name, {"text": "same"}, run=run).result()
            assert again["value"]["text"] == "once"
        other = refusal(opener.call(name, {"text": "different"}, run=run))
        assert (other.code, other.reason) == ("already_exists", "run_differs")
        assert [event for event in host.driver.events() if event["event"] == "called"] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_run_is_interrupted_and_cancelled_by_its_name(fleet: Fleet, language: str) -> None:
    other = fleet[language]
    opener = fleet.after(other)
    host = fleet.after(opener)
    with hosting(host, interrupts="go_on") as name:
        run = fresh("run")
        reply = opener.stream(name, {"text": "x"}, run=run)
        called = host.called(name)
        other.signal("interrupt", run=run, body={"text": "be brief"}).result()
        told = host.event("interrupted", call=called["call"])
        assert told["message"]["text"] == "be brief"
        host.answer(called, body={"text": "in short"})
        assert reply.texts() == ["in short"]
        ended = refusal(other.signal("interrupt", run=run))
        assert (ended.code, ended.reason) == ("failed_precondition", "not_running")
        run = fresh("run")
        reply = opener.stream(name, {"text": "x"}, run=run)
        called = host.called(name)
        beside = other.attach(run)
        other.signal("cancel", run=run).result()
        host.event("cancelled", call=called["call"])
        for each in (reply, beside):
            assert refusal(each.begin("next")).code == "cancelled"


@pytest.mark.parametrize("language", LANGUAGES)
def test_runs_are_listed_in_every_language(fleet: Fleet, language: str) -> None:
    host = fleet[language]
    with hosting(host) as name:
        ended, running = fresh("run"), fresh("run")
        done = host.stream(name, {"text": "x"}, run=ended)
        host.answer(host.called(name), body={"text": "done"})
        assert done.texts() == ["done"]
        reply: Reply = host.stream(name, {"text": "x"}, run=running)
        say(host, host.called(name), "one", "two")
        until(lambda: described(fleet, running)["frames"] == 2, "two frames are in the run")
        for reader in fleet:
            told = {each["run"]: each for each in reader.run("runs", client="calling")["runs"]}
            assert {told[run]["to"] for run in (ended, running)} == {name}
            assert told[ended]["state"] == "ended" and told[ended]["frames"] >= 1
            assert (told[running]["state"], told[running]["frames"]) == ("running", 2)
        reply.leave()
