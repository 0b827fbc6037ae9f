"""The structure of a CSV file: bytes, quotes, records. Finds where it is broken.

The values are parsed by Arrow; this reads the file once before, block by block, so
that every mistake has a line, and Arrow sees only files that it cannot misread.

Source: Y. Shafranovich, RFC 4180, "Common Format and MIME Type for CSV Files", 2005.
"""

import codecs
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shiori.domain.announcement import DATA
from shiori.domain.rows import Array
from shiori.formats.csv_header import header_of
from shiori.formats.malformed import ConversionStopped, malformed, too_large

BLOCK_BYTES = 2**20
MAX_RECORD_BYTES = 2**20
_BOM = codecs.BOM_UTF8
_COMMA, _QUOTE, _LF, _CR = b',"\n\r'


@dataclass(frozen=True)
class Structure:
    """What a CSV file looks like.

    Attributes:
        names: The names of the columns.
        body_offset: Where the first record after the header begins, in bytes.
        record_count: The number of records after the header.
        has_quotes: Whether any value is quoted, and so may hold line ends.
    """

    names: tuple[str, ...]
    body_offset: int
    record_count: int
    has_quotes: bool


@dataclass(frozen=True)
class _Records:
    """Records that end in one block: offsets in the file, and commas outside quotes."""

    starts: Array
    ends: Array
    commas: Array


def structure_of(path: Path, stopped: Callable[[], bool]) -> Structure:
    """Read a CSV file's structure.

    Raises:
        InvalidArgument: FILE_MALFORMED.
        ResourceExhausted: LIMIT_REACHED: a row, or the number of columns, is too large.
    """
    scan = _Scan()
    with path.open("rb") as source:
        if source.read(len(_BOM)) != _BOM:
            source.seek(0)
        scan.offset = scan.record_start = source.tell()
        while block := source.read(BLOCK_BYTES):
            if stopped():
                raise ConversionStopped
            following = source.peek(1)[:1]
            if not following and not block.endswith(b"\n"):
                block += b"\n"
                following = b"\n"
            scan.feed(block, following or b"\n")
    return scan.result()


