"""One socket to the sidecar and its protocol state. It never waits and never calls user code.

Ids are numbered and written in one step. What arrives is handed to whatever the id stands for;
a frame for an id that has ended crossed its end and is dropped.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from ._errors import (
    AgentError,
    InvalidArgumentError,
    UnavailableError,
    error_from_fields,
)
from ._wire import (
    CONTENT_BYTES_MAX,
    HEADER_BYTES_MAX_OUT,
    PART_BYTES_MAX,
    Decoder,
    Fields,
    WireError,
    connection_fault,
    error_header,
    pack_lengths,
    quoted,
)

if TYPE_CHECKING:
    from ._sending import Sending

_COALESCED_BYTES_MAX = 64 * 1024
_CLOSELY_S = 0.00005
_WRITE_HIGH_WATER = 1024 * 1024
_ROUND_TRIP_S = 1.0
_FIRST = asyncio.FIRST_COMPLETED


class Endpoint(Protocol):
    """What an open id stands for. Called from the reader: returns at once."""

    def on_data(self, fields: Fields, content: bytes) -> None: ...
    def on_credit(self, size: int) -> None: ...
    def on_ok(self) -> None: ...
    def on_error(self, error: AgentError, more: bool) -> None: ...
    def on_cancel(self, reason: str) -> None: ...
    def on_lost(self, error: AgentError) -> None: ...


class Owner(Protocol):
    """Whom a connection reports to."""

    def opened(self, connection: Connection) -> None: ...
    def welcomed(self, connection: Connection) -> None: ...
    def called(self, connection: Connection, ident: int, fields: Fields, body: bytes) -> None: ...
    def signalled(
        self, connection: Connection, ident: int, fields: Fields, body: bytes
    ) -> None: ...
    def closing(self, connection: Connection, ident: int, fields: Fields) -> None: ...
    def draining(self, connection: Connection, reason: str) -> None: ...
    def lost(self, connection: Connection, error: AgentError) -> None: ...


class Connection(asyncio.Protocol):
    """The client's end of one connection."""

    def __init__(
        self, owner: Owner, loop: asyncio.AbstractEventLoop, hello: str, deadline_s: float
    ) -> None:
        self.loop = loop
        self.open: dict[int, Endpoint] = {}
        self.stalled: set[Sending] = set()
        self.is_paused = False
        self.is_welcome = False
        self.is_draining = False
        self.is_drained = False
        self.error: AgentError | None = None
        self.content_bytes_max = CONTENT_BYTES_MAX
        self.part_bytes_max = PART_BYTES_MAX
        self.features: frozenset[str] = frozenset()
        self.closed: asyncio.Future[None] = loop.create_future()
        self._owner = owner
        self._hello = hello
        self._hello_timer = loop.call_later(deadline_s, self._not_welcomed)
        self._decoder = Decoder()
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._flushed = 0.0
        self._is_corked = False
        self._last_own = -1
        self._last_theirs = 0
        self._heartbeat_s = 0.0
        self._heartbeat_timer: asyncio.TimerHandle | None = None
        self._heard = 0.0
        self._fault: AgentError | None = None
        self._pong: asyncio.Future[None] | None = None

    # Opening and closing

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=_WRITE_HIGH_WATER)
        self.write(self._hello)
        self._owner.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.error is None:
            detail = f": {exc}" if exc else ""
            self._end(
                self._fault
                or UnavailableError(f"the connection was lost{detail}", reason="connection_lost")
            )
        if not self.closed.done():
            self.closed.set_result(None)

    def eof_received(self) -> bool:
        return False

    def close(self, reason: str = "closed") -> None:
        """Says goodbye, writes what is left, closes. Open calls end `unavailable`."""
        if self.error is None:
            self.goodbye(reason, 0)
            self._end(UnavailableError("the client was closed", reason="connection_lost"))
            if self._transport is not None:
                self._flush()
                self._transport.close()

    def discard(self) -> None:
        """Gives up what was not written yet: the sidecar takes nothing."""
        if self._transport is not None:
            self._transport.abort()

    def goodbye(self, reason: str, timeout_ms: int) -> None:
        """No new calls are to come here."""
        self.write(f'{{"op":"goodbye","reason":{quoted(reason)},"timeout_ms":{timeout_ms}}}')

    async def round_trip(self) -> None:
        """Returns when the sidecar has read what was written so far, but waits not for long."""
        self._pong = self.loop.create_future()
        self.write('{"op":"ping"}')
        await asyncio.wait([self._pong, self.closed], timeout=_ROUND_TRIP_S, return_when=_FIRST)

    def abort(self, error: AgentError) -> None:
        """Closes at once; everything open ends with this error."""
        if self.error is None:
            self._end(error)
            if self._transport is not None:
                self._flush()
                self._transport.abort()

    @property
    def is_open(self) -> bool:
        """Welcome and not yet lost."""
        return self.is_welcome and self.error is None

    @property
    def takes_new(self) -> bool:
        """What is registered now is not for the next connection."""
        return self.error is None and not self.is_draining

    def _end(self, error: AgentError) -> None:
        self.error = error
        self._hello_timer.cancel()
        if self._heartbeat_timer is not None:
            self._heartbeat_timer.cancel()
        endpoints, self.open = self.open, {}
        for endpoint in endpoints.values():
            endpoint.on_lost(error)
        self._wake_stalled()
        self._owner.lost(self, error)

    def _not_welcomed(self) -> None:
        self.abort(UnavailableError("the sidecar sent no welcome", reason="connection_lost"))

    # Writing

    def write(self, header: str, content: bytes = b"") -> None:
        """Puts one frame behind those before it. One alone goes out at once; those that follow
        closely go together, at the end of the loop's turn or as soon as they are many."""
        raw = header.encode("utf-8")
        if len(content) > _COALESCED_BYTES_MAX:
            self._out.append(pack_lengths(len(raw), len(content)) + raw)
            self._out.append(content)
        else:
            self._out.append(pack_lengths(len(raw), len(content)) + raw + content)
        self._out_bytes += len(raw) + len(content)
        if self._is_corked:
            if self._out_bytes > _COALESCED_BYTES_MAX:
                self._flush()
            return
        now = self.loop.time()
        if now - self._flushed < _CLOSELY_S:
            self._is_corked = True
            self.loop.call_soon(self._uncork)
        else:
            self._flushed = now
            self._flush()

    def open_id(self, endpoint: Endpoint, op: str, rest: str, content: bytes = b"") -> int:
        """Numbers and writes an opening frame in one step."""
        ident = self._last_own + 2
        header = f'{{"op":"{op}","id":{ident}{rest}'
        if len(header) > HEADER_BYTES_MAX_OUT // 4:
            check_header(header)
        self._last_own = ident
        self.open[ident] = endpoint
        self.write(header, content)
        return ident

    def end_id(self, ident: int) -> None:
        """The id has ended; later frames for it are dropped."""
        self.open.pop(ident, None)

    def write_error(
        self, ident: int, exception: BaseException, *, retry: bool = False, more: bool = False
    ) -> None:
        """Ends an id of the sidecar's with an error; with `more` its stream goes on."""
        self.write(error_header(ident, exception, retry, more))

    def _uncork(self) -> None:
        self._is_corked = False
        if self._out:
            self._flush()

    def _flush(self) -> None:
        out = self._out
        transport = self._transport
        if not out or transport is None:
            return
        self._out = []
        self._out_bytes = 0
        if self.error is not None and transport.is_closing():
            return
        small: list[bytes] = []
        for piece in out:
            if len(piece) > _COALESCED_BYTES_MAX:
                if small:
                    transport.write(b"".join(small))
                    small.clear()
                transport.write(piece)
            else:
                small.append(piece)
        if small:
            transport.write(small[0] if len(small) == 1 else b"".join(small))

    def pause_writing(self) -> None:
        self.is_paused = True

    def resume_writing(self) -> None:
        self.is_paused = False
        self._wake_stalled()

    def _wake_stalled(self) -> None:
        stalled, self.stalled = self.stalled, set()
        for sending in stalled:
            sending.wake()

    # Reading

    def data_received(self, data: bytes) -> None:
        self._heard = self.loop.time()
        was_corked, self._is_corked = self._is_corked, True
        opened = self.open
        for op, ident, fields, content in self._decoder.feed(data):
            if op == "data":
                endpoint = opened.get(ident)
                if endpoint is not None:
                    endpoint.on_data(fields, content)
                else:
                    self._was_opened(ident)
            elif op == "call":
                if self._takes(ident):
                    self._owner.called(self, ident, fields, content)
            else:
                self._control(op, ident, fields, content)
            if self.error is not None:
                break
        if self._decoder.error is not None and self.error is None:
            self._refuse(self._decoder.error)
        if not was_corked:
            self._is_corked = False
            if self._out:
                self._flush()

    def _control(self, op: str, ident: int, fields: Fields, content: bytes) -> None:
        if op in ("credit", "ok", "cancel"):
            endpoint = self.open.get(ident)
            if endpoint is None:
                self._was_opened(ident)
            elif op == "credit":
                size = fields.get("bytes")
                endpoint.on_credit(size if type(size) is int else 0)
            elif op == "ok":
                endpoint.on_ok()
            else:
                endpoint.on_cancel(str(fields.get("reason", "")))
        elif op == "error":
            self._on_error(ident, self.open.get(ident), fields)
        elif op == "ping":
            self.write('{"op":"pong"}')
        elif op == "signal":
            about = fields.get("call")
            if (about is None or self._was_opened(about)) and self._takes(ident):
                self._owner.signalled(self, ident, fields, content)
        elif op == "close":
            if self._takes(ident):
                self._owner.closing(self, ident, fields)
        elif op == "welcome":
            self._on_welcome(fields)
        elif op == "goodbye":
            self._owner.draining(self, str(fields.get("reason", "")))
        elif op == "pong" and self._pong is not None and not self._pong.done():
            self._pong.set_result(None)
        # Anything else is of a later version: ignored.

    def _on_error(self, ident: int, endpoint: Endpoint | None, fields: Fields) -> None:
        if endpoint is not None:
            endpoint.on_error(error_from_fields(fields), fields.get("more") is True)
        elif ident:
            self._was_opened(ident)
        elif fields.get("reason") not in ("unknown_op", "bad_field", "missing_field"):
            # The connection's fault: the sidecar closes now, and this says why.
            self._fault = error_from_fields(fields)
            if not self.is_welcome:
                self.abort(self._fault)

    def _on_welcome(self, fields: Fields) -> None:
        if self.is_welcome:
            return
        self.is_welcome = True
        self._hello_timer.cancel()
        size = fields.get("max_content")
        if type(size) is int and size > 0:
            self.content_bytes_max = size
            self._decoder.content_bytes_max = size
            self.part_bytes_max = min(PART_BYTES_MAX, size)
        self.features = frozenset(str(fields.get("features", "")).split())
        heartbeat_ms = fields.get("heartbeat_ms")
        if type(heartbeat_ms) is int and heartbeat_ms > 0:
            self._heartbeat_s = heartbeat_ms / 1000
            self._heartbeat_timer = self.loop.call_later(self._heartbeat_s, self._heartbeat)
        self._owner.welcomed(self)

    def _heartbeat(self) -> None:
        silent_s = self.loop.time() - self._heard
        if silent_s >= 3 * self._heartbeat_s:
            self.abort(
                UnavailableError(
                    f"the sidecar was silent for {silent_s:.1f} s", reason="heartbeat_timeout"
                )
            )
            return
        wait_s = self._heartbeat_s
        if silent_s >= self._heartbeat_s:
            self.write('{"op":"ping"}')
        else:
            wait_s -= silent_s
        self._heartbeat_timer = self.loop.call_later(wait_s, self._heartbeat)

    def _takes(self, ident: int) -> bool:
        """Whether the sidecar may open this id."""
        if ident & 1 or ident <= self._last_theirs:
            self._refuse(WireError("bad_id", f"{ident} cannot be opened after {self._last_theirs}"))
            return False
        self._last_theirs = ident
        return True

    def _was_opened(self, ident: int) -> bool:
        """Whether this id was ever opened: a frame for one that was not is not to be trusted."""
        last = self._last_own if ident & 1 else self._last_theirs
        if ident == 0 or ident > last:
            self._refuse(WireError("bad_id", f"{ident} was never opened"))
            return False
        return True

    def _refuse(self, error: WireError) -> None:
        fault = connection_fault(error)
        self.write(error_header(0, fault))
        self._end(
            UnavailableError(
                f"the sidecar sent what cannot be trusted: {error.message}",
                reason="connection_lost",
            )
        )
        self._flush()
        if self._transport is not None:
            self._transport.close()


def check_header(header: str) -> None:
    """Raises InvalidArgumentError for a header over the limit."""
    size = len(header.encode("utf-8"))
    if size > HEADER_BYTES_MAX_OUT:
        raise InvalidArgumentError(
            f"header of {size} bytes exceeds {HEADER_BYTES_MAX_OUT}", reason="too_large"
        )
