"""words: streams the words of a text, one at a time.

coagent stream words -d '"each word on its own"'
"""

import asyncio
from collections.abc import AsyncIterator

from coagent_client import connect

client = connect(name="words", wait=10)


@client.agent("words", description="Streams the words of a text, one at a time")
async def words(text: str) -> AsyncIterator[str]:
    for word in text.split():
        yield word + " "
        await asyncio.sleep(0.1)  # As if it had to think.


if __name__ == "__main__":
    client.run()
