"""Takes typed fields out of YAML nodes and collects what is wrong with them."""

import difflib
import math
import re
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from kyouko.domain.template import TemplateProblem
from kyouko.templates.document import Mapping, Mark, Node, Scalar, Sequence

T = TypeVar("T")
# YAML 1.2 core schema, decimal numbers only.
_INTEGER: Final = re.compile(r"[-+]?[0-9]+")
_NUMBER: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_MOST_DIGITS: Final = 20
# YAML 1.2 core schema
_BOOLEANS: Final = {
    word: value
    for value, words in ((True, "true True TRUE"), (False, "false False FALSE"))
    for word in words.split()
}


@dataclass
class Findings:
    """The problems found so far, and where each field was seen."""

    problems: list[TemplateProblem] = field(default_factory=list)
    marks: dict[str, Mark] = field(default_factory=dict)

    def report(self, path: str, text: str, mark: Mark) -> None:
        """Keep a problem."""
        self.problems.append(TemplateProblem(path, text, mark.line, mark.column))

    def mark_of(self, path: str) -> Mark:
        """Return the place of a field, or of the closest thing around it."""
        while path and path not in self.marks:
            cut = max(path.rfind("."), path.rfind("["))
            path = path[: max(cut, 0)]
        return self.marks.get(path, Mark(1, 1))


