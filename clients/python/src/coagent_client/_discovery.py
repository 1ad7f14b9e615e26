"""Who is there: what `discover` lists and `watch` follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ._content import Message
from ._errors import UnavailableError
from ._receiving import MessageReader

if TYPE_CHECKING:
    from ._reply import Reply
    from ._verbs import Verbs


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of message an agent handles, with the JSON Schemas of its input and output."""

    name: str
    description: str = ""
    input: Mapping[str, Any] | None = None
    output: Mapping[str, Any] | None = None
    streaming: bool = False


@dataclass(frozen=True, slots=True)
class AgentCard:
    """An agent as discovery shows it; all behind the description only with `detailed`."""

    name: str
    description: str = ""
    version: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    operations: tuple[Operation, ...] = ()
    replicas: int = 0

    @property
    def address(self) -> str:
        """What to call: the name."""
        return self.name


@dataclass(frozen=True, slots=True)
class Change:
    """What a watch tells: all agents at first and after a reconnect (`is_snapshot`), then who
    came or changed and who went."""

    revision: int
    registered: tuple[AgentCard, ...] = ()
    deregistered: tuple[str, ...] = ()
    is_snapshot: bool = False


class Watch:
    """An async iterator of changes; leaving the loop ends it. It goes on over reconnects."""

    def __init__(
        self, client: Verbs, body: Mapping[str, Any], from_revision: int | None = None
    ) -> None:
        self._client = client
        self._body = body
        self._revision = from_revision
        self._reader: MessageReader[Message] | None = self._open(from_revision)

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> Change:
        while True:
            if self._reader is None:
                raise StopAsyncIteration
            try:
                change = change_of(await self._reader.__anext__())
                self._revision = change.revision
                return change
            except UnavailableError:
                if (await self._client.wait_connected()).is_drained:
                    raise
                # A sidecar that does not know all that came since answers with a snapshot.
                self._reader = self._open(self._revision)

    async def aclose(self) -> None:
        """Ends the watch."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.aclose()

    def _open(self, from_revision: int | None) -> MessageReader[Message]:
        body = dict(self._body)
        if from_revision is not None:
            body["from_revision"] = from_revision
        reply: Reply[Any] = self._client.stream(
            "discovery", body, type="DiscoveryWatch", parent=None
        )
        return reply.messages()


def query(
    namespace: str,
    recursive: bool,
    inclusive: bool,
    detailed: bool,
    labels: Mapping[str, str] | None,
) -> dict[str, Any]:
    """The body of a DiscoveryQuery or DiscoveryWatch."""
    return {
        "namespace": namespace,
        "recursive": recursive,
        "inclusive": inclusive,
        "detailed": detailed,
        "labels": dict(labels or {}),
    }


def card_of(value: Mapping[str, Any]) -> AgentCard:
    """An agent as the sidecar writes it."""
    return AgentCard(
        name=value["name"],
        description=value.get("description", ""),
        version=value.get("version", ""),
        labels=value.get("labels", {}),
        operations=tuple(
            Operation(
                name=each.get("name", ""),
                description=each.get("description", ""),
                input=each.get("input"),
                output=each.get("output"),
                streaming=each.get("streaming", False),
            )
            for each in value.get("operations") or ()
        ),
        replicas=value.get("replicas", 0),
    )


def change_of(message: Message) -> Change:
    """A message of a watch."""
    value = message.value
    is_snapshot = message.type == "DiscoverySnapshot" or "agents" in value
    return Change(
        revision=value["revision"],
        registered=tuple(map(card_of, value["agents" if is_snapshot else "registered"])),
        deregistered=() if is_snapshot else tuple(value.get("deregistered", ())),
        is_snapshot=is_snapshot,
    )
