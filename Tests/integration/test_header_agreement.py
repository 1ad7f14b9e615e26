"""What the header scanner accepts, Python's and Node's parsers accept with the same values."""

from __future__ import annotations

import json
import os
import random
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from header_mutations import BOOLEANS, INTEGERS, OBJECTS, STRINGS, Headers

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "proto" / "vectors" / "frames"
COUNT = 30_000
INTEGER_MAX = 2**53 - 1


class Spelled(str):
    """A number as it was written."""


@pytest.fixture(scope="module")
def seed() -> int:
    seed = int(os.environ.get("COAGENT_TEST_SEED") or random.SystemRandom().randrange(2**32))
    print(f"COAGENT_TEST_SEED={seed}")
    return seed


@pytest.fixture(scope="module")
def header_values(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scanner as a program that prints what it found."""
    program = tmp_path_factory.mktemp("scanner") / "header_values"
    compiler = shutil.which("clang") or shutil.which("cc")
    assert compiler, "no C compiler on the PATH"
    scanner = ROOT / "Sources" / "CHeaderParser"
    subprocess.run(
        [
            compiler,
            "-O1",
            "-g",
            "-fsanitize=address,undefined",
            "-I",
            scanner / "include",
            scanner / "header_parser.c",
            ROOT / "fuzz" / "header_values.c",
            "-o",
            program,
        ],
        check=True,
        timeout=120,
    )
    return program


def scanned(program: Path, headers: list[bytes]) -> list[dict[str, Any] | None]:
    """What the scanner found in each header: fields by name, under `""` the wrong field."""
    found: list[dict[str, Any] | None] = []
    for line in lines_of([str(program)], headers):
        words = line.split(" ")
        if words[0] == "fault":
            found.append(None)
            continue
        fields: dict[str, Any] = {"": None if words[1] == "-" else words[1]}
        for word in words[3:]:
            name, _, value = word.partition("=")
            if name in STRINGS or name in OBJECTS:
                fields[name] = bytes.fromhex(value).decode("utf-8")
            else:
                fields[name] = int(value) if name in INTEGERS else value == "true"
        found.append(fields)
    return found


def lines_of(command: list[str], headers: list[bytes]) -> list[str]:
    stream = b"".join(struct.pack(">I", len(header)) + header for header in headers)
    run = subprocess.run(command, input=stream, capture_output=True, timeout=120)
    assert run.returncode == 0, run.stderr.decode(errors="replace")
    lines = run.stdout.decode("utf-8").split("\n")[:-1]
    assert len(lines) == len(headers)
    return lines


def is_ours(name: str, value: Any) -> bool:
    """Whether a value that Python read is of the kind that the field has."""
    if name in STRINGS:
        return type(value) is str
    if name in INTEGERS:
        return is_integer(value)
    if name in BOOLEANS:
        return type(value) is bool
    if type(value) is not dict:
        return False
    if name == "labels":
        return all(type(v) is str for v in value.values())
    return all(type(v) in (str, bool) or is_integer(v) for v in value.values())


def is_integer(value: Any) -> bool:
    if type(value) is not Spelled or not value.isdigit():
        return False
    return (value == "0" or value[0] != "0") and int(value) <= INTEGER_MAX


def plain(value: Any) -> Any:
    """A value with its numbers as integers."""
    if type(value) is dict:
        return {key: plain(element) for key, element in value.items()}
    return int(value) if type(value) is Spelled else value


def by_python(header: bytes) -> Any:
    return json.loads(header.decode("utf-8"), parse_int=Spelled, parse_float=Spelled)


def expect_same(header: bytes, found: dict[str, Any], theirs: Any, why: str) -> None:
    """`found` holds exactly the known fields of their kind, with the values that Python has."""
    assert type(theirs) is dict, why
    wrong = [name for name in theirs if name in KNOWN and not is_ours(name, theirs[name])]
    assert found[""] == (wrong[0] if wrong else None), why
    assert set(found) - {""} == (set(theirs) & KNOWN) - set(wrong), why
    for name in set(found) - {""}:
        value = by_python(found[name].encode()) if name in OBJECTS else found[name]
        assert plain(value) == plain(theirs[name]), why
        assert type(plain(value)) is type(plain(theirs[name])), why


KNOWN = set(STRINGS + INTEGERS + BOOLEANS + OBJECTS)


def test_what_the_scanner_accepts_python_and_node_accept_with_the_same_values(
    seed: int, header_values: Path
) -> None:
    source = Headers(seed, VECTORS)
    headers = list(source.real) + [source.next() for _ in range(COUNT)]
    found = scanned(header_values, headers)
    node = shutil.which("node")
    assert node, "no node on the PATH"
    by_node = lines_of([node, str(Path(__file__).with_name("parse_headers.mjs"))], headers)
    accepted = 0
    for header, fields, line in zip(headers, found, by_node, strict=True):
        if fields is None:
            continue
        accepted += 1
        why = f"COAGENT_TEST_SEED={seed}: {header!r}"
        try:
            theirs = by_python(header)
        except ValueError as error:
            pytest.fail(f"{why}: Python refuses: {error}")
        expect_same(header, fields, theirs, why)
        nodes = json.loads(line)
        assert nodes is not None, f"{why}: Node refuses"
        for name in set(fields) - {""}:
            assert nodes[0][name] == plain(theirs[name]), f"{why}: Node differs in {name}"
    # Enough on both sides for the comparison to mean something.
    assert COUNT * 0.2 < accepted < COUNT * 0.9
