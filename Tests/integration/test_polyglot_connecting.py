"""How clients of every language come and go: tokens, waiting for a daemon, leaving in order."""

from __future__ import annotations

from pathlib import Path

import pytest
from fleet import LANGUAGES, Fleet, Peer, arrived, fresh, refusal, until, value
from processes import BOUND_S, Daemon
from runner import Pending

WAIT_MS = int(BOUND_S * 1000)


def connecting(peer: Peer, url: str, token: str = "") -> Pending:
    """A connection that is tried for as long as a test may take."""
    return peer.driver.command(
        "connect", **{"as": fresh("c")}, url=url, token=token, wait_ms=WAIT_MS
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_scenario_21_who_brings_no_token_or_a_wrong_one_is_refused(
    fleet: Fleet, daemon: Daemon, language: str
) -> None:
    for token in ("", "wrong"):
        # Refused for good: it is not tried again, however long it may wait.
        failed = refusal(connecting(fleet[language], daemon.tcp_url, token))
        assert (failed.code, failed.reason) == ("unauthenticated", "bad_token")
    connecting(fleet[language], daemon.tcp_url, daemon.TOKEN).result()


def test_clients_wait_for_a_daemon_that_comes_late(fleet: Fleet, folder: Path) -> None:
    url = f"unix:{folder / 'coagentd.sock'}"
    waiting = [connecting(peer, url) for peer in fleet]
    # One that does not want to wait is told at once, which takes its time: the others are at it.
    failed = refusal(
        fleet[LANGUAGES[0]].driver.command("connect", **{"as": fresh("c")}, url=url, wait_ms=0)
    )
    assert failed.code == "unavailable"
    late = Daemon(folder)
    for connected in waiting:
        connected.result(BOUND_S)
    for peer, connected in zip(fleet, waiting):
        peer.run("close", client=connected.command["as"])
    assert late.end() == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_client_that_drains_finishes_what_it_handles(fleet: Fleet, language: str) -> None:
    """It takes nothing new, and who waits for it goes to another replica."""
    name = fresh("draining")
    leaving, staying = fleet.another(language), fleet.after(fleet[language])
    leaving.register(name, "scripted", concurrency=1)
    caller = fleet.after(staying)
    session = f"{name}:s"
    running = caller.call(session, {"text": "running"})
    called = leaving.called(session)
    waiting = caller.call(session, {"text": "waiting"})
    fleet.await_waiting(session, 1)
    registration = staying.register(name, "scripted")
    draining = leaving.driver.command("drain", client="hosting", timeout_ms=WAIT_MS)
    # It is gone for whoever looks, and yet finishes what it has begun.
    until(lambda: fleet.replicas(name) == 1, "one replica is left")
    assert not draining.is_done
    leaving.answer(called, body={"text": "to the end"})
    assert value(running.result()) == "to the end"
    moved = staying.called(session)
    assert moved["message"] == arrived({"text": "waiting"})
    assert moved["new"]
    staying.answer(moved, body={"text": "by another"})
    assert value(waiting.result()) == "by another"
    draining.result()
    staying.unregister(registration)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_client_that_closes_ends_what_it_has(fleet: Fleet, language: str) -> None:
    name = fresh("closing")
    leaving, other = fleet.another(language), fleet.after(fleet[language])
    leaving.register(name, "scripted")
    hosted = other.call(name, {"text": "x"})
    leaving.called(name)
    address = other.named("hang", fresh("closing"))
    own = leaving.call(address, {"text": "x"})
    other.event("begun", address=address)
    for client in ("hosting", "calling"):
        leaving.run("close", client=client)
    # By its goodbye or by the end of its connection, whichever the sidecar acts on first.
    failed = refusal(hosted)
    assert failed.code == "unavailable" and failed.reason in ("shutdown", "host_lost")
    assert refusal(own).code in ("unavailable", "cancelled")
    other.event("ended", address=address)
    assert leaving.driver.end() == 0
