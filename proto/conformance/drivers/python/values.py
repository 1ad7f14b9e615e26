"""Values, messages and errors as the lines of the driver spell them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from coagent_client import AgentError, Message, Part, RemoteCause

LISTED_BYTES_MAX = 1024
JSON_TYPE = "application/json"


def seconds(command: Mapping[str, Any], name: str) -> float | None:
    """A number of milliseconds as the client takes it."""
    return command[name] / 1000 if name in command else None


def bare(value: Mapping[str, Any]) -> object:
    """A value as the client takes it, without what stands beside it."""
    if "json" in value:
        return value["json"]
    if "text" in value:
        return value["text"]
    if "hex" in value:
        return bytes.fromhex(value["hex"])
    return bytes([value["repeat"]]) * value["bytes"]


def body_of(value: Mapping[str, Any] | None) -> object:
    """What to call an agent with: a plain value wherever one says it all."""
    if value is None:
        return None
    if value.keys() & {"type", "content_type", "ext"} or value.get("json", ...) is None:
        return message_of(value)
    return bare(value)


def message_of(value: Mapping[str, Any]) -> Message:
    """A value as a message, with what stands beside it."""
    return Message.of(
        bare(value),
        type=value.get("type"),
        content_type=value.get("content_type"),
        ext=value.get("ext"),
    )


def part_of(value: Mapping[str, Any]) -> Part:
    """A value as a piece of a message."""
    content = bare(value)
    if not isinstance(content, (str, bytes)):
        content = json.dumps(content)
    return Part(content, value.get("type", ""))


def message_json(message: Message) -> dict[str, Any]:
    """A message that arrived."""
    if message.error is not None:
        return {"failed": {"code": message.error.code, "reason": message.error.reason}}
    told: dict[str, Any] = {"content_type": message.content_type}
    if message.type:
        told["type"] = message.type
    if message.ext:
        told["ext"] = dict(message.ext)
    if len(message.content) > LISTED_BYTES_MAX:
        told |= digest_json(message.content)
    elif message.content_type.startswith("text/"):
        told["text"] = message.value
    elif message.content and message.content_type.partition(";")[0].endswith(("/json", "+json")):
        told["json"] = message.value
    else:
        told["hex"] = message.content.hex()
    return told


def value_json(value: object) -> dict[str, Any]:
    """A value that the client made of a message."""
    return message_json(Message.of(value))


def digest_json(content: bytes) -> dict[str, Any]:
    """What stands for content that is too long for a line."""
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def error_json(error: AgentError) -> dict[str, Any]:
    """An error, with the texts of its causes."""
    told: dict[str, Any] = {"code": error.code, "reason": error.reason, "message": error.message}
    if error.retry:
        told["retry"] = True
    if error.details:
        told["details"] = dict(error.details)
    causes = []
    cause = error.__cause__
    while cause is not None:
        text = str(cause) if isinstance(cause, RemoteCause) else f"{type(cause).__name__}: {cause}"
        causes.append(text)
        cause = cause.__cause__
    if causes:
        told["causes"] = causes
    return told
