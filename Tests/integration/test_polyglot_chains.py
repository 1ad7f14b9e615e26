"""Chains through agents of every language: order, marks, cancellation, deadline, trace."""

from __future__ import annotations

import itertools

import pytest
from fleet import LANGUAGES, ORDER_IDS, ORDERS, Fields, Fleet, Peer, fresh, refusal, until, value

WORDS = [f"word{number}" for number in range(40)]
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(params=ORDERS, ids=ORDER_IDS)
def chain(request: pytest.FixtureRequest, fleet: Fleet) -> list[Peer]:
    """All peers, in one of their orders."""
    return [fleet[language] for language in request.param]


def marks(chain: list[Peer]) -> str:
    """What the relays of a chain put before each text."""
    return "".join(f"{peer.language}>" for peer in chain)


class Hops:
    """A call that goes from peer to peer and stays open at the last."""

    def __init__(self, chain: list[Peer]) -> None:
        self.chain = chain
        self.caller = chain[-1]
        session = fresh("hop")
        self.addresses = [peer.named("scripted", session) for peer in chain]
        self.called: list[Fields] = []

    def reach_the_end(self) -> None:
        following = itertools.chain(self.addresses[1:], [None])
        for peer, address, target in zip(self.chain, self.addresses, following):
            called = peer.called(address)
            self.called.append(called)
            if target is not None:
                peer.driver.command("forward", call=called["call"], to=target)

    def expect_cancelled(self) -> None:
        for peer, called in zip(self.chain, self.called):
            peer.event("cancelled", call=called["call"])

    def expect_idle(self, fleet: Fleet) -> None:
        """No host handles anything of it any more."""
        for address in self.addresses:
            until(lambda: fleet.ask("SessionDescribe", address=address)["state"] == "idle", address)


def test_a_chain_through_all_streams_back(chain: list[Peer]) -> None:
    # The words come from the first again, past all of them.
    names = [peer.named("relay") for peer in chain]
    errand = {"path": [*names[1:], names[0]], "text": " ".join(WORDS)}
    reply = chain[-1].stream(names[0], {"json": errand}, window=2000)
    assert reply.texts() == [marks(chain) + word for word in WORDS]


def test_scenario_09_a_step_called_directly_answers_its_caller(chain: list[Peer]) -> None:
    names = [peer.named("relay") for peer in chain]
    caller = chain[-1]
    through = caller.stream(names[0], {"json": {"path": names[1:], "text": "a b"}})
    assert through.texts() == [marks(chain[:-1]) + word for word in "ab"]
    direct = [caller.call(name, {"json": {"path": [], "text": "c"}}) for name in names]
    assert [value(call.result()) for call in direct] == ["c"] * len(names)


def test_cancelled_at_its_root_a_chain_ends_everywhere(fleet: Fleet, chain: list[Peer]) -> None:
    hops = Hops(chain)
    call = hops.caller.call(hops.addresses[0], {"text": "x"})
    hops.reach_the_end()
    hops.caller.cancel(call)
    assert refusal(call).code == "cancelled"
    hops.expect_cancelled()
    hops.expect_idle(fleet)


def test_a_chain_inherits_deadline_trace_and_extensions(chain: list[Peer]) -> None:
    hops = Hops(chain)
    ext = {"user": "ann", "depth": 4, "sure": True}
    call = hops.caller.call(
        hops.addresses[0], {"text": "x"}, timeout_ms=30_000, trace=TRACE, ext=ext
    )
    hops.reach_the_end()
    left = [called["time_left_ms"] for called in hops.called]
    assert left[0] <= 30_000 and left[-1] > 0
    # Less at each hop, but for how each language rounds.
    assert all(below <= above + 1 for above, below in itertools.pairwise(left)), left
    for peer, called in zip(chain, hops.called):
        assert (called["trace"], called["ext"]) == (TRACE, ext), peer.language
    # The sidecar's word for who asked: the agent whose call it serves.
    assert [called.get("sender", "") for called in hops.called] == ["", *hops.addresses[:-1]]
    # What the last answers goes all the way back.
    chain[-1].answer(hops.called[-1], body={"text": "the end"})
    assert value(call.result()) == "the end"


@pytest.mark.parametrize("first", LANGUAGES)
def test_a_late_chain_ends_everywhere(fleet: Fleet, first: str) -> None:
    chain = [fleet[first]]
    while len(chain) < len(LANGUAGES):
        chain.append(fleet.after(chain[-1]))
    hops = Hops(chain)
    call = hops.caller.call(hops.addresses[0], {"text": "x"}, timeout_ms=1000)
    hops.reach_the_end()
    failed = refusal(call)
    assert (failed.code, failed.reason) == ("deadline_exceeded", "deadline")
    # The last has nobody below whose lateness could end it before its own does.
    chain[-1].event("cancelled", call=hops.called[-1]["call"])
    hops.expect_idle(fleet)


def test_scenario_08_of_two_chains_at_once_one_fails_at_its_first_step(
    chain: list[Peer],
) -> None:
    good, bad = Hops(chain), Hops(chain)
    calls = [hops.caller.call(hops.addresses[0], {"text": "x"}) for hops in (good, bad)]
    good.reach_the_end()
    first = chain[0].called(bad.addresses[0])
    chain[0].run("fail", call=first["call"], message="boom", cause="why")
    failed = refusal(calls[1])
    assert (failed.code, failed.reason) == ("internal", "agent_error")
    assert failed.error["message"] == "boom"
    # It was this step, not one that the step had called.
    assert "agent" not in failed.details
    chain[-1].answer(good.called[-1], body={"text": "right"})
    assert value(calls[0].result()) == "right"


def test_an_error_tells_which_step_of_a_chain_it_was(chain: list[Peer]) -> None:
    hops = Hops(chain)
    call = hops.caller.call(hops.addresses[0], {"text": "x"})
    hops.reach_the_end()
    chain[-1].run(
        "fail",
        call=hops.called[-1]["call"],
        code="aborted",
        reason="sold_out",
        message="no pears",
        details={"fruit": "pear", "left": 0},
    )
    failed = refusal(call)
    assert (failed.code, failed.reason) == ("aborted", "sold_out")
    assert failed.error["message"] == "no pears"
    assert failed.details == {"fruit": "pear", "left": 0, "agent": hops.addresses[-1]}
