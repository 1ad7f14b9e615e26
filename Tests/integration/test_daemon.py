"""The daemon as its operator knows it: start, refusal, configuration, tokens, shutdown."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from processes import BOUND_S, Daemon, Host, Lines, Program, clean_environment, daemon_binary
from raw_peer import RawPeer

DONE, FAILED, BAD_CONFIGURATION, ALREADY_RUNNING, CANNOT_LISTEN = range(5)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A daemon that is expected to end by itself."""
    return subprocess.run(
        [daemon_binary(), *arguments],
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        env=clean_environment(**environment),
    )


def settings(text: str) -> list[str]:
    """A printed configuration without the comments that tell where each setting is from."""
    return [line.partition("#")[0].rstrip() for line in text.splitlines()]


def entries(lines: Lines) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.rest().splitlines()]


def test_the_ready_line_tells_what_is_bound(folder: Path) -> None:
    daemon = Daemon(folder)
    assert daemon.ready["pid"] == daemon.pid or daemon.ready["pid"] == str(daemon.pid)
    unix, tcp = daemon.ready["listen"]
    assert unix == f"unix:{daemon.socket}"
    assert tcp.startswith("tcp://127.0.0.1:") and not tcp.endswith(":0")
    for url, token in ((unix, None), (tcp, daemon.TOKEN)):
        with RawPeer(url, token) as peer:
            assert peer.welcome["server"].startswith("coagentd/")
    assert daemon.end() == DONE
    assert all("message" in entry for entry in entries(daemon.err))


def test_the_ready_line_for_people(folder: Path) -> None:
    program = Program([daemon_binary(), "--listen", f"unix:{folder}/people.sock"])
    line = program.err.expect("")
    assert "ready" in line and f"unix:{folder}/people.sock" in line
    assert program.end() == DONE


def test_the_socket_is_for_its_owner_only(folder: Path) -> None:
    daemon = Daemon(folder, tcp=False)
    assert stat.S_IMODE(os.stat(daemon.socket).st_mode) == 0o600
    assert daemon.end() == DONE
    assert not daemon.socket.exists()


def test_the_default_socket_is_in_the_runtime_folder(folder: Path) -> None:
    program = Program(
        [daemon_binary(), "--log-format", "json"], clean_environment(XDG_RUNTIME_DIR=str(folder))
    )
    ready = json.loads(program.err.next() or "")
    path = folder / "coagent" / "coagentd.sock"
    assert ready["listen"] == [f"unix:{path}"]
    assert stat.S_IMODE(os.stat(path.parent).st_mode) == 0o700
    assert program.end() == DONE


def test_the_default_socket_without_a_runtime_folder(folder: Path) -> None:
    environment = clean_environment(TMPDIR=str(folder))
    environment.pop("XDG_RUNTIME_DIR", None)
    program = Program([daemon_binary(), "--log-format", "json"], environment)
    ready = json.loads(program.err.next() or "")
    path = folder / f"coagent-{os.getuid()}" / "coagentd.sock"
    assert ready["listen"] == [f"unix:{path}"]
    assert stat.S_IMODE(os.stat(path.parent).st_mode) == 0o700
    assert program.end() == DONE


def test_a_second_daemon_refuses_and_the_first_goes_on(folder: Path) -> None:
    daemon = Daemon(folder, tcp=False)
    second = run("--listen", daemon.unix_url)
    assert second.returncode == ALREADY_RUNNING
    assert str(daemon.socket) in second.stderr
    with RawPeer(daemon.unix_url) as peer:
        peer.ping()
    assert daemon.end() == DONE


def test_a_stale_socket_is_replaced(folder: Path) -> None:
    first = Daemon(folder, tcp=False)
    first.kill()
    first.end()
    assert first.socket.exists()
    second = Daemon(folder, tcp=False)
    with RawPeer(second.unix_url) as peer:
        peer.ping()
    assert second.end() == DONE


def test_a_file_that_is_no_socket_is_not_replaced(folder: Path) -> None:
    path = folder / "precious"
    path.write_text("keep me")
    assert run("--listen", f"unix:{path}").returncode == CANNOT_LISTEN
    assert path.read_text() == "keep me"


