"""A coagentd of one's own, with the limits that a scenario wants."""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

from .driver import ROOT, clean_environment
from .notation import BadScenario, Failure

LIMITS: dict[str, Any] = json.loads((ROOT / "proto" / "limits.json").read_text())
START_S = 30.0
NO_TOKEN = "nobody:token-that-nobody-says"

_running: set[subprocess.Popen[bytes]] = set()


@atexit.register
def _end_all() -> None:
    """A run that is interrupted leaves no daemon behind."""
    for process in list(_running):
        process.kill()


def binary() -> str:
    """The daemon under test."""
    return os.environ.get("COAGENTD") or str(ROOT / ".build" / "debug" / "coagentd")


class Daemon:
    """Runs in a folder of its own, on a Unix socket and on TCP."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self.socket_path = folder / "s"
        tokens = folder / "tokens"
        tokens.touch(mode=0o600)
        named = [f"t{n}:{token}" for n, token in enumerate(config.get("tokens", []))]
        tokens.write_text("\n".join(named or [NO_TOKEN]) + "\n")
        settings = folder / "config.yaml"
        settings.write_text("\n".join(["limits:", *_limits(config)]) + "\n")
        arguments = ["--config", str(settings), "--tokens-file", str(tokens)]
        arguments += ["--log-format", "json"]
        arguments += ["--listen", f"unix:{self.socket_path}", "--listen", "tcp://127.0.0.1:0"]
        self.process = subprocess.Popen(
            [binary(), *arguments], stderr=subprocess.PIPE, env=clean_environment()
        )
        _running.add(self.process)
        self.log: list[str] = []
        self._is_ready = threading.Event()
        self._port = 0
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        if not self._is_ready.wait(START_S) or not self._port:
            self.end()
            raise Failure(f"coagentd does not start: {self.log[-3:]}")

    def open(self, kind: str) -> socket.socket:
        """A new connection, over `unix` or `tcp`."""
        if kind == "tcp":
            return socket.create_connection(("127.0.0.1", self._port))
        opened = socket.socket(socket.AF_UNIX)
        opened.connect(str(self.socket_path))
        return opened

    def drain(self) -> None:
        """Tells it to shut down."""
        self.process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """Ends it at once. It must not have ended by a fault of its own."""
        code = self.process.poll()
        if code is None:
            self.process.kill()
            self.process.wait()
        _running.discard(self.process)
        self._reader.join(START_S)
        if code not in (None, 0):
            raise Failure(f"coagentd ended with {code}: {self.log[-3:]}")

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for raw in self.process.stderr:
            line = raw.decode("utf-8", "replace")
            self.log.append(line)
            if not self._is_ready.is_set():
                self._look_for_ready(line)
        self._is_ready.set()
        self.process.stderr.close()

    def _look_for_ready(self, line: str) -> None:
        try:
            entry = json.loads(line)
        except ValueError:
            return
        if entry.get("message") == "ready":
            url = next(each for each in entry["listen"] if each.startswith("tcp:"))
            self._port = int(url.rpartition(":")[2])
            self._is_ready.set()


def _limits(config: dict[str, Any]) -> list[str]:
    lines = []
    for name, value in config.items():
        if name == "tokens":
            continue
        if not LIMITS[name]["configurable"]:
            raise BadScenario(f"{name} cannot be configured")
        lines.append(f"  {LIMITS[name]['key'].removeprefix('limits.')}: {value}")
    return lines or ["  hello_timeout_ms: 5000"]
