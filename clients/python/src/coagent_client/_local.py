"""A private sidecar for one program, or one test: a child process on a temporary socket."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile

from ._client import Client
from ._errors import UnavailableError

_START_S = 10.0
_STOP_S = 15.0
_POLL_S = 0.005
_LOG_BYTES_SHOWN = 2000

# Asks the kernel to end this process when its parent ends, however that happens, and then
# becomes the daemon. The parent may have ended before it was asked: hence the comparison.
_FOLLOW_PARENT = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, int(signal.SIGTERM))
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


class LocalClient(Client):
    """A client with a sidecar of its own, which ends with it."""

    def __init__(
        self,
        *,
        program: str | None,
        arguments: tuple[str, ...],
        name: str | None,
        repeats: int,
        threads: int,
    ) -> None:
        super().__init__(name=name, repeats=repeats, threads=threads)
        self._program = program
        self._arguments = arguments
        self._folder = ""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process_id(self) -> int:
        """The sidecar's process, or 0."""
        return self._process.pid if self._process is not None else 0

    async def _start(self) -> None:
        program = find_daemon(self._program)
        self._folder = _short_temporary_folder()
        self._url = f"unix:{self._folder}/coagentd.sock"
        try:
            self._process = self._spawn(program)
            await self._await_socket(self._process)
            await super()._start()
        except BaseException:
            await self._stop()
            raise

    async def aclose(self) -> None:
        """Closes the connection, then ends the sidecar."""
        try:
            await super().aclose()
        finally:
            await self._stop()

    def _spawn(self, program: str) -> subprocess.Popen[bytes]:
        command = [program, "--listen", self.url, *self._arguments]
        if sys.platform == "linux":
            follow = [sys.executable, "-I", "-S", "-c", _FOLLOW_PARENT, str(os.getpid())]
            command = [*follow, *command]
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith("COAGENT")
        }
        with open(self._log_path, "wb") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,  # Ctrl-C is for the program, which then ends this.
            )

    async def _await_socket(self, process: subprocess.Popen[bytes]) -> None:
        """Returns once somebody listens."""
        path = self.url.removeprefix("unix:")
        loop = asyncio.get_running_loop()
        until = loop.time() + _START_S
        while True:
            try:
                transport, _ = await loop.create_unix_connection(asyncio.Protocol, path)
                transport.close()
                return
            except OSError:
                pass  # Not yet.
            code = process.poll()
            if code is not None:
                raise UnavailableError(f"coagentd ended with {code}: {self._log()}")
            if loop.time() > until:
                raise UnavailableError(f"coagentd does not listen after {_START_S} s")
            await asyncio.sleep(_POLL_S)

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            loop = asyncio.get_running_loop()
            await asyncio.shield(loop.run_in_executor(None, _end, process))
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""

    @property
    def _log_path(self) -> str:
        return os.path.join(self._folder, "coagentd.log")

    def _log(self) -> str:
        with open(self._log_path, "rb") as log:
            return log.read()[-_LOG_BYTES_SHOWN:].decode("utf-8", "replace").strip()


def find_daemon(program: str | None = None) -> str:
    """The path of coagentd: as given, in `COAGENTD`, beside this Python, or on the PATH."""
    program = program or os.environ.get("COAGENTD")
    if program:
        found = shutil.which(program)
        if found is None:
            raise UnavailableError(f"{program} is no program that can be run")
        return found
    beside = os.path.join(os.path.dirname(sys.executable), "coagentd")
    found = shutil.which(beside) or shutil.which("coagentd")
    if found is None:
        raise UnavailableError("coagentd was not found: put it on the PATH, or name it in COAGENTD")
    return found


def local(
    *,
    program: str | None = None,
    arguments: tuple[str, ...] = (),
    name: str | None = None,
    repeats: int = 3,
    threads: int = 64,
) -> LocalClient:
    """`async with local() as client`: as `connect`, with a private coagentd on a temporary socket.

    It is found by `program`, else `COAGENTD`, else beside the Python interpreter or on the PATH,
    started with `arguments`, and ended with the client, also if this process dies. Other clients
    may connect to it at `client.url`. Raises UnavailableError with its output if it does not
    start.
    """
    return LocalClient(
        program=program, arguments=arguments, name=name, repeats=repeats, threads=threads
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _short_temporary_folder() -> str:
    """Private, and with a path short enough for a socket in it."""
    base = tempfile.gettempdir()
    return tempfile.mkdtemp(prefix="coagent-", dir=base if len(base) < 60 else "/tmp")
