"""Plays everything: the daemon's conversations, each client's scenarios and vectors."""

from __future__ import annotations

import json
import queue
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from . import vectors
from .client_player import ClientPlayer
from .conversation import Conversation
from .driver import Driver, DriverFault
from .notation import BadScenario, Failure
from .scenarios import CONFORMANCE, Scenario, conversations, of_clients, of_daemon, set_aside

DAEMON = "daemon"


@dataclass(frozen=True)
class Outcome:
    """What a scenario came to for one subject: the daemon, or a language."""

    subject: str
    scenario: str
    area: str
    why: str = ""
    """Why it failed; empty if it passed."""


@dataclass(frozen=True)
class Options:
    """What to play, and how much at a time."""

    languages: tuple[str, ...]
    with_daemon: bool
    only: str
    daemons: int
    drivers: int
    """Of each language."""


def known_failures() -> dict[str, dict[str, str]]:
    """By scenario and language, why it fails. They are played, and must still fail.

    An area and a slash stand for what a client does not have yet: of these only what `--only`
    asks for is played, and may fail or pass."""
    known: dict[str, dict[str, str]] = json.loads(
        (CONFORMANCE / "known_failures.json").read_text(encoding="utf-8")
    )
    return known


def play_all(options: Options, told: Callable[[Outcome], None]) -> list[Outcome]:
    """All outcomes, each told as soon as it is there."""
    outcomes: list[Outcome] = []
    lock = threading.Lock()

    def report(outcome: Outcome) -> None:
        with lock:
            outcomes.append(outcome)
            told(outcome)

    if options.with_daemon:
        aside = set_aside()
        scenarios = [each for each in conversations() if each.name not in aside] + of_daemon()
        _side_by_side(options.daemons, _selected(scenarios, options.only), _daemon_player, report)
    workers = []
    for language in options.languages:
        scenarios = _selected(of_clients() + vectors.all_vectors(), options.only)
        scenarios = _without_unbuilt(scenarios, language, options.only)
        workers += _start(options.drivers, scenarios, partial(DriverOf, language), report)
    for worker in workers:
        worker.join()
    return outcomes


def _selected(scenarios: list[Scenario], only: str) -> list[Scenario]:
    return [each for each in scenarios if only in each.name]


def _without_unbuilt(scenarios: list[Scenario], language: str, only: str) -> list[Scenario]:
    """Without the areas that the language does not have yet, unless they are asked for."""
    unbuilt = {area for area, languages in known_failures().items() if language in languages}
    return [
        each for each in scenarios if f"{each.area}/" not in unbuilt or only.startswith(each.area)
    ]


class _DaemonPlayer:
    """Every conversation has a daemon of its own."""

    subject = DAEMON

    def play(self, scenario: Scenario) -> None:
        Conversation(scenario).play()

    def end(self) -> None:
        return


def _daemon_player() -> _DaemonPlayer:
    return _DaemonPlayer()


class DriverOf:
    """Scenarios of one language share a driver, until one fails."""

    def __init__(self, language: str) -> None:
        self.subject = language
        self._driver: Driver | None = None

    def play(self, scenario: Scenario) -> None:
        if self._driver is None:
            self._driver = Driver(self.subject)
        try:
            if scenario.area == "frames":
                vectors.play(scenario.head, self._driver)
            else:
                ClientPlayer(scenario, self._driver).play()
        except BaseException:
            self._driver.kill()
            self._driver = None
            raise

    def end(self) -> None:
        if self._driver is not None:
            code = self._driver.end()
            if code != 0:
                raise self._driver.fault(f"it ended with {code} at the end of its input")


_Player = _DaemonPlayer | DriverOf


def _start(
    count: int,
    scenarios: list[Scenario],
    make: Callable[[], _Player],
    report: Callable[[Outcome], None],
) -> list[threading.Thread]:
    waiting: queue.SimpleQueue[Scenario] = queue.SimpleQueue()
    for each in scenarios:
        waiting.put(each)
    workers = [
        threading.Thread(target=_work, args=(waiting, make(), report), daemon=True)
        for _ in range(count)
    ]
    for worker in workers:
        worker.start()
    return workers


def _side_by_side(
    count: int,
    scenarios: list[Scenario],
    make: Callable[[], _Player],
    report: Callable[[Outcome], None],
) -> None:
    for worker in _start(count, scenarios, make, report):
        worker.join()


def _work(
    waiting: queue.SimpleQueue[Scenario], player: _Player, report: Callable[[Outcome], None]
) -> None:
    while True:
        try:
            scenario = waiting.get_nowait()
        except queue.Empty:
            break
        report(outcome(player, scenario))
    try:
        player.end()
    except DriverFault as fault:
        report(Outcome(player.subject, "driver/ends", "driver", str(fault)))


def outcome(player: _Player, scenario: Scenario) -> Outcome:
    try:
        player.play(scenario)
        why = ""
    except (Failure, DriverFault) as failure:
        why = str(failure)
    except BadScenario as bad:
        why = f"the scenario makes no sense: {bad}"
    except Exception:
        why = f"the runner failed: {traceback.format_exc()}"
    known = known_failures().get(scenario.name, {}).get(player.subject)
    if known is not None:
        why = "" if why else f"it passes, and is listed as a known failure: {known}"
    return Outcome(player.subject, scenario.name, scenario.area, why)
