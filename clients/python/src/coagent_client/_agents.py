"""What an agent is made of: operations read off the type hints of functions and classes."""

from __future__ import annotations

import collections.abc
import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar, get_args, get_origin, overload

from ._content import Message, encode_json
from ._context import Context
from ._errors import UnimplementedError
from ._receiving import message_of, value_of
from ._schema import Schema, converter, hint_name, schema_of
from ._validation import Check, input_converter, output_check
from ._wire import Fields

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__coagent_operation__"
_STREAMS: tuple[Any, ...] = (
    collections.abc.AsyncIterator,
    collections.abc.AsyncIterable,
    collections.abc.AsyncGenerator,
    collections.abc.Iterator,
    collections.abc.Iterable,
    collections.abc.Generator,
)
_INPUT_STREAMS: tuple[Any, ...] = (collections.abc.AsyncIterator, collections.abc.AsyncIterable)

_BYTES = schema_of(bytes)

REQUIRED = inspect.Parameter.empty
COROUTINE, ASYNC_GENERATOR, FUNCTION, GENERATOR = "coroutine", "async generator", "function", "gen"


@dataclass(frozen=True, slots=True)
class Declared:
    """What is said of an operation besides its function; what is not said is read off that."""

    name: str = ""
    description: str = ""
    validate: bool | None = None
    input: Schema | None = None
    output: Schema | None = None


@overload
def operation(target: F, /) -> F: ...
@overload
def operation(
    target: str | None = None,
    /,
    *,
    description: str = "",
    validate: bool | None = None,
    input: Schema | None = None,
    output: Schema | None = None,
) -> Callable[[F], F]: ...
def operation(target: Any = None, /, **options: Any) -> Any:
    """Marks a method of an agent class as an operation.

    It handles messages of the type named here, else of its input's class name, else of its own
    name: `@operation`, `@operation("ChatMessage")`. `input` and `output` are JSON Schemas, else
    those of its hints; `validate` checks each message against them, as that of `register` does.
    """
    declared = Declared(target if isinstance(target, str) else "", **options)

    def mark(function: F) -> F:
        setattr(function, _MARK, declared)
        return function

    return mark(target) if callable(target) else mark


@dataclass(frozen=True, slots=True)
class OperationSpec:
    """One kind of message an agent handles, and how to call the function for it."""

    name: str
    description: str
    function: Callable[..., Any]
    kind: str
    arguments: tuple[str, ...]
    """What each positional argument is: `body`, `context` or `stream`."""
    convert: Callable[[Fields, bytes], Any]
    """A message to what the body (or each item of the stream) is hinted to be."""
    default: Any
    """What stands for the body if the call has no content; `REQUIRED` if nothing does."""
    input: Schema | None
    output: Schema | None
    check: Check | None
    """Raises for what it must not answer."""

    @property
    def takes_body(self) -> bool:
        return "body" in self.arguments

    @property
    def is_streaming(self) -> bool:
        return self.kind in (ASYNC_GENERATOR, GENERATOR)

    @property
    def is_threaded(self) -> bool:
        return self.kind in (FUNCTION, GENERATOR)


class AgentSpec:
    """The operations of an agent, and the class of its sessions if it has one."""

    def __init__(
        self,
        target: Callable[..., Any],
        names: Mapping[str, Any] | None = None,
        declared: Declared | None = None,
    ) -> None:
        self.cls: type | None = target if isinstance(target, type) else None
        cls: Any = self.cls
        self.description = inspect.getdoc(target) or ""
        declared = declared or Declared()
        if cls is None:
            declared = replace(declared, description=self.description)
            self.operations = [_read(target, None, declared, names)]
        else:
            if declared.input is not None or declared.output is not None:
                raise TypeError(f"{cls.__name__}: its operations have schemas of their own")
            self.operations = [
                _read(function, cls, _with_default(mark, declared.validate), names)
                for function, mark in _marked(cls)
            ]
            if not self.operations:
                raise TypeError(f"{cls.__name__} has no method marked @operation")
        self._by_type: dict[str, OperationSpec] = {}
        for each in self.operations:
            if each.name in self._by_type:
                raise TypeError(f"two operations are named {each.name!r}")
            self._by_type[each.name] = each
        self._only = self.operations[0] if len(self.operations) == 1 else None

    def operation(self, type: str) -> OperationSpec:
        """The operation for a message's type. A function takes any type; raises
        UnimplementedError if a class has none for it."""
        if self.cls is None:
            return self.operations[0]
        found = self._by_type.get(type)
        if found is not None:
            return found
        if not type and self._only is not None:
            return self._only
        known = " ".join(self._by_type)
        raise UnimplementedError(
            f"no operation for type {type!r}; there is {known}",
            reason="unhandled_type",
            details={"type": type, "operations": known},
        )

    def content(self) -> bytes:
        """The operations as `register` carries them."""
        listed: list[dict[str, Any]] = []
        for each in self.operations:
            entry: dict[str, Any] = {"name": each.name}
            if each.description:
                entry["description"] = each.description
            if each.input is not None:
                entry["input"] = each.input
            if each.output is not None:
                entry["output"] = each.output
            entry["streaming"] = each.is_streaming
            listed.append(entry)
        return encode_json(listed)