def test_an_address_in_use_cannot_be_listened_on(folder: Path) -> None:
    tokens = folder / "tokens"
    tokens.touch(mode=0o600)
    tokens.write_text("a:b\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = run("--listen", f"tcp://127.0.0.1:{port}", "--tokens-file", str(tokens))
    assert ended.returncode == CANNOT_LISTEN
    assert str(port) in ended.stderr


def test_tcp_wants_tokens_and_stays_on_loopback(folder: Path) -> None:
    tokens = folder / "tokens"
    tokens.touch(mode=0o600)
    tokens.write_text("a:b\n")
    without = run("--listen", "tcp://127.0.0.1:0")
    assert without.returncode == BAD_CONFIGURATION and "tokens" in without.stderr
    remote = run("--listen", "tcp://0.0.0.0:0", "--tokens-file", str(tokens))
    assert remote.returncode == BAD_CONFIGURATION and "allow" in remote.stderr
    tokens.chmod(0o644)
    readable = run("--listen", "tcp://127.0.0.1:0", "--tokens-file", str(tokens))
    assert readable.returncode == BAD_CONFIGURATION and str(tokens) in readable.stderr


@pytest.mark.parametrize("token", [None, "", "wrong", "s3cret-of-the-test", "s3cret-of-the-testsx"])
def test_a_wrong_token_is_refused(daemon: Daemon, token: str | None) -> None:
    with RawPeer(daemon.tcp_url, greet=False) as peer:
        hello = {"op": "hello", "v": 1, "client": "x"}
        peer.send(hello if token is None else hello | {"token": token})
        header, _ = peer.expect("error", code="unauthenticated", reason="bad_token")
        assert daemon.TOKEN not in json.dumps(header)
        assert peer.is_closed()


def test_tokens_are_read_again_on_sighup_and_never_logged(folder: Path) -> None:
    daemon = Daemon(folder)
    (folder / "tokens").write_text("tests:another-token-now\n")
    daemon.signal(signal.SIGHUP)
    while "tokens" not in json.loads(daemon.err.expect("{"))["message"]:
        pass
    with RawPeer(daemon.tcp_url, "another-token-now") as peer:
        peer.ping()
    with RawPeer(daemon.tcp_url, greet=False) as peer:
        peer.send({"op": "hello", "v": 1, "client": "x", "token": daemon.TOKEN})
        peer.expect("error", reason="bad_token")
    # A broken file leaves the tokens as they were.
    (folder / "tokens").write_text("no colon in here\n")
    daemon.signal(signal.SIGHUP)
    while json.loads(daemon.err.expect("{"))["level"] != "error":
        pass
    with RawPeer(daemon.tcp_url, "another-token-now") as peer:
        peer.ping()
    assert daemon.end() == DONE
    log = daemon.err.rest()
    assert daemon.TOKEN not in log and "another-token-now" not in log


def test_another_user_is_refused(folder: Path) -> None:
    daemon = Daemon(folder, "--allowed-uids", str(os.getuid() + 1), tcp=False)
    with RawPeer(daemon.unix_url, greet=False) as peer:
        peer.expect("error", code="permission_denied", reason="peer_refused")
        assert peer.is_closed()
    assert daemon.end() == DONE


def test_a_group_may_be_allowed(folder: Path) -> None:
    options = ("--allowed-uids", str(os.getuid() + 1), "--allowed-gids", str(os.getgid()))
    daemon = Daemon(folder, *options, tcp=False)
    with RawPeer(daemon.unix_url) as peer:
        peer.ping()
    assert daemon.end() == DONE


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("log_level: info\nno_such_key: 1\n", 2, "no_such_key"),
        ("log_level: loud\n", 1, "loud"),
        ("# a comment\n\nlimits:\n  names_max: many\n", 4, "names_max"),
        ("limits:\n  names_max: 5\n  no_such_limit: 5\n", 3, "no_such_limit"),
        ("log_level: info\nlog_level: debug\n", 2, "log_level"),
        ("log_level: [info\n", 2, ""),
    ],
)
def test_a_wrong_configuration_names_its_line(
    folder: Path, text: str, line: int, word: str
) -> None:
    path = folder / "coagentd.yaml"
    path.write_text(text)
    ended = run("--config", str(path))
    assert ended.returncode == BAD_CONFIGURATION
    assert f"{path}:{line}" in ended.stderr and word in ended.stderr, ended.stderr


def test_flags_win_over_variables_and_those_over_the_file(folder: Path) -> None:
    path = folder / "coagentd.yaml"
    path.write_text("limits:\n  names_max: 1\n  sessions_max: 11\n  open_ids_max: 111\n")
    printed = run(
        "--config", str(path), "--names-max", "3", "--print-config",
        COAGENT_NAMES_MAX="2", COAGENT_SESSIONS_MAX="22",
    )  # fmt: skip
    assert printed.returncode == DONE
    for expected in ("names_max: 3", "sessions_max: 22", "open_ids_max: 111"):
        assert expected in printed.stdout
    # What is printed is a configuration again.
    path.write_text(printed.stdout)
    checked = run("--config", str(path), "--check-config")
    assert checked.returncode == DONE, checked.stderr
    again = run("--config", str(path), "--print-config")
    assert settings(again.stdout) == settings(printed.stdout)


