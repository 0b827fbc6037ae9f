"""Log lines of several parts as one readable story, in the order of time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

# What a line begins with; all other facts follow as key=value.
_HEAD = ("timestamp", "time", "service", "level", "event", "exception")
_ENVOY = re.compile(r"\[(\d{4}-\d\d-\d\d) ([\d:.]+)\]\[\d+\]\[(\w+)\]\[\w+\] (?:\[[^]]*\] )?(.*)")
_WIDTHS = {"time": 24, "service": 6, "level": 7}


@dataclass(frozen=True)
class LogLine:
    """One line of a log.

    Attributes:
        service: whose log it is in.
        raw: as it was written.
        facts: what it says; `event` alone where it is plain text.
    """

    service: str
    raw: str
    facts: dict[str, Any]

    @property
    def time(self) -> str:
        """When it was written, ISO 8601 in UTC; empty when it does not say so."""
        return str(self.facts.get("timestamp") or self.facts.get("time") or "")

    def as_json(self) -> str:
        """Return the line as it was written, or plain text as JSON."""
        is_json = self.raw.startswith("{")
        return self.raw if is_json else json.dumps({"service": self.service, **self.facts})

    def as_text(self) -> str:
        """Return time, service, level, event and the rest as key=value."""
        facts = self.facts
        time = f"{self.time[:23].rstrip('Z')}Z" if self.time else ""
        head = [(time, "time"), (self.service, "service"), (facts.get("level", ""), "level")]
        begin = "  ".join(f"{text!s:<{_WIDTHS[name]}}" for text, name in head)
        rest = [f"{key}={_value(facts[key])}" for key in facts if key not in _HEAD]
        line = "  ".join([begin, *([str(facts["event"])] if "event" in facts else []), *rest])
        trace = str(facts.get("exception", "")).splitlines()
        return "\n".join([line, *(f"    {part}" for part in trace)])


def read_line(service: str, raw: str) -> LogLine:
    """Read one line of a log: JSON, Envoy's own form, or any text."""
    if raw.startswith("{"):
        try:
            return LogLine(service, raw, json.loads(raw))
        except ValueError:
            return LogLine(service, f" {raw}", {"event": raw})
    if found := _ENVOY.fullmatch(raw):
        day, clock, level, event = found.groups()
        # Envoy writes the time of this place, everybody else that of Greenwich.
        moment = datetime.fromisoformat(f"{day} {clock}").astimezone(UTC)
        time = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return LogLine(service, raw, {"timestamp": time, "level": level, "event": event})
    return LogLine(service, raw, {"event": raw})


def merged(logs: Iterable[Iterable[LogLine]]) -> list[LogLine]:
    """Return the lines of several logs by time; a line without one follows the line before it."""
    timed: list[tuple[str, LogLine]] = []
    for log in logs:
        last = ""
        for line in log:
            last = line.time or last
            timed.append((last, line))
    return [line for _, line in sorted(timed, key=lambda item: item[0])]


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return json.dumps(text, ensure_ascii=False) if re.search(r'[\s"=]', text) else text
