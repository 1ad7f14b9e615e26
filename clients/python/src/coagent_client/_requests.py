"""The words of a call's header, from what the verbs are given."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from ._address import quoted_address
from ._agents import message_converter
from ._content import Encoded, encode
from ._context import Context
from ._errors import Detail
from ._receiving import value_of
from ._wire import WINDOW_DEFAULT, Fields, flat_object, quoted


class Inherit(enum.Enum):
    """The default of `parent`: the call being handled where the verb is used."""

    INHERIT = "inherit"


INHERIT: Final = Inherit.INHERIT


def message_from(body: object, type: str | None, content_type: str | None) -> Encoded:
    message = Encoded(b"", "application/json") if body is None else encode(body)
    if type is not None:
        message.type = type
    if content_type is not None:
        message.content_type = content_type
    return message


@lru_cache(maxsize=4096)
def call_rest(to: str, type: str, content_type: str) -> str:
    rest = f',"to":{quoted_address(to)}'
    if type:
        rest += f',"type":{quoted(type)}'
    if content_type != "application/json":
        rest += f',"content_type":{quoted(content_type)}'
    return rest


def options_rest(
    message: Encoded,
    ext: Mapping[str, Detail] | None,
    trace: str | None,
    sender: str | None,
    context: Context | None,
) -> str:
    """What a call says besides its message; trace and ext of the call it serves go on."""
    rest = ""
    if context is not None:
        trace = trace or context.trace
        if context.ext:
            ext = {**context.ext, **(ext or {})}
    if message.ext:
        ext = {**(ext or {}), **message.ext}
    if sender:
        rest += f',"from":{quoted_address(sender)}'
    if trace:
        rest += f',"trace":{quoted(trace)}'
    if ext:
        rest += f',"ext":{flat_object(ext, "ext")}'
    return rest


def window_rest(window: int) -> str:
    return "" if window == WINDOW_DEFAULT else f',"window":{window}'


def conversion(returns: Any) -> Callable[[Fields, bytes], Any]:
    return value_of if returns is None else _converter(returns)


_converter = lru_cache(maxsize=256)(message_converter)


def milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
