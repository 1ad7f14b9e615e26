"""A client in the plainest form: frames written and read on a blocking socket.

For what no client library would do: choose ids, withhold credit, send what is no frame.
"""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

Header = dict[str, Any]


class RawPeer:
    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        greet: bool = True,
        name: str = "raw",
        features: str = "",
    ) -> None:
        self.socket = open_socket(url)
        self._buffer = bytearray()
        if greet:
            hello: Header = {"op": "hello", "v": 1, "client": "tests/1", "name": name}
            hello |= {"features": features} if features else {}
            self.send(hello | ({"token": token} if token else {}))
            header, _ = self.receive()
            assert header["op"] == "welcome", header
            self.welcome = header

    def __enter__(self) -> RawPeer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, header: Header, content: bytes = b"") -> None:
        self.socket.sendall(frame(header, content))

    def send_bytes(self, data: bytes) -> None:
        """Sends what may be no frame. That the sidecar hung up meanwhile is no failure."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return

    def receive(self) -> tuple[Header, bytes]:
        """The next frame, within the socket's bound."""
        header_length, content_length = struct.unpack(">II", self._take(8))
        header: Header = json.loads(self._take(header_length))
        return header, self._take(content_length)

    def expect(self, op: str, **fields: Any) -> tuple[Header, bytes]:
        """The next frame, which is an `op` with these fields."""
        header, content = self.receive()
        assert header["op"] == op, header
        assert {key: header.get(key) for key in fields} == fields, header
        return header, content

    def is_closed(self) -> bool:
        """Whether the sidecar hangs up now, without sending anything more."""
        try:
            return not self._buffer and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def ping(self) -> None:
        """Returns when the sidecar has handled everything sent before."""
        self.send({"op": "ping"})
        self.expect("pong")

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            data = self.socket.recv(max(65536, count - len(self._buffer)))
            assert data, f"the sidecar hung up; {bytes(self._buffer)!r} was left"
            self._buffer += data
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


def frame(header: Header, content: bytes = b"") -> bytes:
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    return struct.pack(">II", len(text), len(content)) + text + content


def open_socket(url: str, seconds: float = 30.0) -> socket.socket:
    if url.startswith("unix:"):
        opened = socket.socket(socket.AF_UNIX)
        opened.settimeout(seconds)
        opened.connect(url.removeprefix("unix:"))
        return opened
    host, _, port = url.removeprefix("tcp://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=seconds)
