"""Content: Python values to bytes with a content type, and back.

str travels as `text/plain`, bytes as `application/octet-stream`, everything else as JSON.
"""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ._errors import AgentError, Detail, InvalidArgumentError

JSON_TYPE = "application/json"
TEXT_TYPE = "text/plain"
BYTES_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a call or a reply: its content and what the header says of it.

    `type` is the name of its kind (`ChatMessage`, or "" if it has none). `error` is set, and the
    content empty, for an error at a position of a stream that goes on behind it.
    """

    content: bytes = b""
    content_type: str = JSON_TYPE
    type: str = ""
    ext: Mapping[str, Detail] = field(default_factory=dict)
    error: AgentError | None = None

    @classmethod
    def of(
        cls,
        value: object,
        *,
        type: str | None = None,
        content_type: str | None = None,
        ext: Mapping[str, Detail] | None = None,
    ) -> Message:
        """The message that carries this value, as `send` or `yield` would make it."""
        encoded = encode(value)
        return cls(
            content=encoded.content,
            content_type=content_type or encoded.content_type,
            type=encoded.type if type is None else type,
            ext=dict(ext or {}),
        )

    @property
    def value(self) -> Any:
        """JSON as Python values, text as str, anything else as bytes."""
        if self.error is not None:
            raise self.error
        return decode(self.content, self.content_type)


@dataclass(frozen=True, slots=True)
class Part:
    """Yielded by an agent: a piece of a message that goes on, such as a token of a text.

    The message ends with the next value that is no Part, or with the reply.
    """

    content: str | bytes
    type: str = ""


class Encoded:
    """A value ready to be sent."""

    __slots__ = ("content", "content_type", "ext", "type")

    def __init__(
        self,
        content: bytes,
        content_type: str,
        type: str = "",
        ext: Mapping[str, Detail] | None = None,
    ) -> None:
        self.content = content
        self.content_type = content_type
        self.type = type
        self.ext = ext


def encode(value: object) -> Encoded:
    """Bytes, content type and type name of a value; raises InvalidArgumentError if it has none."""
    if isinstance(value, str):
        try:
            return Encoded(value.encode("utf-8"), TEXT_TYPE)
        except UnicodeEncodeError:
            raise InvalidArgumentError(
                "text holds a lone surrogate", reason="bad_content"
            ) from None
    if isinstance(value, (bytes, bytearray, memoryview)):
        return Encoded(bytes(value), BYTES_TYPE)
    if isinstance(value, Message):
        return Encoded(value.content, value.content_type, value.type, value.ext or None)
    if isinstance(value, (dict, list, tuple)) or value is None:
        return Encoded(encode_json(value), JSON_TYPE)
    if isinstance(value, Encoded):
        return value
    return Encoded(encode_json(value), JSON_TYPE, type_name(value))


def encode_json(value: object) -> bytes:
    """Compact JSON of a value, dataclasses, enums and pydantic models included."""
    try:
        return _encode_json(value).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgumentError(
            f"{type(value).__name__} cannot be sent as JSON: {error}", reason="bad_content"
        ) from error


def decode(content: bytes, content_type: str | None) -> Any:
    """A Python value of content; raises InvalidArgumentError if it is not what it claims to be."""
    try:
        if not content_type or content_type == JSON_TYPE:
            return _decode_json(content.decode("utf-8")) if content else None
        if content_type.startswith("text/"):
            return content.decode("utf-8")
        if content_type.split(";", 1)[0].rstrip().endswith(("/json", "+json")):
            return _decode_json(content.decode("utf-8")) if content else None
    except (ValueError, RecursionError) as error:
        raise InvalidArgumentError(
            f"content of {len(content)} bytes is not valid {content_type or JSON_TYPE}: {error}",
            reason="bad_content",
        ) from error
    return content


def is_text(content_type: str | None) -> bool:
    """Whether parts of such a message are text."""
    return content_type is not None and content_type.startswith("text/")


def type_name(value: object) -> str:
    """The `type` a value travels under: the class name of a dataclass or model, else ""."""
    cls = type(value)
    if dataclasses.is_dataclass(cls) or hasattr(cls, "model_dump"):
        return cls.__name__
    return ""


def joined(values: list[Any]) -> Any:
    """What one who asked for one value gets: None, the value, texts joined, else the list."""
    if len(values) == 1:
        return values[0]
    if not values:
        return None
    if all(isinstance(value, str) for value in values):
        return "".join(values)
    return values


def text_of(values: list[Any]) -> str | bytes:
    """The texts, or the bytes, joined; raises InvalidArgumentError for anything else."""
    if all(isinstance(value, str) for value in values):
        return "".join(values)
    if all(isinstance(value, bytes) for value in values):
        return b"".join(values)
    raise InvalidArgumentError("not all that was answered is text", reason="bad_content")


def _plain(value: object) -> object:
    """For what the JSON encoder does not know."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Message):
        return value.value
    if isinstance(value, (set, frozenset)):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


_encode_json = json.JSONEncoder(
    separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain
).encode
_decode_json = json.JSONDecoder().decode
