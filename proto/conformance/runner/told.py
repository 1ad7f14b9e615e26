"""What drivers tell, compared with what a scenario wants. Errors by code and reason, never text."""

from __future__ import annotations

import hashlib
from typing import Any

from .notation import Names, has

Told = dict[str, Any]


def error_mismatch(wanted: Told, error: Told, names: Names) -> str:
    """Why an error is not the one wanted; empty if it is."""
    for key, value in wanted.items():
        if key == "message_bytes_max":
            if len(error.get("message", "").encode()) > value:
                return f"its message has {len(error['message'].encode())} bytes"
        elif key == "causes":
            if not _has_causes(value, error.get("causes", [])):
                return f"its causes are {error.get('causes')}"
        elif key == "reason" and value == "":
            if error.get("reason"):
                return f"its reason is {error['reason']!r}"
        elif not has(value, error.get(key, False if value is False else None), names):
            return f"its {key} is {error.get(key)!r}, not {value!r}: {error}"
    return ""


def ok_mismatch(wanted: Told, ok: Told, names: Names) -> str:
    """Why a result is not the one wanted; empty if it is."""
    for key, value in wanted.items():
        if key == "value":
            why = value_mismatch(value, _one_value(ok), names)
        elif key == "values":
            why = _values_mismatch(value, ok, names)
        elif key in ("message", "piece"):
            why = value_mismatch(value, ok.get(key), names)
        elif key == "messages":
            got = ok.get("messages")
            if not isinstance(got, list) or len(got) != len(value):
                why = f"the messages are {got}"
            else:
                whys = (value_mismatch(a, b, names) for a, b in zip(value, got))
                why = next((each for each in whys if each), "")
        elif not has(value, ok.get(key), names):
            why = f"{key} is {ok.get(key)!r}, not {value!r}"
        else:
            why = ""
        if why:
            return why
    return ""


def value_mismatch(wanted: Told | None, told: Told | None, names: Names) -> str:
    """Why a message is not the one wanted. `null` and none are the same to a caller (CAL-11)."""
    if wanted is None or wanted == {"json": None}:
        return "" if told in (None, {}) or _is_nothing(told) else f"it is {told}"
    if told is None:
        return "" if wanted == {"hex": ""} else f"there is none where {wanted} should be"
    if "repeat" in wanted or "content" in wanted:
        return _digest_mismatch(wanted, told)
    if isinstance(wanted.get("json"), str) and "text" in told:
        wanted = {**wanted, "text": wanted["json"]}
        del wanted["json"]
    for key, value in wanted.items():
        if key == "hex" and value == "" and _is_empty(told):
            continue
        if key not in told or not has(value, told[key], names):
            return f"its {key} is {told.get(key)!r}, not {value!r}"
    return ""


def _is_empty(told: Told) -> bool:
    return not told.get("text") and not told.get("hex") and not {"json", "bytes"} & told.keys()


def _is_nothing(told: Told | None) -> bool:
    return bool(told) and told is not None and told.get("json", 0) is None


def _one_value(ok: Told) -> Told | None:
    value: Told | None = ok.get("value")
    return value


def _values_mismatch(wanted: list[Told], ok: Told, names: Names) -> str:
    """Several values: each by itself, or as one list of JSON."""
    if "values" in ok:
        got = ok["values"]
    else:
        listed = (ok.get("value") or {}).get("json")
        if not isinstance(listed, list):
            return f"it gives {ok}"
        got = [{"json": each} for each in listed]
    if len(got) != len(wanted):
        return f"it gives {len(got)} values"
    whys = (value_mismatch(a, b, names) for a, b in zip(wanted, got))
    return next((each for each in whys if each), "")


def _digest_mismatch(wanted: Told, told: Told) -> str:
    """Content that is too long for a line is compared by its digest."""
    content = bytes([wanted["repeat"]]) * wanted["bytes"]
    if "sha256" in told:
        is_same = told["sha256"] == hashlib.sha256(content).hexdigest()
    elif "text" in told:
        is_same = told["text"].encode() == content
    else:
        is_same = told.get("hex") == content.hex()
    return "" if is_same else f"it is {str(told)[:200]}, not {len(content)} bytes"


def _has_causes(wanted: list[str], causes: list[str]) -> bool:
    """Each cause ends as the scenario says: the type before it is the language's own."""
    return len(wanted) == len(causes) and all(
        each.endswith(ending) for ending, each in zip(wanted, causes)
    )
