"""One end of a connection, in the plainest form: bytes out, frames in, nothing decided."""

from __future__ import annotations

import collections
import json
import queue
import socket
import struct
import threading
import time
from typing import Any

from .driver import BOUND_S
from .notation import Failure, Frame, encoded



class Peer:
    """Reads frames on a thread of its own, so that the other end never stands still."""

    def __init__(self, opened: socket.socket, name: str) -> None:
        self.name = name
        self.socket = opened
        self.is_greeted = False
        self._pings: collections.deque[bool] = collections.deque()
        """Of each ping that is not answered yet, whether it is one of `settle`'s own."""
        self._frames: queue.Queue[Frame | None] = queue.Queue()
        self._held: list[Frame] = []
        self._may_read = threading.Event()
        self._may_read.set()
        self._is_over = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    # Out

    def send(self, data: bytes, split: str = "whole") -> None:
        """Writes bytes. That the other end hung up meanwhile is for what follows to find."""
        try:
            if split == "bytes":
                for at in range(len(data)):
                    self.socket.sendall(data[at : at + 1])
            else:
                self.socket.sendall(data)
        except OSError:
            return

    def pinged(self, *, is_own: bool = False) -> None:
        """A ping was written: the scenario's, whose pong it may want, or one that only settles."""
        self._pings.append(is_own)

    def shut(self) -> None:
        """Writes nothing more; goes on reading."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def close(self) -> None:
        """Hangs up."""
        self._may_read.set()
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # The other end was first.
        self._reader.join(BOUND_S)
        self.socket.close()

    # In

    def stand_still(self, is_still: bool) -> None:
        """Reads nothing, for as long as the scenario says."""
        if is_still:
            self._may_read.clear()
        else:
            self._may_read.set()

    def next(self, seconds: float = BOUND_S) -> Frame | None:
        """The next frame; None at the end of the connection."""
        if self._held:
            return self._held.pop(0)
        until = time.monotonic() + seconds
        while not self._is_over:
            frame = self._get(until)
            if frame is not None and not self._is_own_pong(frame):
                return frame
        return None

    def settle(self, seconds: float = BOUND_S) -> None:
        """Returns when everything written so far was handled there, or the connection ended."""
        if not self.is_greeted or self._is_over or not self._may_read.is_set():
            return
        self.pinged(is_own=True)
        self.send(encoded({"op": "ping"}))
        until = time.monotonic() + seconds
        while any(self._pings) and not self._is_over:
            frame = self._get(until)
            if frame is not None and not self._is_own_pong(frame):
                self._held.append(frame)

    @property
    def waiting(self) -> list[Frame]:
        """What arrived and was not taken yet."""
        return self._held

    def _get(self, until: float) -> Frame | None:
        try:
            frame = self._frames.get(timeout=max(0.001, until - time.monotonic()))
        except queue.Empty:
            raise Failure(f"nothing comes to {self.name} in time") from None
        if frame is None:
            self._is_over = True
        return frame

    def _is_own_pong(self, frame: Frame) -> bool:
        return frame.header.get("op") == "pong" and bool(self._pings) and self._pings.popleft()

    def _read(self) -> None:
        try:
            while True:
                lengths = self._exactly(8)
                header_bytes, content_bytes = struct.unpack(">II", lengths)
                text = self._exactly(header_bytes)
                content = self._exactly(content_bytes)
                self._frames.put(Frame(_parsed(text), content, text))
        except (OSError, EOFError):
            self._frames.put(None)

    def _exactly(self, size: int) -> bytes:
        pieces = []
        while size:
            self._may_read.wait()
            piece = self.socket.recv(min(size, 262_144))
            if not piece:
                raise EOFError
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except ValueError:
        return {"op": "no JSON"}
    return header if isinstance(header, dict) else {"op": "no object"}
