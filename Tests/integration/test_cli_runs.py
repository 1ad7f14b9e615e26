"""Runs from the command line: opened, left, read again and followed, and listed."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest
from processes import Daemon, Program
from raw_peer import RawPeer
from test_cli import FAILED, INTERRUPTED, NOT_FOUND, OK, USAGE, Cli, Ran, start


@pytest.fixture
def cli(daemon: Daemon) -> Cli:
    def run(*arguments: str, given: str | None = None) -> Ran:
        return Ran(daemon, arguments, given)

    return run


class Poet:
    """An agent that says what a test wants, when it wants."""

    def __init__(self, daemon: Daemon) -> None:
        self.peer = RawPeer(daemon.unix_url, features="signals")
        self.peer.send({"op": "register", "id": 1, "name": "poet"})
        self.peer.expect("ok", id=1)

    def asked(self) -> int:
        """The id of the next call."""
        header, _ = self.peer.expect("call", to="poet")
        return int(header["id"])

    def say(self, call: int, text: str, *, end: bool = False) -> None:
        header = {"op": "data", "id": call, "content_type": "text/plain", "end": end}
        self.peer.send(header, text.encode())


@pytest.fixture
def poet(daemon: Daemon) -> Iterator[Poet]:
    running = Poet(daemon)
    yield running
    running.peer.close()


def shown(cli: Cli, run: str) -> dict[str, object]:
    [found] = [each for each in cli("ps", "--runs", "--json").json["runs"] if each["run"] == run]
    result: dict[str, object] = found
    return result


def ended(program: Program) -> int:
    """Its exit code, when it has ended of itself."""
    code = program.wait()
    program.end()
    return code


def interrupt(program: Program) -> int:
    program.signal(signal.SIGINT)
    return ended(program)


def test_a_run_is_read_again_and_not_run_again(daemon: Daemon, poet: Poet, cli: Cli) -> None:
    first = start(daemon, "stream", "poet", "-d", "rain", "--run", "again")
    call = poet.asked()
    poet.say(call, "drip")
    assert first.out.next() == "drip"
    poet.say(call, "splash", end=True)
    assert first.out.rest() == "drip\nsplash" and ended(first) == OK
    again = cli("call", "poet", "-d", "rain", "--run", "again")
    assert (again.code, again.out) == (OK, "dripsplash\n")
    other = cli("call", "poet", "-d", "snow", "--run", "again")
    assert other.code == FAILED and "run_differs" in other.err
    assert cli("attach", "again", "--from", "1").out == "splash\n"
    assert cli("attach", "again", "--json").out == '"drip"\n"splash"\n'


def test_attach_and_tail_follow_a_run_and_leave_it(daemon: Daemon, poet: Poet, cli: Cli) -> None:
    opener = start(daemon, "stream", "poet", "--run", "followed")
    call = poet.asked()
    poet.say(call, "one")
    assert opener.out.next() == "one"
    late = start(daemon, "attach", "followed")
    assert late.out.next() == "one"
    tail = start(daemon, "tail", "followed")
    while shown(cli, "followed")["readers"] != 3:
        assert tail.process.poll() is None
    poet.say(call, "two")
    assert [each.out.next() for each in (opener, late, tail)] == ["two"] * 3
    assert interrupt(late) == INTERRUPTED
    poet.peer.ping()
    poet.say(call, "three", end=True)
    assert opener.out.rest() == "one\ntwo\nthree" and ended(opener) == OK
    assert tail.out.rest() == "two\nthree" and ended(tail) == OK
    assert cli("tail", "followed").out == "three\n", "the end of a run is its last frame"


def test_ctrl_c_of_who_opened_it_ends_a_run(daemon: Daemon, poet: Poet, cli: Cli) -> None:
    opener = start(daemon, "stream", "poet", "--run", "ended")
    call = poet.asked()
    poet.say(call, "one")
    assert opener.out.next() == "one"
    assert interrupt(opener) == INTERRUPTED
    poet.peer.expect("cancel", id=call)
    poet.peer.send({"op": "error", "id": call, "code": "cancelled"})
    found = shown(cli, "ended")
    assert (found["state"], found["code"], found["frames"]) == ("ended", "cancelled", 2)
    read = cli("attach", "ended")
    assert read.code == FAILED and read.out == "one\n" and "cancelled" in read.err


def test_a_detached_run_is_left_at_once_and_goes_on(daemon: Daemon, poet: Poet, cli: Cli) -> None:
    left = cli("call", "poet", "-d", "rain", "--run", "left", "--detach")
    assert (left.code, left.out, left.err) == (OK, "", "")
    call = poet.asked()
    found = shown(cli, "left")
    assert (found["state"], found["detached"], found["readers"]) == ("running", True, 0)
    poet.say(call, "drip", end=True)
    poet.peer.ping()
    assert cli("attach", "left").out == "drip\n"


def test_a_detached_run_that_is_refused_fails(poet: Poet, cli: Cli) -> None:
    nobody = cli("call", "no.such.agent", "--run", "refused", "--detach")
    assert nobody.code == NOT_FOUND and "unknown_agent" in nobody.err
    assert cli("call", "poet", "--run", "a b", "--detach").code == FAILED
    assert cli("call", "poet", "-d", "1", "--run", "kept", "--detach").code == OK
    poet.asked()
    other = cli("call", "poet", "-d", "2", "--run", "kept", "--detach")
    assert other.code == FAILED and "run_differs" in other.err


def test_ps_lists_runs(poet: Poet, cli: Cli) -> None:
    assert cli("call", "poet", "-H", "type:Verse", "--run", "listed", "--detach").code == OK
    call = poet.asked()
    everything = json.loads(cli("ps", "--json").out)
    assert {"sessions", "calls", "runs", "more"} == set(everything)
    table = cli("ps").out
    [row] = [line for line in table.splitlines() if line.startswith("listed")]
    assert row.split()[:6] == ["listed", "poet", "Verse", "running", "0", "0"]
    poet.say(call, "done", end=True)
    poet.peer.ping()
    [row] = [line for line in cli("ps", "--runs").out.splitlines() if line.startswith("listed")]
    assert row.split()[3:5] == ["ended", "1"] and row.split()[-1] == "ok"
    assert not [line for line in cli("ps", "poet").out.splitlines() if line.startswith("listed")]


def test_what_is_no_run_is_said(cli: Cli) -> None:
    unknown = cli("attach", "no.such.run")
    assert unknown.code == NOT_FOUND
    assert "unknown_run" in unknown.err and "coagent ps --runs" in unknown.err
    assert cli("attach", "x", "--from=-1").code == USAGE
    assert cli("call", "poet", "--detach").code == USAGE
    assert cli("ps", "poet", "--runs").code == USAGE


def test_a_run_is_interrupted_and_cancelled_by_its_name(
    daemon: Daemon, poet: Poet, cli: Cli
) -> None:
    opener = start(daemon, "stream", "poet", "--run", "steered")
    call = poet.asked()
    told = start(daemon, "interrupt", "--run", "steered", "be brief")
    header, content = poet.peer.expect("signal", call=call, name="interrupt")
    assert content == b"be brief"
    poet.peer.send({"op": "ok", "id": header["id"]})
    assert ended(told) == OK
    poet.say(call, "brief")
    assert opener.out.next() == "brief"
    assert cli("cancel", "--run", "steered").code == OK
    poet.peer.expect("cancel", id=call)
    poet.peer.send({"op": "error", "id": call, "code": "cancelled"})
    assert ended(opener) == FAILED and "cancelled" in opener.err.rest()
    assert cli("interrupt", "--run", "steered").code == FAILED
    assert cli("cancel", "--run", "no.such.run").code == NOT_FOUND
