"""Starting and ending what is measured: every process in one place, every wait with a bound."""

import json
import os
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

BENCH = Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
PROGRAMS = BENCH / "out" / "bin"
VENV = ROOT / ".cache" / "bench-venv"
START_SECONDS_MAX = 20.0


class Failed(Exception):
    """A measurement could not be made; the text says why."""


def raise_file_limit() -> int:
    """Lets this process and its children open as many files as the system permits."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Child:
    """A process that is ended when its block is left; its errors are kept for the message."""

    def __init__(self, command: Sequence[str | Path], environment: Mapping[str, str] | None = None):
        self.name = Path(command[0]).name
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env={**os.environ, **(environment or {})},
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_for_line(self, seconds: float = START_SECONDS_MAX) -> str:
        """The first line the process prints: it is ready."""
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], seconds)
        line = self.process.stdout.readline().decode() if readable else ""
        if not line:
            raise Failed(f"{self.name} did not get ready: {self.said() or 'nothing on stderr'}")
        return line

    def said(self) -> str:
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace").strip()[-500:]

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.errors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()


def run_for_json(command: Sequence[str | Path], seconds_max: float, **environment: str) -> Any:
    """Runs a program to its end and reads its last line of JSON."""
    name = " ".join(Path(word).name for word in command)
    try:
        ended = subprocess.run(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds_max,
            env={**os.environ, **environment},
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"{name} took more than {seconds_max:.0f} s") from None
    lines = ended.stdout.decode().splitlines()
    if ended.returncode != 0 or not lines:
        said = ended.stderr.decode(errors="replace").strip()[-500:]
        raise Failed(f"{name} ended with {ended.returncode}: {said}")
    return json.loads(lines[-1])


@contextmanager
def on_one_core(children: Sequence[Child]) -> Iterator[None]:
    """Keeps these processes, and those started meanwhile, on one core.

    With one call in flight only one process has work at a time. Spread over cores, what is timed
    is mostly how an idle core is woken, which varies twofold from second to second; on one core it
    is the work itself.
    """
    everywhere = os.sched_getaffinity(0)
    set_cores(children, {max(everywhere)})
    try:
        yield
    finally:
        set_cores(children, everywhere)


def set_cores(children: Sequence[Child], cores: set[int]) -> None:
    os.sched_setaffinity(0, cores)
    for child in children:
        for task in os.listdir(f"/proc/{child.pid}/task"):
            with suppress(ProcessLookupError):  # A thread that ended meanwhile.
                os.sched_setaffinity(int(task), cores)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def say_hello(path: str) -> None:
    """One connection to a sidecar's socket, up to ``welcome``. Raises OSError until it answers."""
    header = b'{"op":"hello","v":1,"client":"bench"}'
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(path)
        connection.sendall(struct.pack(">II", len(header), 0) + header)
        if b'"welcome"' not in connection.recv(4096):
            raise Failed("the sidecar did not answer hello with welcome")


class Scratch:
    """A temporary folder for sockets and settings."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="coagent-bench-"))

    def __enter__(self) -> Path:
        return self.folder

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class Daemon(Child):
    """A ``coagentd`` on a socket in ``folder`` and, if wanted, on a loopback port."""

    TOKEN = "bench-token-for-loopback-only"

    def __init__(self, binaries: Path, folder: Path, *options: str, tcp: bool = False):
        self.path = str(folder / f"coagentd-{time.monotonic_ns()}.sock")
        self.url = f"unix:{self.path}"
        command: list[str | Path] = [binaries / "coagentd", "--listen", self.url]
        command += ["--log-level", "error", *options]
        self.tcp_url = ""
        if tcp:
            self.tcp_url = f"tcp://127.0.0.1:{free_port()}"
            tokens = folder / "tokens"
            tokens.touch(mode=0o600)
            tokens.write_text(f"bench:{self.TOKEN}\n")
            command += ["--listen", self.tcp_url, "--tokens-file", tokens]
        began = time.perf_counter()
        super().__init__(command)
        # From before the process was made to its first answer.
        self.start_seconds = self.wait_until_it_answers(began) - began

    def wait_until_it_answers(self, began: float) -> float:
        while time.perf_counter() - began < START_SECONDS_MAX:
            try:
                say_hello(self.path)
                return time.perf_counter()
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.0002)
        said = self.said()
        self.end()
        raise Failed(f"coagentd did not get ready: {said or 'nothing on stderr'}")


class Relay(Child):
    """The raw relay. Each measurement takes a pair number of its own."""

    def __init__(self, folder: Path):
        path = folder / "relay.sock"
        super().__init__([PROGRAMS / "relay", path])
        self.url = f"unix:{path}"
        self.pairs = 0
        self.wait_for_line()

    def next_pair(self) -> str:
        self.pairs += 1
        return str(self.pairs % 128)


class NatsServer(Child):
    """nats-server on a loopback port, with room for contents of 1 MiB."""

    def __init__(self, folder: Path):
        port = free_port()
        settings = folder / "nats.conf"
        settings.write_text(f"host: 127.0.0.1\nport: {port}\nmax_payload: 2MB\n")
        super().__init__([VENV / "bin" / "nats-server", "-c", settings, "-l", folder / "nats.log"])
        self.url = f"nats://127.0.0.1:{port}"
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.01)
        self.end()
        raise Failed("nats-server did not get ready")


def memory_bytes(pid: int, field: str = "VmRSS") -> int:
    """Resident memory now (``VmRSS``) or at its highest (``VmHWM``)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise Failed(f"/proc/{pid}/status has no {field}")


def cpu_seconds(pid: int) -> float:
    """Processor time used so far, by all threads there are."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
