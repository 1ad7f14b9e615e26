"""Frames: `| H u32be | C u32be | header JSON | content |`, read and written.

What comes from the sidecar begins `{"op":"…","id":N`; the rest of a header repeats from frame to
frame of a stream, so it is parsed once and remembered by its bytes.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import Any

from ._errors import AgentError, InvalidArgumentError, cut, wire_error

HEADER_BYTES_MAX_IN = 65_536
HEADER_BYTES_MAX_OUT = 32_768
CONTENT_BYTES_MAX = 16 * 1024 * 1024
EXT_BYTES_MAX = 8_192
KEYS_MAX = 64
FRAME_COST = 256
WINDOW_DEFAULT = 1024 * 1024
PART_BYTES_MAX = 256 * 1024
INTEGER_MAX = 2**53 - 1
FEATURES = "signals"
"""The optional parts of the protocol that are known here, as `hello` names them."""
WINDOW_MAX = 2**31 - 1

Fields = dict[str, Any]
"""A header without `op` and `id`. Shared between frames: never changed."""

Frame = tuple[str, int, Fields, bytes]
"""(op, id or 0 where there is none, the other fields, content)."""

pack_lengths = struct.Struct(">II").pack
_unpack_lengths = struct.Struct(">II").unpack_from
_opening = re.compile(rb'\{"op":"([a-z][a-z0-9_]{0,31})","id":([1-9][0-9]{0,15})(?=[,}])')
_control = re.compile("[\u0000-\u001f\u007f-\u009f]")
_OBJECTS = ("labels", "ext", "details")
_OPS = frozenset(
    "hello welcome ping pong goodbye register ok call data error cancel credit send close "
    "signal".split()
)
_KINDS: dict[str, type] = {
    **dict.fromkeys(
        "op client token name server connection reason description version to type trace "
        "content_type from code message agent topic source run features".split(),
        str,
    ),
    **dict.fromkeys(
        "v id max_content heartbeat_ms timeout_ms concurrency session_concurrency idle_ms window "
        "bytes parent call dropped".split(),
        int,
    ),
    **dict.fromkeys(
        "exclusive lazy input detach new oneway observe part end unordered more retry".split(),
        bool,
    ),
    **dict.fromkeys(_OBJECTS, dict),
}
_REMEMBERED_MAX = 512
_REMEMBERED_BYTES_MAX = 160


class WireError(Exception):
    """Bytes that cannot be trusted: the connection must close."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Decoder:
    """Turns bytes, however they are cut, into frames.

    `feed` never raises: after the first frame that cannot be trusted it returns the frames before
    it, sets `error` and takes nothing more.
    """

    __slots__ = (
        "_held",
        "_needed",
        "_remembered",
        "content_bytes_max",
        "error",
        "header_bytes_max",
    )

    def __init__(
        self,
        *,
        header_bytes_max: int = HEADER_BYTES_MAX_IN,
        content_bytes_max: int = CONTENT_BYTES_MAX,
    ) -> None:
        self.header_bytes_max = header_bytes_max
        self.content_bytes_max = content_bytes_max
        self.error: WireError | None = None
        self._held = bytearray()
        self._needed = 0
        self._remembered: dict[bytes, Fields] = {}

    def feed(self, received: bytes) -> list[Frame]:
        """The frames that are complete with these bytes."""
        frames: list[Frame] = []
        if self.error is not None:
            return frames
        if self._held:
            self._held += received
            if len(self._held) < self._needed:
                return frames
            received = bytes(self._held)
            self._held.clear()
        at = 0
        size = len(received)
        remembered = self._remembered
        try:
            while size - at >= 8:
                header_size, content_size = _unpack_lengths(received, at)
                start = at + 8
                middle = start + header_size
                end = middle + content_size
                if end > size or header_size < 2 or header_size > self.header_bytes_max:
                    self._check_lengths(header_size, content_size)
                    break
                if content_size > self.content_bytes_max:
                    self._check_lengths(header_size, content_size)
                opening = _opening.match(received, start, middle)
                if opening is None:
                    op, ident, fields = parse_header(received[start:middle])
                else:
                    op = opening[1].decode()
                    rest = received[opening.end() : middle]
                    known = remembered.get(rest)
                    fields = known if known is not None else self._parse_rest(op, rest)
                    ident = int(opening[2])
                    if ident > INTEGER_MAX:
                        raise WireError("bad_field", "id is above 2^53-1")
                frames.append((op, ident, fields, received[middle:end]))
                at = end
        except WireError as error:
            self.error = error
            return frames
        if at < size:
            self._held += received[at:] if at else received
            self._needed = 8
            if size - at >= 8:
                header_size, content_size = _unpack_lengths(received, at)
                self._needed = 8 + header_size + content_size
        return frames

    @property
    def is_between_frames(self) -> bool:
        """Nothing of an unfinished frame is held."""
        return not self._held

    def _check_lengths(self, header_size: int, content_size: int) -> None:
        if not 2 <= header_size <= self.header_bytes_max:
            raise WireError(
                "header_length",
                f"header of {header_size} bytes is not within 2…{self.header_bytes_max}",
            )
        if content_size > self.content_bytes_max:
            raise WireError(
                "content_length",
                f"content of {content_size} bytes exceeds {self.content_bytes_max}",
            )

    def _parse_rest(self, op: str, rest: bytes) -> Fields:
        if rest == b"}":
            fields: Fields = {}
        else:
            fields = _parse_object(b"{" + rest[1:])
            if "op" in fields or "id" in fields or not fields:
                raise WireError("bad_header", "a key is there twice, or none behind a comma")
        if op not in _OPS:
            return fields
        check_kinds(fields)
        if len(rest) <= _REMEMBERED_BYTES_MAX:
            if len(self._remembered) >= _REMEMBERED_MAX:
                self._remembered.clear()
            self._remembered[rest] = fields
        return fields


