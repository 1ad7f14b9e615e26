"""All example agents in one process, on one connection.

python examples/agents/agents.py
"""

from counter import Counter
from faulty import faulty
from planner import planner
from relay import relay
from slow import slow
from words import words

from coagent_client import connect

client = connect(name="agents", wait=10)
client.register("words", words, description="Streams the words of a text, one at a time")
client.register("counter", Counter, description="Adds up numbers, for each session on its own")
client.register("planner", planner, description="Turns a goal into numbered steps")
client.register("faulty", faulty, description="Raises an error with a cause")
client.register("slow", slow, description="Takes a minute, and says so when its caller leaves")
client.register("relay.python", relay, description="Passes an errand on, in Python")

if __name__ == "__main__":
    client.run()
