"""echo: an agent, calls to it, their answers, and what goes wrong.

python examples/echo/echo.py
"""

import asyncio
from typing import Any

from coagent_client import AgentError, InvalidArgumentError, connect


async def main() -> None:
    async with connect() as client:

        @client.agent("echo", description="Answers what it is told")
        async def echo(value: Any) -> Any:
            if value == "":
                raise InvalidArgumentError("say something", reason="nothing_said")
            return value

        # Text stays text, JSON stays JSON, bytes stay bytes.
        print("text:", await client.call("echo", "good morning"))
        person = await client.call("echo", {"name": "Ada", "born": 1815})
        print(f"json: {person['name']}, born {person['born']}")
        print("bytes:", (await client.call("echo", b"\xc0\xff\xee")).hex())

        # An agent's error is raised here with the code that it chose; so are the sidecar's own.
        for address in ("echo", "nobody"):
            try:
                await client.call(address, "")
            except AgentError as error:
                print(f"{address}: {error.code}/{error.reason}")


asyncio.run(main())
