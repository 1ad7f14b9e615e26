"""Splices between all languages: agents delegate parts of their replies, or all of it.

That delegated calls run at once is seen by their order: the last one answers first.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fleet import (
    LANGUAGES,
    ORDER_IDS,
    ORDERS,
    PAIR_IDS,
    PAIRS,
    Fields,
    Fleet,
    Peer,
    Reply,
    fresh,
    refusal,
    until,
)

TEXT = "one two three"
CHUNK_BYTES = 64 << 10

# How many may be made beyond those that were read: one that waits at each hop.
AHEAD_MAX = 4


class Delegation:
    """A delegator, an inner agent, and a reader of another language than both."""

    def __init__(self, fleet: Fleet, outer: str, inner: str) -> None:
        self.outer = fleet[outer]
        self.inner = fleet[inner]
        self.reader = next(peer for peer in fleet if peer.language not in (outer, inner))
        self._registrations = []
        self.front = self._host(self.outer)
        self.back = self._host(self.inner)

    def _host(self, peer: Peer) -> str:
        name = fresh("spliced")
        self._registrations.append((peer, peer.register(name, "scripted")))
        return name

    def end(self) -> None:
        for peer, registration in self._registrations:
            peer.unregister(registration)

    def called(self, **options: object) -> tuple[Fields, Reply]:
        """The reader's call, as the delegator has it, and its reply."""
        reply = self.reader.stream(self.front, **options)
        return self.outer.called(self.front), reply

    def delegated(self, called: Fields, word: str) -> tuple[str, Fields]:
        """A call below, which has begun."""
        name = self.outer.delegate(called, self.back, {"text": word})
        below = self.inner.called(self.back)
        assert below["message"]["text"] == word
        return name, below

    def say(self, called: Fields, *words: str) -> None:
        """The inner agent replies, and ends."""
        for word in words:
            self.inner.reply(called, {"text": word}).result()
        self.inner.answer(called)


@pytest.fixture(params=PAIRS, ids=PAIR_IDS)
def delegation(request: pytest.FixtureRequest, fleet: Fleet) -> Iterator[Delegation]:
    outer, inner = request.param
    made = Delegation(fleet, outer, inner)
    yield made
    made.end()


def test_replies_are_flattened_in_order_while_all_run(delegation: Delegation) -> None:
    called, reply = delegation.called()
    delegation.outer.reply(called, {"text": "A1"}).result()
    one, first = delegation.delegated(called, "agent1")
    two, second = delegation.delegated(called, "agent2")
    steps = [
        delegation.outer.splice(called, one),
        delegation.outer.splice(called, two),
        delegation.outer.reply(called, {"text": "A2"}),
    ]
    delegation.outer.answer(called)
    for step in steps:
        step.result()
    # The delegator is done, the second has answered, and the first has not said a word.
    delegation.say(second, "m3")
    assert reply.take(1)[0]["text"] == "A1"
    delegation.say(first, "m1", "m2")
    assert reply.texts() == ["m1", "m2", "m3", "A2"]


def test_what_is_out_of_order_goes_before_what_is_held(delegation: Delegation) -> None:
    called, reply = delegation.called()
    slow, held = delegation.delegated(called, "slow")
    beside, also = delegation.delegated(called, "slow, out of order")
    delegation.outer.splice(called, slow).result()
    delegation.outer.reply(called, {"text": "after-slow"}).result()
    delegation.outer.reply(called, {"text": "urgent"}, unordered=True).result()
    assert reply.take(1)[0]["text"] == "urgent"
    delegation.outer.splice(called, beside, unordered=True).result()
    delegation.outer.answer(called)
    delegation.say(also, "slow, out of order")
    assert reply.take(1)[0]["text"] == "slow, out of order"
    delegation.say(held, "slow")
    assert reply.texts() == ["slow", "after-slow"]


def test_an_error_stands_at_its_place(delegation: Delegation) -> None:
    called, reply = delegation.called()
    bad, below = delegation.delegated(called, "bad")
    delegation.outer.splice(called, bad).result()
    delegation.outer.reply(called, {"text": "two"}).result()
    delegation.outer.answer(called)
    delegation.inner.reply(below, {"text": "one"}).result()
    delegation.inner.run("fail", call=below["call"], message="boom")
    got = reply.rest()["messages"]
    assert [each.get("text") or each["failed"] for each in got] == [
        "one",
        {"code": "internal", "reason": "agent_error"},
        "two",
    ]


def test_an_agent_that_is_not_there_is_an_error_at_its_place(delegation: Delegation) -> None:
    called, reply = delegation.called()
    nobody = delegation.outer.delegate(called, fresh("nobody"))
    delegation.outer.splice(called, nobody).result()
    delegation.outer.answer(called, body={"text": "all the same"})
    failed, message = reply.rest()["messages"]
    assert failed["failed"] == {"code": "not_found", "reason": "unknown_agent"}
    assert message["text"] == "all the same"


def test_handed_off_the_rest_is_another_agents(delegation: Delegation) -> None:
    called, reply = delegation.called()
    delegation.outer.reply(called, {"text": "A1"}).result()
    name, below = delegation.delegated(called, "the rest")
    delegation.outer.hand_off(called, name)
    delegation.inner.reply(below, {"json": {"page": 1}, "type": "Page", "ext": {"k": "v"}}).result()
    delegation.inner.run("fail", call=below["call"], code="aborted", reason="torn")
    first, page, *none = reply.take(2)
    assert first["text"] == "A1" and not none
    assert (page["json"], page["type"], page["ext"]) == ({"page": 1}, "Page", {"k": "v"})
    failed = refusal(reply.begin("next"))
    assert (failed.code, failed.reason) == ("aborted", "torn")


