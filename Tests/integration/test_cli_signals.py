"""Signals and drains by the CLI: interrupt, signal, cancel, pause, resume, connections, drain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import Daemon, Program
from raw_peer import RawPeer
from test_cli import FAILED, NOT_FOUND, OK, USAGE, Cli, Ran, start


@pytest.fixture
def cli(daemon: Daemon) -> Cli:
    def run(*arguments: str, given: str | None = None) -> Ran:
        return Ran(daemon, arguments, given)

    return run


@pytest.fixture
def host(daemon: Daemon) -> Iterator[RawPeer]:
    """A host of `steered` that answers only what a test says."""
    with RawPeer(daemon.unix_url, name="steering", features="signals") as peer:
        peer.send({"op": "register", "id": 1, "name": "steered"})
        peer.expect("ok", id=1)
        yield peer


def begun(host: RawPeer, caller: RawPeer, session: str, identity: int = 1) -> int:
    """A call that runs in a session; its id at the host."""
    caller.send({"op": "call", "id": identity, "to": f"steered:{session}"})
    header, _ = host.expect("call", to=f"steered:{session}")
    return int(header["id"])


def finished(program: Program) -> int:
    """The exit code of a program that ends by itself."""
    code = program.wait()
    program.end()
    return code


def ended(host: RawPeer, identity: int, content: bytes = b"") -> None:
    host.send({"op": "data", "id": identity, "end": True}, content)


def test_interrupt_reaches_what_runs(daemon: Daemon, cli: Cli, host: RawPeer) -> None:
    with RawPeer(daemon.unix_url) as caller:
        call = begun(host, caller, "a")
        running = start(daemon, "interrupt", "steered:a", "be brief")
        header, content = host.expect("signal", call=call, name="interrupt")
        assert (header["content_type"], content) == ("text/plain", b"be brief")
        host.send({"op": "ok", "id": header["id"]})
        assert finished(running) == OK
        running = start(daemon, "interrupt", "steered:a")
        header, content = host.expect("signal", call=call, name="interrupt")
        assert content == b"" and "content_type" not in header
        host.send({"op": "error", "id": header["id"], "code": "aborted", "message": "not now"})
        assert finished(running) == FAILED
        assert "not now" in running.err.rest()
        ended(host, call, b"1")
        caller.expect("data", id=1, end=True)
        idle = cli("interrupt", "steered:a")
        assert idle.code == FAILED and "not_running" in idle.err


def test_signals_of_an_agents_own(daemon: Daemon, cli: Cli, host: RawPeer) -> None:
    running = start(daemon, "signal", "steered", "steer.note", '{"n": 1}')
    header, content = host.expect("signal", to="steered", name="steer.note")
    assert json.loads(content) == {"n": 1} and "content_type" not in header
    host.send({"op": "ok", "id": header["id"]})
    assert finished(running) == OK
    assert cli("signal", "steered:none", "steer.note").code == NOT_FOUND
    assert cli("signal", "steered", "steer").code == FAILED
    assert cli("signal", "steered").code == USAGE
    assert cli("signal", "steered", "steer.note", "1", "2").code == USAGE
    assert cli("signal").code == USAGE
    assert cli("interrupt", "steered").code == FAILED
    assert "coagent ps" in cli("pause", "steered").err


def test_pause_resume_and_cancel(daemon: Daemon, cli: Cli, host: RawPeer) -> None:
    with RawPeer(daemon.unix_url) as caller:
        ended(host, begun(host, caller, "p"))
        caller.expect("data", id=1, end=True)
        assert cli("pause", "steered:p").code == OK
        caller.send({"op": "call", "id": 3, "to": "steered:p"})
        sessions = {each["address"]: each for each in cli("ps", "--json").json["sessions"]}
        assert sessions["steered:p"]["state"] == "paused"
        assert cli("resume", "steered:p").code == OK
        header, _ = host.expect("call", to="steered:p")
        assert cli("cancel", "steered:p").code == OK
        caller.expect("error", id=3, reason="cancelled")
        host.expect("cancel", id=header["id"])
        close, _ = host.expect("close", to="steered:p", reason="cancelled")
        ended(host, header["id"])
        host.send({"op": "ok", "id": close["id"]})
    assert cli("cancel").code == USAGE
    assert cli("cancel", "--run", "r", "steered:p").code == USAGE


def test_a_run_that_is_not_there(cli: Cli) -> None:
    for command in (["interrupt"], ["signal", "steer.note"], ["cancel"]):
        refused = cli(*command, "--run", "no-such-run")
        assert refused.code == NOT_FOUND and "unknown_run" in refused.err, command


def test_a_connection_is_drained(daemon: Daemon, cli: Cli, host: RawPeer) -> None:
    with RawPeer(daemon.unix_url) as caller:
        call = begun(host, caller, "d")
        listed = cli("connections", "--json").json["connections"]
        (row,) = [each for each in listed if each["name"] == "steering"]
        assert (row["agents"], row["handling"], row["state"]) == (["steered"], 1, "open")
        assert "steering" in cli("connections").out
        draining = start(daemon, "drain", "steered@steering")
        goodbye, _ = host.expect("goodbye", reason="drained")
        assert goodbye["timeout_ms"] == 10000
        caller.send({"op": "call", "id": 3, "to": "steered"})
        caller.expect("error", id=3, reason="no_replica")
        draining.err.expect("draining: 1 calls at steering")
        ended(host, call, b"7")
        caller.expect("data", id=1, end=True)
        assert finished(draining) == OK
        assert draining.out.rest() == f"drained {row['connection']} (steering)"
        host.expect("close", to="steered:d")
    assert cli("drain", "nobody").code == NOT_FOUND


def test_the_daemon_is_drained(folder: Path) -> None:
    own_daemon = Daemon(folder)
    with (
        RawPeer(own_daemon.unix_url, name="hosting", features="signals") as host,
        RawPeer(own_daemon.unix_url) as caller,
    ):
        host.send({"op": "register", "id": 1, "name": "steered"})
        host.expect("ok", id=1)
        call = begun(host, caller, "s")
        draining = start(own_daemon, "drain", "--timeout", "20")
        draining.err.expect("draining: 1 in flight")
        goodbye, _ = host.expect("goodbye", reason="shutdown")
        assert goodbye["timeout_ms"] == 20000
        caller.expect("goodbye", reason="shutdown")
        ended(host, call, b"1")
        caller.expect("data", id=1, end=True)
        assert finished(draining) == OK
        assert draining.out.rest() == "drained"
    assert finished(own_daemon) == 0
