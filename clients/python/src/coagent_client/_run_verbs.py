"""The verbs of runs: attach to one, list them."""

from __future__ import annotations

from typing import Any

from ._address import quoted_run
from ._calls import OwnCall, Request
from ._reply import Reply
from ._requests import call_rest, conversion, window_rest
from ._runs import Run, RunReading, run_of
from ._signal_verbs import SignalVerbs
from ._verbs import TIMEOUT_S
from ._wire import WINDOW_DEFAULT, WINDOW_MAX


class RunVerbs(SignalVerbs):
    """What a client reads of the sidecar's agent `runs`."""

    def attach(
        self,
        run: str,
        *,
        from_: int = 0,
        tail: bool = False,
        returns: Any = None,
        timeout: float | None = None,
        window: int = WINDOW_DEFAULT,
    ) -> Reply[Any]:
        """Reads a run of one's own, whoever opened it: from its beginning, from its frame `from_`,
        or with `tail` what comes from now on.

        Leaving it ends the reading alone. It goes on over a lost connection; only a `tail` that
        has got something ends then. Raises NotFoundError, `unknown_run`, where there is none, and
        FailedPreconditionError, `truncated`, for frames that are no longer kept
        (`details["first"]` is the oldest that is).
        """
        self._check_thread()
        quoted_run(run)
        window = min(max(1, window), WINDOW_MAX)
        reading = RunReading(run, first=None if tail else from_, is_opener=False)
        rest = call_rest("runs", "Attach", "application/json") + window_rest(window)
        request = Request("runs", rest, reading.attach(0))
        request.window = window
        request.run = reading
        self._set_deadline(request, timeout)
        return Reply(OwnCall(self, request), conversion(returns))

    async def runs(self, *, state: str = "", timeout: float | None = TIMEOUT_S) -> list[Run]:
        """The runs that are kept, of whoever this client speaks for, by name: all, or those in a
        state (`waiting`, `running`, `ended`)."""
        found: list[Run] = []
        body: dict[str, Any] = {"state": state} if state else {}
        while True:
            reply = await self.call("runs", body, type="RunList", timeout=timeout)
            found += map(run_of, reply["runs"])
            if not reply.get("more") or not reply["runs"]:
                return found
            body = {**body, "after": found[-1].name}

    async def describe_run(self, run: str, *, timeout: float | None = TIMEOUT_S) -> Run:
        """One run; raises NotFoundError, `unknown_run`, where there is none."""
        body = {"run": run}
        return run_of(await self.call("runs", body, type="RunDescribe", timeout=timeout))
