"""The commands of callers."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

from coagent_client import (
    AgentCard,
    Call,
    Client,
    Context,
    Exchange,
    Reply,
    Run,
    Subscription,
    Watch,
)
from values import body_of, message_json, message_of, seconds, value_json

Command = dict[str, Any]
LISTED_MAX = 100


class Callers:
    """Calls that are open here, by the names that the runner gave them."""

    def __init__(
        self, clients: dict[str, Client], context: Callable[[str], Context]
    ) -> None:
        self._clients = clients
        self._context = context
        self._streams: dict[str, Reading | Following | Subscribed] = {}
        self.commands: dict[str, Callable[[Command], Awaitable[Command | None]]] = {
            "call": self.call,
            "stream": self.stream,
            "delegate": self.delegate,
            "open": self.open,
            "attach": self.attach,
            "runs": self.runs,
            "next": lambda command: self._streams[command["of"]].next(),
            "next_part": lambda command: self._reading(command).next_part(),
            "rest": lambda command: self._reading(command).rest(),
            "leave": lambda command: self._streams[command["of"]].leave(),
            "put": self.put,
            "finish": self.finish,
            "send": self.send,
            "publish": self.publish,
            "subscribe": self.subscribe,
            "discover": self.discover,
            "watch": self.watch,
        }

    def _reading(self, command: Command) -> Reading:
        stream = self._streams[command["of"]]
        assert isinstance(stream, Reading)
        return stream

    def reply(self, command: Command) -> Reply[Any]:
        """What was opened here, to be passed on."""
        return self._reading(command).reply

    def opened(self, command: Command) -> Call:
        """A call that was opened here, to be signalled."""
        return self._reading(command).call

    def _options(self, command: Command) -> dict[str, Any]:
        names = ("ext", "trace", "sender", "window", "run", "detach", "lazy", "collect")
        names += ("observe", "ack")
        options = {name: command[name] for name in names if name in command}
        if "timeout_ms" in command:
            options["timeout"] = seconds(command, "timeout_ms")
        options["parent"] = self._context(command["under"]) if "under" in command else None
        return options

    async def call(self, command: Command) -> Command:
        client = self._clients[command["client"]]
        body = body_of(command.get("body"))
        value = await client.call(command["to"], body, **self._options(command))
        if command.get("collect") == "list":
            return {"values": [value_json(each) for each in value]}
        return {} if value is None else {"value": value_json(value)}

    async def stream(self, command: Command) -> None:
        client = self._clients[command["client"]]
        body = body_of(command.get("body"))
        reply = client.stream(command["to"], body, **self._options(command))
        self._streams[command["as"]] = Reading(reply)

    async def delegate(self, command: Command) -> None:
        names = ("ext", "trace", "lazy")
        options = {name: command[name] for name in names if name in command}
        if "timeout_ms" in command:
            options["timeout"] = seconds(command, "timeout_ms")
        context = self._context(command["call"])
        reply = context.delegate(command["to"], body_of(command.get("body")), **options)
        self._streams[command["as"]] = Reading(reply)

    async def open(self, command: Command) -> None:
        client = self._clients[command["client"]]
        body = body_of(command.get("body"))
        exchange = client.open(command["to"], body, **self._options(command))
        self._streams[command["as"]] = Reading(exchange)

    async def attach(self, command: Command) -> None:
        client = self._clients[command["client"]]
        options = {name: command[name] for name in ("tail", "window") if name in command}
        if "timeout_ms" in command:
            options["timeout"] = seconds(command, "timeout_ms")
        reply = client.attach(command["run"], from_=command.get("from", 0), **options)
        self._streams[command["as"]] = Reading(reply)

    async def runs(self, command: Command) -> Command:
        client = self._clients[command["client"]]
        found = await client.runs(state=command.get("state", ""))
        return {"runs": [_run_json(run) for run in found]}

    async def put(self, command: Command) -> None:
        await self._reading(command).exchange.send(message_of(command["body"]))

    async def finish(self, command: Command) -> None:
        await self._reading(command).exchange.end()

    async def send(self, command: Command) -> None:
        client = self._clients[command["client"]]
        body = body_of(command.get("body"))
        await client.send(command["to"], body, **self._options(command))

    async def publish(self, command: Command) -> None:
        client = self._clients[command["client"]]
        source = {"source": command["source"]} if "source" in command else {}
        body = body_of(command.get("body"))
        await client.publish(command["topic"], body, **source, **self._options(command))

    async def subscribe(self, command: Command) -> None:
        client = self._clients[command["client"]]
        window = {"window": command["window"]} if "window" in command else {}
        subscription = client.subscribe(command["topic"], **window)
        self._streams[command["as"]] = Subscribed(await subscription)

    async def discover(self, command: Command) -> Command:
        client = self._clients[command["client"]]
        namespace, options = _query(command)
        cards = await client.discover(namespace, **options)
        is_detailed = command.get("detailed", False)
        return {"agents": [_card_json(card, is_detailed) for card in cards]}

    async def watch(self, command: Command) -> None:
        client = self._clients[command["client"]]
        namespace, options = _query(command)
        if "from_revision" in command:
            options["from_revision"] = command["from_revision"]
        self._streams[command["as"]] = Following(client.watch(namespace, **options))


class Reading:
    """A call whose reply is read step by step."""

    def __init__(self, reply: Reply[Any]) -> None:
        self._reply: Reply[Any] | None = reply
        self.call = reply.call
        self._reader: Any = None
        self._turn = asyncio.Lock()

    @property
    def reply(self) -> Reply[Any]:
        """The reply, which nobody has begun to read."""
        assert self._reply is not None
        return self._reply

    @property
    def exchange(self) -> Exchange[Any]:
        assert isinstance(self._reply, Exchange)
        return self._reply

    def _reading(self, start: Callable[[Reply[Any]], Any]) -> Any:
        if self._reader is None:
            assert self._reply is not None
            self._reader = start(self._reply)
            if not isinstance(self._reply, Exchange):
                self._reply = None  # Whoever keeps it keeps all its messages.
        return self._reader

    def _messages(self) -> Any:
        return self._reading(lambda reply: reply.messages(errors=True))

    async def next(self) -> Command:
        async with self._turn:
            async for message in self._messages():
                return {"message": message_json(message)}
            return {"end": True}

    async def next_part(self) -> Command:
        async with self._turn:
            async for piece in self._reading(lambda reply: reply.parts()):
                return {"piece": value_json(piece)}
            return {"end": True}

    async def rest(self) -> Command:
        async with self._turn:
            count = size = 0
            digest = hashlib.sha256()
            listed = []
            async for message in self._messages():
                count += 1
                size += len(message.content)
                digest.update(message.content)
                if count <= LISTED_MAX:
                    listed.append(message_json(message))
            messages = {"messages": listed} if count <= LISTED_MAX else {}
            return {**messages, "count": count, "bytes": size, "sha256": digest.hexdigest()}

    async def leave(self) -> None:
        if self._reader is not None:
            await self._reader.aclose()
        elif self._reply is not None:
            await self._reply.aclose()


class Subscribed:
    """A topic that is read."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    async def next(self) -> Command:
        async for message in self._subscription:
            told = {"topic": message.topic, "source": message.source}
            if message.sender:
                told["sender"] = message.sender
            dropped = {"dropped": message.dropped} if message.dropped else {}
            return {"message": {**message_json(message), **told, **dropped}}
        return {"end": True}

    async def leave(self) -> None:
        await self._subscription.close()


class Following:
    """A watch."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._turn = asyncio.Lock()

    async def next(self) -> Command:
        async with self._turn:
            async for change in self._watch:
                return {
                    "change": {
                        "revision": change.revision,
                        "registered": [card.name for card in change.registered],
                        "deregistered": list(change.deregistered),
                    }
                }
            return {"end": True}

    async def leave(self) -> None:
        await self._watch.aclose()


def _query(command: Command) -> tuple[str, dict[str, Any]]:
    names = ("recursive", "inclusive", "detailed", "labels")
    options = {name: command[name] for name in names if name in command}
    return command.get("namespace", ""), options


def _run_json(run: Run) -> Command:
    told = dataclasses.asdict(run)
    told["run"] = told.pop("name")
    return {key: value for key, value in told.items() if value not in (None, "")}


def _card_json(card: AgentCard, is_detailed: bool) -> Command:
    told = dataclasses.asdict(card)
    if not is_detailed:
        return {"name": told["name"], "description": told["description"]}
    absent = (None, "")
    told["operations"] = [
        {key: value for key, value in each.items() if value not in absent}
        for each in told["operations"]
    ]
    return told
