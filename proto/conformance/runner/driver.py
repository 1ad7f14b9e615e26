"""The drivers of all languages as child processes (see proto/conformance/DRIVER.md).

    with Driver("go") as caller, Driver("node") as host:
        for driver in (caller, host):
            driver.run("connect", as_="c", url=url)
        host.run("register", client="c", as_="r", name="shop", agent="scripted")
        calling = caller.command("call", client="c", to="shop", body={"text": "pear"})
        called = host.event("called", address="shop")
        host.run("answer", call=called["call"], body={"json": 3})
        assert calling.result()["value"]["json"] == 3

`command` writes one line at once and returns a `Pending`: `result(seconds)` blocks, `await` waits
in asyncio. `run` is both. What a command fails with is raised as `Failed`: its `code`, `reason`.
Every wait has a bound; what does not come is a `DriverFault` that shows the last lines.
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[3]
DRIVERS = ROOT / "proto" / "conformance" / "drivers"
BOUND_S = float(os.environ.get("CONFORMANCE_BOUND_S", "15"))
"""How long a result or an event may take on a busy machine."""
SHOWN_LINES = 12

Line = dict[str, Any]


def _swift() -> str:
    return str(Path(os.environ.get("COAGENT_BIN", ROOT / ".build/debug")) / "conformance-driver")


def _go() -> str:
    return str(Path(os.environ.get("COAGENT_GO_BIN", ROOT / ".build/go")) / "driver")


LANGUAGES: dict[str, Callable[[], list[str]]] = {
    "python": lambda: [sys.executable, str(DRIVERS / "python" / "main.py")],
    "node": lambda: ["node", str(DRIVERS / "node" / "main.mjs")],
    "go": lambda: [_go()],
    "swift": lambda: [_swift()],
}
"""The command that starts the driver of each language."""


class DriverFault(AssertionError):
    """The driver is not there, ended, or did not say what it should in time."""


class Failed(Exception):
    """A command failed, as the driver told it."""

    def __init__(self, error: Line) -> None:
        super().__init__(json.dumps(error, ensure_ascii=False))
        self.error = error
        self.code: str = error.get("code", "")
        self.reason: str = error.get("reason", "")
        self.details: Line = error.get("details", {})
        self.causes: list[str] = error.get("causes", [])


class Unsupported(Exception):
    """The command, or an option of it, means nothing in this client."""


class Pending:
    """The result that a command will have."""

    def __init__(self, driver: Driver, command: Line) -> None:
        self.command = command
        self._driver = driver
        self._answer: concurrent.futures.Future[Line] = concurrent.futures.Future()

    @property
    def number(self) -> int:
        """What `cancel` calls it: `driver.run("cancel", command=pending.number)`."""
        return int(self.command["n"])

    @property
    def is_done(self) -> bool:
        return self._answer.done()

    def result(self, seconds: float = BOUND_S) -> Line:
        """What is in `ok`; raises Failed, Unsupported, or DriverFault when it does not come."""
        try:
            return self._judge(self._answer.result(seconds))
        except concurrent.futures.TimeoutError:
            raise self._late(seconds) from None

    def __await__(self) -> Generator[Any, None, Line]:
        return self.wait().__await__()

    async def wait(self, seconds: float = BOUND_S) -> Line:
        """As `result`, without blocking the loop."""
        answer = asyncio.wrap_future(self._answer)
        try:
            return self._judge(await asyncio.wait_for(answer, seconds))
        except asyncio.TimeoutError:
            raise self._late(seconds) from None

    def answered(self, line: Line | None) -> None:
        """The driver's line, or None if it ended before it wrote one."""
        if not self._answer.done():
            self._answer.set_result(line or {})

    def _judge(self, line: Line) -> Line:
        if "ok" in line:
            ok: Line = line["ok"]
            return ok
        if "error" in line:
            raise Failed(line["error"])
        if "unsupported" in line:
            raise Unsupported(line["unsupported"])
        raise self._driver.fault(f"no answer to {json.dumps(self.command)}")

    def _late(self, seconds: float) -> DriverFault:
        return self._driver.fault(f"no answer within {seconds} s to {json.dumps(self.command)}")


