"""Scenario 24: ten thousand agents are listed, completely and in order."""

from __future__ import annotations

import json
import subprocess

from processes import BOUND_S, Daemon, clean_environment, cli_binary
from raw_peer import RawPeer, frame

AGENTS = 10_000
PER_CONNECTION = 1_000


def test_scenario_24_ls_shows_ten_thousand_agents(daemon: Daemon) -> None:
    names = sorted(f"crowd.group-{number % 100}.agent-{number}" for number in range(AGENTS))
    peers = [RawPeer(daemon.unix_url) for _ in range(AGENTS // PER_CONNECTION)]
    for which, peer in enumerate(peers):
        mine = names[which :: len(peers)]
        for start in range(0, len(mine), 100):
            peer.send_bytes(
                b"".join(
                    frame(
                        {
                            "op": "register",
                            "id": 2 * number + 1,
                            "name": mine[number],
                            "description": f"Agent {number}",
                        }
                    )
                    for number in range(start, min(start + 100, len(mine)))
                )
            )
        for number in range(len(mine)):
            peer.expect("ok", id=2 * number + 1)
        # One more than a connection may have.
        peer.send({"op": "register", "id": 100_001, "name": f"crowd.too-many-{which}"})
        peer.expect("error", id=100_001, reason="too_many_names")
    listed = ls(daemon, "ls", "-r", "--json")
    agents = json.loads(listed)["agents"]
    assert [agent["name"] for agent in agents] == names
    assert len(ls(daemon, "ls", "-r").splitlines()) == AGENTS + 1
    group = json.loads(ls(daemon, "ls", "crowd.group-7", "-l", "--json"))["agents"]
    assert len(group) == AGENTS // 100
    assert all(agent["name"].startswith("crowd.group-7.") for agent in group)
    for peer in peers:
        peer.close()


def ls(daemon: Daemon, *arguments: str) -> str:
    run = subprocess.run(
        [cli_binary(), *arguments],
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        env=clean_environment(COAGENT_URL=daemon.unix_url),
    )
    assert run.returncode == 0, run.stderr
    return run.stdout
