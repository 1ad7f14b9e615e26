"""Messages against JSON Schemas (2020-12), for agents that ask for it.

The work is that of the `jsonschema` package, which is needed only then. Nothing is fetched: a
schema may refer to itself and to the standard's own, and to nothing else.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from ._content import Encoded, decode
from ._errors import AgentError, InternalError, InvalidArgumentError
from ._wire import Fields

Convert = Callable[[Fields, bytes], Any]
Check = Callable[[Encoded], None]

_MESSAGE_MAX = 300


def input_converter(schema: Mapping[str, Any], convert: Convert) -> Convert:
    """`convert` for messages that fit the schema; raises InvalidArgumentError for others, before
    anything of the user's is run. `details["path"]` is where, as a JSONPath (`$.items[0]`)."""
    validator = _validator(schema)

    def checked(fields: Fields, content: bytes) -> Any:
        value = decode(content, fields.get("content_type"))
        _check(validator, value, InvalidArgumentError, "bad_content")
        return convert(fields, content)

    return checked


def output_check(schema: Mapping[str, Any]) -> Check:
    """Raises InternalError, `bad_reply`, for a message that does not fit the schema."""
    validator = _validator(schema)

    def check(message: Encoded) -> None:
        value = decode(message.content, message.content_type)
        _check(validator, value, InternalError, "bad_reply")

    return check


def _validator(schema: Mapping[str, Any]) -> Any:
    try:
        jsonschema: Any = importlib.import_module("jsonschema")
        specifications: Any = importlib.import_module("jsonschema_specifications")
    except ImportError as error:
        raise ImportError(
            "validate=True needs the package jsonschema: pip install 'coagent-client[schemas]'"
        ) from error
    kind = jsonschema.Draft202012Validator
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise InvalidArgumentError(
            f"no JSON Schema: {error.message:.{_MESSAGE_MAX}}",
            reason="bad_schema",
            details={"path": error.json_path},
        ) from None
    return kind(schema, registry=specifications.REGISTRY)


def _check(validator: Any, value: Any, failure: type[AgentError], reason: str) -> None:
    if isinstance(value, bytes):
        raise failure("bytes fit no JSON Schema", reason=reason, details={"path": "$"})
    exceptions: Any = importlib.import_module("jsonschema.exceptions")
    try:
        wrong = exceptions.best_match(validator.iter_errors(value))
    except RecursionError:
        raise failure("nested too deeply", reason=reason, details={"path": "$"}) from None
    if wrong is not None:
        path: str = wrong.json_path
        message = f"{path}: {wrong.message:.{_MESSAGE_MAX}}"
        raise failure(message, reason=reason, details={"path": path})
