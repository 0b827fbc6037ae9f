"""Direct IO of the Hanami prototype: rows that come in parts. Pure: parts in, rows out.

A row is complete with the part that says so; every other part is acknowledged.
Unlike the prototype this checks names, counts and kinds before it uses them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from mesh.errors import InvalidArgument

# Labels above are names rather than places in a list of outputs.
_MOST_PLACES: Final = 4096


class DataKind(IntEnum):
    """What the values of a part are; the numbers are those of the wire."""

    INPUT = 0
    SHOULD = 1
    OUTPUT = 2


@dataclass(frozen=True)
class Part:
    """Values of one input or output for one row."""

    segment: str
    is_last: bool
    is_learning: bool
    kind: DataKind
    values: Sequence[float]


@dataclass(frozen=True)
class Layout:
    """The inputs and the output of a network.

    Attributes:
        inputs: names with their numbers of channels, in the order of a row.
        output: the name of the output.
        size: numbers of the output; None for labels, which come as they are learned.
    """

    inputs: Sequence[tuple[str, int]]
    output: str
    size: int | None


@dataclass(frozen=True)
class Row:
    """A complete row; `target` is None when it is only to be predicted."""

    inputs: Sequence[float]
    target: Sequence[float] | None


@dataclass
class Assembly:
    """Puts rows together."""

    layout: Layout
    _inputs: dict[str, Sequence[float]] = field(default_factory=dict)
    _target: Sequence[float] | None = None

    def take(self, part: Part) -> Row | None:
        """Take a part; returns the row when it is the last one.

        Raises:
            InvalidArgument: STREAM_PROTOCOL: a name, a count or a kind does not fit;
                nothing of the row is left.
        """
        try:
            self._put(part)
            return self._complete(part.is_learning) if part.is_last else None
        except InvalidArgument:
            self._clear()
            raise

    def _put(self, part: Part) -> None:
        if part.kind is DataKind.INPUT:
            name, count = self._input_of(part.segment)
            _check_count(name, count, len(part.values))
            self._inputs[name] = part.values
        elif part.kind is DataKind.SHOULD and part.is_learning:
            if self.layout.size is None and not 1 <= len(part.values) <= _MOST_PLACES:
                raise _wrong(f"1 to {_MOST_PLACES} values of an output", f"{len(part.values)}")
            if self.layout.size is not None:
                _check_count(self.layout.output, self.layout.size, len(part.values))
            self._target = part.values
        else:
            raise _wrong("inputs, or what outputs should be for learning", part.kind.name)

    def _input_of(self, segment: str) -> tuple[str, int]:
        inputs = self.layout.inputs
        if len(inputs) == 1:
            # Clients of networks with one input call it as they like.
            return inputs[0]
        for name, count in inputs:
            if name == segment:
                return name, count
        names = ", ".join(name for name, _ in inputs)
        raise _wrong(f"one of the inputs {names}", repr(segment[:64]))

    def _complete(self, is_learning: bool) -> Row:
        missing = [name for name, _ in self.layout.inputs if name not in self._inputs]
        if missing:
            raise _wrong(f"values of {', '.join(missing)}", "the last part of the row")
        if is_learning and self._target is None:
            raise _wrong("what the outputs should be", "the last part of the row")
        values = [value for name, _ in self.layout.inputs for value in self._inputs[name]]
        row = Row(values, self._target if is_learning else None)
        self._clear()
        return row

    def _clear(self) -> None:
        self._inputs.clear()
        self._target = None


def label_of(target: Sequence[float]) -> str:
    """Return the label that one-hot outputs stand for: the place of the largest."""
    return str(max(range(len(target)), key=target.__getitem__))


def placed(outputs: Sequence[float], labels: Sequence[str]) -> Sequence[float]:
    """Return probabilities in the places that their labels name.

    Labels that name no place (they were not learned this way) are left out.
    """
    places = {int(label): index for index, label in enumerate(labels) if _is_place(label)}
    found = [0.0] * (max(places, default=-1) + 1)
    for place, index in places.items():
        found[place] = outputs[index] if index < len(outputs) else 0.0
    return found


def _is_place(label: str) -> bool:
    return label.isascii() and label.isdigit() and len(label) < 5 and int(label) < _MOST_PLACES


def _check_count(name: str, expected: int, actual: int) -> None:
    if expected != actual:
        raise _wrong(f"{expected} values of {name}", str(actual))


def _wrong(expected: str, actual: str) -> InvalidArgument:
    return InvalidArgument(
        f"expected {expected}, but {actual} came",
        reason="STREAM_PROTOCOL",
        metadata={"expected": expected, "actual": actual},
    )
