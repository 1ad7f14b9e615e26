"""The CLI against a real daemon and real agents: every subcommand, exit codes, Ctrl-C."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import BOUND_S, Daemon, Host, Program, clean_environment, cli_binary
from raw_peer import RawPeer

OK, FAILED, USAGE, NOT_FOUND, TIMEOUT, UNAVAILABLE = range(6)
INTERRUPTED = 128 + signal.SIGINT


class Ran:
    """A CLI command that has ended."""

    def __init__(self, daemon: Daemon, arguments: tuple[str, ...], given: str | None) -> None:
        run = subprocess.run(
            [cli_binary(), *arguments],
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            env=clean_environment(COAGENT_URL=daemon.unix_url),
        )
        self.code = run.returncode
        self.out = run.stdout
        self.err = run.stderr

    @property
    def json(self) -> Any:
        assert self.code == OK, self.err
        return json.loads(self.out)


Cli = Callable[..., Ran]


@pytest.fixture(scope="module")
def agents(daemon: Daemon) -> Iterator[Host]:
    running = Host(daemon.unix_url)
    yield running
    running.end()


@pytest.fixture
def cli(daemon: Daemon, agents: Host) -> Cli:
    def run(*arguments: str, given: str | None = None) -> Ran:
        return Ran(daemon, arguments, given)

    return run


def start(daemon: Daemon, *arguments: str) -> Program:
    environment = clean_environment(COAGENT_URL=daemon.unix_url)
    return Program([cli_binary(), *arguments], environment)


def test_ls_lists_agents_as_a_table_and_as_json(cli: Cli) -> None:
    table = cli("ls")
    assert table.code == OK and table.err == ""
    header, *rows = table.out.splitlines()
    assert header.split() == ["NAME", "DESCRIPTION"]
    assert [row.split()[0] for row in rows] == sorted(row.split()[0] for row in rows)
    assert "\x1b" not in table.out
    assert "echo" in [agent["name"] for agent in cli("ls", "--json").json["agents"]]
    long = cli("ls", "-l")
    assert re.search(r"^recorder +2 +1 +add,show +kind=state ", long.out, re.MULTILINE)
    [only] = cli("ls", "--label", "kind=state", "--json").json["agents"]
    assert only["name"] == "recorder"
    assert cli("ls", "--label", "kind=other", "--json").json["agents"] == []
    assert cli("ls", "nothing.here", "-r", "--json").json["agents"] == []


def test_describe_shows_one_agent(cli: Cli) -> None:
    shown = cli("describe", "recorder", "--json").json
    assert (shown["version"], shown["labels"], shown["replicas"]) == ("2", {"kind": "state"}, 1)
    assert [operation["name"] for operation in shown["operations"]] == ["add", "show"]
    assert "kind=state" in cli("describe", "recorder").out
    assert cli("describe", "nobody").code == NOT_FOUND


def test_call_prints_the_reply(cli: Cli, folder: Path) -> None:
    assert cli("call", "echo", "-d", '{"a":1}').json == {"a": 1}
    assert cli("call", "echo", "-d", "-", given='{"from":"input"}').json == {"from": "input"}
    file = folder / "message.json"
    file.write_text('["from","file"]')
    assert cli("call", "echo", "-d", f"@{file}").json == ["from", "file"]
    assert cli("call", "echo", "-d", '{"a":{"b":[1,2]}}', "-F", ".a.b").json == [1, 2]
    assert cli("call", "echo", "--text", "-d", "{plain").out == "{plain\n"
    assert cli("call", "recorder:cli", "-H", "type:add", "-d", "5").code == OK
    assert cli("call", "recorder:cli", "-H", "type:show").json["items"] == [5]


def test_the_bare_form_is_a_call(cli: Cli) -> None:
    said = '{"role":"user","content":"Hi there"}'
    assert cli("echo", "-H", "type:ChatMessage", "--chat", "-d", said).out == "Hi there\n"
    query = '{"namespace":"","recursive":true}'
    found = cli("discovery", "-H", "type:DiscoveryQuery", "-d", query).json
    assert "echo" in [agent["name"] for agent in found["agents"]]


def test_stream_prints_replies_as_they_come(daemon: Daemon, cli: Cli) -> None:
    order = '{"namespace":"cli","recursive":true}'
    assert cli("stream", "echo", "-d", '"one"', "--json").out == '"one"\n'
    watching = start(
        daemon, "stream", "discovery", "-H", "type:DiscoveryWatch", "-d", order, "--json"
    )
    # The first comes though the second is not there yet.
    assert json.loads(watching.out.next() or "")["agents"] == []
    watching.signal(signal.SIGINT)
    assert watching.wait() == INTERRUPTED
    watching.end()


def test_send_leaves_a_message(cli: Cli) -> None:
    for item in ("1", "2", "3"):
        assert cli("send", "recorder:sent", "-H", "type:add", "-d", item).code == OK
    assert cli("call", "recorder:sent", "-H", "type:show").json["items"] == [1, 2, 3]
    assert cli("send", "nobody", "-d", "1").code == NOT_FOUND


def test_ps_and_rm_show_and_end_sessions_and_their_calls(
    daemon: Daemon, agents: Host, cli: Cli
) -> None:
    caller = start(daemon, "call", "hang:removed", "-d", '"removed"', "--timeout", "0")
    agents.out.expect("hang begun removed")
    shown = cli("ps", "--json").json
    [session] = [each for each in shown["sessions"] if each["address"] == "hang:removed"]
    assert (session["state"], session["running"], session["waiting"]) == ("running", 1, 0)
    assert "hang:removed" in [call["to"] for call in shown["calls"]]
    assert "hang:removed" in cli("ps", "hang").out
    assert cli("rm", "hang:removed").code == OK
    agents.out.expect("hang cancelled removed")
    assert caller.wait() == FAILED and "cancelled" in caller.err.rest()
    caller.end()
    assert cli("rm", "hang:removed").code == NOT_FOUND
    assert "hang:removed" not in cli("ps").out


def test_stats_ping_and_doctor(cli: Cli, daemon: Daemon) -> None:
    stats = cli("stats", "--json").json
    assert stats["pid"] == daemon.pid and stats["connections"] >= 2
    assert f"pid {daemon.pid}" in cli("stats").out
    pong = cli("ping", "--json").json
    assert pong["server"].startswith("coagentd/") and pong["us"] >= 0
    assert "coagentd/" in cli("ping", "-c", "3").out
    doctor = cli("doctor")
    assert doctor.code == OK
    assert all(line.startswith("ok ") for line in doctor.out.splitlines())


def test_bench_measures(cli: Cli) -> None:
    results = cli("bench", "--seconds", "0.05", "--json").json
    assert len(results) >= 4 and all(result["count"] > 0 for result in results)


def test_chat_answers_line_by_line(cli: Cli) -> None:
    talked = cli("chat", "echo", given="first\nsecond\n")
    assert talked.code == OK
    assert talked.out.index("first") < talked.out.index("second")


def test_watch_shows_agents_come_and_go(daemon: Daemon) -> None:
    entry = {"name": "come.and.go", "description": "For a while"}
    plain, program = start(daemon, "watch", "come"), start(daemon, "watch", "come", "--json")
    snapshot = {"kind": "snapshot", "registered": [], "deregistered": []}
    assert json.loads(program.out.next() or "") == snapshot
    with RawPeer(daemon.unix_url) as peer:
        peer.send({"op": "register", "id": 1, **entry})
        peer.expect("ok", id=1)
        change = {"kind": "change", "registered": [entry], "deregistered": []}
        assert json.loads(program.out.next() or "") == change
        assert plain.out.next() == "+ come.and.go  For a while"
    change = {"kind": "change", "registered": [], "deregistered": ["come.and.go"]}
    assert json.loads(program.out.next() or "") == change
    assert plain.out.next() == "- come.and.go"
    for watching in (plain, program):
        watching.signal(signal.SIGINT)
        assert watching.wait() == INTERRUPTED
        watching.end()


def test_completion_is_a_script_for_the_shell(cli: Cli) -> None:
    for shell in ("bash", "zsh", "fish"):
        script = cli("completion", shell)
        assert script.code == OK and "coagent" in script.out
    syntax = subprocess.run(
        ["bash", "-n"], input=cli("completion", "bash").out, text=True, timeout=BOUND_S
    )
    assert syntax.returncode == 0


def test_exit_codes(cli: Cli) -> None:
    for code, arguments in (
        (FAILED, ("call", "fail", "-d", '"pear"')),
        (USAGE, ("ls", "--no-such-option")),
        (USAGE, ("call",)),
        (USAGE, ("call", "echo", "-d", "@/nonexistent/file")),
        (USAGE, ("call", "echo", "-d", "{bad")),
        (NOT_FOUND, ("call", "nobody", "-d", "1")),
        (NOT_FOUND, ("nobody", "-d", "1")),
        (TIMEOUT, ("call", "hang", "-d", '"slow"', "--timeout", "200ms")),
        (UNAVAILABLE, ("ls", "--url", "unix:/nonexistent/coagentd.sock")),
        (UNAVAILABLE, ("ping", "--url", "tcp://127.0.0.1:1")),
        (OK, ("--version",)),
        (OK, ("--help",)),
    ):
        ran = cli(*arguments)
        assert ran.code == code, (arguments, ran.code, ran.err)
        assert (ran.err == "") == (code == OK), (arguments, ran.err)


def test_an_agents_error_is_shown_with_its_cause(cli: Cli) -> None:
    failed = cli("call", "fail", "-d", '"pear"')
    assert failed.out == ""
    assert "no price for pear" in failed.err and "KeyError" in failed.err


def test_a_timeout_cancels_down_to_the_agent(cli: Cli, agents: Host) -> None:
    assert cli("call", "hang", "-d", '"short"', "--timeout", "0.2").code == TIMEOUT
    agents.out.expect("hang cancelled short")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["call", "stream"])
def test_ctrl_c_cancels_down_to_the_agent(
    daemon: Daemon, agents: Host, number: signal.Signals, command: str
) -> None:
    key = f"{command}-{number.name}"
    program = start(daemon, command, "hang", "-d", f'"{key}"', "--timeout", "0")
    agents.out.expect(f"hang begun {key}")
    program.signal(number)
    agents.out.expect(f"hang cancelled {key}")
    assert program.wait() == INTERRUPTED
    program.end()


def test_ctrl_c_cancels_what_the_agent_called(daemon: Daemon, agents: Host) -> None:
    program = start(daemon, "call", "relay", "-d", '"hang"', "--timeout", "0")
    agents.out.expect("hang begun from relay")
    program.signal(signal.SIGINT)
    agents.out.expect("hang cancelled from relay")
    assert program.wait() == INTERRUPTED
    program.end()


def test_over_tcp_a_token_is_needed(daemon: Daemon, cli: Cli, folder: Path) -> None:
    refused = cli("ls", "--url", daemon.tcp_url)
    assert refused.code == FAILED and "bad_token" in refused.err
    token = folder / "token"
    token.write_text(daemon.TOKEN + "\n")
    listed = cli("ls", "--url", daemon.tcp_url, "--token-file", str(token))
    assert listed.code == OK and "echo" in listed.out
