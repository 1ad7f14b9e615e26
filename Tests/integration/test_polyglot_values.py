"""What programs say to one another arrives as it was said, in whatever script or number."""

from __future__ import annotations

import json

import pytest
from fleet import LANGUAGES, Fields, Fleet, Peer, arrived, fresh, refusal, value

COMPOSED, DECOMPOSED = "\u00e9", "e\u0301"

TEXTS = (
    "",
    " ",
    "\n\r\t",
    "a\u0000b",
    "Zürich, Łódź, Þórshöfn, Đà Nẵng",
    "Ελληνικά Русский Հայերեն ქართული",
    "עברית العربية فارسی اردو ܣܘܪܝܝܐ",
    "हिन्दी বাংলা தமிழ் తెలుగు ಕನ್ನಡ മലയാളം සිංහල",
    "ไทย ລາວ မြန်မာ ភាសាខ្មែរ བོད་སྐད",
    "中文 日本語 ひらがな カタカナ 한국어 조선말",
    "አማርኛ ߒߞߏ ⵜⴰⵎⴰⵣⵉⵖⵜ ᏣᎳᎩ ᐃᓄᒃᑎᑐᑦ",
    "😀 👩‍👩‍👧‍👦 🏳️‍🌈 🇨🇭 👍🏽",
    "𝒜 𐍈 𠜎 \U0010ffff",
    f"{COMPOSED} {DECOMPOSED} \u212b \u00c5 \ufb01",
    "\ufeffa mark first, \u200eleft, \u202eright, \u2028line, \u2029paragraph",
    "\"quoted\" back\\slash </script> & 'single'",
)

JSONS = (
    None,
    True,
    False,
    0,
    -1,
    2**53 - 1,
    -(2**53 - 1),
    0.1,
    -0.5,
    1.5e300,
    1.7976931348623157e308,
    5e-324,
    2.2250738585072014e-308,
    123456789.12345679,
    [],
    {},
    ["", "😀 \u2028 \u0000 \"\\/"],
    [[], {}, "", None, False, 0],
    {"": 0, "null": None, "ключ": ["値", {"🔑": "مفتاح"}]},
    [2**53 - 1, 1e21, 1e-7, 100, 0.30000000000000004],
)

# Up to 128 bytes without spaces and control characters: what a session may be called.
SESSIONS = (
    "ann",
    "a:b:c",
    '"\\/',
    "😀👩‍👩‍👧‍👦",
    "Ωμέγα",
    "сессия",
    "جلسة",
    "セッション",
    "세션",
    "सत्र",
    "\u2028",
    "x" * 128,
    "é" * 64,
)

EXT = {word: word for word in ("ключ", "🔑", "größe", "值", "a b")}
EXT_OF_ALL_KINDS = {
    **EXT,
    "yes": True,
    "no": False,
    "quoted": '"\\\n',
    "composed": COMPOSED,
    "decomposed": DECOMPOSED,
    "zero": 0,
    "most": 2**53 - 1,
}


def spelled(told: object) -> str:
    """Equal for what is equal and of one kind: 1 is not True."""
    return json.dumps(told, sort_keys=True)


@pytest.fixture(params=LANGUAGES)
def caller(request: pytest.FixtureRequest, fleet: Fleet) -> Peer:
    return fleet[request.param]


def test_texts_of_every_script(fleet: Fleet, caller: Peer) -> None:
    asked = [
        (text, caller.call(host.named("echo"), {"text": text})) for host in fleet for text in TEXTS
    ]
    for text, call in asked:
        assert call.result()["value"] == arrived({"text": text})


def test_numbers_and_nulls(fleet: Fleet, caller: Peer) -> None:
    for host in fleet:
        exchange = caller.open(host.named("mirror"))
        for item in JSONS:
            exchange.put({"json": item, "type": "Item"})
        exchange.finish()
        for item in JSONS:
            [message] = exchange.take(1)
            assert spelled(message) == spelled(arrived({"json": item, "type": "Item"}))
        assert exchange.next() == {"end": True}


def test_numbers_as_values_of_unary_calls(fleet: Fleet, caller: Peer) -> None:
    asked = [
        (item, caller.call(host.named("echo"), {"json": item}))
        for host in fleet
        for item in JSONS
        if item is not None
    ]
    for item, call in asked:
        assert spelled(value(call.result())) == spelled(item)


def test_empty_messages_are_messages(fleet: Fleet, caller: Peer) -> None:
    bodies: list[Fields] = [
        {"text": ""},
        {"hex": ""},
        {"json": None},
        {"text": "", "type": "Empty"},
        {"hex": "", "type": "Empty", "content_type": "image/png"},
    ]
    for host in fleet:
        exchange = caller.open(host.named("mirror"))
        for body in bodies:
            exchange.put(body)
        exchange.finish()
        assert exchange.rest()["messages"] == [arrived(body) for body in bodies]
        # And none at all is none.
        nothing = caller.open(host.named("mirror"))
        nothing.finish()
        assert nothing.next() == {"end": True}


def test_types_and_extensions_of_every_script(fleet: Fleet, caller: Peer) -> None:
    for host in fleet:
        address = host.named("scripted", fresh("größe.型"))
        reply = caller.stream(
            address, {"json": 1, "type": "Größe.型"}, ext=EXT_OF_ALL_KINDS, trace="trace-😀"
        )
        called = host.called(address)
        assert (called["type"], called["trace"]) == ("Größe.型", "trace-😀")
        assert spelled(called["ext"]) == spelled(EXT_OF_ALL_KINDS)
        host.answer(called, body={"text": "x", "type": "答え", "ext": EXT_OF_ALL_KINDS})
        assert spelled(reply.next()["message"]) == spelled(
            {"text": "x", "type": "答え", "ext": EXT_OF_ALL_KINDS, "content_type": "text/plain"}
        )


def test_names_of_every_form(fleet: Fleet, caller: Peer) -> None:
    for host in fleet:
        for name in (fresh("A-Z_a-z"), f"0.{fresh('n')}.-._", fresh("long").ljust(128, "x")):
            registration = host.register(name, "echo")
            assert value(caller.call(f"{name}:s:t", {"text": name}).result()) == name
            host.unregister(registration)
    for name in ("größe", "a b", "a..b", ".a", "a.", "", "x" * 129, "a/b"):
        failed = refusal(caller.call(name, {"text": "x"}))
        assert (failed.code, failed.reason) == ("invalid_argument", "bad_address"), name


def test_sessions_of_every_script(fleet: Fleet, caller: Peer) -> None:
    for host in fleet:
        addresses = [host.named("recorder", session) for session in SESSIONS]
        keeps = [
            caller.send(address, {"json": [caller.language, address], "type": "add"})
            for address in addresses
        ]
        for keep in keeps:
            keep.result()
        for address in addresses:
            shown = value(caller.call(address, {"json": None, "type": "show"}).result())
            assert [caller.language, address] in shown["items"]
            assert all(kept == address for _, kept in shown["items"])


def test_sessions_that_only_look_the_same_are_two(fleet: Fleet, caller: Peer) -> None:
    for host in fleet:
        word = fresh("caf")
        addresses = [host.named("recorder", word + end) for end in (COMPOSED, DECOMPOSED)]
        for number, address in enumerate(addresses):
            caller.send(address, {"json": number, "type": "add"}).result()
        for number, address in enumerate(addresses):
            shown = caller.call(address, {"json": None, "type": "show"}).result()
            assert value(shown) == {"items": [number], "most_running": 1}
