"""What several test files share as fixtures."""

from __future__ import annotations

import logging

import pytest

from coagent_client import _client

# Connections are lost on purpose here: what is logged of that would bury a failure's report.
logging.getLogger("coagent_client").setLevel(logging.CRITICAL)


@pytest.fixture
def quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that lost its connection tries again at once."""
    monkeypatch.setattr(_client, "_BACKOFF_S", 0.002)
