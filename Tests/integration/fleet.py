"""Processes of every language that host and call one another: what the polyglot tests share.

A peer is a driver (proto/conformance/DRIVER.md) with two connections to a daemon: it hosts by one
and calls by the other. Its agents are called after it, such as `go.echo`.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from coagent_client.sync import connect
from processes import BOUND_S, Daemon
from runner import Driver, Failed, Pending

LANGUAGES = ("python", "node", "go", "swift")
PAIRS = list(itertools.product(LANGUAGES, repeat=2))
PAIR_IDS = [f"{caller}-to-{host}" for caller, host in PAIRS]
ORDERS = list(itertools.permutations(LANGUAGES))
ORDER_IDS = ["-".join(order) for order in ORDERS]

CANNED = (
    "echo", "mirror", "generate", "collect", "recorder", "hang", "fail", "relay", "delegate",
    "hand_over", "scripted",
)  # fmt: skip

Fields = dict[str, Any]
_numbers = itertools.count(1)


def fresh(word: str) -> str:
    """A word that nobody has used."""
    return f"{word}-{next(_numbers)}"


def arrived(body: Fields) -> Fields:
    """How a message with that body is reported where it arrives."""
    usual = {"json": "application/json", "text": "text/plain"}
    kind = next((kind for kind in usual if kind in body), "hex")
    told = {"content_type": usual.get(kind, "application/octet-stream"), **body}
    told.pop("ext", None)
    return told


def value(answer: Fields) -> Any:
    """The bare value that a call gave: clients show no more of it."""
    told = answer["value"]
    return next(told[kind] for kind in ("json", "text", "hex", "sha256") if kind in told)


def refusal(pending: Pending) -> Failed:
    """The error that a command fails with."""
    with pytest.raises(Failed) as caught:
        pending.result()
    return caught.value


def until(holds: Callable[[], bool], what: str) -> None:
    """Asks again and again, as long as a wait may take; asking is a round trip of its own."""
    end = time.monotonic() + BOUND_S
    while not holds():
        assert time.monotonic() < end, f"it did not come to be: {what}"


def outcome(pending: Pending) -> str:
    """`answered`, or the reason of the refusal."""
    try:
        pending.result()
    except Failed as failed:
        return failed.reason
    return "answered"


class Reply:
    """A call that a peer has opened, read and written step by step."""

    def __init__(self, driver: Driver, name: str) -> None:
        self._driver = driver
        self._name = name

    def begin(self, do: str, **fields: Any) -> Pending:
        """A step on its way."""
        return self._driver.command(do, of=self._name, **fields)

    def next(self) -> Fields:
        return self.begin("next").result()

    def take(self, count: int) -> list[Fields]:
        """So many messages, one by one."""
        return [self.next()["message"] for _ in range(count)]

    def rest(self) -> Fields:
        return self.begin("rest").result(BOUND_S)

    def texts(self) -> list[str]:
        """The rest, of a reply that is all text."""
        return [message["text"] for message in self.rest()["messages"]]

    def put(self, body: Fields) -> None:
        self.begin("put", body=body).result()

    def finish(self) -> None:
        self.begin("finish").result()

    def leave(self) -> None:
        self.begin("leave").result()

    def interrupt(self, body: Fields | None = None) -> None:
        """Reaches the agent's code for this call; done when it has."""
        options = {} if body is None else {"body": body}
        self.begin("interrupt", client="calling", **options).result()


