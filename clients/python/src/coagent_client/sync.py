"""The client for scripts: the same verbs, blocking.

    from coagent_client.sync import connect

    with connect() as client:
        answer = client.call("translator", "good morning")
        for word in client.stream("words", "one two three"):
            ...

A thread of its own runs the event loop; any thread may use the client. Agents may be registered
too: plain functions run in further threads, where they may use the client themselves.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from . import _client, _local, _registration, _reply
from ._content import Message
from ._discovery import AgentCard, Change
from ._receiving import MessageReader
from ._reply import Collect
from ._runs import Run
from ._topics import Subscription, TopicMessage

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

_BATCH = 256


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._main, name="coagent-loop", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Its result. An interrupted wait (Ctrl-C) cancels the work, down to the agent."""
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("this would wait for itself: async agents use coagent_client")
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Ends what still runs, then the thread."""
        self.run(self._end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _end_tasks(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._loop.shutdown_asyncgens()
        await self._loop.shutdown_default_executor()


class Values(Generic[T]):
    """A blocking iterator over one reader; what is there already is fetched at once."""

    def __init__(self, loop: Loop, reader: MessageReader[T]) -> None:
        self._loop = loop
        self._reader = reader
        self._ready: list[T] = []
        self._error: BaseException | None = None

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if not self._ready:
            if self._error is None:
                self._loop.run(self._fetch())
            if not self._ready:
                error = self._error or StopIteration()
                if isinstance(error, StopAsyncIteration):
                    raise StopIteration
                raise error
            self._ready.reverse()
        return self._ready.pop()

    async def _fetch(self) -> None:
        try:
            self._ready.append(await self._reader.__anext__())
            self._reader.take(self._ready, _BATCH)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._error = error

    def close(self) -> None:
        """Leaves; the last reader to leave cancels the call."""
        self._loop.run(self._reader.aclose())


class Reply(Generic[T]):
    """What a call answers: iterate over it, any number of times, or take it `whole`."""

    def __init__(self, loop: Loop, reply: _reply.Reply[T]) -> None:
        self._loop = loop
        self._reply = reply

    def __iter__(self) -> Values[T]:
        return self._loop.run(_soon(lambda: Values(self._loop, self._reply.__aiter__())))

    def messages(self, *, errors: bool = False) -> Values[Message]:
        """As `coagent_client.Reply.messages`."""
        return self._loop.run(
            _soon(lambda: Values(self._loop, self._reply.messages(errors=errors)))
        )

    def parts(self) -> Iterator[str | bytes]:
        """As `coagent_client.Reply.parts`."""
        return _each(self._loop, self._loop.run(_soon(self._reply.parts)))

    def whole(self, collect: Collect | None = None) -> Any:
        """One value: None, the value, texts joined, else a list; or as `collect` says."""
        return self._loop.run(self._reply.whole(collect))

    def interrupt(self, payload: object = None, **options: Any) -> None:
        """As `coagent_client.Reply.interrupt`."""
        self._loop.run(self._reply.interrupt(payload, **options))

    def signal(self, name: str, payload: object = None, **options: Any) -> None:
        """As `coagent_client.Reply.signal`."""
        self._loop.run(self._reply.signal(name, payload, **options))

    def close(self) -> None:
        """Cancels the call if it has not ended."""
        self._loop.run(self._reply.aclose())

    def __enter__(self) -> Reply[T]:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Exchange(Reply[T]):
    """A call open in both directions."""

    _reply: _reply.Exchange[T]

    def send(self, value: object, **options: Any) -> None:
        """Sends one message, waiting for the agent's credit."""
        self._loop.run(self._reply.send(value, **options))

    def end(self) -> None:
        """No more input."""
        self._loop.run(self._reply.end())

    def __enter__(self) -> Exchange[T]:
        return self