def parse_header(raw: bytes) -> tuple[str, int, Fields]:
    """(op, id or 0, other fields) of any valid header; raises WireError.

    Nothing is asked of the fields of an op that is not known here: it will be ignored.
    """
    fields = _parse_object(raw)
    op = fields.pop("op", "")
    if not isinstance(op, str):
        raise WireError("bad_field", "op is not a string")
    if op in _OPS:
        check_kinds(fields)
    ident = fields.pop("id", 0)
    return op, ident if type(ident) is int else 0, fields


def check_kinds(fields: Fields) -> None:
    """Raises WireError for a known field of the wrong kind."""
    for key, value in fields.items():
        kind = _KINDS.get(key)
        if kind is None:
            continue
        is_right = type(value) is kind
        if is_right and kind is int:
            is_right = 0 <= value <= INTEGER_MAX
        elif is_right and kind is dict:
            is_right = all(
                type(each) in (str, bool) or (type(each) is int and 0 <= each <= INTEGER_MAX)
                for each in value.values()
            )
        if not is_right:
            raise WireError("bad_field", f"{key} is not of its kind")


def _parse_object(raw: bytes) -> Fields:
    # The sidecar checks headers whole before it sends them on; here only what would mislead is
    # refused, and what a later version may add is let pass.
    try:
        text = raw.decode("utf-8")
        parsed = _decode_json(text)
        if "\\u" in text:
            json.dumps(parsed, ensure_ascii=False).encode("utf-8")  # No lone surrogates.
    except RecursionError:
        raise WireError("bad_header", "header is nested too deeply") from None
    except ValueError as error:
        raise WireError("bad_header", f"header is not JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise WireError("bad_header", "header is not a JSON object")
    if type(parsed) is _Doubled or any(type(parsed.get(key)) is _Doubled for key in _OBJECTS):
        raise WireError("bad_header", "a key is there twice")
    return parsed


class _Doubled(Fields):
    """An object in which a key stands twice. Inside unknown fields that is nobody's concern."""


def _object(pairs: list[tuple[str, Any]]) -> Fields:
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else _Doubled(fields)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_decode_json = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant).decode


def quoted(text: str) -> str:
    """A JSON string; raises InvalidArgumentError for a lone surrogate."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidArgumentError(
            "a header string holds a lone surrogate", reason="bad_field"
        ) from None
    return encode_basestring(text)


def flat_object(values: Mapping[str, object], name: str, bytes_max: int = EXT_BYTES_MAX) -> str:
    """A flat JSON object of strings, booleans and integers 0…2^53-1."""
    members: list[str] = []
    if len(values) > KEYS_MAX:
        raise InvalidArgumentError(
            f"{name} has more than {KEYS_MAX} members", reason="bad_field", details={"field": name}
        )
    for key, value in values.items():
        if value is True:
            spelled = "true"
        elif value is False:
            spelled = "false"
        elif isinstance(value, str):
            spelled = quoted(value)
        elif isinstance(value, int) and 0 <= value <= INTEGER_MAX:
            spelled = str(value)
        else:
            raise InvalidArgumentError(
                f"{name}[{key!r}] is no string, boolean or integer of 0…2^53-1",
                reason="bad_field",
                details={"field": name},
            )
        is_plain = encode_basestring(key) == f'"{key}"' and not _control.search(key)
        if not is_plain or not 1 <= len(key.encode("utf-8", "replace")) <= 128:
            raise InvalidArgumentError(
                f"{name} has a key that is empty, too long or needs escapes: {key!r}",
                reason="bad_field",
                details={"field": name},
            )
        members.append(f"{quoted(key)}:{spelled}")
    text = "{" + ",".join(members) + "}"
    if len(text.encode()) > bytes_max:
        raise InvalidArgumentError(
            f"{name} takes more than {bytes_max} bytes", reason="bad_field", details={"field": name}
        )
    return text


def encode_frame(header: str, content: bytes = b"") -> bytes:
    """One frame; raises InvalidArgumentError if the header is over the limit."""
    raw = header.encode("utf-8")
    if len(raw) > HEADER_BYTES_MAX_OUT:
        raise InvalidArgumentError(
            f"header of {len(raw)} bytes exceeds {HEADER_BYTES_MAX_OUT}", reason="too_large"
        )
    return pack_lengths(len(raw), len(content)) + raw + content


def connection_fault(error: WireError) -> AgentError:
    """The error under which open calls end when the sidecar's bytes made no sense."""
    return InvalidArgumentError(error.message, reason=error.reason)


def error_header(
    ident: int, exception: BaseException, retry: bool = False, more: bool = False
) -> str:
    """The header of an error that ends an id (0: about the connection), or with `more` does not."""
    code, reason, message, details = wire_error(exception)
    if len(quoted(message)) > 8192:  # Full of characters that need escapes.
        message = cut(message, 1024)
    header = '{"op":"error"'
    if ident:
        header += f',"id":{ident}'
    header += f',"code":"{code}"'
    if reason:
        header += f',"reason":{quoted(reason)}'
    header += f',"message":{quoted(message)}'
    if details:
        spelled = flat_object(details, "details", 64 * 1024)
        if len(spelled) <= EXT_BYTES_MAX:
            header += f',"details":{spelled}'
    if more:
        header += ',"more":true'
    if retry:
        header += ',"retry":true'
    return header + "}"
