"""Who is there, as every language sees it of every other."""

from __future__ import annotations

from typing import Any

import pytest
from fleet import LANGUAGES, PAIR_IDS, PAIRS, Fleet, Peer, Reply, fresh, value


@pytest.fixture(params=PAIRS, ids=PAIR_IDS)
def pair(request: pytest.FixtureRequest, fleet: Fleet) -> tuple[Peer, Peer]:
    """Who looks, and who is looked at."""
    asker, host = request.param
    return fleet[asker], fleet[host]


def discovered(asker: Peer, namespace: str, **options: Any) -> list[dict[str, Any]]:
    told = asker.run("discover", client="calling", namespace=namespace, **options)
    agents: list[dict[str, Any]] = told["agents"]
    return agents


def test_an_agent_is_found_with_all_that_it_says_of_itself(pair: tuple[Peer, Peer]) -> None:
    asker, host = pair
    namespace = fresh("found")
    registration = host.register(
        f"{namespace}.deep.er",
        "echo",
        description="Sagt's nochmals: 😀",
        version="1.2.3-β",
        labels={"язык": host.language, "tier": "gold"},
    )
    other = host.register(f"{namespace}.deep.by", "echo", labels={"tier": "tin"})
    assert discovered(asker, namespace) == []
    [gold] = discovered(
        asker, namespace, recursive=True, detailed=True, labels={"tier": "gold"}
    )
    assert gold["name"] == f"{namespace}.deep.er"
    assert (gold["description"], gold["version"]) == ("Sagt's nochmals: 😀", "1.2.3-β")
    assert gold["labels"] == {"язык": host.language, "tier": "gold"}
    assert gold["replicas"] == 1
    both = discovered(asker, f"{namespace}.deep")
    assert [agent["name"] for agent in both] == [f"{namespace}.deep.by", f"{namespace}.deep.er"]
    for each in (registration, other):
        host.unregister(each)
    assert discovered(asker, namespace, recursive=True) == []


def test_declared_operations_are_found_and_called(pair: tuple[Peer, Peer]) -> None:
    asker, host = pair
    name = fresh("typed")
    registration = host.register(name, "operations")
    [agent] = discovered(asker, name, inclusive=True, detailed=True)
    operations = {each["name"]: each for each in agent["operations"]}
    assert set(operations) == {"add", "greet", "count_up"}
    assert operations["count_up"]["streaming"] is True
    assert not operations["add"].get("streaming")
    assert operations["add"]["input"]["type"] == "integer"
    assert operations["greet"]["input"]["properties"]["name"]["type"] == "string"
    session = f"{name}:ann"
    totals = [
        value(asker.call(session, {"json": number, "type": "add"}).result())
        for number in (2, 40, -1)
    ]
    assert totals == [2, 42, 41]
    greeting = asker.call(session, {"json": {"name": "Ωμέγα"}, "type": "greet"})
    assert value(greeting.result()) == "hello Ωμέγα"
    counted = asker.stream(session, {"json": 5, "type": "count_up"}).rest()["messages"]
    assert [message["json"] for message in counted] == [1, 2, 3, 4, 5]
    host.unregister(registration)


class Watcher:
    """What a watch has told until now."""

    def __init__(self, peer: Peer, namespace: str) -> None:
        name = fresh("watch")
        peer.run("watch", client="calling", namespace=namespace, **{"as": name})
        self.watch = Reply(peer.driver, name)
        self.names: set[str] = set()

    def expect(self, names: set[str]) -> None:
        """Changes come until these are the ones."""
        while self.names != names:
            change = self.watch.next()["change"]
            self.names -= set(change["deregistered"])
            self.names |= set(change["registered"])


@pytest.mark.parametrize("watcher", LANGUAGES)
def test_a_watch_follows_agents_of_every_language(fleet: Fleet, watcher: str) -> None:
    namespace = fresh("watched")
    first = fleet[watcher].register(f"{namespace}.first", "echo")
    watch = Watcher(fleet[watcher], namespace)
    present = {f"{namespace}.first"}
    watch.expect(present)
    registrations = []
    for host in fleet:
        name = f"{namespace}.{host.language}"
        registrations.append((host, name, host.register(name, "echo")))
        watch.expect(present := present | {name})
    for host, name, registration in registrations:
        host.unregister(registration)
        watch.expect(present := present - {name})
    # One whose process dies goes as well.
    lost = fleet.another(watcher)
    lost.register(f"{namespace}.lost", "echo")
    watch.expect(present | {f"{namespace}.lost"})
    lost.kill()
    watch.expect(present)
    watch.watch.leave()
    fleet[watcher].unregister(first)