class _Scan:
    """Goes through the blocks of a file and remembers what crosses their borders."""

    def __init__(self) -> None:
        self.offset = 0  # of the current block in the file
        self.record_start = 0
        self._commas = 0  # in the record that the current block goes on with
        self._line = 1  # in which the current block begins
        self._quoted = False  # whether the current block begins inside quotes
        self._quote_line = 0
        self._last = _LF
        self._has_quotes = False
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._names: tuple[str, ...] = ()
        self._body_offset = 0
        self._record_count = 0

    def feed(self, block: bytes, following: bytes) -> None:
        """Take the next block; `following` is the byte after it."""
        self._check_bytes(block)
        codes = np.frombuffer(block + following, dtype=np.uint8)
        quotes = self._quotes(block, codes)
        records = self._records(block, codes, quotes)
        self._check_records(block, records)
        self._quoted ^= bool(len(quotes) & 1)
        self._line += block.count(b"\n")
        self.offset += len(block)
        self._last = block[-1]
        if self.offset - self.record_start > MAX_RECORD_BYTES:
            if self._quoted:
                problem = f"a quote is opened here and not closed within {MAX_RECORD_BYTES} bytes"
                raise malformed(DATA, problem, line=self._quote_line)
            raise self._too_long(self._line, self.offset - self.record_start)

    def result(self) -> Structure:
        """Return what was found, at the end of the file."""
        if self._quoted:
            raise malformed(DATA, "a quote is opened here and never closed", line=self._quote_line)
        if not self._names:
            raise malformed(DATA, "it has no header line with the names of the columns", line=1)
        if not self._record_count:
            raise malformed(DATA, "it has a header line, but no rows", line=self._line)
        return Structure(self._names, self._body_offset, self._record_count, self._has_quotes)

    def _check_bytes(self, block: bytes) -> None:
        pending = len(self._decoder.getstate()[0])
        try:
            self._decoder.decode(block)
        except UnicodeDecodeError as error:
            line = self._line + block.count(b"\n", 0, max(0, error.start - pending))
            hint = "; it seems to be UTF-16" if self.offset + error.start == 0 else ""
            raise malformed(DATA, f"it is not UTF-8 here{hint}", line=line) from error
        if b"\0" in block:
            line = self._line + block.count(b"\n", 0, block.index(b"\0"))
            raise malformed(DATA, "it holds a NUL byte here, so it is no text", line=line)

    def _quotes(self, block: bytes, codes: Array) -> Array:
        """Return the offsets of quotes in a block, after checking where they stand."""
        if b'"' not in block:
            positions: Array = np.empty(0, dtype=np.int64)
        else:
            self._has_quotes = True
            positions = np.flatnonzero(codes[:-1] == _QUOTE)
        closing = self._is_quoted(np.arange(len(positions)))
        opening_at, closing_at = positions[~closing], positions[closing]
        before = np.where(opening_at > 0, codes[opening_at - 1], self._last)
        stray = opening_at[~np.isin(before, (_COMMA, _LF, _QUOTE))]
        after = codes[closing_at + 1]
        trailing = closing_at[~np.isin(after, (_COMMA, _LF, _CR, _QUOTE))]
        wrong = np.sort(np.concatenate([stray, trailing]))
        if len(wrong):
            raise malformed(
                DATA,
                "a quote stands inside a value here; put the whole value in quotes and "
                "write its own quotes twice",
                line=self._line_at(block, int(wrong[0])),
            )
        # A quote after a quote is the second of a pair, and opens nothing new.
        opened_at = opening_at[before != _QUOTE]
        if len(opened_at):
            self._quote_line = self._line_at(block, int(opened_at[-1]))
        return positions

    def _is_quoted(self, quotes_before: Array) -> Array:
        return ((quotes_before + self._quoted) & 1).astype(bool)

    def _records(self, block: bytes, codes: Array, quotes: Array) -> _Records:
        """Return the records that end in a block."""
        here = codes[:-1]
        marks = self._outside(np.flatnonzero((here == _COMMA) | (here == _LF)), quotes)
        if b"\r" in block:
            returns = self._outside(np.flatnonzero(here == _CR), quotes)
            alone = returns[codes[returns + 1] != _LF]
            if len(alone):
                problem = "a line ends with CR alone; it has to be LF or CR LF"
                raise malformed(DATA, problem, line=self._line_at(block, int(alone[0])))
        ending = np.flatnonzero(here[marks] == _LF)
        ends = marks[ending] + self.offset
        starts = np.concatenate([[self.record_start], ends + 1])
        commas = np.diff(ending, prepend=-1 - self._commas) - 1
        self.record_start = int(starts[-1])
        self._commas = len(marks) - (int(ending[-1]) + 1 if len(ending) else -self._commas)
        return _Records(starts[:-1], ends, commas)

    def _outside(self, positions: Array, quotes: Array) -> Array:
        if not len(quotes):
            return positions[:0] if self._quoted else positions
        return positions[~self._is_quoted(np.searchsorted(quotes, positions))]

    def _check_records(self, block: bytes, records: _Records) -> None:
        blank = self._blank(block, records)
        first = 0
        if not self._names:
            filled = np.flatnonzero(~blank)
            if not len(filled):
                return
            first = int(filled[0]) + 1
            self._read_header(block, records, first - 1)
        if len(self._names) == 1:
            blank[:] = False  # an empty line is a row with a gap
        wrong = np.flatnonzero(~blank & (records.commas != len(self._names) - 1))
        wrong = wrong[wrong >= first]
        if len(wrong):
            raise self._ragged(block, records, int(wrong[0]))
        lengths = records.ends - records.starts
        if np.any(lengths > MAX_RECORD_BYTES):
            longest = int(np.argmax(lengths))
            at = int(records.starts[longest]) - self.offset
            raise self._too_long(self._line_at(block, at), int(lengths[longest]))
        self._record_count += int(np.count_nonzero(~blank[first:]))

    def _blank(self, block: bytes, records: _Records) -> Array:
        lengths = records.ends - records.starts
        # Every mark is in this block, so what precedes a line end of one byte is, too,
        # but for a CR that ended the block before.
        blank: Array = lengths == 0
        for index in np.flatnonzero(lengths == 1):
            at = int(records.starts[index]) - self.offset
            blank[index] = (block[at] if at >= 0 else self._last) == _CR
        return blank

    def _read_header(self, block: bytes, records: _Records, index: int) -> None:
        start, end = int(records.starts[index]), int(records.ends[index])
        if start < self.offset:
            raise too_large(
                f"the header line is longer than {MAX_RECORD_BYTES} bytes",
                limit=MAX_RECORD_BYTES,
                actual=end - start,
            )
        line = self._line_at(block, start - self.offset)
        text = block[start - self.offset : end - self.offset].decode()
        self._names = header_of(text, line=line)
        self._body_offset = end + 1

    def _ragged(self, block: bytes, records: _Records, index: int) -> Exception:
        expected, actual = len(self._names), int(records.commas[index]) + 1
        if actual < expected:
            column, problem = self._names[actual], f"the row ends before column {actual + 1}"
        else:
            column, problem = str(expected + 1), "the row goes on after the last column"
        return malformed(
            DATA,
            f"{problem}: it has {actual} values, but the header has {expected}",
            line=self._line_at(block, int(records.starts[index]) - self.offset),
            column=column,
        )

    def _too_long(self, line: int, length: int) -> Exception:
        return too_large(
            f"a row at or before line {line} is longer than {MAX_RECORD_BYTES} bytes",
            limit=MAX_RECORD_BYTES,
            actual=length,
        )

    def _line_at(self, block: bytes, position: int) -> int:
        """Return the line of an offset in a block; one before it lies a block back at most."""
        return self._line + block.count(b"\n", 0, max(0, position))
