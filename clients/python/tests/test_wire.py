"""The decoder against every frame vector, and what the client writes against limits."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from fake_sidecar import frame

from coagent_client import InvalidArgumentError, _client, _errors, _wire
from coagent_client._wire import Decoder, encode_frame, flat_object, parse_header, quoted

PROTO = Path(__file__).parents[3] / "proto"
VECTORS: list[dict[str, Any]] = [
    vector
    for path in sorted((PROTO / "vectors/frames").glob("*.json"))
    for vector in json.loads(path.read_text())
]
ACCEPTED = [vector for vector in VECTORS if "frames" in vector]
FIELD = [vector for vector in VECTORS if "field" in vector]
FATAL = [vector for vector in VECTORS if "fatal" in vector]
CLIENTS_HEADER_BYTES_MAX = 32_768

Read = list[tuple[dict[str, Any], bytes]]


def decoder_for(vector: dict[str, Any]) -> Decoder:
    if vector["from"] == "sidecar":
        return Decoder()
    return Decoder(header_bytes_max=8192 if vector.get("first") else CLIENTS_HEADER_BYTES_MAX)


def read(decoder: Decoder, data: bytes, sizes: list[int]) -> Read:
    """What the decoder makes of the bytes in pieces of these sizes."""
    frames: Read = []
    at = 0
    for size in [*sizes, len(data)]:
        for op, ident, fields, content in decoder.feed(data[at : at + size]):
            header = dict(fields)
            if op:
                header["op"] = op
            if ident:
                header["id"] = ident
            frames.append((header, content))
        at += size
    return frames


def plain(header: dict[str, Any]) -> dict[str, Any]:
    """Without an empty op, which is as none, and an id that is none, of an op not known here."""
    if type(header.get("id", 0)) is not int:
        header = {key: value for key, value in header.items() if key != "id"}
    return {key: value for key, value in header.items() if (key, value) != ("op", "")}


def splits(vector: dict[str, Any]) -> list[list[int]]:
    """Whole, byte by byte, in two at every offset (of the small), and by chance."""
    size = len(vector["hex"]) // 2
    ways: list[list[int]] = [[size]]
    if size <= 4096:
        ways.append([1] * size)
        ways.extend([at] for at in range(1, min(size, 300)))
    chance = random.Random(vector["name"])
    for _ in range(10):
        ways.append([chance.randint(1, max(1, size // 2)) for _ in range(6)])
    return ways


@pytest.mark.parametrize("vector", ACCEPTED, ids=lambda vector: vector["name"])
def test_accepts_what_the_vectors_accept_with_the_same_values(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    wanted = [(plain(each["header"]), each["content_hex"]) for each in vector["frames"]]
    for sizes in splits(vector):
        decoder = decoder_for(vector)
        frames = read(decoder, data, sizes)
        assert decoder.error is None, decoder.error
        assert [(header, content.hex()) for header, content in frames] == wanted, sizes
        assert decoder.is_between_frames == (not vector.get("rest"))


@pytest.mark.parametrize("vector", FIELD, ids=lambda vector: vector["name"])
def test_a_field_of_the_wrong_kind_is_seen(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    for sizes in splits(vector):
        decoder = decoder_for(vector)
        frames = read(decoder, data, sizes)
        if decoder.error is not None:
            assert decoder.error.reason == "bad_field"
        else:
            # A value out of range, or a field that is missing: of the right kind all the same.
            [(header, _)] = frames
            _wire.check_kinds(header)
            kinds = header.get(vector["field"]["field"], ""), header.get("ext", {})
            assert all(isinstance(each, (str, int, dict)) for each in kinds)


@pytest.mark.parametrize("vector", FATAL, ids=lambda vector: vector["name"])
def test_refuses_bad_lengths_and_what_is_no_json(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    outcomes = set()
    for sizes in splits(vector):
        decoder = decoder_for(vector)
        read(decoder, data, sizes)
        outcomes.add(decoder.error.reason if decoder.error is not None else None)
    assert len(outcomes) == 1, "every split of the bytes gives the same result"
    outcome = outcomes.pop()
    if vector["fatal"] != "bad_header":
        first_has_content = vector.get("first") and vector["fatal"] == "content_length"
        assert outcome == vector["fatal"] or first_has_content
    elif is_json_object(data):
        assert outcome in (None, "bad_header", "bad_field")
    else:
        assert outcome == "bad_header"


def is_json_object(data: bytes) -> bool:
    """Whether Python's parser takes the header of the first frame."""
    size = int.from_bytes(data[:4], "big")
    try:
        return isinstance(json.loads(data[8 : 8 + size].decode()), dict)
    except (ValueError, RecursionError):
        return False


def test_frames_before_a_bad_one_are_read() -> None:
    decoder = Decoder()
    frames = decoder.feed(frame({"op": "ping"}) + frame(b"[]") + frame({"op": "ping"}))
    assert [op for op, *_ in frames] == ["ping"]
    assert decoder.error is not None
    assert decoder.feed(frame({"op": "ping"})) == []


@pytest.mark.parametrize(
    "header",
    [
        b'{"op":"data","id":2,"id":2}',
        b'{"op":"data","id":2,"end":true,"end":true}',
        b'{"op":"data","id":2,"ext":{"a":1,"a":2}}',
        b'{"op":"data","id":2,"x":"\\ud800"}',
        b'{"op":"data","id":2,"x":NaN}',
        b'{"op":"data","id":2}{}',
        b'{"op":"data","id":2,}',
        b'{"op":"data","id":2',
    ],
)
def test_misleading_headers_are_refused(header: bytes) -> None:
    decoder = Decoder()
    assert decoder.feed(frame(header)) == []
    assert decoder.error is not None
    assert decoder.error.reason == "bad_header"


