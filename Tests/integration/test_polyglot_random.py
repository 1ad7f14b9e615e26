"""Calls of all kinds between all languages, many at a time, chosen at random from a seed."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable

import pytest
from fleet import LANGUAGES, Fields, Fleet, Reply, arrived, fresh, refusal, until, value
from processes import BOUND_S
from runner import Pending

STEPS = 400
AT_ONCE = 40

Check = Callable[[], str]


class Dice:
    """What happens next; whatever it is, what it comes to is known beforehand."""

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self.fleet = fleet
        self.random = random.Random(seed)
        self.kept: dict[tuple[str, str], list[int]] = {}
        self.session = fresh("random")
        self.kinds: tuple[Callable[[int], Check], ...] = (
            self.echo,
            self.left,
            self.cancelled,
            self.late,
            self.mirrored,
            self.kept_there,
            self.interrupted,
            self.delegated,
            self.read_again,
        )

    def begin(self, number: int) -> Check:
        """Begins something; the result waits for its end and judges it."""
        return self.random.choice(self.kinds)(number)

    def peers(self) -> tuple[str, str]:
        return self.random.choice(LANGUAGES), self.random.choice(LANGUAGES)

    def call(self, agent: str, body: Fields, **options: int) -> tuple[str, Pending]:
        caller, host = self.peers()
        address = self.fleet[host].named(agent)
        return caller, self.fleet[caller].call(address, body, **options)

    def echo(self, number: int) -> Check:
        content = self.random.randbytes(self.random.choice((0, 1, 500)))
        _, call = self.call("echo", {"hex": content.hex()})

        def check() -> str:
            assert value(call.result(BOUND_S)) == content.hex()
            return "echo"

        return check

    def stream(self, agent: str, body: Fields) -> Reply:
        return self.stream_to(self.random.choice(LANGUAGES), agent, body)

    def stream_to(self, host: str, agent: str, body: Fields) -> Reply:
        caller = self.random.choice(LANGUAGES)
        return self.fleet[caller].stream(self.fleet[host].named(agent), body)

    def left(self, number: int) -> Check:
        count, size = self.random.randrange(1, 60), self.random.choice((8, 5000, 70_000))
        reply = self.stream("generate", {"json": {"count": count, "bytes": size}})
        taken = self.random.randrange(count + 1)
        steps = [reply.begin("next") for _ in range(taken)]

        def check() -> str:
            for step in steps:
                assert "message" in step.result(BOUND_S)
            if taken == count:
                assert reply.next() == {"end": True}
            reply.leave()
            return "left"

        return check

    def cancelled(self, number: int) -> Check:
        caller, call = self.call("hang", {"text": "x"})
        self.fleet[caller].cancel(call)

        def check() -> str:
            assert refusal(call).code == "cancelled"
            return "cancelled"

        return check

    def late(self, number: int) -> Check:
        _, call = self.call("hang", {"text": "x"}, timeout_ms=self.random.randrange(1, 30))

        def check() -> str:
            assert refusal(call).code == "deadline_exceeded"
            return "late"

        return check

    def mirrored(self, number: int) -> Check:
        caller, host = self.peers()
        exchange = self.fleet[caller].open(self.fleet[host].named("mirror"))
        bodies = [{"text": f"{number} {n}"} for n in range(self.random.randrange(8))]
        steps = [exchange.begin("put", body=body) for body in bodies]
        steps.append(exchange.begin("finish"))
        rest = exchange.begin("rest")

        def check() -> str:
            for step in steps:
                step.result(BOUND_S)
            told = rest.result(BOUND_S)["messages"]
            assert told == [arrived(body) for body in bodies]
            return "mirrored"

        return check

    def interrupted(self, number: int) -> Check:
        reply = self.stream("hang", {"text": "x"})
        interrupt = reply.begin("interrupt", client="calling", body={"json": number})

        def check() -> str:
            interrupt.result(BOUND_S)
            assert refusal(reply.begin("next")).reason == "interrupted"
            return "interrupted"

        return check

    def delegated(self, number: int) -> Check:
        """Through splices or handoffs at agents of any languages."""
        agent = self.random.choice(("delegate", "hand_over"))
        chain = [self.random.choice(LANGUAGES) for _ in range(self.random.randrange(1, 6))]
        path = [self.fleet[language].named(agent) for language in chain[1:]]
        text = f"{number} words"
        reply = self.stream_to(chain[0], agent, {"json": {"path": path, "text": text, "mark": ""}})
        rest = reply.begin("rest")
        expected = [f"{language}>" for language in chain[:-1]] + text.split()
        if agent == "delegate":
            expected += [f"<{language}" for language in reversed(chain[:-1])]

        def check() -> str:
            told = rest.result(BOUND_S)["messages"]
            assert [message["text"] for message in told] == expected
            return "delegated"

        return check

    def read_again(self, number: int) -> Check:
        """A run, read by who opened it, and by another when it has ended."""
        count, size = self.random.randrange(1, 60), self.random.choice((8, 5000, 50_000))
        run = fresh("run")
        body = {"json": {"count": count, "bytes": size}}
        caller, host = self.peers()
        reply = self.fleet[caller].stream(self.fleet[host].named("generate"), body, run=run)
        rest = reply.begin("rest")

        def check() -> str:
            told = rest.result(BOUND_S)
            assert told["count"] == count
            again = self.fleet[self.random.choice(LANGUAGES)].attach(run).rest()
            assert again["sha256"] == told["sha256"]
            return "read again"

        return check

    def kept_there(self, number: int) -> Check:
        caller, host = self.peers()
        self.kept.setdefault((caller, host), []).append(number)
        address = self.fleet[host].named("recorder", f"{self.session}-{caller}")
        send = self.fleet[caller].send(address, {"json": number, "type": "add"})

        def check() -> str:
            send.result(BOUND_S)
            return "kept"

        return check


@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_each_call_comes_to_its_own_end(fleet: Fleet, seed: int) -> None:
    dice = Dice(fleet, seed)
    under_way: deque[Check] = deque()
    ends: Counter[str] = Counter()
    for number in range(STEPS):
        under_way.append(dice.begin(number))
        if len(under_way) >= AT_ONCE:
            ends[under_way.popleft()()] += 1
    while under_way:
        ends[under_way.popleft()()] += 1
    assert ends.total() == STEPS and len(ends) == len(dice.kinds), ends
    for (caller, host), numbers in dice.kept.items():
        address = fleet[host].named("recorder", f"{dice.session}-{caller}")
        assert fleet.ask_agent(address, "show") == {"items": numbers, "most_running": 1}
    # Nothing of it is left behind: hosts have ended what was cancelled. (Who asks is one call.)
    until(lambda: len(fleet.ask("CallList")["calls"]) <= 1, "no call is left")
