"""A private sidecar as a child process. A small relay stands in for the daemon."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from fake_sidecar import aio, bounded, until

import coagent_client as coagent
from coagent_client import _local, connect, local
from coagent_client import sync as blocking

TESTS = Path(__file__).parent
SOURCES = TESTS.parent / "src"


def program(path: Path, body: str) -> str:
    """A program that can be run, written in Python."""
    path.write_text(
        f"#!{sys.executable}\nimport sys\n"
        f"sys.path[:0] = [{str(TESTS)!r}, {str(SOURCES)!r}]\n" + textwrap.dedent(body)
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Named in COAGENTD; notes its settings beside itself."""
    path = program(
        tmp_path / "coagentd",
        """
        import asyncio, json, os, relay
        seen = {"arguments": sys.argv[1:], "pid": os.getpid()}
        seen["settings"] = sorted(key for key in os.environ if key.startswith("COAGENT"))
        with open(sys.argv[0] + ".seen", "w") as file:
            json.dump(seen, file)
        asyncio.run(relay._serve(sys.argv[2].removeprefix("unix:")))
        """,
    )
    monkeypatch.setenv("COAGENTD", path)
    monkeypatch.setenv("COAGENT_URL", "unix:/tmp/not-this-one")
    return path


def seen(daemon: str) -> Any:
    import json

    return json.loads(Path(daemon + ".seen").read_text())


def is_running(process_id: int) -> bool:
    """Whether it runs; a child that ended and was not waited for does not."""
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@aio
async def test_local_starts_a_sidecar_and_ends_it(daemon: str) -> None:
    async with local(name="me", arguments=("--extra", "1")) as client:
        await client.register("echo", lambda body: body)
        async with connect(client.url) as other:
            assert await other.call("echo", 5) == 5
        noted = seen(daemon)
        assert noted["arguments"] == ["--listen", client.url, "--extra", "1"]
        assert noted["settings"] == []
        assert noted["pid"] == client.process_id
        folder = Path(client.url.removeprefix("unix:")).parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not is_running(noted["pid"])
    assert not folder.exists()
    assert client.process_id == 0


def test_local_for_scripts(daemon: str) -> None:
    with blocking.local() as client:
        client.register("echo", lambda body: body)
        assert client.call("echo", 5) == 5
    assert not is_running(seen(daemon)["pid"])


@aio
async def test_a_program_that_fails_says_why(tmp_path: Path) -> None:
    failing = program(tmp_path / "failing", "sys.exit('cannot bind: no such luck')")
    with pytest.raises(coagent.UnavailableError, match="no such luck"):
        async with local(program=failing):
            pass


@aio
async def test_a_program_that_never_listens_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_local, "_START_S", 0.05)
    monkeypatch.setattr(_local, "_STOP_S", 0.05)
    deaf = program(
        tmp_path / "deaf",
        """
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            signal.pause()
        """,
    )
    with pytest.raises(coagent.UnavailableError, match="does not listen"):
        await bounded(local(program=deaf).__aenter__())


def test_a_program_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(coagent.UnavailableError, match="nowhere"):
        _local.find_daemon("/nowhere/coagentd")
    monkeypatch.delenv("COAGENTD", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(coagent.UnavailableError, match="COAGENTD"):
        _local.find_daemon()
    program(tmp_path / "coagentd", "")
    assert _local.find_daemon() == str(tmp_path / "coagentd")


@aio
async def test_the_sidecar_ends_when_its_parent_is_killed(daemon: str, tmp_path: Path) -> None:
    parent = program(
        tmp_path / "parent",
        """
        import asyncio
        from coagent_client import local

        async def main():
            async with local() as client:
                sys.stdout.write(f"{client.process_id}\\n")
                sys.stdout.flush()
                await asyncio.Event().wait()

        asyncio.run(main())
        """,
    )
    process = await asyncio.create_subprocess_exec(parent, stdout=subprocess.PIPE)
    assert process.stdout is not None
    child = int(await bounded(process.stdout.readline()))
    assert is_running(child)
    process.send_signal(signal.SIGKILL)
    await bounded(process.wait())
    await until(lambda: not is_running(child))
    assert os.path.exists(daemon)
