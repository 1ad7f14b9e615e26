"""Messages are checked against schemas where an agent asks for it, against a scripted sidecar."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from fake_sidecar import FakeSidecar, Peer, aio, answered, entered, failed, registered

from coagent_client import InvalidArgumentError, Message, Part, connect, operation, out_of_order

ITEM = {
    "type": "object",
    "properties": {"name": {"type": "string", "minLength": 1}, "count": {"minimum": 1}},
    "required": ["name"],
}
ORDER = {"type": "object", "properties": {"items": {"type": "array", "items": ITEM}}}
CODE = {"type": "string", "pattern": "^[A-Z]{3}$"}


@dataclass
class Order:
    items: list[str]
    note: str = ""


def checked(target: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Runs a test with this agent registered as `a`, validating."""

    def decorate(test: Callable[[Peer], Any]) -> Callable[[], None]:
        async def run() -> None:
            async with FakeSidecar() as sidecar:
                client = connect(sidecar.url)
                client.register("a", target, **{"validate": True, **options})
                peer = await entered(sidecar, client)
                await registered(peer, "a")
                await test(peer)
                await client.aclose()

        def test_() -> None:
            aio(run)()

        test_.__name__ = test.__name__
        return test_

    return decorate


async def refused(peer: Peer, value: Any, path: str, **fields: Any) -> None:
    error = await failed(peer, peer.call("a", json.dumps(value).encode(), **fields))
    assert (error["code"], error["reason"]) == ("invalid_argument", "bad_content")
    assert error["details"]["path"] == path, error


async def take(order: dict[str, Any]) -> int:
    seen.append(order)
    return len(order["items"])


seen: list[Any] = []


@checked(take, input=ORDER)
async def test_what_comes_is_checked_before_the_code_sees_it(peer: Peer) -> None:
    seen.clear()
    good = {"items": [{"name": "pear", "count": 2}]}
    assert await answered(peer, peer.call("a", json.dumps(good).encode())) == [1]
    await refused(peer, {"items": [{"name": "pear"}, {"count": 1}]}, "$.items[1]")
    await refused(peer, {"items": [{"name": "pear", "count": 0}]}, "$.items[0].count")
    await refused(peer, [], "$")
    await refused(peer, "text", "$", content_type="text/plain")
    await refused(peer, 1, "$", content_type="application/octet-stream")
    assert seen == [good]


async def sums(numbers: AsyncIterator[int]) -> int:
    return sum([number async for number in numbers])


@checked(sums)
async def test_schemas_of_hints_hold_for_each_message_of_an_input(peer: Peer) -> None:
    for content, is_good in [(b"2", True), (b'"2"', False)]:
        call = peer.call("a", b"1", input=True)
        peer.send({"op": "data", "id": call, "end": True}, content)
        if is_good:
            assert await answered(peer, call) == [3]
        else:
            assert (await failed(peer, call))["details"]["path"] == "$"


async def answers(what: str) -> str | None:
    return {"good": "ABC", "bad": "abc"}.get(what)


@checked(answers, output=CODE)
async def test_what_goes_is_checked_too(peer: Peer) -> None:
    assert await answered(peer, peer.call("a", b'"good"')) == ["ABC"]
    for what in (b'"bad"', b'"none"'):
        error = await failed(peer, peer.call("a", what))
        assert (error["code"], error["reason"]) == ("internal", "bad_reply")
        assert error["details"]["path"] == "$"


async def streams(count: int) -> AsyncIterator[Any]:
    yield Message.of("ABC", type="Code")
    yield Part("pieces are not ")
    yield Part("looked at")
    yield out_of_order("DEF") if count else out_of_order("wrong")
    if count > 1:
        yield "wrong"


@checked(streams, output=CODE)
async def test_each_message_of_a_stream_is_checked_and_what_was_sent_stays_sent(
    peer: Peer,
) -> None:
    pieces = [b"ABC", b"pieces are not ", b"looked at", b"DEF", b""]
    for count, sent in [(b"1", 5), (b"2", 4), (b"0", 3)]:
        call = peer.call("a", count)
        for content in pieces[:sent]:
            assert (await peer.next("data")).content == content
        if sent < len(pieces):
            assert (await failed(peer, call))["reason"] == "bad_reply"


def plain(order: Order) -> list[str]:
    return order.items


@checked(plain)
async def test_derived_schemas_are_checked_like_those_given(peer: Peer) -> None:
    assert await answered(peer, peer.call("a", b'{"items":["x"]}')) == [["x"]]
    await refused(peer, {"items": ["x", 1]}, "$.items[1]")
    await refused(peer, {"note": "x"}, "$")


async def copies(content: bytes) -> bytes:
    return content


@checked(copies)
async def test_bytes_by_their_hint_are_bytes(peer: Peer) -> None:
    call = peer.call("a", b"\x00", content_type="application/octet-stream")
    got = await peer.next("data")
    assert (got["id"], got.content) == (call, b"\x00")


class Shop:
    @operation("Order", validate=True, input=ORDER, output={"type": "integer", "maximum": 1})
    async def order(self, order: dict[str, Any]) -> int:
        return len(order["items"])

    @operation("Loose")
    async def loose(self, order: Order) -> str:
        return order.note


@checked(Shop, validate=False)
async def test_each_operation_may_ask_for_itself(peer: Peer) -> None:
    await refused(peer, {"items": [{}]}, "$.items[0]", type="Order")
    call = peer.call("a", b'{"items":[{"name":"x"},{"name":"y"}]}', type="Order")
    assert (await failed(peer, call))["reason"] == "bad_reply"
    error = await failed(peer, peer.call("a", b'{"items":1}', type="Loose"))
    assert "details" not in error  # By its hints alone.


@aio
async def test_given_schemas_are_what_discovery_shows() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        client.register("a", take, input=ORDER, output=CODE)
        peer = await entered(sidecar, client)
        [shown] = json.loads((await peer.next("register")).content)
        assert (shown["input"], shown["output"]) == (ORDER, CODE)
        await client.aclose()


def test_what_is_no_schema_is_refused_and_nothing_is_fetched() -> None:
    client = connect("unix:/nowhere")
    with pytest.raises(InvalidArgumentError) as caught:
        client.register("a", take, validate=True, input={"type": "thing"})
    assert caught.value.reason == "bad_schema"
    with pytest.raises(TypeError):
        client.register("a", Shop, input=ORDER)


@checked(take, input={"$ref": "http://127.0.0.1:1/schema.json"})
async def test_a_schema_elsewhere_is_not_fetched(peer: Peer) -> None:
    error = await failed(peer, peer.call("a", b"{}"))
    assert error["code"] == "internal"
    assert "Unresolvable" in error["message"]


@checked(take, input={"$ref": "https://json-schema.org/draft/2020-12/schema"})
async def test_the_standards_own_schemas_are_known(peer: Peer) -> None:
    await refused(peer, {"type": 1}, "$.type")


def test_who_asks_without_the_package_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    client = connect("unix:/nowhere")
    client.register("unchecked", take, input=ORDER)
    with pytest.raises(ImportError, match=r"coagent-client\[schemas\]"):
        client.register("checked", take, input=ORDER, validate=True)
