"""A short soak: everything at once, as `make soak` does for ten minutes."""

from __future__ import annotations

from pathlib import Path

from soak import LANGUAGES, soak

SECONDS = 20


def test_everything_at_once_leaves_nothing_behind(folder: Path) -> None:
    tally = soak(folder, SECONDS, seed=1).tally
    # It did go on all the time, in every way.
    for deed in ("echo", "session", "generate", "mirror", "publish", "send", "ask"):
        assert tally[f"{deed}: answered"] > len(LANGUAGES), tally
    for what in ("cancel: cancelled", "late: deadline", "read of topics", "hosts killed"):
        assert tally[what] > 0, tally