def test_what_is_spliced_ends_with_its_reader(delegation: Delegation) -> None:
    called, reply = delegation.called()
    name, below = delegation.delegated(called, "for ever")
    delegation.outer.splice(called, name).result()
    delegation.inner.reply(below, {"text": "one"}).result()
    assert reply.take(1)[0]["text"] == "one"
    reply.leave()
    delegation.outer.event("cancelled", call=called["call"])
    delegation.inner.event("cancelled", call=below["call"])


def test_a_delegator_that_was_cancelled_after_its_handoff_is_not_disturbed(
    delegation: Delegation,
) -> None:
    called, reply = delegation.called()
    name, below = delegation.delegated(called, "for ever")
    delegation.outer.hand_off(called, name)
    delegation.inner.reply(below, {"text": "one"}).result()
    assert reply.take(1)[0]["text"] == "one"
    reply.leave()
    delegation.inner.event("cancelled", call=below["call"])
    left = delegation.outer.driver.events()
    assert [event for event in left if event.get("call") == called["call"]] == []


def test_what_is_spliced_into_a_run_is_kept_with_it(delegation: Delegation) -> None:
    run = fresh("run")
    called, reply = delegation.called(run=run)
    name, below = delegation.delegated(called, "the middle")
    delegation.outer.reply(called, {"text": "A1"}).result()
    delegation.outer.splice(called, name).result()
    delegation.outer.answer(called, body={"text": "A2"})
    delegation.say(below, "m1", "m2")
    texts = ["A1", "m1", "m2", "A2"]
    assert reply.texts() == texts
    assert delegation.inner.attach(run).texts() == texts


# Chains: the agents `delegate` and `hand_over` of each language, one below the other.


@pytest.fixture(params=ORDERS, ids=ORDER_IDS)
def chain(request: pytest.FixtureRequest, fleet: Fleet) -> list[Peer]:
    return [fleet[language] for language in request.param]


def errand(chain: list[Peer], agent: str) -> Fields:
    """What the first of a chain is told."""
    return {"json": {"path": [peer.named(agent) for peer in chain[1:]], "text": TEXT, "mark": ""}}


def test_a_chain_of_splices_reads_as_one_reply(chain: list[Peer]) -> None:
    reply = chain[-1].stream(chain[0].named("delegate"), errand(chain, "delegate"))
    *above, _ = [peer.language for peer in chain]
    before = [f"{language}>" for language in above]
    after = [f"<{language}" for language in reversed(above)]
    assert reply.texts() == [*before, *TEXT.split(), *after]


def test_a_chain_of_handoffs_ends_where_its_last_ends(chain: list[Peer]) -> None:
    reply = chain[-1].stream(chain[0].named("hand_over"), errand(chain, "hand_over"))
    before = [f"{peer.language}>" for peer in chain[:-1]]
    assert reply.texts() == [*before, *TEXT.split()]


def test_a_chain_is_read_one_message_at_a_time(chain: list[Peer]) -> None:
    """A window of one byte at the reader holds back whoever produces, three splices below."""
    *above, last = chain
    body = {"count": 1000, "bytes": CHUNK_BYTES}
    reply = spliced_through(above, last.named("generate"), {"json": body})
    read = 5
    assert [message["bytes"] for message in reply.take(read)] == [CHUNK_BYTES] * read
    reply.leave()
    assert read - 1 <= last.event("generated")["count"] <= read + AHEAD_MAX


def spliced_through(above: list[Peer], last: str, body: Fields) -> Reply:
    """A reply with a window of 1, through a splice at each of these, of an agent below them all."""
    names = [fresh("link") for _ in above]
    links = list(zip(above, names, [*names[1:], last], strict=True))
    registrations = [peer.register(name, "scripted") for peer, name, _ in links]
    reply = above[-1].stream(names[0], window=1)
    for peer, name, below in links:
        called = peer.called(name)
        down = peer.delegate(called, below, body if below == last else None)
        peer.splice(called, down).result()
        peer.answer(called)
    for (peer, _, _), registration in zip(links, registrations, strict=True):
        peer.unregister(registration)
    return reply


@pytest.mark.parametrize("turn", range(len(LANGUAGES)), ids=LANGUAGES)
def test_who_has_handed_over_may_go(fleet: Fleet, turn: int) -> None:
    """Delegators of all languages but one are killed; the last one's reply arrives whole."""
    order = [*LANGUAGES[turn:], *LANGUAGES[:turn]]
    *above, last = order
    lost = [fleet.another(language) for language in above]
    names = [fresh("handed") for _ in order]
    name = names[-1]
    links = list(zip(lost, names[:-1], names[1:], strict=True))
    for peer, own, _ in links:
        peer.register(own, "scripted")
    registration = fleet[last].register(name, "scripted")
    reply = fleet[above[0]].stream(names[0], {"text": "go"})
    for peer, own, below in links:
        called = peer.called(own)
        peer.reply(called, {"text": peer.language}).result()
        peer.hand_off(called, peer.delegate(called, below))
    called = fleet[last].called(name)
    assert [message["text"] for message in reply.take(len(above))] == above
    for peer in lost:
        peer.kill()
    until(lambda: not any(map(fleet.replicas, names[:-1])), "those who handed over are gone")
    fleet[last].reply(called, {"text": "still"}).result()
    fleet[last].answer(called, body={"text": "here"})
    assert reply.texts() == ["still", "here"]
    fleet[last].unregister(registration)
