"""counter: adds up, for each session on its own.

coagent call counter:alice -d 2
coagent call counter:alice -d 3        # 5
coagent call counter:bob -d 1          # 1
"""

from coagent_client import connect, operation

client = connect(name="counter", wait=10)


@client.agent("counter", description="Adds up numbers, for each session on its own", idle=60)
class Counter:
    def __init__(self) -> None:
        self.total = 0

    @operation
    async def add(self, number: int = 1) -> int:
        """Adds a number and returns the sum so far."""
        self.total += number
        return self.total

    async def closed(self, reason: str) -> None:
        print(f"counter: a session ended ({reason}) at {self.total}", flush=True)


if __name__ == "__main__":
    client.run()
