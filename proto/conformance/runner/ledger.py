"""What holds for every frame that a client writes, whatever the scenario is about.

The fake sidecar keeps the books of each connection: ids, windows, terminal frames. What breaks a
rule is kept in `complaints`, with the rule, and fails the scenario.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

from .daemon import LIMITS
from .driver import ROOT
from .notation import FRAME_COST, WINDOW_DEFAULT, Frame, cost

sys.path.append(str(ROOT / "proto"))
import strict

VALUES: dict[str, int] = {name: limit["value"] for name, limit in LIMITS.items()}
OPENING = ("register", "subscribe", "call", "send", "publish", "signal")
ANSWERED_ONCE = ("signal",)
"""What the sidecar opens that the client answers with `ok` or `error`."""


@dataclass
class Direction:
    """What one side may still send, or has sent, in one call."""

    window: int = WINDOW_DEFAULT
    granted: int = 0
    has_ended: bool = False


@dataclass
class OpenId:
    """What an id stands for, with the direction that the client sends and the one it reads."""

    op: str
    sends: Direction
    reads: Direction
    reads_cost: int = 0
    reads_owed: int = 0
    """What it may grant beyond the cost of what arrived here: to a call that began with a window of
    0, and to a run that was resumed with less than it has room for."""
    parent: int | None = None
    is_to_splice: bool = False
    """It was opened with a window of 0, so that it may be spliced."""
    is_spliced: bool = False
    has_open_message: bool = False
    """A part went out, and not yet the last."""


class Ledger:
    """The books of one connection."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.max_content = VALUES["content_bytes_max"]
        self._is_first = True
        self._last_own = 0
        self._ids: dict[int, OpenId] = {}

    def complain(self, clause: str, what: str, frame: Frame) -> None:
        self.complaints.append(f"{clause}: {what}: {str(frame)[:300]}")

    # From the sidecar

    def sent(self, header: dict[str, Any], content: bytes) -> None:
        """The scenario writes a frame, which may be as wrong as it likes."""
        ident, op = header.get("id"), header.get("op")
        if not isinstance(ident, int):
            return
        if op in ("call", "close"):
            window = header.get("window", WINDOW_DEFAULT)
            self._ids[ident] = OpenId(op, Direction(window), Direction())
            if header.get("input") and content:
                self._ids[ident].reads_cost += len(content) + FRAME_COST
            return
        if op in ANSWERED_ONCE:
            self._ids[ident] = OpenId(op, Direction(), Direction())
            return
        known = self._ids.get(ident)
        if known is None:
            return
        if op == "credit":
            known.sends.window += header.get("bytes", 0)
        elif op in ("data", "error"):
            known.reads_cost += cost(header, content)

    # From the client

    def received(self, frame: Frame) -> None:
        """The client wrote a frame."""
        self._check_form(frame)
        op, ident = frame.header.get("op"), frame.header.get("id")
        if op in OPENING and isinstance(ident, int):
            self._opened(ident, frame)
        elif op in ("data", "credit", "cancel", "ok", "error") and isinstance(ident, int):
            known = self._ids.get(ident)
            if known is None:
                self.complain("IDS-7", "the id was never opened", frame)
            elif op == "credit":
                self._credited(known, frame)
            elif op in ("data", "error"):
                self._sent_message(known, ident, frame)
            elif op == "ok" and known.op in ANSWERED_ONCE:
                self._answered(known, frame)
        elif op == "splice":
            self._spliced(frame)

    def _check_form(self, frame: Frame) -> None:
        first, self._is_first = self._is_first, False
        bare = len(frame.text).to_bytes(4, "big") + bytes(4) + frame.text
        read = strict.read(bare, VALUES, "client", first)
        if "frames" not in read:
            self.complain("HDR", f"the sidecar would refuse it, {read}", frame)
        if len(frame.content) > (0 if first else self.max_content):
            self.complain("FRM-4" if first else "FRM-3", "too much content", frame)
        if first and frame.header.get("op") != "hello":
            self.complain("CON-1", "the first frame is no hello", frame)
        if not first and frame.header.get("op") not in strict.CLIENT_OPS - {"hello"}:
            self.complain("HDR-15", "no op that a client may send now", frame)
        if len(frame.header.get("message", "").encode()) > VALUES["error_message_bytes_max"]:
            self.complain("ERR-5", "the message is too long", frame)
        details = json.dumps(frame.header.get("details", {}), ensure_ascii=False).encode()
        if len(details) > VALUES["error_details_bytes_max"]:
            self.complain("ERR-5", "the details are too long", frame)

    def _opened(self, ident: int, frame: Frame) -> None:
        header = frame.header
        if ident % 2 == 0:
            self.complain("IDS-2", "an even id", frame)
        if ident <= self._last_own:
            self.complain("IDS-3", f"not above {self._last_own}", frame)
        self._last_own = max(self._last_own, ident)
        opened = OpenId(str(header["op"]), Direction(), Direction())
        if header["op"] == "call":
            opened.parent = header.get("parent")
            opened.is_to_splice = header.get("window") == 0
            if opened.is_to_splice or header.get("lazy") is True:
                opened.reads_owed = WINDOW_DEFAULT
            elif header.get("type") == "Attach" and header.get("to") == "runs":
                opened.reads_owed = WINDOW_DEFAULT - header.get("window", WINDOW_DEFAULT)
            if header.get("input"):
                if frame.content:
                    opened.sends.window -= len(frame.content) + FRAME_COST
            else:
                opened.sends.has_ended = True
        parent = header.get("parent")
        if parent is not None and (parent % 2 or parent not in self._ids):
            self.complain("PAR-1", "the sidecar opened no such call", frame)
        self._ids[ident] = opened

    def _answered(self, known: OpenId, frame: Frame) -> None:
        if known.sends.has_ended:
            self.complain("SIG-9", "a signal is answered once", frame)
        known.sends.has_ended = True

    def _spliced(self, frame: Frame) -> None:
        header = frame.header
        whole, below = self._ids.get(header.get("id", 0)), self._ids.get(header.get("call", 0))
        if whole is None or below is None:
            self.complain("IDS-7", "the id was never opened", frame)
            return
        if whole.sends.has_ended:
            self.complain("CAL-14", "a frame behind the last of its direction", frame)
        if whole.has_open_message:
            self.complain("SPL-9", "a splice inside a message", frame)
        if below.parent != header.get("id") or not below.is_to_splice or below.is_spliced:
            self.complain("SPL-1", "no call of its own that may be spliced", frame)
        if below.reads.granted:
            self.complain("SPL-1", "credit was granted to the spliced call", frame)
        if header.get("end") and header.get("unordered"):
            self.complain("SPL-7", "a handoff has its place", frame)
        below.is_spliced = True
        whole.sends.has_ended = bool(header.get("end"))

    def _credited(self, known: OpenId, frame: Frame) -> None:
        if known.is_spliced:
            self.complain("SPL-2", "credit for a call that was spliced", frame)
        known.reads.granted += frame.header.get("bytes", 0)
        allowed = known.reads_cost + known.reads_owed
        if known.reads.granted > allowed:
            self.complain("CRD-4", f"credit for more than the {allowed} that arrived", frame)

    def _sent_message(self, known: OpenId, ident: int, frame: Frame) -> None:
        header = frame.header
        if known.op in ANSWERED_ONCE:
            self._answered(known, frame)
            return
        if known.sends.has_ended:
            clause = "DAT-9" if ident % 2 else "CAL-14"
            self.complain(clause, "a frame behind the last of its direction", frame)
        taken = cost(header, frame.content)
        if taken and known.sends.window <= 0:
            self.complain("CRD-3", f"sent with a window of {known.sends.window}", frame)
        known.sends.window -= taken
        if not header.get("unordered"):
            known.has_open_message = bool(header.get("part"))
        elif header.get("part"):
            self.complain("SPL-7", "what is unordered is one whole message", frame)
        is_error = header["op"] == "error"
        if (is_error and not header.get("more")) or header.get("end"):
            known.sends.has_ended = True
