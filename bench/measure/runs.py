"""What a run costs the daemon: while it is open, while its reply is kept, and when it is read."""

import json
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack

from .plan import Plan, Result, alternate, values
from .processes import Daemon, Failed, Scratch, cpu_seconds, memory_bytes
from .report import Mark, Report
from .topics import SECONDS_MAX, Drain, Peer, frame

SECTION = "Runs"
REPLY = b"x" * 1024
FRAMES = 1_000
FRAME = b"x" * 64
# So many are on their way at a time, and answered together.
BATCH = 500


def measure_runs(plan: Plan, report: Report) -> None:
    count = 5_000 if plan.quick else 50_000
    report.add(
        SECTION, f"per run that is open, at {count:,}", [per_run(plan, count, is_ended=False)], "B",
        mark=Mark("≤ 2 KiB", at_most=2048, on_value=True))
    report.add(
        SECTION, f"per run that is kept with a reply of 1 KiB, at {count:,}",
        [per_run(plan, count, is_ended=True)], "B",
        mark=Mark("≤ 2 KiB", at_most=2048, on_value=True), note="its content is 1,024 B of it")
    sides = {"attach": lambda: attach(plan, 50 if plan.quick else 500)}
    results = alternate(plan.rounds, sides)["attach"]
    rate = sorted(values(results, "per_s"))[len(results) // 2]
    report.add(
        SECTION, f"attach to {FRAMES:,} frames of {len(FRAME)} B, processor time per frame",
        values(results, "cpu_us"), "µs", note=f"{rate:,.0f} frames/s to one reader")


class Host(Peer):
    """A connection that registers `poet`, and reads the ids of its calls."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._heard = bytearray()
        self.say({"op": "register", "id": 1, "name": "poet", "concurrency": 1_000_000})
        self.wait()

    def calls(self, count: int) -> Iterator[int]:
        """The ids of the next calls, as they come."""
        while count > 0:
            more = self.socket.recv(1 << 18)
            if not more:
                raise Failed("the sidecar hung up on the host")
            self._heard += more
            for header in self._whole():
                if header["op"] == "call":
                    count -= 1
                    yield int(header["id"])

    def _whole(self) -> Iterator[dict[str, object]]:
        at = 0
        while len(self._heard) - at >= 8:
            length, content = struct.unpack_from(">II", self._heard, at)
            if len(self._heard) - at < 8 + length + content:
                break
            yield json.loads(self._heard[at + 8 : at + 8 + length])
            at += 8 + length + content
        del self._heard[:at]


def start(stack: ExitStack, plan: Plan) -> tuple[Daemon, Host, Peer]:
    """A daemon that keeps runs for as long as this takes, a host and a caller."""
    folder = stack.enter_context(Scratch())
    daemon = stack.enter_context(Daemon(plan.binaries, folder, "--run-kept-ms", "3600000"))
    host = Host(daemon.path)
    stack.callback(host.socket.close)
    caller = Peer(daemon.path)
    stack.callback(caller.socket.close)
    return daemon, host, caller


def per_run(plan: Plan, count: int, *, is_ended: bool) -> float:
    """What the daemon grows by for each of many runs, in bytes."""
    with ExitStack() as stack:
        daemon, host, caller = start(stack, plan)
        before = 0
        # Those of the first batch bring what grows once: buffers, and the pages of the code.
        for first in range(0, count + BATCH, BATCH):
            if first == BATCH:
                before = memory_bytes(daemon.pid)
            numbers = range(first, first + BATCH)
            caller.say(*(
                {"op": "call", "id": 2 * n + 1, "to": "poet", "run": f"bench-run-{n:012}"}
                for n in numbers))
            answers = [
                frame({"op": "data", "id": call, "end": True}, REPLY) for call in host.calls(BATCH)
            ]
            if is_ended:
                host.socket.sendall(b"".join(answers))
                host.wait()
            caller.wait()
        return (memory_bytes(daemon.pid) - before) / count


def attach(plan: Plan, times: int) -> Result:
    """Reads one run that has ended from its beginning, again and again."""
    with ExitStack() as stack:
        daemon, host, caller = start(stack, plan)
        caller.say({"op": "call", "id": 1, "to": "poet", "run": "read", "window": 2**31 - 1})
        [call] = host.calls(1)
        host.socket.sendall(frame({"op": "data", "id": call}, FRAME) * (FRAMES - 1))
        host.socket.sendall(frame({"op": "data", "id": call, "end": True}, FRAME))
        host.wait()
        caller.wait()
        reader = Peer(daemon.path)
        stack.callback(reader.socket.close)
        reader.wait()
        drain = Drain([reader])
        stack.callback(drain.close)

        def read(identity: int) -> None:
            header = {
                "op": "call", "id": 10**9 + 2 * identity + 1, "to": "runs", "type": "Attach",
                "window": 2**31 - 1,
            }
            reader.socket.sendall(frame(header, b'{"run":"read"}'))

        read(0)
        each = drain.until_quiet()
        if each < FRAMES * len(FRAME):
            raise Failed(f"{each} bytes are not {FRAMES} frames")
        before, began = cpu_seconds(daemon.pid), time.perf_counter()
        for number in range(1, times + 1):
            read(number)
            drain.take(each)
            if time.perf_counter() - began > SECONDS_MAX:
                raise Failed("attaching takes too long")
        took = time.perf_counter() - began
        used = cpu_seconds(daemon.pid) - before
        return {"cpu_us": used / times / FRAMES * 1e6, "per_s": times * FRAMES / took}
