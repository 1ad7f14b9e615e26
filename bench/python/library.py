"""A pair written with coagent_client, as its users write it; the same work as ``bare.py``.

    library.py host   --url unix:/path
    library.py caller --url unix:/path --depth 64 --size 16 --seconds 1
    library.py caller --url unix:/path --parts 20000 --seconds 1
"""

import asyncio
from collections.abc import AsyncIterator

from coagent_client import Client, Part, connect
from measuring import Arguments, Measurement, read_arguments, streams_of, workers


async def echo(value: str) -> str:
    return value


async def stream(parts: int) -> AsyncIterator[Part]:
    for _ in range(parts):
        yield Part("t")


async def host(arguments: Arguments) -> None:
    async with connect(arguments.url) as client:
        await client.register("bench.echo", echo, concurrency=100_000)
        await client.register("bench.stream", stream, concurrency=100_000)
        print("ready", flush=True)
        await asyncio.get_running_loop().create_future()


async def caller(arguments: Arguments) -> None:
    measurement = Measurement(arguments)
    async with connect(arguments.url) as client:
        if arguments.parts:
            await streams_of(measurement, lambda: stream_once(client, arguments.parts, measurement))
        else:
            value = "x" * max(arguments.size - 2, 0)
            await workers(measurement, arguments.depth, lambda: echo_once(client, value))
    measurement.print()


async def echo_once(client: Client, value: str) -> None:
    if await client.call("bench.echo", value) != value:
        raise RuntimeError("another content came back")


async def stream_once(client: Client, parts: int, measurement: Measurement) -> None:
    received = 0
    async for _ in client.stream("bench.stream", parts).parts():
        measurement.part()
        received += 1
    if received != parts:
        raise RuntimeError(f"{received} of {parts} parts came")


def main() -> None:
    arguments = read_arguments(__doc__)
    asyncio.run(host(arguments) if arguments.role == "host" else caller(arguments))


if __name__ == "__main__":
    main()
