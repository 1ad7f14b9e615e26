"""Scenario 23: an agent of a worker that writes ten mebibytes to its output stops nobody."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from coagent_client.sync import Client, connect
from processes import BOUND_S, Daemon

WRITTEN_BYTES = 10 * 1024 * 1024
LINE_BYTES_MAX = 3_072
"""What of a line is in the log (docs/operating.md)."""
MEMORY_BYTES = 12 * 1024 * 1024

DROPPED = re.compile(r"coagentd: (\d+) log lines were dropped, nobody read them")

PROGRAM = """
import os
from coagent_client import connect

client = connect()

@client.agent("loud")
async def loud(order: dict) -> int:
    line = b"x" * order["line_bytes"] + b"\\n"
    left = order["bytes"]
    while left > 0:
        # Straight to the pipe: the whole process stands while nobody reads.
        left -= os.write(order["descriptor"], line[:left])
    os.write(order["descriptor"], b"\\nthat was all\\n")
    return order["bytes"]

client.run()
"""


@pytest.fixture
def daemon(folder: Path) -> Iterator[Daemon]:
    """A daemon with the worker."""
    program = folder / "loud.py"
    program.write_text(PROGRAM)
    command = json.dumps([sys.executable, str(program)])
    settings = folder / "coagentd.yaml"
    settings.write_text(f"workers:\n  loud:\n    command: {command}\n")
    running = Daemon(folder, "--config", str(settings), tcp=False)
    yield running
    assert running.end() == os.EX_OK


@pytest.fixture
def client(daemon: Daemon) -> Iterator[Client]:
    with connect(daemon.unix_url) as opened:
        for change in opened.watch("loud", inclusive=True):
            if any(card.name == "loud" for card in change.registered):
                break
        yield opened


def written(daemon: Daemon, stream: str) -> list[str]:
    """What the log has of the worker, up to its last word."""
    lines: list[str] = []
    while True:
        line = daemon.err.next()
        assert line is not None, "the daemon ended"
        entry: dict[str, Any] = json.loads(line)
        if entry.get("stream") == stream:
            if entry["message"] == "that was all":
                return lines
            lines.append(entry["message"])


@pytest.mark.parametrize(("descriptor", "stream"), [(1, "output"), (2, "errors")])
def test_scenario_23_ten_mebibytes_in_one_line_are_capped(
    daemon: Daemon, client: Client, descriptor: int, stream: str
) -> None:
    daemon.reset_peak()
    before = daemon.memory_bytes
    order = {"bytes": WRITTEN_BYTES, "line_bytes": WRITTEN_BYTES, "descriptor": descriptor}
    assert client.call("loud", order, timeout=BOUND_S) == WRITTEN_BYTES
    [line] = written(daemon, stream)
    dropped = WRITTEN_BYTES - LINE_BYTES_MAX
    assert line == f"{'x' * LINE_BYTES_MAX}… ({dropped} more bytes in this line)"
    assert daemon.peak_bytes - before < MEMORY_BYTES
    # The worker, and everyone else, goes on.
    assert client.call("loud", {**order, "bytes": 8, "line_bytes": 7}, timeout=BOUND_S) == 8
    assert written(daemon, stream)[0] == "xxxxxxx"


def test_scenario_23_others_are_served_while_the_log_takes_every_line(
    daemon: Daemon, client: Client
) -> None:
    daemon.reset_peak()
    before = daemon.memory_bytes
    line_bytes = 2_048
    order = {"bytes": WRITTEN_BYTES, "line_bytes": line_bytes - 1, "descriptor": 1}
    with connect(daemon.unix_url) as bystander:
        reply = client.stream("loud", order, timeout=BOUND_S)
        for _ in range(100):
            assert bystander.call("stats", type="StatsQuery", timeout=BOUND_S)["pid"] == daemon.pid
        assert list(reply) == [WRITTEN_BYTES]
    # Every line is in the log, or was dropped and counted because nobody read it in time.
    count = 0
    while count < WRITTEN_BYTES // line_bytes:
        line = daemon.err.next() or ""
        if dropped := DROPPED.fullmatch(line):
            count += int(dropped[1])
        elif json.loads(line).get("stream") == "output":
            count += json.loads(line)["message"] == "x" * (line_bytes - 1)
    assert daemon.peak_bytes - before < MEMORY_BYTES