def _with_default(declared: Declared, validate: bool | None) -> Declared:
    return replace(declared, validate=validate if declared.validate is None else declared.validate)


def _marked(cls: type) -> list[tuple[Callable[..., Any], Declared]]:
    found: dict[str, tuple[Callable[..., Any], Declared]] = {}
    for base in reversed(cls.__mro__):
        for name, member in vars(base).items():
            mark = getattr(member, _MARK, None)
            if isinstance(mark, Declared):
                found[name] = (member, mark)
            else:
                found.pop(name, None)
    return list(found.values())


def _read(
    function: Callable[..., Any],
    cls: type | None,
    declared: Declared,
    names: Mapping[str, Any] | None,
) -> OperationSpec:
    hints = hints_of(function, names)
    parameters = list(inspect.signature(function).parameters.values())
    if cls is not None:
        parameters = parameters[1:]
    arguments: list[str] = []
    body_hint: Any = REQUIRED
    default: Any = REQUIRED
    for parameter in parameters:
        hint = hints.get(parameter.name, Any)
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY:
            if parameter.default is parameter.empty:
                raise TypeError(f"{name_of(function)}: {parameter.name} cannot be keyword-only")
        elif hint is Context or (hint is Any and parameter.name in ("context", "ctx")):
            arguments.append("context")
        elif parameter.default is not parameter.empty and "body" in arguments:
            break
        elif "body" in arguments or "stream" in arguments:
            raise TypeError(
                f"{name_of(function)} takes more than a message and a Context: {parameter.name}"
            )
        elif get_origin(hint) in _INPUT_STREAMS:
            arguments.append("stream")
            body_hint = (get_args(hint) or (Any,))[0]
        else:
            arguments.append("body")
            body_hint = hint
            default = parameter.default
    kind = _kind(function)
    has_input = body_hint is not REQUIRED
    derived = schema_of(_described(body_hint)) if has_input else None
    spec = OperationSpec(
        name=declared.name or (hint_name(body_hint) if has_input else "") or name_of(function),
        description=declared.description or inspect.getdoc(function) or "",
        function=function,
        kind=kind,
        arguments=tuple(arguments),
        convert=message_converter(body_hint if has_input else Any),
        default=default,
        input=derived if declared.input is None else declared.input,
        output=_output(hints, kind) if declared.output is None else declared.output,
        check=None,
    )
    return _validated(spec, declared) if declared.validate else spec


def _validated(spec: OperationSpec, declared: Declared) -> OperationSpec:
    """The operation, with what comes and goes checked. Bytes by their hint are no JSON."""
    if spec.input and (declared.input is not None or spec.input != _BYTES):
        spec = replace(spec, convert=input_converter(spec.input, spec.convert))
    if spec.output and (declared.output is not None or spec.output != _BYTES):
        spec = replace(spec, check=output_check(spec.output))
    return spec


def message_converter(hint: Any) -> Callable[[Fields, bytes], Any]:
    """From a message to a hinted type: str takes any text, bytes any content."""
    if hint is Message:
        return message_of
    if hint is bytes:
        return lambda fields, content: content
    if hint is Any or hint is object:
        return value_of
    convert = converter(hint)
    return lambda fields, content: convert(value_of(fields, content))


def hints_of(function: Callable[..., Any], names: Mapping[str, Any] | None) -> dict[str, Any]:
    target: Any = function.func if isinstance(function, functools.partial) else function
    if not inspect.isroutine(target):
        target = type(target).__call__
    closure = getattr(target, "__closure__", None) or ()
    free = getattr(getattr(target, "__code__", None), "co_freevars", ())
    local = dict(names or {})
    for name, cell in zip(free, closure, strict=False):
        try:
            local[name] = cell.cell_contents
        except ValueError:
            continue  # Not assigned yet.
    try:
        return typing.get_type_hints(target, localns=local, include_extras=True)
    except NameError as error:
        raise TypeError(
            f"{name_of(function)}: the type hints name something unknown here: {error}"
        ) from error


def _kind(function: Callable[..., Any]) -> str:
    call: Any = function
    if not inspect.isroutine(function) and not isinstance(function, functools.partial):
        call = type(function).__call__
    if inspect.isasyncgenfunction(call):
        return ASYNC_GENERATOR
    if inspect.iscoroutinefunction(call):
        return COROUTINE
    return GENERATOR if inspect.isgeneratorfunction(call) else FUNCTION


def _output(hints: dict[str, Any], kind: str) -> Schema | None:
    if "return" not in hints:
        return None
    hint = hints["return"]
    if get_origin(hint) in _STREAMS and kind != FUNCTION:
        hint = (get_args(hint) or (Any,))[0]
    try:
        return schema_of(_described(hint))
    except TypeError:
        return None  # A Reply passed on, for instance: what comes is not known here.


def _described(hint: Any) -> Any:
    return Any if hint is Message else hint


def name_of(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", None) or type(function).__name__
