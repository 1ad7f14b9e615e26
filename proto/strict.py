"""The frame and header rules of SPEC.md (sections 2 and 3), as plainly as they can be written.

Not fast and not used by any program: it is what the vectors are checked against, and what a
decoder in another language can be compared with. `read(data, limits, sender, first)` returns one of

    {"frames": [{"header": {...}, "content_hex": "..."}], "rest": n}     all accepted, n bytes left
    {"fatal": reason}                                                    the connection ends
    {"field": {"id"?, "reason", "field"}}                                this frame is refused
"""

from __future__ import annotations

import json
import re
import struct

STRINGS = set(
    "op client token name server connection reason description version to type trace content_type "
    "from code message agent topic source run features".split()
)
INTEGERS = set(
    "v id max_content heartbeat_ms timeout_ms concurrency session_concurrency idle_ms window bytes "
    "parent call dropped".split()
)
BOOLEANS = set(
    "exclusive lazy input detach new oneway observe part end unordered more retry".split()
)
OBJECTS = {"labels", "ext", "details"}
KNOWN = STRINGS | INTEGERS | BOOLEANS | OBJECTS

REQUIRED = {
    "hello": ["v", "client"],
    "welcome": ["v", "server", "connection", "max_content", "heartbeat_ms"],
    "ping": [],
    "pong": [],
    "goodbye": [],
    "register": ["id", "name"],
    "ok": ["id"],
    "call": ["id", "to"],
    "data": ["id"],
    "error": ["code"],
    "cancel": ["id"],
    "credit": ["id", "bytes"],
    "send": ["to"],
    "publish": ["topic", "source"],
    "subscribe": ["id", "topic"],
    "signal": ["name"],
    "splice": ["id", "call"],
    "close": ["id", "to", "reason"],
}
CLIENT_OPS = set(REQUIRED) - {"welcome", "close"}

SPACE = b" \t\r\n"
KEY = re.compile(rb'"([a-z][a-z0-9_]*)"')
NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
INTEGER = re.compile(rb"0|[1-9][0-9]*")
STRING = re.compile(rb'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*"')
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
FEATURES = re.compile(r"(?:[a-z][a-z0-9_]*(?: [a-z][a-z0-9_]*)*)?")


class BadHeader(Exception):
    """The header is not one valid object: nothing in it can be trusted."""