class Driver:
    """A running driver. Its methods may be used from any thread."""

    def __init__(self, language: str, environment: dict[str, str] | None = None) -> None:
        """Starts it, without what would lead it to another sidecar, and waits until it is ready."""
        self.language = language
        self.last_lines: collections.deque[str] = collections.deque(maxlen=SHOWN_LINES)
        self._numbers = itertools.count(1)
        self._pending: dict[int, Pending] = {}
        self._events: list[Line] = []
        self._changed = threading.Condition()
        self._has_ended = False
        command = LANGUAGES[language]()
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=clean_environment() | (environment or {}),
            )
        except OSError as error:
            raise DriverFault(f"the driver of {language} cannot be started: {error}") from error
        assert self.process.stdout is not None and self.process.stderr is not None
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True),
            threading.Thread(target=self._read_errors, args=(self.process.stderr,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        self.event("ready", language=language)

    @property
    def pid(self) -> int:
        return self.process.pid

    # Commands

    def command(self, do: str, **fields: Any) -> Pending:
        """Writes one command (`as_` stands for `as`); what it comes to is in what this returns."""
        if "as_" in fields:
            fields["as"] = fields.pop("as_")
        with self._changed:
            pending = Pending(self, {"do": do, "n": next(self._numbers), **fields})
            self._pending[pending.number] = pending
            if self._has_ended:
                pending.answered(None)
                return pending
            line = json.dumps(pending.command, ensure_ascii=False).encode() + b"\n"
            self._log("→", line)
            assert self.process.stdin is not None
            try:
                self.process.stdin.write(line)
                self.process.stdin.flush()
            except (OSError, ValueError):
                pending.answered(None)
        return pending

    def run(self, do: str, **fields: Any) -> Line:
        """A command and its result."""
        return self.command(do, **fields).result()

    # Events

    def event(
        self,
        kind: str,
        *,
        seconds: float = BOUND_S,
        where: Callable[[Line], bool] = lambda event: True,
        **fields: Any,
    ) -> Line:
        """Takes the first event of this kind, with these fields, that was not taken yet."""
        wanted = {"event": kind, **fields}
        until = time.monotonic() + seconds
        with self._changed:
            while True:
                for at, event in enumerate(self._events):
                    if event.items() >= wanted.items() and where(event):
                        return self._events.pop(at)
                left_s = until - time.monotonic()
                if self._has_ended or left_s <= 0:
                    break
                self._changed.wait(left_s)
        raise self.fault(f"no event {json.dumps(wanted)}")

    def events(self) -> list[Line]:
        """All events that were not taken yet, which this takes."""
        with self._changed:
            taken, self._events = self._events, []
        return taken

    # The end

    def end(self) -> int:
        """Ends its input, so that it closes all and ends by itself; its exit code."""
        with self._changed:
            if self.process.stdin is not None and not self.process.stdin.closed:
                try:
                    self.process.stdin.close()
                except OSError:
                    pass  # It ended before: its code says how.
        try:
            code = self.process.wait(BOUND_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise self.fault(f"it did not end within {BOUND_S} s of its input's end") from None
        self._join()
        return code

    def kill(self) -> None:
        """Ends it as nothing could foresee."""
        self.process.kill()
        self.process.wait()
        self._join()
        if self.process.stdin is not None:
            try:
                self.process.stdin.close()
            except OSError:
                pass  # What was still to be written has nobody to read it.

    def __enter__(self) -> Driver:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None or self.process.poll() is not None:
            self.kill()
        elif (code := self.end()) != 0:
            raise self.fault(f"it ended with {code}")

    def fault(self, what: str) -> DriverFault:
        """A failure that shows what was said last."""
        lines = "\n".join(f"    {line}" for line in self.last_lines)
        state = self.process.poll()
        ended = "" if state is None else f" (it ended with {state})"
        return DriverFault(f"driver of {self.language}: {what}{ended}; last lines:\n{lines}")

    # Its output

    def _read(self, pipe: IO[bytes]) -> None:
        for raw in pipe:
            self._log("←", raw)
            try:
                line = json.loads(raw)
            except ValueError:
                continue  # Shown by what fails for want of it.
            with self._changed:
                if "event" in line:
                    self._events.append(line)
                    self._changed.notify_all()
                else:
                    pending = self._pending.pop(line.get("n"), None)
                    if pending is not None:
                        pending.answered(line)
        with self._changed:
            self._has_ended = True
            for pending in self._pending.values():
                pending.answered(None)
            self._pending.clear()
            self._changed.notify_all()
        pipe.close()

    def _read_errors(self, pipe: IO[bytes]) -> None:
        for raw in pipe:
            self._log("!", raw)
        pipe.close()

    def _log(self, mark: str, raw: bytes) -> None:
        text = raw.decode("utf-8", "replace").rstrip("\n")
        self.last_lines.append(f"{mark} {text[:400]}")

    def _join(self) -> None:
        for reader in self._readers:
            reader.join(BOUND_S)


def clean_environment() -> dict[str, str]:
    """The environment without what would lead a client to another sidecar."""
    return {key: value for key, value in os.environ.items() if not key.startswith("COAGENT")}


def each_language() -> Iterator[str]:
    """All languages, in the order of the table."""
    yield from LANGUAGES
