"""The verbs of discovery: discover once, or watch."""

from __future__ import annotations

from collections.abc import Mapping

from ._discovery import AgentCard, Watch, card_of, query
from ._verbs import TIMEOUT_S, Verbs


class DiscoveryVerbs(Verbs):
    """What a client asks the sidecar's agent `discovery`."""

    async def discover(
        self,
        namespace: str = "",
        *,
        recursive: bool = False,
        inclusive: bool = False,
        detailed: bool = False,
        labels: Mapping[str, str] | None = None,
        timeout: float | None = TIMEOUT_S,
    ) -> list[AgentCard]:
        """The agents of a namespace, by name: those one segment below it, with `recursive` all
        below, with `inclusive` itself too. `detailed` adds version, labels, operations and the
        number of replicas; `labels` must all match."""
        body = query(namespace, recursive, inclusive, detailed, labels)
        reply = await self.call("discovery", body, type="DiscoveryQuery", timeout=timeout)
        return [card_of(each) for each in reply["agents"]]

    def watch(
        self,
        namespace: str = "",
        *,
        recursive: bool = False,
        inclusive: bool = False,
        detailed: bool = False,
        labels: Mapping[str, str] | None = None,
        from_revision: int | None = None,
    ) -> Watch:
        """As `discover`, and then every change: an async iterator of Change."""
        return Watch(self, query(namespace, recursive, inclusive, detailed, labels), from_revision)