class Peer:
    """A process of one language."""

    def __init__(self, language: str, name: str) -> None:
        self.language = language
        self.name = name
        self.driver = Driver(language)

    def connect(self, daemon: Daemon, transport: str = "unix", **options: Any) -> None:
        for client in ("hosting", "calling"):
            self.run(
                "connect",
                **{"as": client},
                url=daemon.url(transport),
                token=daemon.token(transport) or "",
                name=f"{self.name}-{client}",
                **options,
            )

    def named(self, agent: str, session: str = "") -> str:
        """The address of an agent that this peer hosts."""
        return f"{self.language}.{agent}:{session}" if session else f"{self.language}.{agent}"

    def run(self, do: str, **fields: Any) -> Fields:
        return self.driver.run(do, **fields)

    def event(self, kind: str, **fields: Any) -> Fields:
        return self.driver.event(kind, seconds=BOUND_S, **fields)

    # As a host

    def register(self, name: str, agent: str, **options: Any) -> str:
        """Hosts one more agent. Gives the registration's name, for `unregister`."""
        registration = fresh("registration")
        options["as"] = registration
        self.run("register", client="hosting", name=name, agent=agent, **options)
        return registration

    def unregister(self, registration: str) -> None:
        self.run("unregister", of=registration)

    def host_all(self) -> None:
        for agent in CANNED:
            self.register(self.named(agent), agent)

    def called(self, address: str) -> Fields:
        """The next call to a scripted agent's address."""
        return self.event("called", address=address)

    def answer(self, called: Fields, **fields: Any) -> None:
        self.run("answer", call=called["call"], **fields)

    # As a caller

    def call(self, to: str, body: Fields | None = None, **options: Any) -> Pending:
        """A call on its way."""
        return self._begin("call", to, body, options)

    def send(self, to: str, body: Fields, **options: Any) -> Pending:
        """A send on its way, which is done when it is in the mailbox."""
        return self._begin("send", to, body, {"ack": True, **options})

    def stream(self, to: str, body: Fields | None = None, **options: Any) -> Reply:
        return self._opened("stream", to, body, options)

    def open(self, to: str, body: Fields | None = None, **options: Any) -> Reply:
        return self._opened("open", to, body, options)

    def attach(self, run: str, **options: Any) -> Reply:
        """Reads a run that somebody else may have opened."""
        options["as"] = fresh("attach")
        self.run("attach", client="calling", run=run, **options)
        return Reply(self.driver, options["as"])

    def signal(self, do: str, **fields: Any) -> Pending:
        """`interrupt`, `cancel`, `pause`, `resume` or `signal`, of a session or a run."""
        return self.driver.command(do, client="calling", **fields)

    # As a delegator: of a scripted call

    def reply(self, called: Fields, body: Fields, **options: Any) -> Pending:
        """A message of the reply, on its way."""
        return self.driver.command("reply", call=called["call"], body=body, **options)

    def delegate(self, called: Fields, to: str, body: Fields | None = None, **options: Any) -> str:
        """Opens a call that is to be spliced into the reply; gives its name."""
        name = fresh("delegated")
        if body is not None:
            options["body"] = body
        self.run("delegate", call=called["call"], to=to, **{"as": name}, **options)
        return name

    def splice(self, called: Fields, delegated: str, **options: Any) -> Pending:
        return self.driver.command("splice", call=called["call"], of=delegated, **options)

    def hand_off(self, called: Fields, delegated: str) -> None:
        self.run("hand_off", call=called["call"], of=delegated)

    def kill(self) -> None:
        """Ends the process as nothing could foresee."""
        self.driver.kill()

    def cancel(self, pending: Pending) -> None:
        self.run("cancel", command=pending.number)

    def _begin(self, do: str, to: str, body: Fields | None, options: Fields) -> Pending:
        if body is not None:
            options["body"] = body
        options.setdefault("client", "calling")
        return self.driver.command(do, to=to, **options)

    def _opened(self, do: str, to: str, body: Fields | None, options: Fields) -> Reply:
        options["as"] = fresh(do)
        self._begin(do, to, body, options).result()
        return Reply(self.driver, options["as"])


class Fleet:
    """A peer of each language at one daemon."""

    def __init__(self, daemon: Daemon, transport: str = "unix") -> None:
        self.daemon = daemon
        self.transport = transport
        self._drivers: list[Driver] = []
        self._peers: dict[str, Peer] = {}
        self._operator = connect(daemon.url(transport), token=daemon.token(transport) or "")

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        """All processes end well, after a failure at least with it."""
        try:
            self._operator.close()
            if kind is None:
                self.end()
        finally:
            for driver in self._drivers:
                driver.kill()

    def start(self) -> None:
        """One of each, with all agents."""
        self._operator.__enter__()
        for language in LANGUAGES:
            self._peers[language] = self._started(language, language)
        for peer in self:
            peer.host_all()

    def __getitem__(self, language: str) -> Peer:
        return self._peers[language]

    def __iter__(self) -> Iterator[Peer]:
        return iter(self._peers.values())

    def after(self, peer: Peer) -> Peer:
        """The peer of the next language, in turn."""
        return self[LANGUAGES[(LANGUAGES.index(peer.language) + 1) % len(LANGUAGES)]]

    # What the sidecar tells

    def ask(self, type: str, **request: Any) -> Fields:
        """An answer of its own agent `sessions`."""
        return self.ask_agent("sessions", type, request)

    def ask_agent(self, to: str, type: str, request: Fields | None = None) -> Fields:
        """An answer of any length: drivers tell long ones by their digest."""
        told: Fields = self._operator.call(to, request, type=type)
        return told

    def sessions(self, agent: str) -> list[Fields]:
        """All sessions of an agent."""
        told: list[Fields] = self.ask("SessionList", agent=agent)["sessions"]
        return told

    def replicas(self, agent: str) -> int:
        """How many host an agent now."""
        cards = self._operator.discover(agent, inclusive=True, detailed=True)
        return sum(card.replicas or 0 for card in cards if card.name == agent)

    def running(self, address: str) -> Counter[str]:
        """How many calls of an address are with which peer."""
        calls = self.ask("CallList")["calls"]
        return Counter(
            call["host"].removesuffix("-hosting")
            for call in calls
            if call["to"] == address and call["state"] == "running"
        )

    def await_running(self, address: str, count: int) -> Counter[str]:
        """So many calls of an address are with hosts: with which."""
        until(lambda: self.running(address).total() == count, f"{count} calls of {address} run")
        return self.running(address)

    def await_waiting(self, address: str, count: int) -> None:
        """So many messages are in the mailbox of a session."""

        def holds() -> bool:
            return bool(self.ask("SessionDescribe", address=address)["waiting"] == count)

        until(holds, f"{count} messages wait at {address}")

    def another(self, language: str) -> Peer:
        """One more process, connected, which hosts nothing yet; it ends with the fleet."""
        return self._started(language, fresh(language))

    def _started(self, language: str, name: str) -> Peer:
        peer = Peer(language, name)
        self._drivers.append(peer.driver)
        peer.connect(self.daemon, self.transport)
        return peer

    def end(self) -> None:
        """Ends all processes by the end of their input: each closes its clients and succeeds."""
        for driver in self._drivers:
            if driver.process.poll() is None and (code := driver.end()) != 0:
                raise driver.fault(f"it ended with {code}")
