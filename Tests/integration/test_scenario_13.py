"""Scenarios 13 and 15: a hub of agents, made of topics: who is heard by whom, and how often.

Each member speaks on a topic of its own and subscribes to those of the others. So a hub decides
who is heard by its subscriptions alone, and a member that is removed may go on speaking.
"""

from __future__ import annotations

from fleet import LANGUAGES, Fleet, Peer, Reply, fresh, until
from processes import BOUND_S


class Hub:
    """Members that hear one another; each is a process of another language."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._topic = fresh("hub")
        self._heard: dict[tuple[str, str], Reply] = {}
        """The subscriptions, by who hears and who speaks."""
        self.members: list[Peer] = []

    def topic_of(self, member: Peer) -> str:
        return f"{self._topic}.{member.name}"

    def add(self, member: Peer) -> None:
        for other in self.members:
            self._subscribe(other, member)
            self._subscribe(member, other)
        self.members.append(member)

    def remove(self, member: Peer) -> None:
        """Neither hears anybody from now on nor is heard."""
        self.members.remove(member)
        for pair in [pair for pair in self._heard if member.name in pair]:
            self._heard.pop(pair).leave()
        # Who leaves is not told when the sidecar has read it.
        until(lambda: not self.subscribers(member), f"nobody hears {member.name}")
        until(
            lambda: all(member.name not in self.subscribers(other) for other in self.members),
            f"{member.name} hears nobody",
        )

    def _subscribe(self, hearer: Peer, speaker: Peer) -> None:
        name = fresh("hears")
        fields = {"client": "hosting", "topic": self.topic_of(speaker), "as": name}
        hearer.run("subscribe", **fields)
        self._heard[hearer.name, speaker.name] = Reply(hearer.driver, name)

    def say(self, speaker: Peer, text: str) -> None:
        """Done when everyone who subscribes has it."""
        speaker.driver.command(
            "publish", client="calling", topic=self.topic_of(speaker), body={"text": text}, ack=True
        ).result(BOUND_S)

    def heard(self, hearer: Peer, speaker: Peer) -> str:
        """The next that the one hears of the other."""
        text: str = self._heard[hearer.name, speaker.name].next()["message"]["text"]
        return text

    def subscribers(self, member: Peer) -> set[str]:
        """Who hears a member, as the sidecar says."""
        told = self._fleet.ask_agent(
            "topics", "SubscriptionList", {"topic": self.topic_of(member)}
        )["subscriptions"]
        return {each["connection"].removesuffix("-hosting") for each in told}

    def reached(self) -> int:
        """How many recipients all that was published so far had."""
        topics = self._fleet.ask_agent("stats", "StatsQuery")["topics"]
        return int(topics["delivered"])


def said(hub: Hub, speaker: Peer, text: str) -> None:
    """It is heard by all other members, each once, and by nobody else."""
    before = hub.reached()
    hub.say(speaker, text)
    others = [member for member in hub.members if member is not speaker]
    assert [hub.heard(other, speaker) for other in others] == [text] * len(others)
    assert hub.reached() - before == len(others)


def test_scenario_13_a_member_that_was_removed_is_not_heard(fleet: Fleet) -> None:
    for turn in range(len(LANGUAGES)):
        hub = Hub(fleet)
        order = [*LANGUAGES[turn:], *LANGUAGES[:turn]]
        first, second, third, fourth = (fleet[language] for language in order)
        for member in (first, second, third):
            hub.add(member)
        for member in hub.members:
            said(hub, member, f"{member.name} is here")
        # Who comes later hears what is said later.
        hub.add(fourth)
        said(hub, first, "welcome")
        said(hub, fourth, "thanks")
        hub.remove(third)
        before = hub.reached()
        hub.say(third, "can you hear me?")
        assert hub.reached() == before
        # What the others hear next is what members say.
        for member in hub.members:
            said(hub, member, f"{member.name} is still here")
        # When all have gone, nobody hears anything.
        for member in list(hub.members):
            hub.remove(member)
        before = hub.reached()
        hub.say(first, "anyone?")
        assert hub.reached() == before


def test_scenario_15_overlapping_subscriptions_deliver_once(fleet: Fleet) -> None:
    for host in fleet:
        topic, agent = fresh("over"), fresh("room")
        patterns = [f"{topic}.>", f"{topic}.*", f"{topic}.said", "*.said"]
        registration = host.register(agent, "recorder", topics=patterns)
        reader = fresh("reader")
        fields = {"client": "hosting", "topic": f"{topic}.>", "as": reader}
        host.run("subscribe", **fields)
        speaker = fleet.after(host)
        for number, source in enumerate(["s1", "s2", "s1"]):
            speaker.run(
                "publish", client="calling", topic=f"{topic}.said", source=source, ack=True,
                body={"json": number, "type": "add"},
            )  # fmt: skip
        # One instance for each source, and each message once in it.
        assert fleet.ask_agent(f"{agent}:s1", "show")["items"] == [0, 2]
        assert fleet.ask_agent(f"{agent}:s2", "show")["items"] == [1]
        addresses = {session["address"] for session in fleet.sessions(agent)}
        assert addresses == {f"{agent}:s1", f"{agent}:s2"}
        # A subscription of the connection is another recipient, not another delivery to the agent.
        heard = Reply(host.driver, reader)
        assert [heard.next()["message"]["json"] for _ in range(3)] == [0, 1, 2]
        heard.leave()
        host.unregister(registration)
        # A topic that nobody subscribes to is no error.
        speaker.run("publish", client="calling", topic=fresh("nobody"), body={"json": 1}, ack=True)
