"""What a run costs the sidecar when nobody paces its host, and a slow reader costs the rest."""

from __future__ import annotations

import json

from processes import Daemon
from raw_peer import RawPeer

MIB = 1 << 20
CHUNK = MIB // 4
COUNT = 1_200
MARGIN = 48 * MIB
"""Above what is kept of a run: buffers, and a debug build's own."""


def attach(peer: RawPeer, identity: int, start: int, window: int | None = None) -> None:
    header = {"op": "call", "id": identity, "to": "runs", "type": "Attach"}
    if window is not None:
        header["window"] = window
    peer.send(header, json.dumps({"run": "large", "from": start}).encode())


def test_what_nobody_paces_is_bounded_and_slows_nobody(daemon: Daemon) -> None:
    url = daemon.unix_url
    with RawPeer(url) as host, RawPeer(url) as opener, RawPeer(url) as slow:
        host.send({"op": "register", "id": 1, "name": "source"})
        host.expect("ok", id=1)
        opener.send({"op": "call", "id": 1, "to": "source", "run": "large", "detach": True})
        call = host.expect("call", to="source")[0]["id"]
        attach(slow, 1, 0, window=1)
        # Answered behind the attaching, which has taken place then.
        slow.ping()
        opener.send({"op": "cancel", "id": 1})
        opener.expect("error", id=1, reason="cancelled")
        daemon.reset_peak()
        before = daemon.memory_bytes
        window = MIB
        for number in range(COUNT):
            while window <= 0:
                window += host.expect("credit", id=call)[0]["bytes"]
            host.send({"op": "data", "id": call}, number.to_bytes(8, "big") + bytes(CHUNK - 8))
            window -= CHUNK + 256
        host.send({"op": "data", "id": call, "end": True})
        assert daemon.peak_bytes - before < MARGIN

        header, content = slow.expect("data", id=1)
        assert int.from_bytes(content[:8], "big") == 0
        first = slow.expect("error", id=1, reason="truncated")[0]["details"]["first"]
        assert 0 < first < COUNT
        attach(slow, 3, 0)
        told = slow.expect("error", id=3, reason="truncated")[0]["details"]["first"]
        attach(slow, 5, told)
        consumed = 0
        for number in range(told, COUNT):
            header, content = slow.expect("data", id=5)
            assert int.from_bytes(content[:8], "big") == number
            consumed += CHUNK + 256
            slow.send({"op": "credit", "id": 5, "bytes": CHUNK + 256})
        assert consumed >= 3 * MIB, "about 4 MiB are kept"
        slow.expect("data", id=5, end=True)
