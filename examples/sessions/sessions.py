"""sessions: each conversation has an instance, and a memory, of its own.

python examples/sessions/sessions.py
"""

import asyncio

from coagent_client import Context, connect, operation

closed: asyncio.Queue[str] = asyncio.Queue()


class Tally:
    """Made by the first message of its session; handles one message at a time, in order."""

    def __init__(self, context: Context) -> None:
        self.session = context.session
        self.added: list[int] = []

    @operation
    async def add(self, number: int) -> int:
        added = [*self.added, number]
        await asyncio.sleep(0)  # Others run now, but nobody else in this session.
        self.added = added
        return sum(added)

    @operation
    async def show(self) -> list[int]:
        return self.added

    async def closed(self, reason: str) -> None:
        closed.put_nowait(f"{self.session} had {sum(self.added)} ({reason})")


async def main() -> None:
    async with connect() as client:
        registration = client.register("tally", Tally)

        print("ann:", await client.call("tally:ann", 2, type="add"))
        print("ann:", await client.call("tally:ann", 3, type="add"))
        print("bob:", await client.call("tally:bob", 10, type="add"))

        sums = await asyncio.gather(*(client.call("tally:eve", 1, type="add") for _ in range(5)))
        print("eve, five calls at once:", *sorted(sums))

        for number in range(1, 6):
            await client.send("tally:joe", number, type="add")  # Nobody answers, but in order.
        print("joe, after five sends:", *await client.call("tally:joe", type="show"))

        # An operator ends a session, as `coagent rm tally:ann` does; the next message begins anew.
        await client.call("sessions", {"address": "tally:ann"}, type="SessionDelete")
        print("closed:", await closed.get())
        print("ann, anew:", await client.call("tally:ann", 1, type="add"))

        # The agent goes, and its sessions with it. (One that is idle for long goes by itself.)
        await registration.close()
        for line in sorted([await closed.get() for _ in range(4)]):
            print("closed:", line)


asyncio.run(main())
