"""Type hints to JSON Schemas, and JSON values to what the hints promise."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, Union, get_args, get_origin

from ._errors import InvalidArgumentError

Schema = dict[str, Any]
Convert = Callable[[Any], Any]

_SIMPLE: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    None: {"type": "null"},
    type(None): {"type": "null"},
    dict: {"type": "object"},
    list: {"type": "array"},
    bytes: {"type": "string", "contentMediaType": "application/octet-stream"},
    Any: {},
    object: {},
}


class Mismatch(ValueError):
    """A value does not fit its hint; says where and what was wanted."""


def schema_of(hint: Any) -> Schema:
    """The JSON Schema of a type hint."""
    defs: dict[str, Schema] = {}
    schema = _schema(hint, defs, top=True)
    return {**schema, "$defs": defs} if defs else schema


def converter(hint: Any) -> Convert:
    """Makes a JSON value into the hinted type; raises InvalidArgumentError where it cannot."""
    inner = _converter(hint)

    def convert(value: Any) -> Any:
        try:
            return inner(value)
        except Mismatch as error:
            raise InvalidArgumentError(str(error), reason="bad_content") from None

    return convert


def hint_name(hint: Any) -> str:
    """The class name of a dataclass, TypedDict, model or enum; "" for other hints."""
    if isinstance(hint, type) and (
        dataclasses.is_dataclass(hint) or is_typed_dict(hint) or is_model(hint)
    ):
        return hint.__name__
    return ""


def is_model(hint: Any) -> bool:
    """Whether it is a pydantic model (or looks and acts like one)."""
    return isinstance(hint, type) and hasattr(hint, "model_validate")


def is_typed_dict(hint: Any) -> bool:
    return isinstance(hint, type) and hasattr(hint, "__required_keys__")


def _schema(hint: Any, defs: dict[str, Schema], *, top: bool = False) -> Schema:
    if _is_hashable(hint) and hint in _SIMPLE:
        return dict(_SIMPLE[hint])
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is typing.Annotated:
        return _schema(arguments[0], defs, top=top)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(each, defs) for each in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (list, set, frozenset):
        return {"type": "array", "items": _schema(arguments[0], defs)}
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return {"type": "array", "items": _schema(arguments[0], defs)}
        items = [_schema(each, defs) for each in arguments]
        return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _schema(arguments[1], defs)}
    if isinstance(hint, type):
        if issubclass(hint, enum.Enum):
            return {"enum": [each.value for each in hint]}
        if is_model(hint):
            return _model_schema(hint, defs, top)
        if dataclasses.is_dataclass(hint) or is_typed_dict(hint):
            return _record(hint, defs, top)
    if isinstance(hint, typing.TypeVar):
        return {}
    raise TypeError(f"no JSON Schema for the type hint {hint!r}")


def _record(hint: type, defs: dict[str, Schema], top: bool) -> Schema:
    name = hint.__name__
    if not top and name in defs:
        return {"$ref": f"#/$defs/{name}"}
    if not top:
        defs[name] = {}  # Taken, so that a type may hold itself.
    properties: dict[str, Schema] = {}
    required: list[str] = []
    for key, field_hint, is_required in _fields(hint):
        properties[key] = _schema(field_hint, defs)
        if is_required:
            required.append(key)
    schema: Schema = {"title": name, "type": "object", "properties": properties}
    if required:
        schema["required"] = required
    if top:
        return schema
    defs[name] = schema
    return {"$ref": f"#/$defs/{name}"}


def _model_schema(hint: Any, defs: dict[str, Schema], top: bool) -> Schema:
    schema: Schema = dict(hint.model_json_schema())
    defs.update(schema.pop("$defs", {}))
    if top:
        return schema
    defs[hint.__name__] = schema
    return {"$ref": f"#/$defs/{hint.__name__}"}


def _fields(hint: Any) -> list[tuple[str, Any, bool]]:
    """(name, hint, whether it must be there) of a dataclass or TypedDict."""
    hints = typing.get_type_hints(hint)
    if is_typed_dict(hint):
        return [(key, each, key in hint.__required_keys__) for key, each in hints.items()]
    missing = dataclasses.MISSING
    return [
        (each.name, hints[each.name], each.default is missing and each.default_factory is missing)
        for each in dataclasses.fields(hint)
        if each.init
    ]


def _converter(hint: Any) -> Convert:
    if hint is Any or hint is object or isinstance(hint, typing.TypeVar):
        return _same
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is typing.Annotated:
        return _converter(arguments[0])
    if origin in (Union, types.UnionType):
        return _one_of([_converter(each) for each in arguments], hint)
    if origin is Literal:
        return _literal(arguments)
    if origin in (list, set, frozenset) or hint is list:
        return _list(origin or list, _converter(arguments[0]) if arguments else _same)
    if origin is tuple:
        return _tuple(arguments)
    if hint is dict:
        return _mapping(_same)
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(_converter(arguments[1]))
    if hint is float:
        return _float
    if hint is int:
        return _integer
    if hint is None or hint is type(None):
        return _kind(type(None), "null")
    if hint in (str, bool, bytes):
        return _kind(hint, hint.__name__)
    if isinstance(hint, type):
        if issubclass(hint, enum.Enum):
            return _enum(hint)
        if is_model(hint):
            return _model(hint)
        if dataclasses.is_dataclass(hint) or is_typed_dict(hint):
            return _record_converter(hint)
    raise TypeError(f"cannot convert JSON to the type hint {hint!r}")


def _same(value: Any) -> Any:
    return value


def _kind(kind: type, name: str) -> Convert:
    def convert(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        raise Mismatch(f"wanted {name}, got {_kind_name(value)}")

    return convert


def _integer(value: Any) -> Any:
    if type(value) is int:
        return value
    raise Mismatch(f"wanted an integer, got {_kind_name(value)}")


def _float(value: Any) -> Any:
    if type(value) in (int, float):
        return float(value)
    raise Mismatch(f"wanted a number, got {_kind_name(value)}")


def _one_of(converters: list[Convert], hint: Any) -> Convert:
    def convert(value: Any) -> Any:
        wrongs: list[str] = []
        for each in converters:
            try:
                return each(value)
            except Mismatch as error:
                wrongs.append(str(error))
        raise Mismatch(f"fits none of {hint}: " + "; ".join(wrongs))

    return convert


def _literal(allowed: tuple[Any, ...]) -> Convert:
    def convert(value: Any) -> Any:
        for each in allowed:
            if type(each) is type(value) and each == value:
                return value
        raise Mismatch(f"wanted one of {list(allowed)}, got {value!r:.100}")

    return convert


def _enum(hint: type[enum.Enum]) -> Convert:
    def convert(value: Any) -> Any:
        try:
            return hint(value)
        except ValueError:
            raise Mismatch(f"{value!r:.100} is no {hint.__name__}") from None

    return convert


def _list(kind: Any, item: Convert) -> Convert:
    def convert(value: Any) -> Any:
        if not isinstance(value, list):
            raise Mismatch(f"wanted an array, got {_kind_name(value)}")
        return kind([_at(f"[{at}]", item, each) for at, each in enumerate(value)])

    return convert


def _tuple(arguments: tuple[Any, ...]) -> Convert:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return _list(tuple, _converter(arguments[0]))
    items = [_converter(each) for each in arguments]

    def convert(value: Any) -> Any:
        if not isinstance(value, list) or len(value) != len(items):
            raise Mismatch(f"wanted an array of {len(items)}, got {_kind_name(value)}")
        return tuple(
            _at(f"[{at}]", item, each)
            for at, (item, each) in enumerate(zip(items, value, strict=True))
        )

    return convert


def _mapping(item: Convert) -> Convert:
    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            raise Mismatch(f"wanted an object, got {_kind_name(value)}")
        if item is _same:
            return value
        return {key: _at(f".{key}", item, each) for key, each in value.items()}

    return convert


def _record_converter(hint: Any) -> Convert:
    # Made at first use, so that a type may hold itself.
    made: list[tuple[str, Convert, bool]] = []
    is_dict = is_typed_dict(hint)

    def convert(value: Any) -> Any:
        if not made:
            made.extend((key, _converter(each), need) for key, each, need in _fields(hint))
        if not isinstance(value, dict):
            raise Mismatch(f"wanted an object for {hint.__name__}, got {_kind_name(value)}")
        kept: dict[str, Any] = {}
        for key, item, is_required in made:
            if key in value:
                kept[key] = _at(f".{key}", item, value[key])
            elif is_required:
                raise Mismatch(f"{hint.__name__} needs {key!r}")
        if is_dict:
            return {**value, **kept}
        try:
            return hint(**kept)
        except (TypeError, ValueError) as error:
            raise Mismatch(f"{hint.__name__}: {error}") from error

    return convert


def _model(hint: Any) -> Convert:
    def convert(value: Any) -> Any:
        try:
            return hint.model_validate(value)
        except ValueError as error:
            raise Mismatch(f"{hint.__name__}: {error}") from error

    return convert


def _at(place: str, item: Convert, value: Any) -> Any:
    try:
        return item(value)
    except Mismatch as error:
        raise Mismatch(f"{place}: {error}") from None


def _kind_name(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}
    names |= {int: "an integer", float: "a number", type(None): "null", bytes: "bytes"}
    return names.get(type(value), type(value).__name__)


def _is_hashable(hint: Any) -> bool:
    try:
        hash(hint)
    except TypeError:
        return False
    return True
