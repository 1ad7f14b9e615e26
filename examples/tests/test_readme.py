"""What the README shows is what happens, in every language and on the command line."""

import asyncio
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from coagent_client import Client, local

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(os.environ.get("COAGENT_BIN") or ROOT / ".build" / "debug")
GO = os.environ.get("GO") or str(ROOT / ".venv" / "bin" / "go")
BOUND_S = 60


def block(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    assert len(found) == 1, f"the README has {len(found)} blocks of {language}"
    return str(found[0])


def output_of(command: list[str], url: str, code: int = 0) -> str:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "COAGENT_URL": url},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BOUND_S,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


async def with_daemon(command: list[str], code: int = 0, shouts: bool = False) -> str:
    async with local() as client:
        if shouts:
            await register_shout(client)
        return await asyncio.to_thread(output_of, command, client.url, code)


async def register_shout(client: Client) -> None:
    async def shout(text: str) -> AsyncIterator[str]:
        for word in text.split():
            yield word.upper() + " "

    await client.register("shout", shout)


def test_the_python_example_runs() -> None:
    output = asyncio.run(with_daemon([sys.executable, "-c", block("python")]))
    assert output.split("\n")[:2] == ["HELLO ", "WORLD "]
    assert "not_found" in output


def test_the_node_example_runs() -> None:
    command = ["node", "--input-type=module", "--eval", block("js")]
    output = asyncio.run(with_daemon(command))
    assert output.split("\n")[:2] == ["HELLO ", "WORLD "]
    assert "not_found" in output


def test_the_go_example_is_built_and_runs(tmp_path: Path) -> None:
    module = "github.com/coagent/coagent/clients/go"
    (tmp_path / "main.go").write_text(block("go"))
    (tmp_path / "go.mod").write_text(
        f"module shout\n\ngo 1.23\n\nrequire {module} v0.1.0\n\n"
        f"replace {module} => {ROOT / 'clients' / 'go'}\n"
    )
    program = tmp_path / "shout"
    output_of([GO, "build", "-C", str(tmp_path), "-o", str(program)], "")
    output = asyncio.run(with_daemon([str(program)]))
    assert output.split("\n")[:2] == ["HELLO ", "WORLD "]
    assert "not_found" in output


def test_the_swift_example_is_the_one_that_is_built_and_runs() -> None:
    built = (ROOT / "examples" / "agents" / "swift" / "Shout.swift").read_text()
    body = block("swift").removeprefix("import CoagentClient\n\n")
    assert textwrap.indent(body, "  ") in built
    output = asyncio.run(with_daemon([str(PROGRAMS / "example-agents"), "shout"]))
    assert output.split("\n")[:2] == ["HELLO ", "WORLD "]
    assert "not_found" in output


@pytest.mark.parametrize(
    ("command", "code", "expected"),
    [
        ("ls -r", 0, "shout"),
        ("stream shout -d '\"hello world\"'", 0, "HELLO WORLD"),
        ("nobody -d '\"anyone?\"'", 3, "not_found"),
    ],
)
def test_the_commands_do_what_is_shown(command: str, code: int, expected: str) -> None:
    assert f"$ coagent {command}" in (ROOT / "README.md").read_text()
    shell = ["sh", "-c", f"{PROGRAMS / 'coagent'} {command}"]
    output = asyncio.run(with_daemon(shell, code, shouts=True))
    assert expected in " ".join(output.split())