class Scanner:
    """Checks the grammar of one header and remembers how each top-level value was spelled."""

    def __init__(self, text: bytes, limits: dict[str, int]) -> None:
        self.text, self.at, self.limits = text, 0, limits

    def header(self) -> dict[str, bytes]:
        fields: dict[str, bytes] = {}
        self.space()
        self.members(1, lambda key, value: fields.__setitem__(key, value), self.field_key, fields)
        self.space()
        if self.at != len(self.text):
            raise BadHeader("bytes after the object")
        return fields

    def space(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in SPACE:
            self.at += 1

    def take(self, token: bytes) -> bool:
        if self.text.startswith(token, self.at):
            self.at += len(token)
            return True
        return False

    def members(self, depth, keep, read_key, unique) -> None:
        if depth > self.limits["header_depth_max"]:
            raise BadHeader("nested too deeply")
        if not self.take(b"{"):
            raise BadHeader("expected an object")
        self.space()
        if self.take(b"}"):
            return
        counted = 0
        while True:
            key = read_key()
            if unique is not None and key in unique:
                raise BadHeader("repeated key")
            counted += unique is not None and not (depth == 1 and key in KNOWN)
            if counted > self.limits["header_keys_max"]:
                raise BadHeader("too many keys")
            self.space()
            if not self.take(b":"):
                raise BadHeader("expected a colon")
            self.space()
            start = self.at
            self.value(depth + 1, flat=depth == 1 and key in OBJECTS)
            keep(key, self.text[start : self.at])
            self.space()
            if self.take(b"}"):
                return
            if not self.take(b","):
                raise BadHeader("expected a comma")
            self.space()

    def field_key(self) -> str:
        match = KEY.match(self.text, self.at)
        if not match:
            raise BadHeader("bad key")
        self.at = match.end()
        return match[1].decode()

    def flat_key(self) -> str:
        start = self.at
        key = self.string()
        if b"\\" in self.text[start : self.at] or not key or CONTROL.search(key):
            raise BadHeader("bad key")
        if len(key.encode()) > self.limits["key_bytes_max"]:
            raise BadHeader("long key")
        return key

    def string(self) -> str:
        match = STRING.match(self.text, self.at)
        if not match:
            raise BadHeader("bad string")
        self.at = match.end()
        try:
            value: str = json.loads(match[0].decode("utf-8"))
            value.encode("utf-8")  # refuses lone surrogates, as the escapes may spell them
        except UnicodeError:
            raise BadHeader("bad string") from None
        return value

    def value(self, depth: int, flat: bool = False) -> None:
        byte = self.text[self.at : self.at + 1]
        if byte == b"{":
            seen: dict[str, bytes] = {}
            if flat:
                self.members(depth, seen.__setitem__, self.flat_key, seen)
            else:
                self.members(depth, seen.__setitem__, self.string, None)
        elif byte == b"[":
            self.array(depth)
        elif byte == b'"':
            self.string()
        elif not (self.take(b"true") or self.take(b"false") or self.take(b"null")):
            match = NUMBER.match(self.text, self.at)
            if not match:
                raise BadHeader("expected a value")
            self.at = match.end()

    def array(self, depth: int) -> None:
        if depth > self.limits["header_depth_max"]:
            raise BadHeader("nested too deeply")
        self.at += 1
        self.space()
        if self.take(b"]"):
            return
        while True:
            self.value(depth + 1)
            self.space()
            if self.take(b"]"):
                return
            if not self.take(b","):
                raise BadHeader("expected a comma")
            self.space()


def is_integer(spelling: bytes, limits: dict[str, int]) -> bool:
    return bool(INTEGER.fullmatch(spelling)) and int(spelling) <= limits["integer_max"]


def is_flat(spelling: bytes, limits: dict[str, int], strings_only: bool) -> bool:
    """Whether every value of a labels, ext or details object has an allowed kind."""
    if not spelling.startswith(b"{"):
        return False
    scanner, values = Scanner(spelling, limits), []
    scanner.members(2, lambda _, value: values.append(value), scanner.flat_key, None)
    if strings_only:
        return all(value.startswith(b'"') for value in values)
    return all(
        value.startswith(b'"') or value in (b"true", b"false") or is_integer(value, limits)
        for value in values
    )


def wrong_kind(key: str, spelling: bytes, limits: dict[str, int]) -> bool:
    if key in STRINGS:
        if not spelling.startswith(b'"'):
            return True
        return key == "features" and not FEATURES.fullmatch(json.loads(spelling))
    if key in INTEGERS:
        return not is_integer(spelling, limits)
    if key in BOOLEANS:
        return spelling not in (b"true", b"false")
    if key in OBJECTS:
        if key == "ext" and len(spelling) > limits["ext_bytes_max"]:
            return True
        return not is_flat(spelling, limits, strings_only=key == "labels")
    return False


def refusal(fields: dict[str, bytes], sender: str, limits: dict[str, int]) -> dict | None:
    """What HDR-10 and HDR-16 answer, or None if the fields are right or the op is unknown."""
    if "op" not in fields:
        return {"reason": "missing_field", "field": "op"}
    if not fields["op"].startswith(b'"'):
        return {"reason": "bad_field", "field": "op"}
    op = json.loads(fields["op"])
    if op not in (CLIENT_OPS if sender == "client" else REQUIRED):
        return None
    about = {}
    if "id" in fields and is_integer(fields["id"], limits):
        about["id"] = int(fields["id"])
    for key, spelling in fields.items():
        if wrong_kind(key, spelling, limits):
            return {**about, "reason": "bad_field", "field": key}
    for key in REQUIRED[op]:
        if key not in fields:
            return {**about, "reason": "missing_field", "field": key}
    return None


def read(data: bytes, limits: dict[str, int], sender: str = "client", first: bool = False) -> dict:
    frames, at = [], 0
    while len(data) - at >= 8:
        header_length, content_length = struct.unpack_from(">II", data, at)
        header_max = limits["hello_header_bytes_max" if first else "header_bytes_max_" + sender]
        if not limits["header_bytes_min"] <= header_length <= header_max:
            return {"fatal": "header_length"}
        if content_length > (0 if first else limits["content_bytes_max"]):
            return {"fatal": "content_length"}
        if len(data) - at < 8 + header_length + content_length:
            break
        text = data[at + 8 : at + 8 + header_length]
        try:
            fields = Scanner(text, limits).header()
        except BadHeader:
            return {"fatal": "bad_header"}
        refused = refusal(fields, sender, limits)
        if refused:
            return {"field": refused}
        at += 8 + header_length
        frames.append(
            {"header": json.loads(text), "content_hex": data[at : at + content_length].hex()}
        )
        at, first = at + content_length, False
    return {"frames": frames, "rest": len(data) - at}
