"""Plays the conformance scenarios: `make conformance`, or

    .venv/bin/python proto/conformance/run.py --language go --only cancels/ --verbose
"""

from __future__ import annotations

import argparse
import sys
import time

from runner import LANGUAGES
from runner.report import failures, table
from runner.suite import DAEMON, Options, Outcome, play_all


def main() -> int:
    parser = argparse.ArgumentParser(description="Plays the conformance scenarios.")
    parser.add_argument("--only", default="", help="scenarios with this in their name")
    parser.add_argument(
        "--language",
        action="append",
        choices=[DAEMON, *LANGUAGES],
        help="one subject (several times for several); all without",
    )
    parser.add_argument("--verbose", action="store_true", help="says what is played")
    options = parser.parse_args()
    subjects = options.language or [DAEMON, *LANGUAGES]

    def told(outcome: Outcome) -> None:
        if options.verbose:
            state = "failed" if outcome.why else "passed"
            sys.stdout.write(f"{state}  {outcome.subject:8}{outcome.scenario}\n")
            sys.stdout.flush()

    sys.setrecursionlimit(20_000)  # A driver may tell of headers as deep as their vectors.
    started = time.monotonic()
    outcomes = play_all(
        Options(
            languages=tuple(each for each in subjects if each != DAEMON),
            with_daemon=DAEMON in subjects,
            only=options.only,
            daemons=12,
            drivers=2,
        ),
        told,
    )
    failed = [each for each in outcomes if each.why]
    if failed:
        sys.stdout.write(failures(outcomes) + "\n\n")
    sys.stdout.write(table(outcomes, subjects) + "\n")
    seconds = time.monotonic() - started
    sys.stdout.write(f"{len(outcomes)} played, {len(failed)} failed, in {seconds:.0f} s\n")
    return 1 if failed or not outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
