"""slow: never answers in time, but notices that nobody waits any more.

coagent call slow --timeout 1          # deadline_exceeded after a second
"""

import asyncio

from coagent_client import Context, connect

client = connect(name="slow", wait=10)


@client.agent("slow", description="Takes a minute, and says so when its caller leaves before")
async def slow(context: Context, seconds: float = 60) -> str:
    left = "no end" if context.time_left is None else f"{context.time_left:.1f} s"
    print(f"slow: started, the caller gives it {left}", flush=True)
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        print("slow: cancelled, the caller is gone", flush=True)
        raise
    return "at last"


if __name__ == "__main__":
    client.run()
