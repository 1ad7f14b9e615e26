"""Headers from a seed: valid ones, nearly valid ones, and real ones with a few bytes changed."""

from __future__ import annotations

import json
import random
from pathlib import Path

WORDS = {
    "strings": "op client token name server connection reason description version to type trace "
    "content_type from code message agent topic source run features",
    "integers": "v id max_content heartbeat_ms timeout_ms concurrency session_concurrency idle_ms "
    "window bytes parent call dropped",
    "booleans": "exclusive lazy input detach new oneway observe part end unordered more retry",
    "objects": "labels ext details",
    "ops": "hello welcome ping pong goodbye register ok call data error cancel credit send close",
}
STRINGS, INTEGERS, BOOLEANS, OBJECTS, OPS = (words.split() for words in WORDS.values())

# Bytes that matter to a JSON parser, more often than chance would have them.
SPICE = [bytes([b]) for b in b'{}[]",:\\u019e.+-ntf d8D \n\t\r\x00\x7f\x0b'] + [
    b"\xc2\x80",
    b"\xc3\xa9",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x98\x80",
    b"\xf4\x90\x80\x80",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\\ud83d\\ude00",
    b"\\ud800",
    b"\\u0000",
    b'\\"',
    b"null",
    b"NaN",
    b"1e5",
    b"-0",
    b"01",
    b"9007199254740992",
    b"__proto__",
    b'"end":true,',
    b'"id":3,',
]


class Headers:
    """An endless supply of header texts; the same for the same seed."""

    def __init__(self, seed: int, vectors: Path) -> None:
        self.random = random.Random(seed)
        self.real = [
            bytes.fromhex(vector["hex"])[8:]
            for path in sorted(vectors.glob("*.json"))
            for vector in json.loads(path.read_text(encoding="utf-8"))
            if 16 < len(vector["hex"]) < 2000
        ]

    def next(self) -> bytes:
        kind = self.random.random()
        if kind < 0.35:
            return self.text().encode("utf-8", "surrogatepass")
        header = (
            self.random.choice(self.real)
            if kind < 0.7
            else self.text().encode("utf-8", "surrogatepass")
        )
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            header = self.mutated(header)
        return header

    def mutated(self, header: bytes) -> bytes:
        at = self.random.randrange(len(header) + 1)
        match self.random.randrange(6):
            case 0:
                return header[:at] + self.random.choice(SPICE) + header[at:]
            case 1:
                return header[:at] + self.random.choice(SPICE) + header[at + 1 :]
            case 2:
                return header[:at] + header[at + self.random.randrange(1, 5) :]
            case 3:
                end = min(len(header), at + self.random.randrange(1, 12))
                return header[:end] + header[at:end] + header[end:]
            case 4:
                other = self.random.choice(self.real)
                return header[:at] + other[self.random.randrange(len(other)) :]
            case _:
                return header[:at] + bytes([self.random.randrange(256)]) + header[at + 1 :]

    def text(self) -> str:
        """A header by the grammar, now and then with a value of another kind."""
        members = []
        for _ in range(self.random.randrange(9)):
            key = self.random.choice((STRINGS, INTEGERS, BOOLEANS, OBJECTS, ["x", "a_1", "zz"]))
            name = self.random.choice(key)
            members.append(f'"{name}"{self.space()}:{self.space()}{self.value_for(name)}')
        separator = self.space() + "," + self.space()
        return self.space() + "{" + separator.join(members) + "}" + self.space()

    def value_for(self, name: str) -> str:
        if self.random.random() < 0.1:
            return self.any_value(0)
        if name == "op" and self.random.random() < 0.8:
            return f'"{self.random.choice(OPS)}"'
        if name in STRINGS:
            return self.string()
        if name in INTEGERS:
            return self.integer()
        if name in BOOLEANS:
            return self.random.choice(("true", "false"))
        if name in OBJECTS:
            return self.flat_object(name)
        return self.any_value(0)

    def flat_object(self, name: str) -> str:
        members = []
        for _ in range(self.random.randrange(4)):
            value = self.string()
            if name != "labels" and self.random.random() < 0.5:
                value = self.random.choice((self.integer(), "true", "false"))
            members.append(f"{self.space()}{self.plain_key()}:{value}{self.space()}")
        return "{" + ",".join(members) + "}"

    def plain_key(self) -> str:
        letters = "abcXYZ_0189 .-/é€😀\u00a0"
        return '"' + "".join(self.random.choices(letters, k=self.random.randrange(1, 9))) + '"'

    def integer(self) -> str:
        if self.random.random() < 0.1:
            return self.random.choice(
                ("0", "9007199254740991", "9007199254740992", "18446744073709551616", "-1", "-0")
            )
        return str(self.random.randrange(2 ** self.random.randrange(1, 54)))

    def number(self) -> str:
        return self.random.choice(
            (self.integer(), "1.5", "-0.25e-3", "1E+2", "0.0", "2e0", "-7", "1e400")
        )

    def string(self) -> str:
        pieces = (
            "a",
            "b",
            ":",
            "/",
            " ",
            "é",
            "e\u0301",
            "€",
            "😀",
            "\u007f",
            "\u2028",
            '\\"',
            "\\\\",
            "\\/",
            "\\n",
            "\\t",
            "\\b",
            "\\f",
            "\\r",
            "\\u0000",
            "\\u001F",
            "\\u00e9",
            "\\u20AC",
            "\\uD83D\\uDE00",
            "\\uFFFF",
            "\uffff",
            "\U0010ffff",
        )
        return '"' + "".join(self.random.choices(pieces, k=self.random.randrange(9))) + '"'

    def any_value(self, depth: int) -> str:
        match self.random.randrange(9 if depth < 4 else 5):
            case 0:
                return "null"
            case 1:
                return self.random.choice(("true", "false"))
            case 2 | 3:
                return self.number()
            case 4:
                return self.string()
            case 5 | 6:
                values = [self.any_value(depth + 1) for _ in range(self.random.randrange(4))]
                return "[" + ",".join(values) + "]"
            case _:
                members = [
                    f"{self.string()}:{self.any_value(depth + 1)}"
                    for _ in range(self.random.randrange(3))
                ]
                return "{" + ",".join(members) + "}"

    def space(self) -> str:
        return self.random.choice(("", "", "", "", " ", "\n", "\t ", "\r\n"))
