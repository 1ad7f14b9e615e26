"""A sidecar that does what a scenario says: it listens, takes connections, reads and writes."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path
from typing import Any

from .driver import BOUND_S
from .ledger import Ledger
from .notation import Failure, Frame, Names, Step, content_of, encoded, filled, shown
from .peer import Peer

WELCOME = {
    "op": "welcome",
    "v": 1,
    "server": "fake/1",
    "connection": "c1",
    "max_content": 16 * 1024 * 1024,
    "heartbeat_ms": 0,
}
SKIPPED = ("credit", "ping", "pong")


class FakeSidecar:
    """One at a time of the connections that a client makes."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="coagent-", dir="/tmp")
        self._path = Path(self._folder.name) / "s"
        self.url = f"unix:{self._path}"
        self._listener: socket.socket | None = None
        self._peer: Peer | None = None
        self.ledger = Ledger()
        self.complaints: list[str] = []
        self.log: list[str] = []
        self.credits: dict[int, int] = {}
        self.pings = 0
        self.listen()

    # Connections

    def listen(self) -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._path))
        listener.listen(16)
        listener.settimeout(BOUND_S)
        self._listener = listener

    def refuse(self) -> None:
        """Listens no more, until `listen`."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            self._path.unlink()

    def accept(self) -> None:
        """Takes the next connection."""
        assert self._listener is not None
        try:
            opened, _ = self._listener.accept()
        except TimeoutError:
            raise Failure("the client does not connect") from None
        if self._peer is not None:
            self._peer.close()
        opened.settimeout(None)
        self.complaints += self.ledger.complaints
        self.ledger = Ledger()
        self.credits.clear()
        self.pings = 0
        self._peer = Peer(opened, "the sidecar")
        self.log.append("-- connected --")

    def greet(self, fields: dict[str, Any]) -> Frame:
        """Reads the hello, which it returns, and answers it; all features are known here."""
        hello = self.next()
        if hello is None or hello.header.get("op") != "hello":
            raise Failure(f"{hello} where a hello should be")
        features = {key: value for key, value in hello.header.items() if key == "features"}
        welcome = {**WELCOME, **features, **fields}
        self.ledger.max_content = welcome["max_content"]
        self.send(welcome)
        self.peer.is_greeted = True
        return hello

    @property
    def peer(self) -> Peer:
        if self._peer is None:
            raise Failure("the client has not connected")
        return self._peer

    def hang_up(self) -> None:
        """Closes the connection."""
        self.peer.close()
        self._peer = None
        self.log.append("-- closed here --")

    def end(self) -> None:
        """Closes all there is."""
        if self._peer is not None:
            self._peer.close()
            self._peer = None
        self.refuse()
        self._folder.cleanup()

    # Frames

    def send(self, header: dict[str, Any], content: bytes = b"", split: str = "") -> None:
        self.send_bytes(self.book(header, content), split)

    def book(self, header: dict[str, Any], content: bytes) -> bytes:
        """The bytes of a frame that will be sent."""
        self.ledger.sent(header, content)
        if header.get("op") == "welcome":
            self.peer.is_greeted = True
        elif header.get("op") == "ping":
            self.peer.pinged()
        self.log.append(f"S→C {header} {shown(content)}")
        return encoded(header, content)

    def send_bytes(self, data: bytes, split: str = "") -> None:
        self.peer.send(data, split)

    def send_steps(self, steps: list[Step], names: Names, split: str = "") -> None:
        """Writes the frames of several steps at once."""
        written = bytearray()
        for step in steps:
            if "sends_hex" in step:
                written += bytes.fromhex(step["sends_hex"])
                self.log.append(f"S→C bytes {step['sends_hex'][:120]}")
                continue
            header = filled(step["sends"], names)
            for _ in range(step.get("times", 1)):
                written += self.book(header, content_of(step))
        self.send_bytes(bytes(written), split)

    def next(self, *, skips: bool = True, seconds: float = BOUND_S) -> Frame | None:
        """The next frame, in the books; None at the end. Credit and heartbeats may come at any
        time: they are counted and passed over unless asked for."""
        while True:
            frame = self.peer.next(seconds)
            if frame is None:
                self.log.append("-- closed by the client --")
                self.peer.close()  # There is no half-open connection (CON-12).
                return None
            self.log.append(f"C→S {frame}")
            self.ledger.received(frame)
            op = frame.header.get("op")
            if op == "credit":
                ident = frame.header.get("id", 0)
                self.credits[ident] = self.credits.get(ident, 0) + frame.header.get("bytes", 0)
            elif op == "ping":
                self.pings += 1
            if not skips or op not in SKIPPED:
                return frame

    def silence(self) -> Frame | None:
        """The frame that came although nothing should have; what is passed over may come."""
        self.peer.settle()
        held = self.peer.waiting
        while held:
            if held[0].header.get("op") not in SKIPPED:
                return held[0]
            self.next(skips=False)
        return None

    def story(self) -> str:
        """What went over the wire."""
        return "\n".join(f"    {line[:300]}" for line in self.log[-25:])
