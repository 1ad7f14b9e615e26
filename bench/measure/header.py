"""Reading one header: the sidecar's scanner against simdjson."""

import json
import subprocess

from .plan import Plan
from .processes import PROGRAMS, Failed
from .report import Report


def measure_header(plan: Plan, report: Report) -> None:
    ended = subprocess.run(
        [PROGRAMS / "header"], capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    if ended.returncode != 0:
        raise Failed(f"header: {ended.stderr.decode(errors='replace').strip()[-300:]}")
    for line in ended.stdout.decode().splitlines():
        result = json.loads(line)
        report.add(
            "Reading a header (strict scanner against simdjson's DOM)",
            f"{result['bytes']} bytes", [result["scanner_ns"]], "ns", "simdjson",
            [result["simdjson_ns"]])