@pytest.mark.parametrize(
    "header",
    [
        b'{"op":"data","id":2.0}',
        b'{"op":"data","id":-2}',
        b'{"op":"data","id":9007199254740992}',
        b'{"op":"data","x":1,"id":9007199254740992}',
        b'{"op":7,"id":2}',
        b'{"op":null}',
        b'{"op":"data","id":2,"end":1}',
        b'{"op":"credit","id":2,"bytes":1e3}',
        b'{"op":"credit","id":2,"bytes":true}',
        b'{"op":"call","id":2,"to":null}',
        b'{"op":"call","id":2,"ext":{"a":[]}}',
        b'{"op":"call","id":2,"ext":{"a":-1}}',
        b'{"op":"error","id":2,"details":"none"}',
    ],
)
def test_fields_of_the_wrong_kind_are_refused(header: bytes) -> None:
    for first in (b"", frame(header.replace(b"data", b"later").replace(b"c", b"x"))):
        decoder = Decoder()
        decoder.feed(first + frame(header))
        assert decoder.error is not None
        assert decoder.error.reason == "bad_field"


def test_fields_of_an_op_that_is_not_known_are_not_looked_at() -> None:
    decoder = Decoder()
    [(op, ident, fields, _)] = decoder.feed(frame(b'{"op":"pause","id":"seven","to":null}'))
    assert (op, ident, fields) == ("pause", 0, {"to": None})
    [(op, ident, fields, _)] = decoder.feed(frame(b'{"op":"pause","id":7,"to":null}'))
    assert (op, ident, fields) == ("pause", 7, {"to": None})
    decoder.feed(frame(b'{"op":"call","id":7,"to":null}'))
    assert decoder.error is not None


def test_remembered_headers_do_not_grow_without_end() -> None:
    decoder = Decoder()
    for number in range(3 * _wire._REMEMBERED_MAX):
        [(op, ident, fields, _)] = decoder.feed(
            frame({"op": "data", "id": 1 + 2 * number, "type": f"T{number}"})
        )
        assert (op, ident, fields) == ("data", 1 + 2 * number, {"type": f"T{number}"})
    assert len(decoder._remembered) <= _wire._REMEMBERED_MAX


def test_numbers_are_those_of_limits_json() -> None:
    limits = json.loads((PROTO / "limits.json").read_text())
    assert limits["header_bytes_max_sidecar"]["value"] == _wire.HEADER_BYTES_MAX_IN
    assert limits["header_bytes_max_client"]["value"] == _wire.HEADER_BYTES_MAX_OUT
    assert limits["content_bytes_max"]["value"] == _wire.CONTENT_BYTES_MAX
    assert limits["ext_bytes_max"]["value"] == _wire.EXT_BYTES_MAX
    assert limits["frame_cost_bytes"]["value"] == _wire.FRAME_COST
    assert limits["window_bytes_default"]["value"] == _wire.WINDOW_DEFAULT
    assert limits["window_bytes_max"]["value"] == _wire.WINDOW_MAX
    assert limits["message_bytes_advised"]["value"] == _wire.PART_BYTES_MAX
    assert limits["integer_max"]["value"] == _wire.INTEGER_MAX
    assert limits["rejoin_ms"]["value"] == _client._REJOIN_S * 1000
    assert limits["error_message_bytes_max"]["value"] == _errors.MESSAGE_BYTES_MAX
    assert limits["error_details_bytes_max"]["value"] >= _errors.DETAILS_BYTES_MAX


def test_there_is_an_exception_for_each_code_and_no_other() -> None:
    codes = {each["code"] for each in json.loads((PROTO / "errors.json").read_text())["codes"]}
    assert set(_errors.ERROR_CLASSES) == codes


def test_reasons_the_client_uses_are_in_the_table() -> None:
    table = json.loads((PROTO / "errors.json").read_text())["reasons"]
    known = {each["reason"]: each["code"] for each in table}
    for code, reason in [
        ("unavailable", "connection_lost"),
        ("unavailable", "heartbeat_timeout"),
        ("cancelled", "cancelled"),
        ("cancelled", "parent_ended"),
        ("deadline_exceeded", "deadline"),
        ("internal", "agent_error"),
        ("internal", "activation_failed"),
        ("unimplemented", "unhandled_type"),
        ("unimplemented", "unhandled_signal"),
        ("aborted", "interrupted"),
        ("failed_precondition", "not_running"),
        ("not_found", "unknown_run"),
        ("invalid_argument", "bad_content"),
        ("invalid_argument", "bad_address"),
        ("invalid_argument", "bad_field"),
        ("invalid_argument", "too_large"),
        ("not_found", "unknown_agent"),
    ]:
        assert known[reason] == code


def test_strings_are_quoted_so_that_they_come_back() -> None:
    for text in ["", 'a"b\\c', "\x00\x1f\n", "é\U0001f600", "\x7f"]:
        assert json.loads(quoted(text)) == text
        assert parse_header(f'{{"op":{quoted(text)}}}'.encode())[0] == text
    with pytest.raises(InvalidArgumentError):
        quoted("\ud800")


@pytest.mark.parametrize(
    "values",
    [
        *({"a": value} for value in (1.5, None, -1, 2**53, [1], "x" * 9000, "\ud800")),
        *({key: 1} for key in ("", '"', "k" * 129, "\x7f")),
    ],
)
def test_ext_that_no_header_may_hold_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        flat_object(values, "ext")
    assert caught.value.reason == "bad_field"


def test_a_header_over_the_limit_is_refused() -> None:
    with pytest.raises(InvalidArgumentError):
        encode_frame('{"op":"' + "x" * 40_000 + '"}')
