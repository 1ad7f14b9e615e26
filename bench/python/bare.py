"""A bare pair: the least Python that can call and host over the protocol.

    bare.py host   --url unix:/path [--relay PAIR]
    bare.py caller --url unix:/path [--relay PAIR] --depth 64 --size 16 --seconds 1
    bare.py caller --url unix:/path --parts 20000 --seconds 1

No reconnecting, no deadlines, no cancelling, no types: what a client library is held against. With
``--relay`` the two speak the same frames through the raw relay, without hello and register.
"""

import asyncio
import json
import struct
from collections.abc import Callable
from typing import Any

from measuring import Arguments, Measurement, read_arguments, streams_of, workers

LENGTHS = struct.Struct(">II")
FRAME_COST = 256
WINDOW = 1024 * 1024
PART = b'"t"'


class BareConnection(asyncio.Protocol):
    """Splits what arrives into frames and gives each to ``received(header, content)``."""

    def __init__(self, received: Callable[[dict[str, Any], bytes], None]) -> None:
        self.received = received
        self.rest = b""
        self.paired = asyncio.Event()
        self.closed = asyncio.Event()
        self.through_relay = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, received: bytes) -> None:
        if self.through_relay and not self.paired.is_set():
            self.paired.set()
            received = received[1:]
        buffer = self.rest + received if self.rest else received
        at, end = 0, len(buffer)
        while end - at >= 8:
            header_size, content_size = LENGTHS.unpack_from(buffer, at)
            content_at = at + 8 + header_size
            frame_end = content_at + content_size
            if frame_end > end:
                break
            self.received(json.loads(buffer[at + 8 : content_at]), buffer[content_at:frame_end])
            at = frame_end
        self.rest = buffer[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()

    def write(self, header: bytes, content: bytes = b"") -> None:
        self.transport.write(LENGTHS.pack(len(header), len(content)) + header + content)


async def connect(connection: BareConnection, arguments: Arguments, role: int) -> None:
    """Says hello, or takes its place at the relay."""
    loop = asyncio.get_running_loop()
    connection.through_relay = arguments.relay is not None
    path = arguments.url.removeprefix("unix:")
    await loop.create_unix_connection(lambda: connection, path)
    if arguments.relay is None:
        connection.write(b'{"op":"hello","v":1,"client":"bare"}')
    else:
        connection.transport.write(bytes([arguments.relay * 2 + role]))
        if role == 1:
            print("waiting", flush=True)
        await connection.paired.wait()


class BareHost:
    """Echoes calls, and streams parts for calls to ``….stream`` while their window is open."""

    def __init__(self) -> None:
        self.windows: dict[int, int] = {}
        self.left: dict[int, int] = {}
        self.connection = BareConnection(self.received)

    def received(self, header: dict[str, Any], content: bytes) -> None:
        op, call = header["op"], header.get("id", 0)
        if op == "call" and header["to"].endswith(".stream"):
            self.windows[call] = header.get("window", WINDOW)
            self.left[call] = int(content)
            self.go_on(call)
        elif op == "call":
            self.connection.write(b'{"op":"data","id":%d,"end":true}' % call, content)
        elif op == "credit" and call in self.windows:
            self.windows[call] += header["bytes"]
            self.go_on(call)
        elif op == "ok" and call == 3:
            print("ready", flush=True)
        elif op == "ping":
            self.connection.write(b'{"op":"pong"}')
        elif op == "error":
            raise RuntimeError(header)

    def go_on(self, call: int) -> None:
        window, left = self.windows[call], self.left[call]
        part = b'{"op":"data","id":%d,"part":true}' % call
        while left > 1 and window > 0:
            self.connection.write(part, PART)
            window -= len(PART) + FRAME_COST
            left -= 1
        if left == 1 and window > 0:
            self.connection.write(b'{"op":"data","id":%d,"end":true}' % call, PART)
            del self.windows[call], self.left[call]
            return
        self.windows[call], self.left[call] = window, left

    async def run(self, arguments: Arguments) -> None:
        await connect(self.connection, arguments, 1)
        if arguments.relay is None:
            for call, leaf in ((1, b"echo"), (3, b"stream")):
                self.connection.write(
                    b'{"op":"register","id":%d,"name":"bench.%s","concurrency":100000}'
                    % (call, leaf)
                )
        await self.connection.closed.wait()


class BareCaller:
    """Calls with a future each; streams count parts and grant credit in halves of the window."""

    def __init__(self, arguments: Arguments) -> None:
        self.arguments = arguments
        self.replies: dict[int, asyncio.Future[bytes]] = {}
        self.consumed: dict[int, int] = {}
        self.next_id = 1
        self.connection = BareConnection(self.received)
        self.measurement = Measurement(arguments)

    def received(self, header: dict[str, Any], content: bytes) -> None:
        op, call = header["op"], header.get("id", 0)
        if op == "data":
            if call in self.consumed:
                self.measurement.part()
                self.consume(call, len(content) + FRAME_COST)
            if header.get("end"):
                self.replies.pop(call).set_result(content)
        elif op == "error":
            raise RuntimeError(header)
        elif op == "ping":
            self.connection.write(b'{"op":"pong"}')

    def consume(self, call: int, cost: int) -> None:
        consumed = self.consumed[call] + cost
        if consumed >= WINDOW // 2:
            self.connection.write(b'{"op":"credit","id":%d,"bytes":%d}' % (call, consumed))
            consumed = 0
        self.consumed[call] = consumed

    def call(self, leaf: bytes, content: bytes) -> tuple[int, asyncio.Future[bytes]]:
        call, self.next_id = self.next_id, self.next_id + 2
        reply = self.replies[call] = asyncio.get_running_loop().create_future()
        self.connection.write(
            b'{"op":"call","id":%d,"to":"bench.%s","type":"Ping","timeout_ms":30000}'
            % (call, leaf),
            content,
        )
        return call, reply

    async def echo(self, content: bytes) -> None:
        _, reply = self.call(b"echo", content)
        if len(await reply) != len(content):
            raise RuntimeError("another content came back")

    async def stream(self, parts: int) -> None:
        call, reply = self.call(b"stream", b"%d" % parts)
        self.consumed[call] = 0
        await reply
        del self.consumed[call]

    async def run(self) -> None:
        arguments = self.arguments
        await connect(self.connection, arguments, 0)
        if arguments.parts:
            await streams_of(self.measurement, lambda: self.stream(arguments.parts))
        else:
            content = b'"' + b"x" * max(arguments.size - 2, 0) + b'"'
            await workers(self.measurement, arguments.depth, lambda: self.echo(content))
        self.measurement.print()


def main() -> None:
    arguments = read_arguments(__doc__)
    if arguments.role == "host":
        asyncio.run(BareHost().run(arguments))
    else:
        asyncio.run(BareCaller(arguments).run())


if __name__ == "__main__":
    main()
