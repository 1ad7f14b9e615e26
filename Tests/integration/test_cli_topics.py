"""publish and subscribe of the CLI against a real daemon, and a subscription over its restart."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from processes import BOUND_S, Daemon, Program, clean_environment, cli_binary
from raw_peer import RawPeer
from test_cli import FAILED, INTERRUPTED, OK, USAGE, Cli, Ran, start


@pytest.fixture
def cli(daemon: Daemon) -> Cli:
    def run(*arguments: str, given: str | None = None) -> Ran:
        return Ran(daemon, arguments, given)

    return run


def subscriptions(peer: RawPeer, identity: int, topic: str) -> list[dict[str, Any]]:
    peer.send(
        {"op": "call", "id": identity, "to": "topics", "type": "SubscriptionList"},
        json.dumps({"topic": topic}).encode(),
    )
    _, content = peer.expect("data", id=identity, end=True)
    found: list[dict[str, Any]] = json.loads(content)["subscriptions"]
    return found


def wait_until_read(url: str, topic: str, count: int) -> None:
    """Until `count` subscriptions read a topic; each question is a round trip."""
    end = time.monotonic() + BOUND_S
    with RawPeer(url) as peer:
        identity = 1
        while len(subscriptions(peer, identity, topic)) != count:
            assert time.monotonic() < end, f"{topic} is not read {count} times"
            identity += 2


def test_what_is_published_is_shown(daemon: Daemon, cli: Cli) -> None:
    plain = start(daemon, "subscribe", "shown.*")
    program = start(daemon, "subscribe", "shown.*", "--json", "-n", "4")
    wait_until_read(daemon.unix_url, "shown.*", 2)
    assert cli("publish", "shown.one", "-d", '{"a": 1}', "-H", "type:T").code == OK
    assert cli("publish", "shown.two", "--source", "ann", "-d", "a text").code == OK
    assert cli("publish", "shown.one.deeper", "-d", "1").code == OK
    assert cli("publish", "shown.one", "-d", "-", given='["piped"]').code == OK
    assert cli("publish", "shown.b", "-d", "AAE=", "-H", "content_type:image/png").code == OK
    assert [plain.out.next() for _ in range(4)] == [
        'shown.one default  {"a":1}',
        "shown.two ann  a text",
        'shown.one default  ["piped"]',
        "shown.b default  (4 bytes of image/png)",
    ]
    shown = [json.loads(program.out.next() or "") for _ in range(4)]
    kind = "application/json"
    assert shown == [
        {
            "topic": "shown.one",
            "source": "default",
            "type": "T",
            "content_type": kind,
            "content": {"a": 1},
        },
        {"topic": "shown.two", "source": "ann", "content_type": "text/plain", "content": "a text"},
        {"topic": "shown.one", "source": "default", "content_type": kind, "content": ["piped"]},
        {
            "topic": "shown.b",
            "source": "default",
            "content_type": "image/png",
            "content_base64": "QUFFPQ==",
        },
    ]
    assert program.wait() == OK
    plain.signal(signal.SIGINT)
    assert plain.wait() == INTERRUPTED
    for each in (plain, program):
        each.end()
    wait_until_read(daemon.unix_url, "shown.*", 0)


def test_a_published_message_reaches_an_agents_session(daemon: Daemon, cli: Cli) -> None:
    with RawPeer(daemon.unix_url) as host:
        host.send({"op": "register", "id": 1, "name": "fed.agent"})
        host.expect("ok", id=1)
        host.send({"op": "subscribe", "id": 3, "topic": "fed.>", "agent": "fed.agent"})
        host.expect("ok", id=3)
        assert cli("publish", "fed.now", "--source", "ann", "-d", "7").code == OK
        call, content = host.expect("call", to="fed.agent:ann", oneway=True, new=True)
        assert (call["topic"], call["source"], content) == ("fed.now", "ann", b"7")
        host.send({"op": "data", "id": call["id"], "end": True})


def test_a_reader_that_wants_the_newest_passes_over_the_rest(daemon: Daemon) -> None:
    reader = start(daemon, "subscribe", "price", "--newest", "--json")
    wait_until_read(daemon.unix_url, "price", 1)
    with RawPeer(daemon.unix_url) as publisher:
        for price in range(200):
            header = {"op": "publish", "topic": "price", "source": "s"}
            publisher.send(header, str(price).encode())
        publisher.ping()
    seen = []
    lost = 0
    while not seen or seen[-1] != 199:
        message = json.loads(reader.out.next() or "")
        seen.append(message["content"])
        lost += message.get("dropped", 0)
    assert seen == sorted(set(seen))
    assert len(seen) + lost == 200
    reader.end()


def test_a_subscription_goes_on_after_a_restart(folder: Path) -> None:
    first = Daemon(folder)
    environment = clean_environment(COAGENT_URL=first.unix_url)
    reader = Program([cli_binary(), "subscribe", "again", "--json"], environment)
    wait_until_read(first.unix_url, "again", 1)
    first.end()
    second = Daemon(folder)
    assert second.unix_url == first.unix_url
    wait_until_read(second.unix_url, "again", 1)
    with RawPeer(second.unix_url) as publisher:
        publisher.send({"op": "publish", "id": 1, "topic": "again", "source": "s"}, b"1")
        publisher.expect("ok", id=1)
    assert json.loads(reader.out.next() or "")["content"] == 1
    reader.end()
    second.end()


def test_mistakes_are_told(cli: Cli) -> None:
    bad = cli("publish", "no..topic", "-d", "1")
    assert bad.code == FAILED and "bad_topic" in bad.err
    bad = cli("subscribe", "a.>.b")
    assert bad.code == FAILED and "bad_topic" in bad.err
    assert cli("subscribe", "a", "-n", "0").code == USAGE
    assert cli("publish").code == USAGE
    assert "publish" in cli("completion", "bash").out
    assert "subscribe" in cli("--help").out
