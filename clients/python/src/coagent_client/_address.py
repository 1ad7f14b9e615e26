"""Addresses of agents, and where the sidecar listens."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from urllib.parse import urlsplit

from ._errors import InvalidArgumentError
from ._wire import quoted

_name = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\Z")
_session_forbidden = re.compile("[\u0000-\u0020\u007f-\u009f]")


@lru_cache(maxsize=4096)
def quoted_address(address: str) -> str:
    """An address as a JSON string; raises InvalidArgumentError if it is none."""
    name, colon, session = address.partition(":")
    if len(name) > 128 or not _name.match(name):
        raise _bad(address, "a name is 1 to 128 of A–Z a–z 0–9 _ - in segments joined by dots")
    if colon:
        spelled = quoted(session)
        if not 1 <= len(session.encode("utf-8")) <= 128 or _session_forbidden.search(session):
            raise _bad(address, "a session is 1 to 128 bytes without spaces and controls")
        return f'"{name}:{spelled[1:]}'
    return f'"{name}"'


@lru_cache(maxsize=4096)
def quoted_run(run: str) -> str:
    """A run's name as a JSON string; raises InvalidArgumentError if it is none."""
    spelled = quoted(run)
    if not 1 <= len(run.encode("utf-8")) <= 128 or _session_forbidden.search(run):
        raise InvalidArgumentError(
            f"{run!r:.200}: a run is 1 to 128 bytes without spaces and controls",
            reason="bad_field",
            details={"field": "run"},
        )
    return spelled


def _bad(address: str, why: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{address!r:.200}: {why}", reason="bad_address")


def default_url() -> str:
    """`COAGENT_URL`, else the sidecar's socket in the runtime or the temporary folder."""
    url = os.environ.get("COAGENT_URL")
    if url:
        return url
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        return f"unix:{runtime}/coagent/coagentd.sock"
    folder = os.environ.get("TMPDIR") or "/tmp"
    return f"unix:{folder.rstrip('/')}/coagent-{os.getuid()}/coagentd.sock"


def default_token() -> str | None:
    """`COAGENT_TOKEN`, else what the file named by `COAGENT_TOKEN_FILE` holds."""
    token = os.environ.get("COAGENT_TOKEN")
    if token:
        return token
    path = os.environ.get("COAGENT_TOKEN_FILE")
    if path:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    return None


def parse_url(url: str) -> str | tuple[str, int]:
    """The path of a Unix socket, or (host, port)."""
    if url.startswith("unix:"):
        path = url[5:]
        if path.startswith("//"):
            path = path[2:]
        if path:
            return path
    elif url.startswith("tcp://"):
        parts = urlsplit(url)
        try:
            if parts.hostname and parts.port is not None and parts.path in ("", "/"):
                return parts.hostname, parts.port
        except ValueError:
            pass
    raise InvalidArgumentError(
        f"{url!r} is neither unix:/path nor tcp://host:port", reason="bad_address"
    )
