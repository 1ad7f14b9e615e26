"""Every story is the same in every language: it prints what its `expected.txt` says, and ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from coagent_client.sync import local

EXAMPLES = Path(__file__).resolve().parents[1]
PROGRAMS = Path(os.environ.get("COAGENT_BIN") or EXAMPLES.parent / ".build" / "debug")
GO_PROGRAMS = Path(os.environ.get("COAGENT_GO_BIN") or EXAMPLES.parent / ".build" / "go")
STORIES = sorted(file.parent.name for file in EXAMPLES.glob("*/expected.txt"))
BOUND_S = 60


def command(language: str, story: str) -> list[str | Path]:
    folder = EXAMPLES / story
    commands: dict[str, list[str | Path]] = {
        "python": [sys.executable, folder / f"{story}.py"],
        "node": ["node", folder / f"{story}.mjs"],
        "go": [GO_PROGRAMS / story],
        "swift": [PROGRAMS / "example-stories", story],
    }
    return commands[language]


def test_the_stories_are_all_there() -> None:
    assert STORIES == [
        "agents-calling-agents",
        "discovery",
        "echo",
        "sessions",
        "side-by-side",
        "streaming",
        "tools",
    ]


@pytest.mark.parametrize("language", ["python", "node", "go", "swift"])
@pytest.mark.parametrize("story", STORIES)
def test_a_story_prints_the_same_lines(story: str, language: str) -> None:
    with local() as client:
        done = subprocess.run(
            command(language, story),
            env={**os.environ, "COAGENT_URL": client.url},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BOUND_S,
        )
    assert (done.stdout, done.stderr) == ((EXAMPLES / story / "expected.txt").read_text(), "")
    assert done.returncode == 0


PAGE = EXAMPLES.parent / "clients" / "README.md"
TELLERS = {
    "Python": "side-by-side.py",
    "Node": "side-by-side.mjs",
    "Go": "side-by-side.go",
    "Swift": "SideBySide.swift",
}


@pytest.mark.parametrize("language", TELLERS)
def test_what_the_page_of_clients_shows_is_run(language: str) -> None:
    source = (EXAMPLES / "side-by-side" / TELLERS[language]).read_text().splitlines()
    told = {line.strip() for line in source}
    shown = [
        line[len(language) :].partition("  # ")[0].strip()
        for line in PAGE.read_text().splitlines()
        if line.startswith(f"{language} ")
    ]
    assert len(shown) >= 14
    assert [line for line in shown if line not in told] == []
