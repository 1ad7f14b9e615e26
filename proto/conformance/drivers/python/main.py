"""The driver of the Python client, as proto/conformance/DRIVER.md says.

Commands come in as lines of JSON; results and events go out likewise.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from agents import AGENTS
from callers import Callers
from coagent_client import AgentError, Client, Registration, connect
from decoding import decode
from scripted import ScriptedCalls
from signalling import Signalling
from values import error_json, seconds

Command = dict[str, Any]


class Unsupported(Exception):
    """The command, or an option of it, means nothing in this client."""


class Driver:
    """The commands by name, and what they gave names to."""

    def __init__(self, emit: Callable[[Command], None]) -> None:
        self.emit = emit
        self.clients: dict[str, Client] = {}
        self.registrations: dict[str, Registration] = {}
        self.running: dict[int, asyncio.Task[None]] = {}
        self.scripted = ScriptedCalls(emit)
        callers = Callers(self.clients, self.scripted.context)
        self.scripted.reply = callers.reply
        self.signalling = Signalling(self.clients, callers, self.scripted.context)
        self.commands: dict[str, Callable[[Command], Awaitable[Command | None]]] = {
            "connect": self.connect,
            "close": self.close,
            "drain": self.drain,
            "cancel": self.cancel,
            "register": self.register,
            "unregister": self.unregister,
            "decode": decode,
            **callers.commands,
            **self.signalling.commands,
            **self.scripted.commands,
        }

    def begin(self, command: Command) -> None:
        """Starts a command; tasks begin in the order in which they are made."""
        task = asyncio.ensure_future(self._run(command))
        self.running[command["n"]] = task
        task.add_done_callback(lambda _: self.running.pop(command["n"], None))

    async def _run(self, command: Command) -> None:
        number = command["n"]
        perform = self.commands.get(command["do"])
        if perform is None:
            self.emit({"n": number, "unsupported": f"no command {command['do']!r}"})
            return
        try:
            self.emit({"n": number, "ok": await perform(command) or {}})
        except Unsupported as reason:
            self.emit({"n": number, "unsupported": str(reason)})
        except asyncio.CancelledError:
            self.emit({"n": number, "error": {"code": "cancelled", "message": "cancelled here"}})
        except AgentError as error:
            self.emit({"n": number, "error": error_json(error)})
        except Exception as fault:
            traceback.print_exc()
            self.emit({"n": number, "error": {"code": "driver", "message": repr(fault)}})

    # Clients

    async def connect(self, command: Command) -> None:
        client = connect(
            command["url"],
            name=command.get("name"),
            token=command.get("token", ""),
            wait=command.get("wait_ms", 0) / 1000,
        )
        await client
        self.clients[command["as"]] = client

    async def close(self, command: Command) -> None:
        await self.clients.pop(command["client"]).aclose()

    async def drain(self, command: Command) -> None:
        await self.clients[command["client"]].drain(seconds(command, "timeout_ms") or 10.0)

    async def cancel(self, command: Command) -> None:
        if "client" in command:
            await self.signalling.cancel(command)
            return
        task = self.running.get(command["command"])
        if task is not None:
            task.cancel()

    # Agents

    async def register(self, command: Command) -> None:
        make = AGENTS.get(command["agent"]) or self.scripted.agents.get(command["agent"])
        if make is None:
            raise Unsupported(f"no agent {command['agent']!r}")
        registration = self.clients[command["client"]].register(
            command["name"],
            make(self.emit, command),
            description=command.get("description", ""),
            version=command.get("version", ""),
            labels=command.get("labels"),
            concurrency=command.get("concurrency"),
            session_concurrency=command.get("session_concurrency"),
            idle=seconds(command, "idle_ms"),
            exclusive=command.get("exclusive", False),
            topics=command.get("topics", ()),
            **self.scripted.hooks(command),
        )
        self.registrations[command["as"]] = registration
        await registration

    async def unregister(self, command: Command) -> None:
        await self.registrations.pop(command["of"]).close()

    async def end(self) -> None:
        """Closes every client."""
        for client in self.clients.values():
            await client.aclose()
        for task in list(self.running.values()):
            task.cancel()
        if self.running:
            await asyncio.wait(self.running.values())


def emit(event: Command) -> None:
    """Writes a line. The runner always reads."""
    sys.stdout.write(json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n")
    sys.stdout.flush()


async def main() -> None:
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str] = asyncio.Queue()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, "")

    threading.Thread(target=read, daemon=True).start()
    driver = Driver(emit)
    emit({"event": "ready", "language": "python"})
    while line := await lines.get():
        driver.begin(json.loads(line))
    await driver.end()


if __name__ == "__main__":
    for stream in (sys.stdin, sys.stdout):
        stream.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
    asyncio.run(main())
