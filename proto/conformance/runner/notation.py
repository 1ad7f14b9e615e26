"""Frames as scenarios spell them: to bytes, and compared with what arrived.

A string that begins with `$` is a name: it takes the value that stands in its place where it is
first met, and stands for that value from then on.
"""

from __future__ import annotations

import json
import struct
from typing import Any, NamedTuple

Step = dict[str, Any]
Names = dict[str, Any]

WINDOW_DEFAULT = 1_048_576
FRAME_COST = 256


class Failure(AssertionError):
    """The program under test did not do what the scenario says."""


class BadScenario(Exception):
    """The scenario itself makes no sense."""


class Frame(NamedTuple):
    """One frame that arrived."""

    header: dict[str, Any]
    content: bytes
    text: bytes
    """The header as it was spelled."""

    def __str__(self) -> str:
        return f"{self.text.decode('utf-8', 'replace')} {shown(self.content)}"


def shown(content: bytes) -> str:
    """Content for people."""
    if len(content) > 120:
        return f"{content[:60]!r}… {len(content)} bytes"
    return repr(content) if content else ""


def encoded(header: dict[str, Any], content: bytes = b"") -> bytes:
    """The bytes of a frame."""
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    return struct.pack(">II", len(text), len(content)) + text + content


def content_of(step: Step) -> bytes:
    """The content that a step names."""
    if "content" in step:
        return str(step["content"]).encode()
    if "content_hex" in step:
        return bytes.fromhex(step["content_hex"])
    if "content_bytes" in step:
        return b"x" * int(step["content_bytes"])
    if "content_json" in step:
        return json.dumps(step["content_json"], separators=(",", ":")).encode()
    return b""


def filled(value: Any, names: Names) -> Any:
    """The value with every name in it replaced, and every `{"times":n,"of":"text"}` spelled out."""
    if isinstance(value, str) and value.startswith("$"):
        if value not in names:
            raise BadScenario(f"{value} has no value yet")
        return names[value]
    if isinstance(value, dict):
        if value.keys() == {"times", "of"}:
            return value["of"] * value["times"]
        return {key: filled(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, names) for each in value]
    return value


def is_like(pattern: Any, value: Any, names: Names, late_ms: float = 0) -> bool:
    """Equal, where `"*"` is anything, `{"between":[a,b]}` an integer, `{"has_word":"w"}` words
    with this among them, names take values, and a
    `timeout_ms` may differ by `late_ms`."""
    if pattern == "*":
        return True
    if isinstance(pattern, str) and pattern.startswith("$"):
        return bool(names.setdefault(pattern, value) == value)
    if isinstance(pattern, dict):
        if pattern.keys() == {"between"}:
            low, high = pattern["between"]
            return type(value) is int and low <= value <= high
        if pattern.keys() == {"has_word"}:
            return isinstance(value, str) and pattern["has_word"] in value.split(" ")
        return (
            isinstance(value, dict)
            and pattern.keys() == value.keys()
            and all(
                abs(each - value[key]) <= late_ms
                if key == "timeout_ms" and isinstance(each, int) and isinstance(value[key], int)
                else is_like(each, value[key], names, late_ms)
                for key, each in pattern.items()
            )
        )
    if isinstance(pattern, list):
        return (
            isinstance(value, list)
            and len(pattern) == len(value)
            and all(is_like(a, b, names, late_ms) for a, b in zip(pattern, value))
        )
    if isinstance(pattern, bool) or isinstance(value, bool):
        return pattern is value
    return bool(pattern == value)


def has(pattern: Any, value: Any, names: Names) -> bool:
    """As `is_like`, but objects may have more members than the pattern names."""
    if isinstance(pattern, dict) and pattern.keys() not in ({"between"}, {"has_word"}):
        return isinstance(value, dict) and all(
            key in value and has(each, value[key], names) for key, each in pattern.items()
        )
    if isinstance(pattern, list):
        return (
            isinstance(value, list)
            and len(pattern) == len(value)
            and all(has(a, b, names) for a, b in zip(pattern, value))
        )
    return is_like(pattern, value, names)


def mismatch(
    step: Step, frame: Frame, names: Names, *, late_ms: float = 0, is_client: bool = False
) -> str:
    """Why the frame is not the one that a `gets` step wants; empty if it is.

    `late_ms`: how far the machine may be behind the scenario's clock; a `timeout_ms` may differ
    by so much. `is_client`: what a client may spell in several ways is the same.
    """
    wanted, header = step["gets"], frame.header
    if is_client:
        wanted, header = plain(wanted), plain(header)
    taken = dict(names)
    for key, pattern in wanted.items():
        if key not in header:
            return f"it has no {key}"
        value = header[key]
        if key == "details":
            fits = has(pattern, value, taken)
        elif key == "timeout_ms" and isinstance(pattern, int):
            fits = type(value) is int and abs(value - pattern) <= late_ms
        else:
            fits = is_like(pattern, value, taken)
        if not fits:
            return f"its {key} is {value!r}"
    for key in step.get("also", []):
        if key not in frame.header:
            return f"it has no {key}"
    for key in step.get("not", []):
        if key in header.get("details", {}):
            return f"its details have {key}"
    allowed = {*wanted, *step.get("also", []), *step.get("may", [])}
    if header.get("op") == "error":
        allowed |= {"details", "message"} if is_client else {"details"}
    elif is_client and header.get("op") == "call":
        allowed.add("window")
    if more := sorted(header.keys() - allowed):
        return f"it has {' '.join(more)} besides"
    if why := content_mismatch(step, frame.content, taken, late_ms):
        return why
    names.update(taken)
    return ""


def content_mismatch(step: Step, content: bytes, names: Names, late_ms: float = 0) -> str:
    """Why the content is not what the step says; empty if it is."""
    if step.get("any_content"):
        return ""
    if "content_json" in step or "content_has" in step:
        try:
            value = json.loads(content)
        except ValueError:
            return f"its content is no JSON: {shown(content)}"
        if "content_has" in step:
            fits = has(step["content_has"], value, names)
        else:
            fits = is_like(step["content_json"], value, names, late_ms)
        if not fits:
            return f"its content is {shown(content)}"
    elif content != content_of(step):
        return f"its content is {shown(content) or 'empty'}"
    return ""


def plain(header: dict[str, Any]) -> dict[str, Any]:
    """A header without what means the same as absence (HDR-20 and the defaults)."""
    empty = ("type", "content_type", "from", "reason", "description", "trace")
    kept = {
        key: value
        for key, value in header.items()
        if value is not False and not (key in empty and value == "")
    }
    if kept.get("content_type") == "application/json" and not (
        kept.get("end") and kept.get("op") == "data"
    ):
        del kept["content_type"]
    return kept


def carries_message(header: dict[str, Any], content: bytes) -> bool:
    """Whether a `data` carries a message or a part of one (DAT-6)."""
    named = header.get("type") or header.get("content_type")
    return not header.get("end") or bool(content) or bool(named)


def cost(header: dict[str, Any], content: bytes) -> int:
    """What a `data` or `error` costs in its window (CRD-1)."""
    if header["op"] == "data":
        return len(content) + FRAME_COST if carries_message(header, content) else 0
    return FRAME_COST if header.get("more") else 0
