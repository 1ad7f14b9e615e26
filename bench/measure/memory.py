"""What the daemon holds: at rest, per connection, per session, and under a reader that lags."""

import threading
import time
from contextlib import ExitStack

from .calls import LOAD, service
from .plan import Plan
from .processes import (
    Child, Daemon, Failed, Scratch, cpu_seconds, memory_bytes, raise_file_limit, run_for_json,
)
from .report import Mark, Report

KIB = 1024
MIB = 1024 * 1024
SECTION = "Memory and processor time"


def measure_memory(plan: Plan, report: Report) -> None:
    at_rest(plan, report)
    per_connection(plan, report)
    per_session(plan, report)
    under_a_slow_reader(plan, report)


def at_rest(plan: Plan, report: Report) -> None:
    seconds = 2 if plan.quick else 5
    with Scratch() as folder, Daemon(plan.binaries, folder) as daemon:
        before = cpu_seconds(daemon.pid)
        time.sleep(seconds)
        used = (cpu_seconds(daemon.pid) - before) / seconds * 100
        resident = memory_bytes(daemon.pid) / MIB
        threads = thread_count(daemon.pid)
    report.add(
        SECTION, "idle, resident", [resident], "MiB",
        mark=Mark("< 15 MiB", at_most=15, on_value=True), note=f"{threads} threads")
    report.add(
        SECTION, f"idle, processor over {seconds} s", [used], "%",
        mark=Mark("0 %", at_most=0.005, on_value=True))


def thread_count(pid: int) -> int:
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("Threads:"))


def per_connection(plan: Plan, report: Report) -> None:
    count = min(1000 if plan.quick else 10_000, raise_file_limit() - 500)
    with ExitStack() as stack:
        folder = stack.enter_context(Scratch())
        daemon = stack.enter_context(Daemon(plan.binaries, folder))
        before = memory_bytes(daemon.pid)
        crowd = Child([LOAD, "idle", "--url", daemon.url, "--count", str(count)])
        stack.enter_context(crowd).wait_for_line(60)
        each = (memory_bytes(daemon.pid) - before) / count / KIB
    report.add(
        SECTION, f"per idle connection, at {count:,}", [each], "KiB",
        mark=Mark("≤ 12 KiB", at_most=12, on_value=True))


def per_session(plan: Plan, report: Report) -> None:
    count = 20_000 if plan.quick else 1_000_000
    with Scratch() as folder, service(plan, folder) as ours:
        daemon = ours.daemon
        command = [LOAD, "caller", "--url", daemon.url, "--depth", "64"]
        run_for_json([*command, "--calls", "2000"], 30)
        before = memory_bytes(daemon.pid)
        calls = [*command, "--calls", str(count), "--sessions", str(count)]
        result = run_for_json(calls, 240)
        each = (memory_bytes(daemon.pid) - before) / count
    report.add(
        SECTION, f"per idle session, at {count:,}", [each], "B",
        mark=Mark("≤ 1 KiB", at_most=1024, on_value=True),
        note=f"opened at {result['calls_per_s']:,.0f}/s")


def under_a_slow_reader(plan: Plan, report: Report) -> None:
    """1 GB streamed to a caller that grants all of it and then does not read for a while."""
    parts, part_size = (1_000 if plan.quick else 16_000), 62_500
    with Scratch() as folder, service(plan, folder) as ours:
        daemon = ours.daemon
        before, peak = memory_bytes(daemon.pid), 0
        ended = threading.Event()

        def watch() -> None:
            nonlocal peak
            while not ended.wait(0.02):
                peak = max(peak, memory_bytes(daemon.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            result = run_for_json([
                LOAD, "caller", "--url", daemon.url, "--calls", "1", "--parts", str(parts),
                "--part-size", str(part_size), "--window", str(4 * parts * part_size),
                "--pause-ms", "1000" if plan.quick else "3000",
            ], 120)
        finally:
            ended.set()
            watcher.join()
        if result["parts"] != parts:
            raise Failed(f"the slow reader got {result['parts']} of {parts} parts")
        over = (peak - before) / MIB
    report.add(
        SECTION, f"slow reader of {parts * part_size / 1e9:.2f} GB, above idle", [over], "MiB",
        mark=Mark("≤ 64 MiB", at_most=64, on_value=True))
