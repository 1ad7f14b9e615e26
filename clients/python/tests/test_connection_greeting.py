"""Where a sidecar is looked for, and the greeting with it."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from fake_sidecar import FakeSidecar, aio, bounded, frame

import coagent_client as coagent
from coagent_client import Client, _client, connect

pytestmark = pytest.mark.usefixtures("quick_backoff")


@aio
async def test_nobody_listens() -> None:
    with pytest.raises(coagent.UnavailableError, match="is coagentd running"):
        async with connect("unix:/tmp/there-is-no-such-socket"):
            pass
    free = socket.socket()
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    with pytest.raises(coagent.UnavailableError):
        await connect(f"tcp://127.0.0.1:{port}")
    for url in ("", "http://x", "tcp://x", "tcp://x:y", "unix:"):
        with pytest.raises(coagent.InvalidArgumentError):
            await Client(url or "nonsense")


@aio
async def test_wait_keeps_trying_at_first() -> None:
    sidecar = FakeSidecar()
    client = connect(sidecar.url, wait=5)
    entering = asyncio.ensure_future(client.__aenter__())
    await asyncio.sleep(0)
    assert not entering.done()
    async with sidecar:
        await sidecar.welcome()
        assert await bounded(entering) is client
        await client.aclose()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("failed_precondition", "version_unsupported"),
        ("unauthenticated", "bad_token"),
        ("resource_exhausted", "too_many_connections"),
    ],
)
def test_a_refused_hello_is_raised(code: str, reason: str) -> None:
    @aio
    async def run() -> None:
        async with FakeSidecar() as sidecar:
            client = connect(sidecar.url)
            entering = asyncio.ensure_future(client.__aenter__())
            peer = await sidecar.accept()
            await peer.next("hello")
            peer.send({"op": "error", "code": code, "reason": reason, "message": "no"})
            with pytest.raises(coagent.AgentError) as caught:
                await bounded(entering)
            assert (caught.value.code, caught.value.reason) == (code, reason)
            await peer.eof()
            await client.aclose()

    run()


@aio
async def test_a_sidecar_that_closes_before_welcome() -> None:
    async with FakeSidecar() as sidecar:
        client = connect(sidecar.url)
        entering = asyncio.ensure_future(client.__aenter__())
        peer = await sidecar.accept()
        peer.close()
        with pytest.raises(coagent.UnavailableError):
            await bounded(entering)


@aio
async def test_a_sidecar_that_never_says_welcome(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_client, "_HELLO_S", 0.02)
    async with FakeSidecar() as sidecar:
        with pytest.raises(coagent.UnavailableError, match="welcome"):
            await bounded(connect(sidecar.url).__aenter__())


@aio
async def test_entering_can_be_cancelled() -> None:
    async with FakeSidecar() as sidecar:
        entering = asyncio.ensure_future(connect(sidecar.url).__aenter__())
        peer = await sidecar.accept()
        await peer.next("hello")
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        await peer.eof()


def test_default_places_of_the_sidecar(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("COAGENT_URL", "XDG_RUNTIME_DIR", "TMPDIR", "COAGENT_TOKEN", "COAGENT_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    address = coagent._address
    import os

    assert address.default_url() == f"unix:/tmp/coagent-{os.getuid()}/coagentd.sock"
    monkeypatch.setenv("TMPDIR", "/var/tmp/")
    assert address.default_url() == f"unix:/var/tmp/coagent-{os.getuid()}/coagentd.sock"
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1")
    assert address.default_url() == "unix:/run/user/1/coagent/coagentd.sock"
    monkeypatch.setenv("COAGENT_URL", "tcp://[::1]:99")
    assert address.parse_url(address.default_url()) == ("::1", 99)
    assert address.default_token() is None
    file = tmp_path / "token"
    file.write_text("  from-file\n")
    monkeypatch.setenv("COAGENT_TOKEN_FILE", str(file))
    assert address.default_token() == "from-file"
    monkeypatch.setenv("COAGENT_TOKEN", "from-variable")
    assert address.default_token() == "from-variable"


@aio
async def test_over_tcp_too() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(frame({"op": "welcome", "v": 1, "server": "s", "connection": "c"}))
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with connect(f"tcp://127.0.0.1:{port}", token="t") as client:
        assert client.is_connected
    server.close()
    await server.wait_closed()
