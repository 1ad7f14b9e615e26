"""The verbs of topics: publish and subscribe."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from ._context import Context, current
from ._discovery_verbs import DiscoveryVerbs
from ._errors import Detail
from ._requests import INHERIT, Inherit, message_from, milliseconds, options_rest
from ._sends import Post
from ._topics import Subscription, TopicReader
from ._verbs import TIMEOUT_S
from ._wire import WINDOW_DEFAULT, quoted


class TopicVerbs(DiscoveryVerbs):
    """What a client says and hears where nobody is addressed."""

    _readers: list[TopicReader]

    async def publish(
        self,
        topic: str,
        body: object = None,
        *,
        source: str = "default",
        ack: bool = True,
        timeout: float | None = None,
        type: str | None = None,
        content_type: str | None = None,
        ext: Mapping[str, Detail] | None = None,
        trace: str | None = None,
        sender: str | None = None,
        parent: Context | Inherit | None = INHERIT,
    ) -> None:
        """Sends one message to all who subscribe to the topic, be they many or none.

        `source` says whom it concerns: it names the session of each agent that the topic feeds.
        With `ack` (the default) returns once the sidecar has handed it out, or raises; without,
        what is lost is lost. `timeout`: how many seconds it may wait for those who are slow.
        """
        self._check_thread()
        message = message_from(body, type, content_type)
        rest = _publish_rest(topic, source, message.type, message.content_type)
        context = current.get() if parent is INHERIT else parent
        served = None
        if context is not None:
            served = self.parent_of(context, is_inherited=parent is INHERIT)
        rest += options_rest(message, ext, trace, sender, context)
        if timeout is not None:
            rest += f',"timeout_ms":{milliseconds(timeout)}'
        post = Post("publish", topic, rest, message.content, served)
        await (post.acknowledged(self, TIMEOUT_S) if ack else post.written(self, TIMEOUT_S))

    def subscribe(self, topic: str, *, window: int = WINDOW_DEFAULT) -> Subscription:
        """The messages of a topic from now on, or of all that a pattern matches (`*` is one
        segment, a last `>` the rest): an async iterator, ended by leaving its `async with`.

        `window` bounds, in bytes, how far the topic may run ahead of the reader. What is beyond
        it and as much again is lost, the oldest first; the next message tells how many in
        `dropped`. 1: one message at a time, always the newest.
        """
        self._check_thread()
        self.check_alive()
        return Subscription(self, topic, window)

    def check_alive(self) -> None:
        """Raises if the client has ended."""
        raise NotImplementedError

    def subscribed(self, reader: TopicReader) -> None:
        """It is to be made on this connection, and on those that follow."""
        self._readers.append(reader)
        if self.connection is not None and self.connection.takes_new:
            reader.start(self.connection)

    def unsubscribed(self, reader: TopicReader) -> None:
        """It is not to be made again."""
        if reader in self._readers:
            self._readers.remove(reader)


@lru_cache(maxsize=4096)
def _publish_rest(topic: str, source: str, type: str, content_type: str) -> str:
    rest = f',"topic":{quoted(topic)},"source":{quoted(source)}'
    if type:
        rest += f',"type":{quoted(type)}'
    if content_type != "application/json":
        rest += f',"content_type":{quoted(content_type)}'
    return rest
