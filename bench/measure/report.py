"""Rows, and the three forms they are told in: text, Markdown and JSON."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Mark:
    """A bound to be held, on the row's ratio or on its value."""

    text: str
    at_least: float | None = None
    at_most: float | None = None
    on_value: bool = False

    def met_by(self, value: float, ratio: float | None) -> bool:
        number = value if self.on_value or ratio is None else ratio
        if self.at_least is not None and number < self.at_least:
            return False
        return self.at_most is None or number <= self.at_most


@dataclass
class Row:
    section: str
    what: str
    value: float
    unit: str
    peer: str = ""  # what it is held against
    peer_value: float | None = None
    ratio: float | None = None  # value / peer_value, the median over the rounds
    mark: str = ""
    met: bool | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        return "" if self.met is None else "yes" if self.met else "NO"


@dataclass
class Report:
    quick: bool
    rows: list[Row] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def add(
        self,
        section: str,
        what: str,
        values: Sequence[float],
        unit: str,
        peer: str = "",
        peer_values: Sequence[float] = (),
        mark: Mark | None = None,
        note: str = "",
    ) -> None:
        """A row from the values of each round; the ratio is taken within each round."""
        value = median(values)
        ratio = peer_value = None
        if peer_values:
            peer_value = median(peer_values)
            pairs = [(a, b) for a, b in zip(values, peer_values) if b > 0]
            ratio = median([a / b for a, b in pairs]) if pairs else None
        row = Row(section, what, value, unit, peer, peer_value, ratio, note=note)
        if mark is not None:
            row.mark, row.met = mark.text, mark.met_by(value, ratio)
        self.rows.append(row)
        print(f"  {what}: {shown(value, unit)} {unit}" + (f", ratio {ratio:.2f}" if ratio else ""))

    def text(self) -> str:
        return render(self, pad=True)

    def markdown(self) -> str:
        return render(self, pad=False)

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "bench.txt").write_text(self.text())
        (folder / "bench.md").write_text(self.markdown())
        content = {
            **machine(),
            "quick": self.quick,
            "rows": [asdict(row) for row in self.rows],
            "failures": self.failures,
        }
        (folder / "bench.json").write_text(json.dumps(content, indent=2) + "\n")


def machine() -> dict[str, str | int]:
    model = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return {
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "cpu": model,
        "cores": os.cpu_count() or 0,
        "kernel": platform.release(),
    }


def shown(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if unit.endswith("/s"):
        return f"{value:,.0f}"
    if unit in ("µs", "ns", "ms", "KiB", "MiB", "B", "%"):
        digits = 2 if value < 10 else 1 if value < 1000 else 0
        return f"{value:,.{digits}f}"
    return f"{value:,.2f}"


COLUMNS = ("what", "value", "against", "its value", "ratio", "mark", "met", "note")


def cells(row: Row) -> list[str]:
    return [
        row.what,
        f"{shown(row.value, row.unit)} {row.unit}",
        row.peer,
        f"{shown(row.peer_value, row.unit)} {row.unit}" if row.peer_value is not None else "",
        f"{row.ratio:.2f}" if row.ratio is not None else "",
        row.mark,
        row.verdict,
        row.note,
    ]


def render(report: Report, pad: bool) -> str:
    """The sections in the order they were measured; columns padded for people, or Markdown."""
    about = machine()
    lines = [
        f"{about['cpu']}, {about['cores']} cores, Linux {about['kernel']}, {about['when']}"
        + (" (quick run: figures are rough)" if report.quick else ""),
        "",
    ]
    table = [list(COLUMNS)] + [cells(row) for row in report.rows]
    widths = [max(len(line[n]) for line in table) for n in range(len(COLUMNS))]

    def line_of(words: Sequence[str]) -> str:
        if not pad:
            return "| " + " | ".join(words) + " |"
        return "  ".join(
            word.rjust(width) if n in (1, 3, 4) else word.ljust(width)
            for n, (word, width) in enumerate(zip(words, widths))
        ).rstrip()

    for section in dict.fromkeys(row.section for row in report.rows):
        lines += [section if pad else f"### {section}", ""]
        lines.append(line_of(COLUMNS))
        lines.append("-" * len(line_of(COLUMNS)) if pad else "|---|--:|---|--:|--:|---|---|---|")
        lines += [line_of(cells(row)) for row in report.rows if row.section == section]
        lines.append("")
    marked = [row for row in report.rows if row.met is not None]
    lines.append(f"{sum(1 for row in marked if row.met)} of {len(marked)} marks met")
    lines += [f"not measured: {failure}" for failure in report.failures]
    return "\n".join(lines) + "\n"
