"""Topics over four languages: who reads gets all, once and in order; who is fed, once a session."""

from __future__ import annotations

from fleet import LANGUAGES, Fleet, Peer, Reply, fresh, until
from processes import BOUND_S
from runner.driver import Pending

MESSAGES = 25


def publish(peer: Peer, topic: str, number: int, **options: object) -> Pending:
    body = {"json": [peer.language, number], "type": "add"}
    return peer.driver.command("publish", client="calling", topic=topic, body=body, **options)


def publish_all(fleet: Fleet, topic: str, **options: object) -> None:
    """From all languages at once; each message is on its way before the first is answered."""
    published = [
        publish(peer, f"{topic}.{peer.language}", number, **options)
        for number in range(MESSAGES)
        for peer in fleet
    ]
    for each in published:
        each.result(BOUND_S)


def test_every_reader_gets_every_message_once_and_in_its_publishers_order(fleet: Fleet) -> None:
    topic = fresh("read")
    readers = []
    for peer in fleet:
        name = fresh("topic")
        fields = {"client": "hosting", "topic": f"{topic}.>", "as": name}
        peer.run("subscribe", **fields)
        readers.append(Reply(peer.driver, name))
    publish_all(fleet, topic, source="everyone")
    for reader in readers:
        messages = [reader.next()["message"] for _ in range(MESSAGES * len(LANGUAGES))]
        for language in LANGUAGES:
            own = [each for each in messages if each["topic"] == f"{topic}.{language}"]
            assert [each["json"] for each in own] == [[language, n] for n in range(MESSAGES)]
            assert {(each["source"], each["type"]) for each in own} == {("everyone", "add")}
    # Nothing more was on its way: what is published now is the next.
    [last] = [peer for peer in fleet if peer.language == LANGUAGES[0]]
    publish(last, f"{topic}.end", MESSAGES).result(BOUND_S)
    for reader in readers:
        message = reader.next()["message"]
        assert (message["topic"], message["source"]) == (f"{topic}.end", "default")
        reader.leave()


def test_a_session_is_fed_once_however_many_patterns_and_replicas(fleet: Fleet) -> None:
    topic, agent = fresh("fed"), fresh("room")
    patterns = [f"{topic}.>", f"{topic}.*"]
    registrations = {
        peer.language: peer.register(agent, "recorder", topics=patterns) for peer in fleet
    }
    sources = [f"s{number}" for number in range(8)]
    for source in sources:
        publish_all(fleet, topic, source=source)
    for source in sources:
        # The call stands behind all that the session was fed.
        shown = fleet.ask_agent(f"{agent}:{source}", "show")
        assert shown["most_running"] == 1
        assert len(shown["items"]) == MESSAGES * len(LANGUAGES)
        for language in LANGUAGES:
            own = [item for item in shown["items"] if item[0] == language]
            assert own == [[language, n] for n in range(MESSAGES)]
    for language, registration in registrations.items():
        fleet[language].unregister(registration)
    until(lambda: fleet.replicas(agent) == 0, f"{agent} is withdrawn")


def test_what_an_agent_publishes_names_it_and_does_not_come_back(fleet: Fleet) -> None:
    for peer in fleet:
        topic, agent = fresh("echo"), fresh("speaker")
        registration = peer.register(agent, "scripted", topics=[f"{topic}.>"])
        reader = fleet.after(peer)
        name = fresh("topic")
        fields = {"client": "hosting", "topic": f"{topic}.heard", "as": name}
        reader.run("subscribe", **fields)
        publish(fleet.after(reader), f"{topic}.said", 1, source="s").result(BOUND_S)
        called = peer.called(f"{agent}:s")
        assert (called["topic"], called["source"]) == (f"{topic}.said", "s")
        under = {"client": "hosting", "under": called["call"], "source": "s"}
        peer.run("publish", topic=f"{topic}.heard", body={"text": "yes"}, **under)
        peer.answer(called)
        message = Reply(reader.driver, name).next()["message"]
        assert (message["text"], message["sender"]) == ("yes", f"{agent}:s")
        # The next that it is called with is what others say, not what it said itself.
        publish(fleet.after(reader), f"{topic}.said", 2, source="s").result(BOUND_S)
        called = peer.called(f"{agent}:s")
        assert called["message"]["json"][1] == 2
        peer.answer(called)
        Reply(reader.driver, name).leave()
        peer.unregister(registration)
