"""A private sidecar for one program, or one test."""

from __future__ import annotations

from ._client import Client


def local() -> Client:
    raise NotImplementedError
