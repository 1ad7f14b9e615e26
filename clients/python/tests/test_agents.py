"""Operations and JSON Schemas from type hints, and values made into what they promise."""

from __future__ import annotations

import enum
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Optional, TypedDict, Union

import pytest
from pydantic import BaseModel

from coagent_client import Context, InvalidArgumentError, Message, operation
from coagent_client._agents import AgentSpec, message_converter
from coagent_client._content import Encoded, decode, encode, joined
from coagent_client._schema import converter, schema_of


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Leaf:
    name: str
    colours: list[Colour] = field(default_factory=list)


@dataclass
class Tree:
    leaf: Leaf
    children: list[Tree] = field(default_factory=list)


class Options(TypedDict, total=False):
    depth: int


class Model(BaseModel):
    text: str
    leaf: Leaf | None = None


LEAF = {
    "title": "Leaf",
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "colours": {"type": "array", "items": {"enum": ["red", "blue"]}},
    },
    "required": ["name"],
}


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (str, {"type": "string"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (None, {"type": "null"}),
        (Any, {}),
        (dict, {"type": "object"}),
        (list, {"type": "array"}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (dict[str, bool], {"type": "object", "additionalProperties": {"type": "boolean"}}),
        (Optional[int], {"anyOf": [{"type": "integer"}, {"type": "null"}]}),  # noqa: UP045
        (Union[int, str], {"anyOf": [{"type": "integer"}, {"type": "string"}]}),  # noqa: UP007
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (Literal["a", 1], {"enum": ["a", 1]}),
        (Annotated[int, "metres"], {"type": "integer"}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (
            tuple[int, str],
            {
                "type": "array",
                "prefixItems": [{"type": "integer"}, {"type": "string"}],
                "items": False,
                "minItems": 2,
            },
        ),
        (Colour, {"enum": ["red", "blue"]}),
        (Leaf, LEAF),
        (list[Leaf], {"type": "array", "items": {"$ref": "#/$defs/Leaf"}, "$defs": {"Leaf": LEAF}}),
        (
            Options,
            {"title": "Options", "type": "object", "properties": {"depth": {"type": "integer"}}},
        ),
    ],
)
def test_schema_of(hint: Any, schema: Any) -> None:
    assert schema_of(hint) == schema


def test_schema_of_a_type_that_holds_itself() -> None:
    schema = schema_of(Tree)
    assert schema["properties"]["children"]["items"] == {"$ref": "#/$defs/Tree"}
    assert set(schema["$defs"]) == {"Leaf", "Tree"}


def test_schema_of_a_pydantic_model_alone_and_inside() -> None:
    assert schema_of(Model) == Model.model_json_schema()
    schema = schema_of(list[Model])
    assert schema["items"] == {"$ref": "#/$defs/Model"}
    assert set(schema["$defs"]) == {"Leaf", "Colour", "Model"}


@pytest.mark.parametrize(
    ("hint", "value", "made"),
    [
        (float, 1, 1.0),
        (list[Colour], ["red"], [Colour.RED]),
        (Leaf, {"name": "x", "unknown": 1}, Leaf("x")),
        (
            Tree,
            {"leaf": {"name": "a"}, "children": [{"leaf": {"name": "b"}}]},
            Tree(Leaf("a"), [Tree(Leaf("b"))]),
        ),
        (Options, {"depth": 1, "more": 2}, {"depth": 1, "more": 2}),
        (int | str, "a", "a"),
        (Leaf | None, None, None),
        (Literal["a"], "a", "a"),
        (tuple[int, str], [1, "a"], (1, "a")),
        (set[int], [1, 1], {1}),
        (dict[str, Leaf], {"k": {"name": "n"}}, {"k": Leaf("n")}),
        (Model, {"text": "t"}, Model(text="t")),
        (Any, {"a": [1]}, {"a": [1]}),
    ],
)
def test_converter_makes_what_was_promised(hint: Any, value: Any, made: Any) -> None:
    assert converter(hint)(value) == made


@pytest.mark.parametrize(
    ("hint", "value", "says"),
    [
        (str, 1, "wanted str, got an integer"),
        (int, True, "wanted an integer, got a boolean"),
        (int, 1.0, "wanted an integer"),
        (float, "1", "wanted a number"),
        (bool, 0, "wanted bool"),
        (list[int], [1, "a"], r"\[1\]: wanted an integer"),
        (dict[str, int], {"k": None}, ".k: wanted an integer, got null"),
        (Leaf, {}, "Leaf needs 'name'"),
        (Tree, {"leaf": {"name": 1}}, ".leaf: .name: wanted str"),
        (Leaf, [], "wanted an object for Leaf, got an array"),
        (Colour, "green", "is no Colour"),
        (Literal[1], True, "wanted one of"),
        (int | None, "a", "fits none of"),
        (tuple[int, str], [1], "array of 2"),
        (Model, {}, "text"),
    ],
)
def test_converter_says_where_it_does_not_fit(hint: Any, value: Any, says: str) -> None:
    with pytest.raises(InvalidArgumentError, match=says) as caught:
        converter(hint)(value)
    assert caught.value.reason == "bad_content"


def test_hints_without_json_are_refused() -> None:
    for hint in (complex, type(test_schema_of)):
        with pytest.raises(TypeError):
            schema_of(hint)
        with pytest.raises(TypeError):
            converter(hint)


def test_a_function_is_one_operation_named_after_its_input() -> None:
    async def plain(text: str) -> int:
        """Counts."""
        return len(text)

    async def typed(leaf: Leaf, context: Context) -> AsyncIterator[Colour]:
        yield Colour.RED

    async def bare(ctx, body):  # type: ignore[no-untyped-def]
        return body

    async def raw(message: Message) -> bytes:
        return message.content

    [one] = AgentSpec(plain).operations
    assert (one.name, one.description, one.arguments) == ("plain", "Counts.", ("body",))
    [one] = AgentSpec(typed).operations
    assert (one.name, one.arguments, one.is_streaming) == ("Leaf", ("body", "context"), True)
    assert one.output == {"enum": ["red", "blue"]}
    [one] = AgentSpec(bare).operations
    assert (one.arguments, one.input, one.output) == (("context", "body"), {}, None)
    [one] = AgentSpec(raw).operations
    assert one.convert({}, b"{") == Message(b"{")


def test_a_function_takes_messages_of_any_type() -> None:
    spec = AgentSpec(lambda body: body)
    assert spec.operation("Anything") is spec.operations[0]


def test_local_classes_are_found_by_their_names() -> None:
    @dataclass
    class Local:
        x: int

    def register(target: Any) -> AgentSpec:
        return AgentSpec(target, sys._getframe(1).f_locals)

    def takes(local: Local) -> None: ...

    assert register(takes).operations[0].name == "Local"


def test_operations_are_inherited_and_replaced() -> None:
    class Base:
        @operation
        async def ask(self, body: str) -> str:
            return body

        @operation("Tell")
        async def tell(self, body: str) -> None: ...

    class Derived(Base):
        @operation
        async def ask(self, body: Leaf) -> str:  # type: ignore[override]
            return body.name

        tell = None  # type: ignore[assignment]

    assert [each.name for each in AgentSpec(Base).operations] == ["ask", "Tell"]
    assert [each.name for each in AgentSpec(Derived).operations] == ["Leaf"]

    class Twice:
        @operation("X")
        async def one(self) -> None: ...

        @operation("X")
        async def two(self) -> None: ...

    with pytest.raises(TypeError, match="'X'"):
        AgentSpec(Twice)


def test_values_are_encoded_by_their_kind() -> None:
    def shown(encoded: Encoded) -> tuple[bytes, str, str]:
        return encoded.content, encoded.content_type, encoded.type

    json_type = "application/json"
    assert shown(encode("é")) == ("é".encode(), "text/plain", "")
    assert shown(encode(bytearray(b"b"))) == (b"b", "application/octet-stream", "")
    assert shown(encode({"a": (1, None)})) == (b'{"a":[1,null]}', json_type, "")
    assert shown(encode(Tree(Leaf("l", [Colour.RED])))) == (
        b'{"leaf":{"name":"l","colours":["red"]},"children":[]}',
        json_type,
        "Tree",
    )
    assert shown(encode(Model(text="t"))) == (b'{"text":"t","leaf":null}', json_type, "Model")
    assert shown(encode(Colour.BLUE)) == (b'"blue"', json_type, "")
    assert shown(encode({1})) == (b"[1]", json_type, "")
    assert shown(encode(Message.of("m", type="T"))) == (b"m", "text/plain", "T")


def test_content_is_decoded_by_its_type() -> None:
    assert decode(b"[1]", None) == [1]
    assert decode(b"", None) is None
    assert decode(b"[1]", "application/json; charset=utf-8") == [1]
    assert decode(b"a", "text/markdown") == "a"
    assert decode(b"a", "image/png") == b"a"
    text = {"content_type": "text/plain"}
    assert message_converter(str)(text, b"a") == "a"
    assert message_converter(str)({}, b'"a"') == "a"
    assert message_converter(bytes)({}, b'"a"') == b'"a"'
    with pytest.raises(InvalidArgumentError):
        message_converter(Model)(text, b"a")


def test_one_value_of_several() -> None:
    assert joined([]) is None
    assert joined([[1]]) == [1]
    assert joined(["a", "b"]) == "ab"
    assert joined(["a", 1]) == ["a", 1]
