"""Every language calls every language: sixteen pairs, and all that a call can be."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator

import pytest
from conftest import TRANSPORTS, fleet_of
from fleet import PAIR_IDS, PAIRS, Fleet, Peer, arrived, fresh, refusal, value
from processes import BOUND_S, Daemon

Pair = tuple[Peer, Peer]


@pytest.fixture(scope="module", params=TRANSPORTS)
def fleet(request: pytest.FixtureRequest, daemon: Daemon) -> Iterator[Fleet]:
    yield from fleet_of(daemon, request.param)


@pytest.fixture(params=PAIRS, ids=PAIR_IDS)
def pair(request: pytest.FixtureRequest, fleet: Fleet) -> Pair:
    """Who calls, and who has the agent."""
    caller, host = request.param
    return fleet[caller], fleet[host]


def test_unary(pair: Pair) -> None:
    caller, host = pair
    for body in (
        {"json": {"fruit": "pear", "price": [1, 2.5, None, True]}},
        {"json": []},
        {"text": "grüezi 😀"},
        {"text": ""},
        {"hex": "00ff80c0"},
    ):
        answer = caller.call(host.named("echo"), body).result()
        assert value(answer) == next(iter(body.values()))
        assert answer["value"]["content_type"] == arrived(body)["content_type"]


def test_stream(pair: Pair) -> None:
    caller, host = pair
    reply = caller.stream(host.named("generate"), {"json": {"count": 100, "bytes": 64}})
    contents = [number.to_bytes(8, "big") + bytes(56) for number in range(100)]
    expected = [arrived({"hex": content.hex()}) for content in contents]
    assert reply.take(10) == expected[:10]
    assert reply.rest() == {
        "messages": expected[10:],
        "count": 90,
        "bytes": 90 * 64,
        "sha256": hashlib.sha256(b"".join(contents[10:])).hexdigest(),
    }
    assert reply.next() == {"end": True}
    assert host.event("generated")["count"] == 100


def test_both_directions(pair: Pair) -> None:
    caller, host = pair
    exchange = caller.open(host.named("mirror"))
    for body in (
        {"text": "one", "type": "Word"},
        {"json": {"two": 2}},
        {"hex": "03", "type": "Picture", "content_type": "image/png"},
        {"text": ""},
        {"json": None, "type": "Nothing"},
        {"json": [4], "content_type": "application/vnd.pear+json"},
    ):
        # The answer is here before the next message is written: neither waits for the end.
        exchange.put(body)
        assert exchange.next() == {"message": arrived(body)}
    # And several on their way at once.
    words = [{"text": f"word {number}"} for number in range(50)]
    for put in [exchange.begin("put", body=word) for word in words]:
        put.result()
    exchange.finish()
    assert exchange.rest()["messages"] == [arrived(word) for word in words]


def test_binary_of_eight_mebibytes(pair: Pair) -> None:
    caller, host = pair
    answer = caller.call(host.named("echo"), {"repeat": 0xA5, "bytes": 8 << 20})
    assert answer.result(BOUND_S) == {
        "value": {
            "bytes": 8 << 20,
            "sha256": hashlib.sha256(b"\xa5" * (8 << 20)).hexdigest(),
            "content_type": "application/octet-stream",
        }
    }
    # Content whose parts would not go unnoticed in another order.
    content = random.Random(1).randbytes(700_001)
    exchange = caller.open(host.named("mirror"))
    exchange.put({"hex": content.hex(), "type": "Noise", "content_type": "audio/wav"})
    assert exchange.next()["message"] == {
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "content_type": "audio/wav",
        "type": "Noise",
    }
    exchange.finish()
    assert exchange.next() == {"end": True}


def test_input_that_is_collected(pair: Pair) -> None:
    """Sixteen messages of two parts each, and one that is empty, to an agent that only reads."""
    caller, host = pair
    exchange = caller.open(host.named("collect"))
    puts = [
        exchange.begin("put", body={"repeat": number, "bytes": 300_000}) for number in range(16)
    ]
    puts.append(exchange.begin("put", body={"hex": ""}))
    puts.append(exchange.begin("finish"))
    for put in puts:
        put.result(BOUND_S)
    whole = b"".join(bytes([number]) * 300_000 for number in range(16))
    told = {"messages": 17, "bytes": len(whole), "sha256": hashlib.sha256(whole).hexdigest()}
    [message] = exchange.rest()["messages"]
    assert message["json"] == told


def test_error(pair: Pair) -> None:
    caller, host = pair
    for address in (host.named("fail"), host.named("fail", fresh("s"))):
        failed = refusal(caller.call(address, {"text": "pear"}))
        assert (failed.code, failed.reason) == ("internal", "agent_error")
        assert failed.error["message"] == "no price for pear"
        assert not failed.error.get("retry")
        # A cause each, from the nearest to the first, with its type and what it says.
        [cause] = failed.causes
        assert cause == failed.details["causes"]
        kind, _, text = cause.rpartition(": ")
        assert kind and text == "unknown fruit"
        assert failed.details["type"]
    # The next call has nothing of it.
    assert value(caller.call(host.named("echo"), {"text": "apple"}).result()) == "apple"


def test_timeout(pair: Pair) -> None:
    caller, host = pair
    address = host.named("hang", fresh("late"))
    call = caller.call(address, {"text": "x"}, timeout_ms=200)
    host.event("begun", address=address)
    failed = refusal(call)
    assert (failed.code, failed.reason) == ("deadline_exceeded", "deadline")
    host.event("ended", address=address)


def test_cancel(pair: Pair) -> None:
    caller, host = pair
    address = host.named("hang", fresh("left"))
    call = caller.call(address, {"text": "x"})
    host.event("begun", address=address)
    caller.cancel(call)
    assert refusal(call).code == "cancelled"
    host.event("ended", address=address)
    # Leaving a stream cancels it as well; its session was free for it.
    reply = caller.stream(address, {"text": "x"})
    host.event("begun", address=address)
    reply.leave()
    host.event("ended", address=address)