class Registration:
    """An agent registered; `close` (or leaving `with`) ends it."""

    def __init__(self, loop: Loop, registration: _registration.Registration) -> None:
        self._loop = loop
        self._registration = registration

    @property
    def name(self) -> str:
        return self._registration.name

    def close(self) -> None:
        """Takes nothing new; calls in flight finish."""
        self._loop.run(self._registration.close())

    def __enter__(self) -> Registration:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Client:
    """As `coagent_client.Client`, blocking. Made by `connect` or `local`; entered by `with`."""

    def __init__(self, client: _client.Client) -> None:
        self._client = client
        self._loop: Loop | None = None

    def __enter__(self) -> Client:
        loop = Loop()
        try:
            loop.run(self._client.__aenter__())
        except BaseException:
            loop.close()
            raise
        self._loop = loop
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends open calls, sessions and the connection."""
        loop, self._loop = self._loop, None
        if loop is not None:
            try:
                loop.run(self._client.aclose())
            finally:
                loop.close()

    @property
    def url(self) -> str:
        """Where the sidecar is."""
        return self._client.url

    def call(self, to: str, body: object = None, **options: Any) -> Any:
        """As `coagent_client.Client.call`."""
        return self._running.run(self._client.call(to, body, **options))

    def stream(self, to: str, body: object = None, **options: Any) -> Reply[Any]:
        """As `coagent_client.Client.stream`."""
        loop = self._running
        return Reply(loop, loop.run(_soon(lambda: self._client.stream(to, body, **options))))

    def open(self, to: str, body: object = None, **options: Any) -> Exchange[Any]:
        """As `coagent_client.Client.open`."""
        loop = self._running
        return Exchange(loop, loop.run(_soon(lambda: self._client.open(to, body, **options))))

    def send(self, to: str, body: object = None, **options: Any) -> None:
        """As `coagent_client.Client.send`."""
        self._running.run(self._client.send(to, body, **options))

    def publish(self, topic: str, body: object = None, **options: Any) -> None:
        """As `coagent_client.Client.publish`."""
        self._running.run(self._client.publish(topic, body, **options))

    def subscribe(self, topic: str, **options: Any) -> Generator[TopicMessage, None, None]:
        """As `coagent_client.Client.subscribe`: messages come from now on. `close` the generator,
        or leave the loop, to end."""
        loop = self._running

        async def start() -> Subscription:
            return await self._client.subscribe(topic, **options)

        return _each(loop, loop.run(start()))

    def attach(self, run: str, **options: Any) -> Reply[Any]:
        """As `coagent_client.Client.attach`."""
        loop = self._running
        return Reply(loop, loop.run(_soon(lambda: self._client.attach(run, **options))))

    def runs(self, **options: Any) -> list[Run]:
        """As `coagent_client.Client.runs`."""
        return self._running.run(self._client.runs(**options))

    def describe_run(self, run: str, **options: Any) -> Run:
        """As `coagent_client.Client.describe_run`."""
        return self._running.run(self._client.describe_run(run, **options))

    def signal(
        self, to: str | None = None, name: str = "", payload: object = None, **options: Any
    ) -> None:
        """As `coagent_client.Client.signal`."""
        self._running.run(self._client.signal(to, name, payload, **options))

    def interrupt(self, to: str | None = None, payload: object = None, **options: Any) -> None:
        """As `coagent_client.Client.interrupt`."""
        self._running.run(self._client.interrupt(to, payload, **options))

    def cancel(self, to: str | None = None, **options: Any) -> None:
        """As `coagent_client.Client.cancel`."""
        self._running.run(self._client.cancel(to, **options))

    def pause(self, to: str, **options: Any) -> None:
        """As `coagent_client.Client.pause`."""
        self._running.run(self._client.pause(to, **options))

    def resume(self, to: str, **options: Any) -> None:
        """As `coagent_client.Client.resume`."""
        self._running.run(self._client.resume(to, **options))

    def discover(self, namespace: str = "", **options: Any) -> list[AgentCard]:
        """As `coagent_client.Client.discover`."""
        return self._running.run(self._client.discover(namespace, **options))

    def watch(self, namespace: str = "", **options: Any) -> Generator[Change, None, None]:
        """As `coagent_client.Client.watch`; `close` the generator, or leave the loop, to end."""
        loop = self._running
        watch = loop.run(_soon(lambda: self._client.watch(namespace, **options)))
        return _each(loop, watch)

    def register(self, name: str, target: Callable[..., Any], **options: Any) -> Registration:
        """Registers an agent and waits until calls from anywhere reach it."""
        loop = self._running
        options.setdefault("names", sys._getframe(1).f_locals)

        async def start() -> _registration.Registration:
            return await self._client.register(name, target, **options)

        return Registration(loop, loop.run(start()))

    def agent(self, name: str, **options: Any) -> Callable[[F], F]:
        """`register` as a decorator."""

        def decorate(target: F) -> F:
            options.setdefault("names", sys._getframe(1).f_locals)
            self.register(name, target, **options)
            return target

        return decorate

    def serve(self) -> None:
        """Waits until the client ends, or for Ctrl-C."""
        self._running.run(self._client.serve())

    @property
    def _running(self) -> Loop:
        if self._loop is None:
            raise RuntimeError("the client is not connected: use `with connect() as client`")
        return self._loop


def connect(url: str | None = None, **options: Any) -> Client:
    """As `coagent_client.connect`, to be entered by `with`."""
    return Client(_client.connect(url, **options))


def local(**options: Any) -> Client:
    """As `coagent_client.local`, to be entered by `with`."""
    return Client(_local.local(**options))


async def _soon(make: Callable[[], T]) -> T:
    """Makes something on the loop's thread."""
    return make()


def _each(loop: Loop, values: AsyncIterator[T]) -> Generator[T, None, None]:
    """A blocking generator over an async iterator, which is left with it."""

    async def step() -> tuple[T] | None:
        try:
            return (await values.__anext__(),)
        except StopAsyncIteration:
            return None

    try:
        while True:
            got = loop.run(step())
            if got is None:
                return
            yield got[0]
    finally:
        close = getattr(values, "aclose", None)
        if close is not None:
            loop.run(close())


__all__ = [
    "Client",
    "Exchange",
    "Registration",
    "Reply",
    "Values",
    "connect",
    "local",
]
