"""What peers do to a daemon: vanish without a word, die all at once, send garbage and giants."""

from __future__ import annotations

import random
import signal
import socket
import struct
import threading
from pathlib import Path

from processes import BOUND_S, Daemon, Host
from raw_peer import Header, RawPeer, frame, open_socket

HELLO: Header = {"op": "hello", "v": 1, "client": "stranger/1"}
GIANT = 16 << 20


class Relay:
    """Forwards a TCP connection until it is cut: then it says nothing more, and does not close."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._cut = threading.Event()
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        far = open_socket(self._daemon.tcp_url)
        self._ends = [near, far]
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        source.settimeout(None)
        while data := source.recv(65536):
            if self._cut.is_set():
                return
            sink.sendall(data)

    def cut(self) -> None:
        self._cut.set()

    def close(self) -> None:
        for end in (self._listener, *self._ends):
            end.close()


def exchange(daemon: Daemon) -> None:
    """Somebody else is served."""
    with RawPeer(daemon.unix_url) as caller:
        caller.send({"op": "call", "id": 1, "to": "echo"}, b"1")
        assert caller.expect("data", id=1, end=True)[1] == b"1"


def test_a_host_that_vanished_without_a_word_is_given_up(folder: Path) -> None:
    daemon = Daemon(folder, "--heartbeat-ms-tcp", "200")
    relay = Relay(daemon)
    host = RawPeer(relay.url, Daemon.TOKEN)
    host.send({"op": "register", "id": 1, "name": "far"})
    host.expect("ok", id=1)
    with RawPeer(daemon.unix_url) as caller:
        caller.send({"op": "call", "id": 1, "to": "far"})
        host.expect("call", to="far")
        relay.cut()
        caller.expect("error", id=1, reason="host_lost")
        # The next one is told at once that nobody is there.
        caller.send({"op": "call", "id": 3, "to": "far"})
        caller.expect("error", id=3, reason="no_replica")
    host.close()
    relay.close()
    assert daemon.end() == 0


def test_a_caller_that_vanished_without_a_word_frees_its_hosts(folder: Path) -> None:
    daemon = Daemon(folder, "--heartbeat-ms-tcp", "200")
    relay = Relay(daemon)
    caller = RawPeer(relay.url, Daemon.TOKEN)
    with RawPeer(daemon.unix_url) as host:
        host.send({"op": "register", "id": 1, "name": "near"})
        host.expect("ok", id=1)
        caller.send({"op": "call", "id": 1, "to": "near"})
        host.expect("call", to="near")
        relay.cut()
        host.expect("cancel", id=2, reason="caller_lost")
    caller.close()
    relay.close()
    assert daemon.end() == 0


def test_hosts_that_die_all_at_once_end_every_call(folder: Path) -> None:
    daemon = Daemon(folder, tcp=False)
    echo = Host(daemon.unix_url, None, "echo")
    for _ in range(2):
        hosts = [Host(daemon.unix_url, None, "hang") for _ in range(5)]
        with RawPeer(daemon.unix_url) as caller:
            idents = range(1, 401, 2)
            for ident in idents:
                caller.send({"op": "call", "id": ident, "to": "hang"}, b'"x"')
            for host in hosts:
                host.out.expect("hang begun")
            for host in hosts:
                host.signal(signal.SIGKILL)
            ended = sorted(caller.expect("error", reason="host_lost")[0]["id"] for _ in idents)
            assert ended == list(idents)
        for host in hosts:
            host.end()
        exchange(daemon)
    echo.end()
    assert daemon.end() == 0


def garbage(chance: random.Random) -> bytes:
    """What somebody may send who speaks another protocol, or this one badly."""
    hello = frame(HELLO)
    call = frame({"op": "call", "id": 1, "to": "echo", "type": "T", "ext": {"a": "b"}}, b"content")
    mutated = bytearray(hello + call)
    for _ in range(chance.randrange(1, 6)):
        mutated[chance.randrange(len(mutated))] = chance.randrange(256)
    depth = chance.randrange(1, 2_000)
    nested = b'{"op":"ping","x":' + b"[" * depth + b"]" * depth + b"}"
    return chance.choice(
        (
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(500),
            b"\x00" * chance.randrange(1, 4_000),
            b"\xff" * chance.randrange(1, 4_000),
            chance.randbytes(chance.randrange(1, 20_000)),
            bytes(mutated),
            bytes(mutated[: chance.randrange(len(mutated))]),
            hello + struct.pack(">II", len(nested), 0) + nested,
            hello + frame({"op": "call", "id": chance.randrange(1 << 40), "to": "a:" * 100}),
            hello + frame({"op": chance.choice(("welcome", "close", "ok", "hello", "x"))}) * 50,
            hello + struct.pack(">II", 40, 4) + b'{"op":"send","to":"\xed\xa0\x80' + bytes(60),
            hello + struct.pack(">II", 30_000, 1 << 24) + chance.randbytes(100),
        )
    )


def test_garbage_of_all_kinds_harms_nobody(folder: Path) -> None:
    daemon = Daemon(folder, tcp=False)
    host = Host(daemon.unix_url, None, "echo")
    chance = random.Random(7)
    for number in range(600):
        stranger = open_socket(daemon.unix_url)
        stranger.settimeout(BOUND_S)
        try:
            stranger.sendall(garbage(chance))
            if chance.random() < 0.5:
                stranger.shutdown(socket.SHUT_WR)
                while stranger.recv(65536):
                    pass
        except (BrokenPipeError, ConnectionResetError):
            pass  # It was hung up on while it still spoke.
        stranger.close()
        if number % 100 == 0:
            exchange(daemon)
    exchange(daemon)
    host.end()
    assert daemon.end() == 0


def test_giants_that_are_only_announced_take_no_memory(folder: Path) -> None:
    daemon = Daemon(folder, tcp=False)
    host = Host(daemon.unix_url, None, "echo")
    exchange(daemon)
    before = daemon.memory_bytes
    announced = frame({"op": "call", "id": 1, "to": "echo"})
    announced = announced[:4] + struct.pack(">I", GIANT) + announced[8:]
    crowd = []
    for _ in range(200):
        crowd.append(RawPeer(daemon.unix_url))
        crowd[-1].socket.sendall(announced + bytes(1_000))
    exchange(daemon)
    # 3 GB are announced.
    assert daemon.memory_bytes < before + (16 << 20)
    for peer in crowd:
        peer.close()
    host.end()
    assert daemon.end() == 0


def test_giants_for_one_that_does_not_read_stay_within_its_bounds(folder: Path) -> None:
    daemon = Daemon(folder, tcp=False)
    echo = Host(daemon.unix_url, None, "echo")
    exchange(daemon)
    before = daemon.memory_bytes
    daemon.reset_peak()
    with RawPeer(daemon.unix_url) as deaf:
        deaf.send({"op": "register", "id": 1, "name": "deaf"})
        deaf.expect("ok", id=1)
        callers = [RawPeer(daemon.unix_url) for _ in range(10)]
        for caller in callers:
            for ident in (1, 3, 5, 7):
                caller.send({"op": "call", "id": ident, "to": "deaf"}, bytes(GIANT))
            exchange(daemon)
        # What it is given, what waits in its line, what buffers of sockets hold; not 640 MB.
        assert daemon.peak_bytes < before + (96 << 20), daemon.peak_bytes
        refused = 0
        for caller in callers:
            caller.send({"op": "ping"})
            while (header := caller.receive()[0])["op"] != "pong":
                assert header["reason"] == "mailbox_full", header
                refused += 1
        assert refused > 30
        for caller in callers:
            caller.close()
    exchange(daemon)
    echo.end()
    assert daemon.end() == 0