def test_wrong_options_and_variables_are_refused() -> None:
    for arguments, environment, word in (
        (("--no-such-option",), {}, "--no-such-option"),
        (("--names-max", "0"), {}, "names"),
        (("--listen", "http://x"), {}, "http://x"),
        (("--print-config",), {"COAGENT_NAMES_MAX": "x"}, "COAGENT_NAMES_MAX"),
        (("--config", "/nonexistent.yaml"), {}, "/nonexistent.yaml"),
    ):
        ended = run(*arguments, **environment)
        assert ended.returncode == BAD_CONFIGURATION, arguments
        assert word in ended.stderr


def test_sigterm_lets_calls_in_flight_finish(folder: Path) -> None:
    daemon = Daemon(folder, tcp=False)
    with RawPeer(daemon.unix_url) as host, RawPeer(daemon.unix_url) as caller:
        host.send({"op": "register", "id": 1, "name": "slow"})
        host.expect("ok", id=1)
        caller.send({"op": "call", "id": 1, "to": "slow"})
        host.expect("call", id=2)
        daemon.signal(signal.SIGTERM)
        for peer in (host, caller):
            peer.expect("goodbye", reason="shutdown")
        caller.send({"op": "call", "id": 3, "to": "slow"})
        caller.expect("error", id=3, code="unavailable", reason="draining", retry=True)
        host.send({"op": "data", "id": 2, "end": True}, b'"done"')
        assert caller.expect("data", id=1, end=True)[1] == b'"done"'
        for peer in (host, caller):
            peer.expect("ping")
            peer.send({"op": "pong"})
        assert caller.is_closed() and host.is_closed()
    assert daemon.wait() == DONE
    assert not daemon.socket.exists()
    daemon.end()


def test_sigterm_ends_what_does_not_finish_in_time(folder: Path) -> None:
    daemon = Daemon(folder, "--drain-ms", "200", tcp=False)
    with RawPeer(daemon.unix_url) as host, RawPeer(daemon.unix_url) as caller:
        host.send({"op": "register", "id": 1, "name": "slow"})
        host.expect("ok", id=1)
        caller.send({"op": "call", "id": 1, "to": "slow:session"})
        host.expect("call", id=2)
        daemon.signal(signal.SIGTERM)
        for peer in (host, caller):
            peer.expect("goodbye", reason="shutdown", timeout_ms=200)
        caller.expect("error", id=1, code="unavailable", reason="shutdown")
        host.expect("cancel", id=2, reason="shutdown")
    assert daemon.wait() == DONE
    daemon.end()


def test_a_second_signal_does_not_wait(folder: Path) -> None:
    daemon = Daemon(folder, tcp=False)
    with RawPeer(daemon.unix_url) as host, RawPeer(daemon.unix_url) as caller:
        host.send({"op": "register", "id": 1, "name": "slow"})
        host.expect("ok", id=1)
        caller.send({"op": "call", "id": 1, "to": "slow"})
        host.expect("call", id=2)
        daemon.signal(signal.SIGINT)
        caller.expect("goodbye")
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == FAILED
    daemon.end()


def test_an_idle_daemon_stops_at_once_with_clients_connected(folder: Path) -> None:
    daemon = Daemon(folder)
    host = Host(daemon.unix_url, None, "echo")
    assert daemon.end() == DONE
    host.end()


def test_limits_of_the_configuration_are_in_force(folder: Path) -> None:
    daemon = Daemon(folder, "--connections-max", "2", "--content-bytes-max", "2000", tcp=False)
    with RawPeer(daemon.unix_url) as one, RawPeer(daemon.unix_url):
        assert one.welcome["max_content"] == 2000
        with RawPeer(daemon.unix_url, greet=False) as third:
            third.expect("error", reason="too_many_connections")
            assert third.is_closed()
        one.send({"op": "call", "id": 1, "to": "x"}, b"x" * 2001)
        one.expect("error", reason="content_length")
        assert one.is_closed()
    assert daemon.end() == DONE


def test_a_hello_that_does_not_come_is_not_waited_for(folder: Path) -> None:
    daemon = Daemon(folder, "--hello-timeout-ms", "100", tcp=False)
    with RawPeer(daemon.unix_url, greet=False) as silent:
        silent.expect("error", code="deadline_exceeded", reason="hello_timeout")
        assert silent.is_closed()
    assert daemon.end() == DONE


def test_a_silent_tcp_peer_is_asked_and_then_given_up(folder: Path) -> None:
    daemon = Daemon(folder, "--heartbeat-ms-tcp", "100")
    with RawPeer(daemon.tcp_url, daemon.TOKEN) as silent:
        assert silent.welcome["heartbeat_ms"] == 100
        silent.expect("ping")
        silent.expect("ping")
        silent.expect("error", code="unavailable", reason="heartbeat_timeout")
        assert silent.is_closed()
    assert daemon.end() == DONE


def test_version_and_help_tell_about_it() -> None:
    version = run("--version")
    assert version.returncode == DONE and version.stdout.startswith("coagentd ")
    assert "--listen" in run("--help").stdout
