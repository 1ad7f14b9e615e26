"""The verbs of signals: to a session, an agent or a run, beside what waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._address import quoted_address, quoted_run
from ._context import Context, current
from ._errors import FailedPreconditionError, InvalidArgumentError
from ._requests import INHERIT, Inherit, message_from
from ._sends import SignalPost
from ._topic_verbs import TopicVerbs
from ._verbs import TIMEOUT_S
from ._wire import quoted

if TYPE_CHECKING:
    from ._calls import OwnCall


class SignalVerbs(TopicVerbs):
    """What a client says to work that runs, or waits, already."""

    async def signal(
        self,
        to: str | None = None,
        name: str = "",
        payload: object = None,
        *,
        run: str | None = None,
        ack: bool = True,
        timeout: float | None = TIMEOUT_S,
        content_type: str | None = None,
        sender: str | None = None,
        parent: Context | Inherit | None = INHERIT,
    ) -> None:
        """Gives an agent a signal of its own, of two or more segments: `steer.note`.

        It goes to a session, to every replica of a name, or to what handles a run. With `ack`
        (the default) returns when the agent's hook is done with it, or raises what that raised;
        without, what is lost is lost. It makes no session and waits in no mailbox.
        """
        self._check_thread()
        message = message_from(payload, None, content_type)
        if (to is None) == (run is None):
            raise InvalidArgumentError(
                "a signal goes to one address or one run",
                reason="missing_field" if to is None else "bad_field",
                details={"field": "to"},
            )
        whom = f'"run":{quoted_run(run)}' if run is not None else f'"to":{quoted_address(to or "")}'
        rest = "," + whom + _rest(name, message.content_type, sender)
        context = current.get() if parent is INHERIT else parent
        served = None
        if context is not None:
            served = self.parent_of(context, is_inherited=parent is INHERIT)
        post = SignalPost(to or run or "", rest, message.content, served)
        wait_s = TIMEOUT_S if timeout is None else timeout
        await (post.acknowledged(self, wait_s) if ack else post.written(self, wait_s))

    async def interrupt(
        self,
        to: str | None = None,
        payload: object = None,
        *,
        run: str | None = None,
        ack: bool = True,
        timeout: float | None = TIMEOUT_S,
        content_type: str | None = None,
        sender: str | None = None,
        parent: Context | Inherit | None = INHERIT,
    ) -> None:
        """Interrupts what runs in a session, or a run. The payload reaches its code, which may
        finish its reply, or ends `aborted`/`interrupted`. What waits is not touched. Raises
        FailedPreconditionError, `not_running`, where nothing runs.
        """
        await self.signal(
            to,
            "interrupt",
            payload,
            run=run,
            ack=ack,
            timeout=timeout,
            content_type=content_type,
            sender=sender,
            parent=parent,
        )

    async def cancel(
        self, to: str | None = None, *, run: str | None = None, timeout: float | None = TIMEOUT_S
    ) -> None:
        """Ends a session with all its calls, waiting and running, or a run."""
        await self.signal(to, "cancel", run=run, timeout=timeout)

    async def pause(self, to: str, *, timeout: float | None = TIMEOUT_S) -> None:
        """Nothing that waits in the session's mailbox is begun until `resume`; what runs goes
        on, and deadlines hold."""
        await self.signal(to, "pause", timeout=timeout)

    async def resume(self, to: str, *, timeout: float | None = TIMEOUT_S) -> None:
        """Ends a `pause`."""
        await self.signal(to, "resume", timeout=timeout)

    async def signal_call(
        self, call: OwnCall, name: str, payload: object, content_type: str | None, ack: bool
    ) -> None:
        """A signal to what handles a call of this client."""
        address = call.request.address
        if call.receiving.ended:
            raise FailedPreconditionError(
                "the call has ended", reason="not_running", address=address
            )
        message = message_from(payload, None, content_type)
        rest = f',"call":{call.ident}' + _rest(name, message.content_type, None)
        post = SignalPost(address, rest, message.content, None, call)
        await (post.acknowledged(self, TIMEOUT_S) if ack else post.written(self, TIMEOUT_S))


def _rest(name: str, content_type: str, sender: str | None) -> str:
    rest = f',"name":{quoted(name)}'
    if sender:
        rest += f',"from":{quoted_address(sender)}'
    if content_type != "application/json":
        rest += f',"content_type":{quoted(content_type)}'
    return rest
