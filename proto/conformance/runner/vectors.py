"""The frame vectors through a client's own decoder, whole and byte by byte."""

from __future__ import annotations

import json
import sys
from typing import Any

from .driver import ROOT, Driver, Failed, Unsupported
from .ledger import VALUES
from .notation import Failure
from .scenarios import Scenario

sys.path.append(str(ROOT / "proto"))
import strict

Vector = dict[str, Any]

UNUSED = {"agent", "topic", "source", "call", "dropped", "unordered", "run", "features"}
"""Known fields that a client need not keep: it may have no use for them."""


def all_vectors() -> list[Scenario]:
    """Each as a scenario of the area `frames`."""
    return [
        Scenario(f"frames/{vector['name']}", [vector["clause"]], vector)
        for path in sorted((ROOT / "proto/vectors/frames").glob("*.json"))
        for vector in json.loads(path.read_text(encoding="utf-8"))
    ]


def play(vector: Vector, driver: Driver) -> None:
    """Raises Failure unless the decoder takes the bytes as a client must, however they are cut."""
    told = [_decode(vector, driver, split) for split in ("whole", "bytes")]
    if told[0] != told[1]:
        raise Failure(f"whole: {told[0]}; byte by byte: {told[1]}")
    # What a client tests is what a sidecar may send, whoever sent it in the vector.
    wanted = strict.read(bytes.fromhex(vector["hex"]), VALUES, "sidecar", False)
    got = told[0]
    if "frames" in wanted:
        _check_frames(wanted, got)
    elif "fatal" in wanted:
        _check_fatal(vector, wanted["fatal"], got)
    # A field that the sidecar would refuse: a client may refuse it or pass it over.


def _decode(vector: Vector, driver: Driver, split: str) -> dict[str, Any]:
    try:
        return driver.run("decode", hex=vector["hex"], split=split)
    except (Failed, Unsupported) as refused:
        raise Failure(f"decode: {refused}") from None


def _check_frames(wanted: dict[str, Any], got: dict[str, Any]) -> None:
    if "fatal" in got:
        raise Failure(f"what is valid is refused as {got['fatal']}")
    if got.get("rest", 0) != wanted["rest"]:
        raise Failure(f"{got.get('rest')} bytes wait for more, not {wanted['rest']}")
    if len(got["frames"]) != len(wanted["frames"]):
        raise Failure(f"{len(got['frames'])} frames, not {len(wanted['frames'])}")
    for frame, told in zip(wanted["frames"], got["frames"]):
        if told["content_hex"] != frame["content_hex"]:
            raise Failure(f"the content is {told['content_hex'][:200]}")
        header = frame["header"]
        known = {key: value for key, value in header.items() if key in strict.KNOWN - UNUSED}
        if known.get("op") not in strict.REQUIRED:
            continue  # It is ignored, whatever it says.
        for key, value in known.items():
            has_value = value is not False and value != "" and value != {}
            if has_value and told["header"].get(key) != value:
                raise Failure(f"{key} is {told['header'].get(key)!r}, not {value!r}")


def _check_fatal(vector: Vector, reason: str, got: dict[str, Any]) -> None:
    if reason != "bad_header":
        if got.get("fatal") != reason:
            raise Failure(f"{got.get('fatal')} in place of {reason}")
    elif "fatal" not in got and not _is_object(bytes.fromhex(vector["hex"])):
        raise Failure("a header that is no JSON object is taken")


def _is_object(data: bytes) -> bool:
    """Whether an ordinary JSON parser takes the first header: no client need be stricter."""
    size = int.from_bytes(data[:4], "big")
    try:
        return isinstance(json.loads(data[8 : 8 + size].decode("utf-8")), dict)
    except (ValueError, RecursionError):
        return False
