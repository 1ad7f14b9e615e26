"""Errors: one exception class per code, and their way over the wire and back.

An exception raised in an agent travels as `error` (code, reason, message, details) and is raised
again at the caller. Causes travel as text in `details`; no stack trace leaves the process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

MESSAGE_BYTES_MAX = 4096
DETAILS_BYTES_MAX = 4096
DETAILS_KEYS_MAX = 64
CAUSES_MAX = 8

Detail = str | bool | int


class AgentError(Exception):
    """A call, a registration or the connection failed.

    `code` is one of the fixed set, `reason` the finer word, `details` flat values; `retry` says
    that no agent has seen the call; `address` is what was called, where that is known. Raised in
    an agent, it reaches the caller with the same code, reason, message and details.
    """

    code: ClassVar[str] = "internal"

    def __init__(
        self,
        message: str = "",
        *,
        reason: str = "",
        details: Mapping[str, Detail] | None = None,
        retry: bool = False,
        address: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.details: dict[str, Detail] = dict(details or {})
        self.retry = retry
        self.address = address

    def __str__(self) -> str:
        label = f"{self.code}/{self.reason}" if self.reason else self.code
        text = f"{label}: {self.message}" if self.message else label
        return f"{text} (calling {self.address})" if self.address else text


class InvalidArgumentError(AgentError):
    """What was sent is wrong, whatever the state of the world."""

    code = "invalid_argument"


class NotFoundError(AgentError):
    """No such agent, session or thing."""

    code = "not_found"


class AlreadyExistsError(AgentError):
    """The name is taken."""

    code = "already_exists"


class PermissionDeniedError(AgentError):
    """The peer is known and may not do this."""

    code = "permission_denied"


class UnauthenticatedError(AgentError):
    """The token is missing or wrong."""

    code = "unauthenticated"


class ResourceExhaustedError(AgentError):
    """A limit was reached: a full mailbox, too many ids, a window overrun."""

    code = "resource_exhausted"


class FailedPreconditionError(AgentError):
    """The state of the world forbids it: a call cycle, a wrong version."""

    code = "failed_precondition"


class AbortedError(AgentError):
    """An agent gave up because of a conflict."""

    code = "aborted"


class UnimplementedError(AgentError):
    """The agent has no operation for this type, or the sidecar no such op."""

    code = "unimplemented"


class InternalError(AgentError):
    """The agent raised an exception that chose no code."""

    code = "internal"


class UnavailableError(AgentError):
    """The agent's host, a replica or the sidecar is away."""

    code = "unavailable"


class DeadlineExceededError(AgentError):
    """The time given ran out."""

    code = "deadline_exceeded"


class CancelledCallError(AgentError):
    """The call was cancelled, by its caller or from above."""

    code = "cancelled"


class RemoteCause(Exception):
    """A cause of an agent's exception, as text: its type's name and its message."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.type, _, self.message = text.partition(": ")


ERROR_CLASSES: dict[str, type[AgentError]] = {
    cls.code: cls
    for cls in (
        InvalidArgumentError,
        NotFoundError,
        AlreadyExistsError,
        PermissionDeniedError,
        UnauthenticatedError,
        ResourceExhaustedError,
        FailedPreconditionError,
        AbortedError,
        UnimplementedError,
        InternalError,
        UnavailableError,
        DeadlineExceededError,
        CancelledCallError,
    )
}


def error_of(
    code: str,
    message: str = "",
    *,
    reason: str = "",
    details: Mapping[str, Detail] | None = None,
    retry: bool = False,
    address: str = "",
) -> AgentError:
    """The exception for a code; a code outside the set reads as `internal`, kept in details."""
    cls = ERROR_CLASSES.get(code)
    extra = dict(details or {})
    if cls is None:
        cls = InternalError
        extra["code"] = code
    error = cls(message, reason=reason, details=extra, retry=retry, address=address)
    causes = extra.get("causes")
    if isinstance(causes, str) and causes:
        below: RemoteCause | None = None
        for text in reversed(causes.split(" <- ")):
            cause = RemoteCause(text)
            cause.__cause__ = below
            below = cause
        error.__cause__ = below
    return error


def error_from_fields(fields: Mapping[str, object], address: str = "") -> AgentError:
    """The exception for an `error` frame's fields."""
    details = fields.get("details")
    return error_of(
        str(fields.get("code", "internal")),
        str(fields.get("message", "")),
        reason=str(fields.get("reason", "")),
        details=details if isinstance(details, dict) else None,
        retry=fields.get("retry") is True,
        address=address,
    )


def wire_error(exception: BaseException) -> tuple[str, str, str, dict[str, Detail]]:
    """(code, reason, message, details) of an exception, each within its limit."""
    if isinstance(exception, AgentError):
        details = dict(exception.details)
        if exception.address:
            details.setdefault("agent", exception.address)
        code, reason, message = exception.code, exception.reason, exception.message
        causes = _causes(exception) if "causes" not in details else ""
    else:
        name = type(exception).__name__
        details = {"type": name}
        code, reason, message = "internal", "agent_error", str(exception) or name
        causes = _causes(exception)
    if causes:
        details["causes"] = causes
    return code, reason, cut(message, MESSAGE_BYTES_MAX), _bounded(details)


def cut(text: str, bytes_max: int) -> str:
    """The text, or its beginning with an ellipsis if it takes more bytes; always valid UTF-8."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= bytes_max:
        return raw.decode("utf-8")
    return raw[: bytes_max - 3].decode("utf-8", "ignore") + "…"


def _causes(exception: BaseException) -> str:
    texts: list[str] = []
    seen: set[int] = {id(exception)}
    cause = _cause(exception)
    while cause is not None and id(cause) not in seen and len(texts) < CAUSES_MAX:
        seen.add(id(cause))
        name = type(cause).__name__
        if isinstance(cause, RemoteCause):
            texts.append(str(cause))
        else:
            message = cause.message if isinstance(cause, AgentError) else str(cause)
            texts.append(f"{name}: {message}" if message else name)
        cause = _cause(cause)
    return cut(" <- ".join(texts), 2048)


def _cause(exception: BaseException) -> BaseException | None:
    if exception.__cause__ is not None:
        return exception.__cause__
    return None if exception.__suppress_context__ else exception.__context__


def _bounded(details: dict[str, Detail]) -> dict[str, Detail]:
    """Only what a header may hold: strings, booleans, integers 0…2^53-1, within the limit."""
    kept: dict[str, Detail] = {}
    left = DETAILS_BYTES_MAX
    for key, value in details.items():
        if not isinstance(value, (str, bool, int)) or (
            not isinstance(value, (str, bool)) and not 0 <= value < 2**53
        ):
            value = str(value)
        key = cut(str(key), 128)
        if not key or any(ord(c) < 32 or 127 <= ord(c) < 160 or c in '"\\' for c in key):
            continue
        if isinstance(value, str):
            value = cut(value, 2048)
        left -= len(key.encode()) + (len(value.encode()) if isinstance(value, str) else 16) + 6
        if left < 0 or len(kept) == DETAILS_KEYS_MAX:
            break
        kept[key] = value
    return kept