class Fields:
    """The fields of one mapping. Each is taken by name; `finish` refuses the rest."""

    def __init__(self, node: Mapping, path: str, findings: Findings) -> None:
        self._node = node
        self._path = path
        self._findings = findings
        self._known: list[str] = []
        self._missing: list[str] = []

    def report(self, name: str, text: str) -> None:
        """Report a problem of a field."""
        path = self._path_of(name)
        self._findings.report(path, text, self._findings.mark_of(path))

    def text(self, name: str) -> str | None:
        """Return a text, None when it is left out."""
        node = self._take(name)
        return None if node is None else self._as_text(self._path_of(name), node)

    def required_text(self, name: str) -> str:
        """Return a text that must be there."""
        value = self.text(name)
        if value is None and name not in self._node.entries:
            self._missing.append(name)
        return value or ""

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts, empty when it is left out."""
        result = []
        for path, node in self._list(name):
            value = self._as_text(path, node)
            if value is not None:
                result.append(value)
        return tuple(result)

    def integer(self, name: str) -> int | None:
        """Return a whole number, None when it is left out."""
        node = self._take(name)
        return None if node is None else self._as_integer(self._path_of(name), node)

    def required_integer(self, name: str) -> int:
        """Return a whole number that must be there."""
        value = self.integer(name)
        if value is None and name not in self._node.entries:
            self._missing.append(name)
        return 1 if value is None else value

    def number(self, name: str) -> float | None:
        """Return a number, None when it is left out."""
        node = self._take(name)
        return None if node is None else self._as_number(self._path_of(name), node)

    def integers(self, name: str) -> list[int] | None:
        """Return three whole numbers, None when they are left out."""
        values = [self._as_integer(path, node) for path, node in self._list(name)]
        known = [value for value in values if value is not None]
        return known if self._is_triple(name, len(values), len(known)) else None

    def integer_list(self, name: str) -> tuple[int, ...]:
        """Return a list of whole numbers, empty when it is left out."""
        values = [self._as_integer(path, node) for path, node in self._list(name)]
        return tuple(value for value in values if value is not None)

    def boolean(self, name: str) -> bool | None:
        """Return true or false, None when it is left out."""
        node = self._take(name)
        if node is None:
            return None
        if isinstance(node, Scalar) and node.plain and node.text in _BOOLEANS:
            return _BOOLEANS[node.text]
        self._findings.report(
            self._path_of(name), f"has to be true or false, not {_kind(node)}", node.mark
        )
        return None

    def vector(self, name: str) -> tuple[float, float, float] | None:
        """Return three numbers, None when they are left out."""
        values = [self._as_number(path, node) for path, node in self._list(name)]
        known = [value for value in values if value is not None]
        if not self._is_triple(name, len(values), len(known)):
            return None
        return (known[0], known[1], known[2])

    def choice(self, name: str, choices: AnyMapping[str, T]) -> T | None:
        """Return one of several values by its word; the field must be there."""
        word = self.required_text(name)
        if word and word not in choices:
            self.report(name, f"{word!r} is not one of {', '.join(choices)}{_near(word, choices)}")
        return choices.get(word)

    def optional_choice(self, name: str, choices: AnyMapping[str, T], default: T) -> T:
        """Return one of several values by its word, the default when it is left out."""
        if name in self._node.entries:
            return self.choice(name, choices) or default
        self._known.append(name)
        return default

    def section(self, name: str) -> "Fields | None":
        """Return a mapping inside this one, None when it is left out."""
        node = self._take(name)
        return None if node is None else fields_of(node, self._path_of(name), self._findings)

    def sections(self, name: str) -> list["Fields"]:
        """Return a list of mappings that must be there."""
        if name not in self._node.entries:
            self._known.append(name)
            self._missing.append(name)
            return []
        return self.optional_sections(name)

    def optional_sections(self, name: str) -> list["Fields"]:
        """Return a list of mappings, empty when it is left out."""
        found = (fields_of(node, path, self._findings) for path, node in self._list(name))
        return [item for item in found if item is not None]

    def finish(self) -> None:
        """Refuse the fields that nobody took, and the lack of those that must be there."""
        for name, (mark, _) in self._node.entries.items():
            if name in self._known:
                continue
            meant = difflib.get_close_matches(name, self._known, n=1)
            # A misspelt field is one mistake, not two.
            self._missing = [missing for missing in self._missing if missing not in meant]
            text = f"unknown field; known are {', '.join(self._known)}{_near(name, self._known)}"
            self._findings.report(self._path_of(name), text, mark)
        for name in self._missing:
            self._findings.report(self._path_of(name), "has to be given", self._node.mark)

    def _path_of(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def _take(self, name: str) -> Node | None:
        self._known.append(name)
        entry = self._node.entries.get(name)
        if entry is None:
            return None
        self._findings.marks[self._path_of(name)] = entry[1].mark
        return entry[1]

    def _list(self, name: str) -> list[tuple[str, Node]]:
        node = self._take(name)
        if node is None:
            return []
        if not isinstance(node, Sequence):
            self.report(name, f"has to be a list, not {_kind(node)}")
            return []
        path = self._path_of(name)
        for index, item in enumerate(node.items):
            self._findings.marks[f"{path}[{index}]"] = item.mark
        return [(f"{path}[{index}]", item) for index, item in enumerate(node.items)]

    def _is_triple(self, name: str, given: int, known: int) -> bool:
        entry = self._node.entries.get(name)
        if entry is not None and isinstance(entry[1], Sequence) and given != 3:
            self.report(name, f"needs three numbers, for x, y and z, not {given}")
        return known == given == 3

    def _as_text(self, path: str, node: Node) -> str | None:
        if isinstance(node, Scalar) and not (node.plain and node.text in ("", "~", "null")):
            return node.text
        self._findings.report(path, f"has to be a text, not {_kind(node)}", node.mark)
        return None

    def _as_integer(self, path: str, node: Node) -> int | None:
        if isinstance(node, Scalar) and node.plain and _INTEGER.fullmatch(node.text):
            if len(node.text) <= _MOST_DIGITS:
                return int(node.text)
            self._findings.report(path, "has more digits than any limit allows", node.mark)
            return None
        self._findings.report(path, f"has to be a whole number, not {_kind(node)}", node.mark)
        return None

    def _as_number(self, path: str, node: Node) -> float | None:
        if isinstance(node, Scalar) and node.plain and _NUMBER.fullmatch(node.text):
            value = float(node.text)
            if math.isfinite(value):
                return value
        self._findings.report(path, f"has to be a finite number, not {_kind(node)}", node.mark)
        return None


def fields_of(node: Node, path: str, findings: Findings) -> Fields | None:
    """Return the fields of a node that has to be a mapping; None, and a report, otherwise."""
    findings.marks.setdefault(path, node.mark)
    if isinstance(node, Mapping):
        return Fields(node, path, findings)
    findings.report(path, f"has to have fields, not be {_kind(node)}", node.mark)
    return None


def _kind(node: Node) -> str:
    if isinstance(node, Sequence):
        return "a list"
    if isinstance(node, Mapping):
        return "fields"
    if node.plain and node.text in ("", "~", "null"):
        return "nothing"
    return f"{node.text[:40]!r}"


def _near(word: str, known: "AnyMapping[str, T] | list[str]") -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
