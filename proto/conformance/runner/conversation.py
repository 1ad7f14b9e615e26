"""Plays a conversation against a real daemon: real sockets, real time.

The clock of a conversation is virtual, and a machine may be late. Time that passes is therefore as
late as any step before was: no interval is shorter than the conversation says. What must not have
come yet is only judged while the machine is in time; otherwise it waits for the step that wants it.
"""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path

from .daemon import Daemon
from .notation import BadScenario, Failure, Frame, Step, content_of, encoded, filled, mismatch
from .peer import Peer
from .scenarios import Scenario

LATE_MS = 15
"""Steps leave 20 ms around each deadline."""
FEATURES = "signals"
"""What a peer that a conversation does not greet itself names in its hello."""
ROUNDING_MS = 30
"""What a deadline in a header may differ by between two machines' clocks and a socket."""


class Conversation:
    """One conversation: its daemon and its peers."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._names: dict[str, object] = {}
        self._peers: dict[str, Peer] = {}
        self._virtual_ms = 0.0
        self._started = 0.0
        self._latest_ms = 0.0

    def play(self) -> None:
        """Raises Failure at the first step that does not come true."""
        config = self._scenario.head.get("config", {})
        with tempfile.TemporaryDirectory(prefix="coagent-", dir="/tmp") as folder:
            self._daemon = Daemon(Path(folder), config)
            self._started = time.monotonic()
            try:
                for number, step in self._scenario.steps:
                    try:
                        self._step(step)
                    except Failure as failure:
                        raise Failure(f"line {number}: {failure}") from None
            finally:
                for peer in self._peers.values():
                    peer.close()
                self._daemon.end()

    @property
    def _late_ms(self) -> float:
        """How far the machine is behind the conversation's clock."""
        return (time.monotonic() - self._started) * 1000 - self._virtual_ms

    def _step(self, step: Step) -> None:
        if "advance_ms" in step:
            self._latest_ms = max(self._latest_ms, self._late_ms)
            self._virtual_ms += step["advance_ms"]
            threading.Event().wait(max(0.0, self._latest_ms - self._late_ms) / 1000)
        elif step.get("sidecar") == "drains":
            self._daemon.drain()
        elif "peer" in step:
            self._peer_step(step["peer"], step)
        else:
            raise BadScenario(f"unknown step {step}")

    def _peer_step(self, name: str, step: Step) -> None:
        if "connects" in step:
            self._connect(name, step["connects"].get("kind", "unix"))
            return
        peer = self._peer(name)
        if "sends" in step:
            self._send(peer, step)
        elif "sends_hex" in step:
            peer.send(bytes.fromhex(step["sends_hex"]), step.get("split", ""))
            if not step.get("unfinished"):
                peer.settle()
        elif "gets" in step:
            self._gets(peer, [step])
        elif "gets_all" in step:
            self._gets(peer, step["gets_all"])
        elif "gets_nothing" in step:
            self._gets_nothing(peer)
        elif "closed" in step:
            if (frame := peer.next()) is not None:
                raise Failure(f"{name} gets {frame} where the connection should close")
        elif "closes" in step:
            self._close(name, peer, step["closes"])
        elif "shuts" in step:
            peer.shut()
        elif "stands_still" in step:
            peer.stand_still(step["stands_still"])
        else:
            raise BadScenario(f"unknown step {step}")

    def _peer(self, name: str) -> Peer:
        if name not in self._peers:
            self._connect(name, "unix")
            peer = self._peers[name]
            hello = {"op": "hello", "v": 1, "client": "vectors/1", "name": name}
            peer.send(encoded(hello | {"features": FEATURES}))
            welcome = peer.next()
            if welcome is None or welcome.header.get("op") != "welcome":
                raise Failure(f"{name} gets {welcome} in place of a welcome")
            peer.is_greeted = True
        return self._peers[name]

    def _connect(self, name: str, kind: str) -> None:
        if name in self._peers:
            self._peers[name].close()
        self._peers[name] = Peer(self._daemon.open(kind), name)

    def _send(self, peer: Peer, step: Step) -> None:
        header = filled(step["sends"], self._names)
        frame = encoded(header, content_of(step))
        if "bytes" in step:  # Only so many of them: what came behind would be taken for the rest.
            peer.send(frame[: step["bytes"]])
            return
        for _ in range(step.get("times", 1) if header.get("op") == "ping" else 0):
            peer.pinged()
        peer.send(frame * step.get("times", 1), step.get("split", ""))
        # Frames of several peers are handled in the order of the steps: wait till this one is.
        peer.settle()

    def _gets(self, peer: Peer, wanted: list[Step]) -> None:
        open_steps = list(wanted)
        while open_steps:
            frame = peer.next()
            if frame is None:
                raise Failure(f"{peer.name} is closed where it should get {open_steps[0]}")
            late_ms = max(self._latest_ms, self._late_ms) + ROUNDING_MS
            whys = []
            for step in open_steps:
                why = mismatch(step, frame, self._names, late_ms=late_ms)
                if not why:
                    open_steps.remove(step)
                    break
                whys.append(why)
            else:
                raise Failure(f"{peer.name} gets {frame}: {'; '.join(whys)}; wanted {open_steps}")
            if frame.header.get("op") == "welcome":
                peer.is_greeted = True

    def _gets_nothing(self, peer: Peer) -> None:
        peer.settle()
        waiting: list[Frame] = peer.waiting
        if waiting and self._late_ms < LATE_MS:
            raise Failure(f"{peer.name} gets {waiting[0]} where there should be nothing")

    def _close(self, name: str, peer: Peer, how: object) -> None:
        if how == "abruptly":
            peer.close()
        else:
            # The daemon has noticed when it has hung up as well.
            peer.shut()
            while peer.next() is not None:
                continue
            peer.close()
        del self._peers[name]
