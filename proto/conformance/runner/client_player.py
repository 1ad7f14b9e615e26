"""Plays a scenario against a client: commands to its driver, frames from a fake sidecar."""

from __future__ import annotations

import json
import time
from typing import Any

from .driver import BOUND_S, Driver, DriverFault, Failed, Pending, Unsupported
from .fake_sidecar import FakeSidecar
from .notation import (
    BadScenario,
    Failure,
    Frame,
    Names,
    Step,
    carries_message,
    filled,
    has,
    mismatch,
)
from .scenarios import Scenario
from .told import error_mismatch, ok_mismatch, value_mismatch



class ClientPlayer:
    """One scenario, with a driver that may have played others before."""

    def __init__(self, scenario: Scenario, driver: Driver) -> None:
        self._scenario = scenario
        self._driver = driver
        self._sidecar = FakeSidecar()
        self._names: Names = {"$url": self._sidecar.url}
        self._pending: dict[Any, Pending] = {}
        self._clients: list[str] = []
        self._first: dict[int, Frame] = {}
        self._ended: set[int] = set()
        self._steps = {
            "driver": self._command,
            "result": self._result,
            "event": self._event,
            "no_event": self._no_event,
            "connects": self._connects,
            "accepts": self._accepts,
            "registers": self._registers,
            "sends": self._sends,
            "sends_hex": self._sends,
            "sends_all": self._sends_all,
            "gets": self._gets,
            "gets_all": self._gets,
            "gets_nothing": self._gets_nothing,
            "gets_messages": self._gets_messages,
            "gets_terminal": self._gets_terminal,
            "credited": self._credited,
            "pinged": self._pinged,
            "closed": self._closed,
            "stands_still": self._stands_still,
            "closes": self._closes,
            "refuses": self._refuses,
            "listens": self._listens,
        }

    def play(self) -> None:
        """Raises Failure at the first step that does not come true, or for a broken rule."""
        try:
            if self._scenario.head.get("start", "connected") == "connected":
                self._connects({"connects": self._scenario.head.get("welcome", {})})
            for number, step in self._scenario.steps:
                try:
                    self._step(step)
                except (Failure, DriverFault) as failure:
                    story = self._sidecar.story()
                    raise Failure(f"line {number}: {failure}\n{story}") from None
            self._drive_home()
        finally:
            self._sidecar.end()
        complaints = self._sidecar.complaints + self._sidecar.ledger.complaints
        if complaints:
            raise Failure("; ".join(complaints) + f"\n{self._sidecar.story()}")

    def _step(self, step: Step) -> None:
        kinds = [kind for kind in self._steps if kind in step]
        if not kinds:
            raise BadScenario(f"unknown step {json.dumps(step, ensure_ascii=False)}")
        self._steps[kinds[0]](step)

    def _drive_home(self) -> None:
        """Closes what the scenario left open, so that the driver can go on with the next."""
        self._sidecar.refuse()
        closing = [self._driver.command("close", client=name) for name in self._clients]
        for each in closing:
            try:
                while not each.is_done and self._sidecar.next() is not None:
                    continue
            except Failure:
                pass  # Whether it closed is what the result says.
            each.result(BOUND_S)
        self._driver.events()

    # The driver

    def _command(self, step: Step) -> None:
        command = filled(step["driver"], self._names)
        do = command.pop("do")
        if do == "connect":
            command = {"url": self._sidecar.url, **command}
        elif do == "cancel" and "command" in command:
            command["command"] = self._pending[command["command"]].number
        elif do in ("close", "drain") and command["client"] in self._clients:
            self._clients.remove(command["client"])
        pending = self._driver.command(do, **command)
        if "n" in step:
            self._pending[step["n"]] = pending
        else:
            self._judge(pending, step)

    def _result(self, step: Step) -> None:
        if step["result"] not in self._pending:
            raise BadScenario(f"no command is called {step['result']!r}")
        self._judge(self._pending.pop(step["result"]), step)

    def _judge(self, pending: Pending, step: Step) -> None:
        try:
            ok = pending.result(BOUND_S)
        except Unsupported as unsupported:
            raise Failure(f"not supported: {unsupported}") from None
        except Failed as failed:
            if "error" not in step:
                raise Failure(f"{pending.command} failed: {failed}") from None
            why = error_mismatch(step["error"], failed.error, self._names)
        else:
            if "error" in step:
                raise Failure(f"{pending.command} gives {ok} and should fail: {step['error']}")
            why = ok_mismatch(step.get("ok", {}), ok, self._names)
            if pending.command["do"] == "connect":
                self._clients.append(pending.command["as"])
        if why:
            raise Failure(f"{pending.command}: {why}")

    def _event(self, step: Step) -> None:
        unknown = {
            key: each
            for key, each in step["event"].items()
            if isinstance(each, str) and each.startswith("$") and each not in self._names
        }
        wanted = filled({k: v for k, v in step["event"].items() if k not in unknown}, self._names)
        message = wanted.pop("message", None)

        def fits(event: dict[str, Any]) -> bool:
            return has(wanted, event, self._names) and (
                message is None or not value_mismatch(message, event.get("message"), self._names)
            )

        def is_candidate(event: dict[str, Any]) -> bool:
            # Calls run side by side: their events come in any order, unless the step is about it.
            return bool(step.get("in_order")) or fits(event)

        try:
            event = self._driver.event(wanted["event"], seconds=BOUND_S, where=is_candidate)
        except DriverFault as fault:
            raise Failure(f"no event {step['event']}: {fault}") from None
        if not fits(event):
            raise Failure(f"{event} where {step['event']} should be the next")
        for key in step.get("absent", []):
            if event.get(key):
                raise Failure(f"{event} has {key}")
        for key, name in unknown.items():
            self._names[name] = event[key]

    def _no_event(self, step: Step) -> None:
        self._settle()
        found = [each for each in self._driver.events() if each["event"] == step["no_event"]]
        if found:
            raise Failure(f"the driver tells {found[0]}")

    def _settle(self) -> None:
        """Lets the client handle everything that was written to it, as far as can be known."""
        for _ in range(2):
            self._sidecar.peer.settle()
            self._driver.run("decode", hex="")

    # Connections

    def _connects(self, step: Step) -> None:
        if not self._clients:
            connecting = self._driver.command("connect", as_="c", url=self._sidecar.url)
            self._clients.append("c")
            self._sidecar.accept()
            self._sidecar.greet(step["connects"])
            connecting.result(BOUND_S)
        else:
            self._sidecar.accept()
            self._sidecar.greet(step["connects"])

    def _accepts(self, step: Step) -> None:
        self._sidecar.accept()

    def _registers(self, step: Step) -> None:
        fields = {"client": "c", "agent": "scripted", **step["registers"]}
        fields.setdefault("as", fields["name"])
        pending = self._driver.command("register", **fields)
        register = self._next()
        if register.header["op"] != "register" or register.header["name"] != fields["name"]:
            raise Failure(f"{register} where {fields['name']} should be registered")
        self._names[f"${fields['as']}"] = register.header["id"]
        self._sidecar.send({"op": "ok", "id": register.header["id"]})
        pending.result(BOUND_S)

    def _closes(self, step: Step) -> None:
        self._sidecar.hang_up()

    def _stands_still(self, step: Step) -> None:
        self._sidecar.peer.stand_still(step["stands_still"])

    def _refuses(self, step: Step) -> None:
        self._sidecar.refuse()

    def _listens(self, step: Step) -> None:
        self._sidecar.listen()

    def _closed(self, step: Step) -> None:
        """The client closes the connection, perhaps after saying why and what was on its way."""
        reasons = []
        while (frame := self._sidecar.next()) is not None:
            if frame.header["op"] == "error" and "id" not in frame.header:
                reasons.append(frame.header.get("reason"))
            elif step["closed"] is not True or frame.header["op"] not in ("goodbye", "error"):
                if not step.get("after_anything"):
                    raise Failure(f"{frame} where the connection should close")
        if "reason" in step and reasons and reasons != [step["reason"]]:
            raise Failure(f"it closes because of {reasons}")

    # Frames

    def _sends(self, step: Step) -> None:
        self._sidecar.send_steps([step], self._names, step.get("split", ""))

    def _sends_all(self, step: Step) -> None:
        self._sidecar.send_steps(step["sends_all"], self._names, step.get("split", ""))

    def _next(self, *, skips: bool = True) -> Frame:
        frame = self._sidecar.next(skips=skips)
        if frame is None:
            raise Failure("the client has closed the connection")
        return frame

    def _gets(self, step: Step) -> None:
        open_steps = list(step.get("gets_all", [step]))
        while open_steps:
            ops = {each["gets"]["op"] for each in open_steps}
            frame = self._next(skips=not ops & {"ping", "pong", "credit"})
            if frame.header["op"] in {"ping", "pong", "credit"} - ops:
                continue
            whys = []
            for each in open_steps:
                why = mismatch(each, frame, self._names, is_client=True)
                if not why:
                    open_steps.remove(each)
                    self._keep(each, frame)
                    break
                whys.append(why)
            else:
                raise Failure(f"{frame}: {'; '.join(whys)}; wanted {open_steps}")

    def _keep(self, step: Step, frame: Frame) -> None:
        """The content of a call with input is its first message; of a registration, operations."""
        if step.get("any_content") and frame.header["op"] == "call" and frame.content:
            self._first[frame.header["id"]] = frame
        if "operations" in step:
            names = sorted(each["name"] for each in json.loads(frame.content or b"[]"))
            if names != step["operations"]:
                raise Failure(f"its operations are {names}")

    def _gets_terminal(self, step: Step) -> None:
        """The one frame by which the client ends what the sidecar opened, whichever it is."""
        ident = filled(step["gets_terminal"], self._names)
        frame = self._next()
        while frame.header["op"] in step.get("besides", []):
            frame = self._next()
        is_error = frame.header["op"] == "error" and not frame.header.get("more")
        is_last = is_error or frame.header.get("end") or frame.header["op"] == "ok"
        if frame.header.get("id") != ident or not is_last:
            raise Failure(f"{frame} where {ident} should end")

    def _gets_nothing(self, step: Step) -> None:
        self._settle()
        frame = self._sidecar.silence()
        if frame is not None:
            raise Failure(f"{frame} where there should be nothing")

    def _gets_messages(self, step: Step) -> None:
        """Whole messages of one direction, however they are cut into frames."""
        ident = filled(step["of"], self._names)
        wanted, is_to_end = list(step["gets_messages"]), step.get("end", False)
        first: dict[str, Any] | None = None
        content = b""
        if not wanted and ident in self._ended:
            return  # The last message brought the end.
        while wanted or is_to_end:
            frame = self._first.pop(ident, None) or self._next()
            header = frame.header
            if header["op"] not in ("data", "call") or header.get("id") != ident:
                raise Failure(f"{frame} where messages of {ident} should be: {wanted}")
            if carries_message(header, frame.content) or first is not None:
                first = first or header
                content += frame.content
            if header.get("part"):
                continue
            if first is not None:
                if not wanted:
                    raise Failure(f"one message more than there should be: {frame}")
                why = value_mismatch(wanted.pop(0), _told(first, content), self._names)
                if why:
                    raise Failure(f"a message of {ident}: {why}")
                first, content = None, b""
            if header.get("end"):
                self._ended.add(ident)
                if wanted:
                    raise Failure(f"{ident} ends before {wanted}")
                return

    def _credited(self, step: Step) -> None:
        """The credit of a call comes to this sum in the end, and not above it."""
        ident = filled(step["of"], self._names)
        until = time.monotonic() + BOUND_S
        while self._sidecar.credits.get(ident, 0) < step["credited"]:
            if time.monotonic() > until:
                break
            self._settle()
            if (frame := self._sidecar.silence()) is not None:
                raise Failure(f"{frame} where credit of {ident} should be")
        self._settle()
        if (frame := self._sidecar.silence()) is not None and not step.get("besides"):
            raise Failure(f"{frame} where only credit of {ident} should be")
        sum_bytes = self._sidecar.credits.get(ident, 0)
        if sum_bytes != step["credited"]:
            raise Failure(f"the credit of {ident} is {sum_bytes}, not {step['credited']}")

    def _pinged(self, step: Step) -> None:
        """The client sends so many pings by itself; they are answered or not, as the step says."""
        for _ in range(step["pinged"]):
            while self._next(skips=False).header["op"] != "ping":
                continue
            if step.get("answered", True):
                self._sidecar.send({"op": step.get("by", "pong")})


def _told(header: dict[str, Any], content: bytes) -> dict[str, Any]:
    """A message as a driver would report it."""
    kind = header.get("content_type") or "application/json"
    told: dict[str, Any] = {"content_type": kind}
    told.update({key: header[key] for key in ("type", "ext") if header.get(key)})
    if kind.startswith("text/"):
        told["text"] = content.decode("utf-8", "replace")
    elif kind == "application/json" and content:
        try:
            told["json"] = json.loads(content)
        except ValueError:
            told["hex"] = content.hex()
    else:
        told["hex"] = content.hex()
    return told
