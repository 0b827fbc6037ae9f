"""The label book: which label belongs to which output. It only ever grows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mesh.errors import DomainError, InvalidArgument, ResourceExhausted

LONGEST_LABEL: Final = 256
Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True)
class LabelIndices:
    """Labels as outputs.

    Attributes:
        indices: int32, shape (rows,).
        new: labels not in the book yet, in the order of the outputs they would open.
    """

    indices: Int32
    new: tuple[str, ...] = ()


class LabelBook:
    """Labels in the order of their outputs."""

    def __init__(self, labels: Iterable[str] = (), *, limit: int) -> None:
        self._limit = limit
        self._labels: list[str] = []
        self._by_text: dict[str, int] = {}
        # Whole numbers skip the way over their digits, which costs more than the look-up.
        self._by_number: dict[int, int] = {}
        self.add(labels)

    def __len__(self) -> int:
        return len(self._labels)

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels."""
        return tuple(self._labels)

    def since(self, count: int) -> tuple[str, ...]:
        """Return the labels that came after the first `count`."""
        return tuple(self._labels[count:])

    def add(self, labels: Iterable[str]) -> None:
        """Add labels that `look_up` called new."""
        for label in labels:
            index = len(self._labels)
            self._by_text[label] = index
            number = _number_of(label)
            if number is not None:
                self._by_number[number] = index
            self._labels.append(label)

    def look_up(
        self, values: Sequence[str] | Sequence[int], *, field: str = "labels"
    ) -> LabelIndices:
        """Return the outputs of labels; changes nothing.

        Args:
            values: Texts, or whole numbers, which are the same labels as their digits.
            field: What to call them in an error.

        Raises:
            InvalidArgument: TARGET_INVALID, with the row: no text, or too long a one.
            ResourceExhausted: LIMIT_REACHED, with the row whose label is too many.
        """
        book = self._book_of(values)
        try:
            return LabelIndices(np.array([book[value] for value in values], np.int32))
        except KeyError:
            return self._with_new_ones(values, book, field)

    def known(self, values: Sequence[str] | Sequence[int]) -> Int32:
        """Return the outputs of labels, -1 for those not in the book."""
        book = self._book_of(values)
        return np.array([book.get(value, -1) for value in values], np.int32)

    def _book_of(self, values: Sequence[str] | Sequence[int]) -> Mapping[Any, int]:
        is_text = bool(values) and isinstance(values[0], str)
        return self._by_text if is_text else self._by_number

    def _with_new_ones(
        self, values: Sequence[str] | Sequence[int], book: Mapping[Any, int], field: str
    ) -> LabelIndices:
        opened: dict[Any, int] = {}
        indices = []
        for row, value in enumerate(values):
            index = book.get(value, opened.get(value, -1))
            if index < 0:
                index = len(self._labels) + len(opened)
                check_label(str(value), row, field)
                if index >= self._limit:
                    raise _too_many(self._limit, row)
                opened[value] = index
            indices.append(index)
        return LabelIndices(np.array(indices, np.int32), tuple(str(value) for value in opened))


def _number_of(label: str) -> int | None:
    if not label.isascii() or len(label) > 20 or not label.lstrip("-").isdigit():
        return None
    number = int(label) if label.count("-") <= 1 else None
    return number if number is not None and str(number) == label else None


def check_label(label: str, row: int, field: str) -> None:
    """Refuse a text that is no label.

    Raises:
        InvalidArgument: TARGET_INVALID, with the row.
    """
    if not 1 <= len(label) <= LONGEST_LABEL:
        raise InvalidArgument.for_field(
            field,
            f"the label of row {row} has {len(label)} characters; 1 to {LONGEST_LABEL} are allowed",
            reason="TARGET_INVALID",
            metadata={"row": str(row)},
        )


def _too_many(limit: int, row: int) -> DomainError:
    return ResourceExhausted(
        f"the label of row {row} would be number {limit + 1}, and the network may open {limit} "
        f"(max_labels of its template)",
        reason="LIMIT_REACHED",
        metadata={"limit": str(limit), "actual": str(limit + 1), "row": str(row)},
    )
