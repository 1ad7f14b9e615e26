"""Checks that the protocol's files agree with each other. Run: .venv/bin/python proto/check.py

Frame vectors against the reference reader, Python's and Node's JSON parsers and the schemas;
conversations against ids, reasons and schemas; SPEC.md against limits.json and errors.json.
Lists what is wrong, and then exits 1.
"""

from __future__ import annotations

import json
import pathlib
import re
import struct
import subprocess
import sys

import jsonschema
import strict

HERE = pathlib.Path(__file__).parent
problems: list[str] = []


def complain(where: object, what: str) -> None:
    problems.append(f"{where}: {what}")


def load(path: str) -> object:
    return json.loads((HERE / path).read_text(encoding="utf-8"))


LIMITS = load("limits.json")
VALUES = {name: limit["value"] for name, limit in LIMITS.items()}
ERRORS = load("errors.json")
CODES = {entry["code"] for entry in ERRORS["codes"]}
REASONS = {entry["reason"]: entry for entry in ERRORS["reasons"]}
SPEC = (HERE / "SPEC.md").read_text(encoding="utf-8")
CLAUSES = re.findall(r"^\* \*\*([A-Z]{3}-\d+)\*\*", SPEC, re.M)


def schemas(folder: str) -> dict[str, jsonschema.protocols.Validator]:
    found = {}
    for path in sorted((HERE / folder).glob("*.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)
        found[path.stem] = jsonschema.Draft202012Validator(schema)
    return found


HEADERS = schemas("schema")
CONTENTS = schemas("schema/agents")


def refusals(validator: jsonschema.protocols.Validator, value: object) -> str:
    return "; ".join(error.message for error in validator.iter_errors(value))


def check_tables() -> None:
    for reason, entry in REASONS.items():
        if entry["code"] not in CODES:
            complain("errors.json", f"{reason} has the unknown code {entry['code']}")
        if entry["scope"] not in ("call", "connection", "both"):
            complain("errors.json", f"{reason} has the unknown scope {entry['scope']}")
        if entry["closes"] and entry["scope"] != "connection":
            complain("errors.json", f"{reason} closes, but is not about the connection alone")
    if len(REASONS) != len(ERRORS["reasons"]):
        complain("errors.json", "a reason occurs twice")
    for name, limit in LIMITS.items():
        if limit["configurable"] != (limit["key"] is not None):
            complain("limits.json", f"{name}: configurable and key disagree")
    for name in set(strict.REQUIRED) ^ set(HEADERS):
        complain("schema", f"{name} is an op of the specification or a schema, not both")
    for op, required in strict.REQUIRED.items():
        listed = HEADERS[op].schema["required"]
        if sorted(listed) != sorted(["op", *required]):
            complain(f"schema/{op}.json", f"requires {listed}")


def check_spec() -> None:
    for clause in {clause for clause in CLAUSES if CLAUSES.count(clause) > 1}:
        complain("SPEC.md", f"{clause} occurs twice")
    for clause in set(re.findall(r"\b([A-Z]{3}-\d+)\b", SPEC)) - set(CLAUSES) - {"UTF-8"}:
        complain("SPEC.md", f"{clause} is referred to and not there")
    for name, number in re.findall(r"`([a-z_]+)` \(([\d,]+)\)", SPEC):
        if name not in VALUES:
            complain("SPEC.md", f"{name} is not in limits.json")
        elif VALUES[name] != int(number.replace(",", "")):
            complain("SPEC.md", f"{name} is {number} there and {VALUES[name]} in limits.json")
    for row in re.findall(r"^\| (`[a-z_`, ]+_[a-z_`, ]+`) \| ([\d, ]+) \|", SPEC, re.M):
        names, numbers = re.findall(r"`([a-z_]+)`", row[0]), row[1].split(", ")
        for name, number in zip(names, numbers, strict=True):
            if VALUES.get(name) != int(number.replace(",", "")):
                complain("SPEC.md", f"the table says {name} is {number}")
    for code, reason in re.findall(r"`([a-z_]+)`/`([a-z_]+)`", SPEC):
        if reason not in REASONS:
            complain("SPEC.md", f"the reason {reason} is not in errors.json")
        elif REASONS[reason]["code"] != code:
            complain("SPEC.md", f"{code}/{reason} has another code in errors.json")
    for kind, names in re.findall(
        r"^\| (string|integer|boolean|object) \| `([a-z_ ]+)` \|", SPEC, re.M
    ):
        known = {
            "string": strict.STRINGS,
            "integer": strict.INTEGERS,
            "boolean": strict.BOOLEANS,
            "object": strict.OBJECTS,
        }
        if set(names.split()) != known[kind]:
            complain("SPEC.md", f"the {kind} fields are not those of strict.py")


def node_parse(texts: list[bytes]) -> list[object]:
    """What Node makes of each text: the value, written again and read, or None where it refuses."""
    program = """
      const texts = JSON.parse(require('fs').readFileSync(0, 'utf8'));
      const parse = (hex) => {
        try {
          const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
          return JSON.stringify(JSON.parse(strict.decode(Buffer.from(hex, 'hex'))));
        } catch { return null; }
      };
      process.stdout.write(JSON.stringify(texts.map(parse)));
    """
    done = subprocess.run(
        ["node", "-e", program],
        input=json.dumps([text.hex() for text in texts]),
        capture_output=True,
        text=True,
        check=True,
    )
    return [None if text is None else json.loads(text) for text in json.loads(done.stdout)]


def same(left: object, right: object) -> bool:
    """Equal, with true and 1 apart and numbers as the doubles that Node has."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, int | float) and isinstance(right, int | float):
        return float(left) == float(right)
    return left == right


def header_texts(data: bytes) -> list[bytes]:
    texts, at = [], 0
    while len(data) - at >= 8:
        header, content = struct.unpack_from(">II", data, at)
        if len(data) - at < 8 + header + content:
            break
        texts.append(data[at + 8 : at + 8 + header])
        at += 8 + header + content
    return texts


def check_frame(entry: dict, compared: list[tuple[str, bytes, object]]) -> None:
    name, data = entry["name"], bytes.fromhex(entry["hex"])
    if sum(key in entry for key in ("frames", "fatal", "field")) != 1:
        return complain(name, "needs exactly one of frames, fatal, field")
    got = strict.read(data, VALUES, entry["from"], entry.get("first", False))
    wanted = {key: entry[key] for key in ("frames", "fatal", "field") if key in entry}
    if "frames" in entry:
        wanted["rest"] = entry.get("rest", 0)
    if not same(got, wanted):
        return complain(name, f"the reference reader says {json.dumps(got)[:200]}")
    reason = entry.get("fatal") or entry.get("field", {}).get("reason")
    if reason and reason not in REASONS:
        complain(name, f"the reason {reason} is not in errors.json")
    if "fatal" in entry:
        return None
    texts = header_texts(data)
    for text, frame in zip(
        texts, entry.get("frames", [{"header": None}] * len(texts)), strict=True
    ):
        compared.append((name, text, frame["header"]))
        header = frame["header"]
        if header is None:
            continue
        if header["op"] in HEADERS and (wrong := refusals(HEADERS[header["op"]], header)):
            complain(name, f"the schema says: {wrong}")
        if entry["from"] == "sidecar" and header["op"] in HEADERS:
            first = ["op", "id"] if "id" in header else ["op"]
            if list(header)[: len(first)] != first or text != compact(header):
                complain(name, "is not spelled as the sidecar writes")


def compact(header: dict) -> bytes:
    return json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()


def check_frames() -> tuple[int, int, set[str]]:
    names, used, hostile, compared = set(), set(), 0, []
    for path in sorted((HERE / "vectors/frames").glob("*.json")):
        for entry in json.loads(path.read_text(encoding="utf-8")):
            if entry["name"] in names:
                complain(entry["name"], "the name occurs twice")
            names.add(entry["name"])
            used.add(entry["clause"])
            hostile += "frames" not in entry or "rest" in entry
            if entry["clause"] not in CLAUSES:
                complain(entry["name"], f"SPEC.md has no {entry['clause']}")
            check_frame(entry, compared)
    for (name, text, header), node in zip(
        compared, node_parse([text for _, text, _ in compared]), strict=True
    ):
        python = json.loads(text)
        if node is None:
            complain(name, "Node's parser refuses what is accepted")
        elif not same(node, python):
            complain(name, "Node's and Python's parsers disagree")
        elif header is not None and not same(python, header):
            complain(name, "the header listed is not what the bytes say")
    return len(names), hostile, used


OPENS = {"register", "call", "send", "close", "publish", "subscribe", "signal"}


def check_step(where: str, step: dict, last: dict[str, int]) -> None:
    kinds = [
        key
        for key in (
            "sends",
            "sends_hex",
            "gets",
            "gets_all",
            "gets_nothing",
            "closed",
            "closes",
            "connects",
        )
        if key in step
    ]
    if "peer" not in step:
        if set(step) not in ({"advance_ms"}, {"sidecar"}):
            complain(where, "is no step")
        return
    if len(kinds) != 1:
        return complain(where, "needs exactly one kind of step")
    peer = step["peer"]
    for part in step.get("gets_all", [step] if "gets" in step else []):
        header = part["gets"]
        check_error(where, header)
        full = {
            **header,
            **{
                field: {"op": "x", "details": {}, "max_content": 1}.get(field, "x")
                for field in part.get("also", [])
            },
        }
        if wrong := refusals(HEADERS[header["op"]], full):
            complain(where, f"the schema says: {wrong}")
        if header["op"] in ("call", "close", "signal") and kinds == ["gets"]:
            if header["id"] != last.get(peer, 0) + 2:
                complain(where, f"the sidecar's next id for {peer} is {last.get(peer, 0) + 2}")
            last[peer] = header["id"]
        if header["op"] == "call" and "window" not in header:
            complain(where, "a call towards a host has a window")
        content = CONTENTS.get(header.get("type")) if header["op"] == "data" else None
        if content and (wrong := content_refusal(content, step.get("content_json"))):
            complain(where, f"the content's schema says: {wrong}")


def content_refusal(validator: jsonschema.protocols.Validator, content: object) -> str:
    """As refusals, with the wildcard in place of any value."""
    return "; ".join(
        error.message
        for error in validator.iter_errors(content)
        if error.instance != "*" and "'*'" not in error.message
    )


def check_error(where: str, header: dict) -> None:
    if header["op"] != "error" or "code" not in header:
        return
    reason = header.get("reason")
    if header["code"] not in CODES:
        complain(where, f"the code {header['code']} is not in errors.json")
    if reason in REASONS:
        entry = REASONS[reason]
        if entry["code"] != header["code"]:
            complain(where, f"{reason} has the code {entry['code']}")
        if header.get("retry") and not entry["retryable"]:
            complain(where, f"{reason} is not retryable")
        if entry["scope"] == ("connection" if "id" in header else "call"):
            complain(where, f"{reason} is for scope {entry['scope']}")


def check_conversations() -> tuple[int, set[str]]:
    used: set[str] = set()
    paths = sorted((HERE / "vectors/conversations").glob("*.jsonl"))
    for path in paths:
        head, *steps = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        used.update(head["clauses"])
        if head["name"].replace("/", "-") != path.stem:
            complain(path.name, "the name is not the file's")
        for clause in set(head["clauses"]) - set(CLAUSES):
            complain(path.name, f"SPEC.md has no {clause}")
        for name in set(head.get("config", {})) - set(LIMITS) - {"tokens"}:
            complain(path.name, f"config names {name}, which is no limit")
        last: dict[str, int] = {}
        for number, step in enumerate(steps, 2):
            check_step(f"{path.name}:{number}", step, last)
    return len(paths), used


def main() -> int:
    check_tables()
    check_spec()
    frames, hostile, used = check_frames()
    conversations, talked = check_conversations()
    silent = sorted(set(CLAUSES) - used - talked)
    for problem in problems:
        sys.stdout.write(f"proto: {problem}\n")
    sys.stdout.write(
        f"proto: {len(CLAUSES)} rules, {frames} frames ({hostile} hostile), "
        f"{conversations} conversations, {len(problems)} problems\n"
    )
    if "-v" in sys.argv:
        sys.stdout.write(f"proto: rules without a vector: {' '.join(silent)}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
