"""The programs under test as child processes: the daemon, hosts of agents, the CLI."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, ClassVar

ROOT = Path(__file__).resolve().parents[2]
BOUND_S = 30.0


BINARIES = Path(os.environ.get("COAGENT_BIN") or ROOT / ".build" / "debug")


def daemon_binary() -> str:
    return str(BINARIES / "coagentd")


def cli_binary() -> str:
    return str(BINARIES / "coagent")


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without what would lead a program to another sidecar."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("COAGENT")}
    return {**kept, **more}


class Lines:
    """The lines of a pipe, as they come."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.seen: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def _read(self, pipe: IO[bytes]) -> None:
        for line in pipe:
            self._queue.put(line.decode("utf-8", "replace").rstrip("\n"))
        self._queue.put(None)
        pipe.close()

    def next(self, seconds: float = BOUND_S) -> str | None:
        """The next line, None at the end."""
        try:
            line = self._queue.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"no line within {seconds} s after {self.seen[-5:]}") from None
        if line is None:
            self._queue.put(None)
        else:
            self.seen.append(line)
        return line

    def expect(self, beginning: str, seconds: float = BOUND_S) -> str:
        """The next line that begins so; others are passed over."""
        until = time.monotonic() + seconds
        while True:
            line = self.next(max(0.0, until - time.monotonic()))
            assert line is not None, f"{beginning!r} never came; the last lines: {self.seen[-5:]}"
            if line.startswith(beginning):
                return line

    def rest(self) -> str:
        """Everything up to the end."""
        while self.next() is not None:
            pass
        return "\n".join(self.seen)


class Program:
    """A child process with its output as lines."""

    started: ClassVar[list[Program]] = []

    def __init__(self, command: Sequence[str], environment: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment or clean_environment(),
        )
        assert self.process.stdout is not None and self.process.stderr is not None
        self.out = Lines(self.process.stdout)
        self.err = Lines(self.process.stderr)
        Program.started.append(self)

    @property
    def pid(self) -> int:
        return self.process.pid

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = BOUND_S) -> int:
        """Its exit code."""
        return self.process.wait(seconds)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        """Ends it, the hard way if need be."""
        if self.process.stdin is not None and not self.process.stdin.closed:
            self.process.stdin.close()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(BOUND_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


class Daemon(Program):
    """A running coagentd."""

    TOKEN = "s3cret-of-the-tests"

    def __init__(
        self,
        folder: Path,
        *options: str,
        tcp: bool = True,
        tcp_url: str = "tcp://127.0.0.1:0",
        environment: dict[str, str] | None = None,
    ) -> None:
        """Ready when this returns. `tcp_url` is where one listens that follows another."""
        self.folder = folder
        self.socket = folder / "coagentd.sock"
        arguments = ["--log-format", "json", "--listen", f"unix:{self.socket}"]
        if tcp:
            tokens = folder / "tokens"
            tokens.touch(mode=0o600, exist_ok=True)
            tokens.write_text(f"tests:{self.TOKEN}\n")
            arguments += ["--listen", tcp_url, "--tokens-file", str(tokens)]
        super().__init__([daemon_binary(), *arguments, *options], environment)
        self.ready = self._await_ready()
        listening: list[str] = self.ready["listen"]
        self.unix_url = f"unix:{self.socket}"
        self.tcp_url = next((url for url in listening if url.startswith("tcp:")), "")

    def _await_ready(self) -> dict[str, Any]:
        while True:
            line = self.err.next()
            if line is None:
                raise AssertionError(f"coagentd ended with {self.wait()}: {self.err.seen}")
            entry: dict[str, Any] = json.loads(line)
            if entry.get("message") == "ready":
                return entry

    def url(self, transport: str) -> str:
        return self.tcp_url if transport == "tcp" else self.unix_url

    def token(self, transport: str) -> str | None:
        return self.TOKEN if transport == "tcp" else None

    def reset_peak(self) -> None:
        """Lets `peak_bytes` begin anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    @property
    def memory_bytes(self) -> int:
        return self._status("VmRSS")

    @property
    def peak_bytes(self) -> int:
        return self._status("VmHWM")

    def _status(self, name: str) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {name} of process {self.pid}")


class Host(Program):
    """A process of agents, see host_program.py; its lines are what they report."""

    def __init__(self, url: str, token: str | None = None, *agents: str) -> None:
        program = Path(__file__).with_name("host_program.py")
        environment = clean_environment(COAGENT_URL=url, COAGENT_TOKEN=token or "")
        super().__init__([sys.executable, str(program), *agents], environment)
        line = self.out.next()
        assert line == "ready", f"the host ended with {self.wait()}: {self.err.rest()}"
