"""YAML text to a tree of nodes that know their line and column.

Only mappings, sequences and plain values: no tags, no anchors, no aliases, one
document, bounded depth and size. So a template cannot make objects, nor grow
while it is read.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from kyouko.domain.template import TemplateProblem, template_invalid

_MOST_DEPTH: Final = 8
# About a second of reading. Text of the greatest length, a field a line, has fewer; what is
# larger comes as a `NetworkTemplate`.
_MOST_EVENTS: Final = 30_000
MOST_CHARACTERS: Final = 1 << 17


@dataclass(frozen=True)
class Mark:
    """A place in the text; line and column count from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Scalar:
    """A value as it was written; `plain` when it had no quotes."""

    text: str
    plain: bool
    mark: Mark


@dataclass(frozen=True)
class Sequence:
    """A list."""

    mark: Mark
    items: list["Node"] = field(default_factory=list)


@dataclass(frozen=True)
class Mapping:
    """Fields with the places of their names."""

    mark: Mark
    entries: dict[str, tuple[Mark, "Node"]] = field(default_factory=dict)


Node = Scalar | Sequence | Mapping


def read_document(text: str) -> Node:
    """Return the one document in a YAML text.

    Raises:
        InvalidArgument: TEMPLATE_INVALID, with line and column.
    """
    if len(text) > MOST_CHARACTERS:
        raise _refused(Mark(1, 1), f"longer than {MOST_CHARACTERS} characters")
    try:
        node = _Composer().compose(YAML(typ="safe", pure=True).parse(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)
        problem = error.problem or error.context or "cannot be read"
        raise _refused(place, f"not YAML: {problem}") from error
    except ReaderError as error:
        raise _refused(
            _mark_at(text, error.position), "holds a character that YAML does not allow"
        ) from error
    except YAMLError as error:
        raise _refused(Mark(1, 1), f"not YAML: {error}") from error
    if node is None:
        raise _refused(Mark(1, 1), "is empty")
    return node


class _Composer:
    """Builds the tree without recursion, so that depth costs no stack."""

    def __init__(self) -> None:
        self._open: list[Sequence | Mapping] = []
        self._keys: list[Scalar | None] = []
        self._root: Node | None = None

    def compose(self, events: Iterator[Any]) -> Node | None:
        for count, event in enumerate(events):
            mark = Mark(event.start_mark.line + 1, event.start_mark.column + 1)
            if count > _MOST_EVENTS:
                raise _refused(mark, "has more fields than any network needs")
            self._take(event, mark)
        return self._root

    def _take(self, event: Any, mark: Mark) -> None:
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _refused(mark, "anchors and aliases are not allowed in templates")
        if getattr(event, "tag", None) is not None:
            raise _refused(mark, f"tags such as {event.tag} are not allowed in templates")
        if isinstance(event, DocumentStartEvent) and self._root is not None:
            raise _refused(mark, "a second document; a template is one")
        if isinstance(event, ScalarEvent):
            self._add(Scalar(event.value, bool(event.implicit[0]), mark))
        elif isinstance(event, SequenceStartEvent):
            self._begin(Sequence(mark))
        elif isinstance(event, MappingStartEvent):
            self._begin(Mapping(mark))
        elif isinstance(event, SequenceEndEvent | MappingEndEvent):
            self._open.pop()
            self._keys.pop()

    def _begin(self, node: Sequence | Mapping) -> None:
        self._add(node)
        self._open.append(node)
        self._keys.append(None)
        if len(self._open) > _MOST_DEPTH:
            raise _refused(node.mark, f"nested more than {_MOST_DEPTH} levels deep")

    def _add(self, node: Node) -> None:
        if not self._open:
            self._root = node
            return
        parent = self._open[-1]
        if isinstance(parent, Sequence):
            parent.items.append(node)
            return
        key = self._keys[-1]
        if key is not None:
            parent.entries[key.text] = (key.mark, node)
            self._keys[-1] = None
            return
        if not isinstance(node, Scalar):
            raise _refused(node.mark, "the name of a field has to be a word")
        if node.text in parent.entries:
            raise _refused(node.mark, f"field {node.text!r} is given twice")
        self._keys[-1] = node


def _mark_at(text: str, position: int) -> Mark:
    before = text[:position]
    return Mark(before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1)


def _refused(mark: Mark, problem: str) -> Exception:
    return template_invalid([TemplateProblem("", problem, mark.line, mark.column)])
