"""faulty: fails for most fruit, so that the caller sees what becomes of an error.

coagent call faulty -d '"anything"'    # internal/agent_error, with type and cause
"""

from coagent_client import connect

client = connect(name="faulty", wait=10)

PRICES = {"apple": 3}


@client.agent("faulty", description="Raises an error with a cause")
async def faulty(fruit: str = "pear") -> int:
    try:
        return PRICES[fruit]
    except KeyError as error:
        raise ValueError(f"no price for {fruit}") from error


if __name__ == "__main__":
    client.run()
