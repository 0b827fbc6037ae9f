"""Texts of a CSV file as numbers: which type a column has, and its values.

A gap is an empty value; in a column of numbers also one of `GAPS`. Numbers may have
spaces around them, a leading plus, exponents; `inf` and `infinity` are infinite.
Hexadecimal numbers, thousands separators and truth values are text.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shiori.domain.dataset import ColumnType

GAPS = ("", "NA", "N/A", "n/a", "#N/A", "NULL", "null", "None", "nan", "NaN", "NAN", "-nan", "-NaN")
_GAPS = pa.array(GAPS)
_X = ord("x")


@dataclass
class TypeGuess:
    """What a column may still be, after the values seen so far."""

    type: ColumnType = ColumnType.INT64
    has_gaps: bool = False
    has_values: bool = False

    def see(self, texts: pa.StringArray) -> None:
        """Take more values into account."""
        if self.type is ColumnType.INT64:
            numbers = integers_of(texts)
            if numbers is not None:
                self.has_gaps |= numbers.null_count > 0
                self.has_values |= numbers.null_count < len(numbers)
                return
            self.type = ColumnType.FLOAT64
        if self.type is ColumnType.FLOAT64 and floats_of(texts) is None:
            self.type = ColumnType.STRING

    def conclusion(self) -> ColumnType:
        """Return the type of the whole column; integers with gaps become numbers with NaN."""
        if self.type is ColumnType.INT64 and (self.has_gaps or not self.has_values):
            return ColumnType.FLOAT64
        return self.type


def values_of(texts: pa.StringArray, column_type: ColumnType) -> tuple[pa.Array, int]:
    """Return values without nulls, and how many of them are gaps.

    Raises:
        ValueError: A value is not of that type, which `TypeGuess` excludes.
    """
    if column_type is ColumnType.STRING:
        texts = texts.fill_null("")
        return texts, int(pc.sum(pc.equal(texts, "")).as_py() or 0)
    numbers = integers_of(texts) if column_type is ColumnType.INT64 else floats_of(texts)
    if numbers is None:
        raise ValueError(f"a value is no {column_type}")
    if column_type is ColumnType.INT64:
        return numbers, numbers.null_count
    numbers = numbers.fill_null(float("nan"))
    return numbers, int(np.count_nonzero(np.isnan(numbers.to_numpy(zero_copy_only=False))))


def integers_of(texts: pa.StringArray) -> pa.Int64Array | None:
    """Return texts as integers, gaps as null; None when one is something else."""
    return None if _may_be_hexadecimal(texts) else _cast(texts, pa.int64())


def floats_of(texts: pa.StringArray) -> pa.DoubleArray | None:
    """Return texts as numbers, gaps as null or NaN; None when one is something else."""
    return _cast(texts, pa.float64())


def _cast(texts: pa.StringArray, wanted: pa.DataType) -> pa.Array | None:
    # Plain numbers are by far the most frequent, so the cleaning is tried second.
    for prepare in (_as_they_are, _cleaned):
        try:
            return pc.cast(prepare(texts), wanted)
        except pa.ArrowInvalid:
            continue
    return None


def _as_they_are(texts: pa.StringArray) -> pa.StringArray:
    return texts


def _cleaned(texts: pa.StringArray) -> pa.StringArray:
    trimmed = pc.ascii_trim_whitespace(texts)
    unsigned = pc.replace_substring_regex(trimmed, r"^\+([0-9.iI])", r"\1")
    return pc.if_else(pc.is_in(unsigned, value_set=_GAPS), None, unsigned)


def _may_be_hexadecimal(texts: pa.StringArray) -> bool:
    """Return whether an x is among the characters; Arrow would read 0x1F as 31."""
    data = texts.buffers()[2]
    if data is None:
        return False
    return bool(np.any((np.frombuffer(data, dtype=np.uint8) | 0x20) == _X))
