"""Client of coagent: register agents with a sidecar, and call those of every language.

async with connect() as client:
    answer = await client.call("translator", "good morning")
    async for word in client.stream("words", "one two three"):
        ...
"""

from ._agents import operation
from ._client import Client, connect
from ._content import Message, Part
from ._context import Context, current_context
from ._deferred import Deferred
from ._delegated import Delegated, handoff, out_of_order
from ._discovery import AgentCard, Change, Operation, Watch
from ._errors import (
    AbortedError,
    AgentError,
    AlreadyExistsError,
    CancelledCallError,
    DeadlineExceededError,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    RemoteCause,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnavailableError,
    UnimplementedError,
)
from ._hooks import Signal
from ._interrupts import Interrupted
from ._local import local
from ._receiving import MessageReader, PartReader
from ._registration import Registration
from ._reply import Call, Exchange, Reply
from ._runs import Run
from ._topics import Subscription, TopicMessage
from ._version import VERSION as __version__

__all__ = [
    "AbortedError",
    "AgentCard",
    "AgentError",
    "AlreadyExistsError",
    "Call",
    "CancelledCallError",
    "Change",
    "Client",
    "Context",
    "DeadlineExceededError",
    "Deferred",
    "Delegated",
    "Exchange",
    "FailedPreconditionError",
    "InternalError",
    "Interrupted",
    "InvalidArgumentError",
    "Message",
    "MessageReader",
    "NotFoundError",
    "Operation",
    "Part",
    "PartReader",
    "PermissionDeniedError",
    "Registration",
    "RemoteCause",
    "Reply",
    "ResourceExhaustedError",
    "Run",
    "Signal",
    "Subscription",
    "TopicMessage",
    "UnauthenticatedError",
    "UnavailableError",
    "UnimplementedError",
    "Watch",
    "__version__",
    "connect",
    "current_context",
    "handoff",
    "local",
    "operation",
    "out_of_order",
]
