"""What a journal holds: each change of a network as bytes, and back.

An entry is a header of fixed size, the id of the source's message, the inputs, the
times of the rows if they came, and the targets. The inputs are not copied: they are
written from where they are.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine import Arrival
from kyouko.domain.networks.learner import Labels, Numbers, Rows, Target
from kyouko.domain.networks.session_keys import KEY_BYTES

NO_SESSION: Final = bytes(KEY_BYTES)
_VERSION: Final = 1
# version, kind, arrival, type of the inputs, kind of the target, whether the rows have times,
# length of the message id,
# session, sequence, target sequence, rows, channels, columns of the target
_HEADER: Final = struct.Struct("<BBBBBBH16sqqIII")
_ARRIVALS: Final = (Arrival.STREAMED, Arrival.STORED)
_INPUT_TYPES: Final = (np.dtype(np.uint8), np.dtype(np.float32))
Array = npt.NDArray[Any]


class EntryKind(IntEnum):
    """What happened.

    `LEARNED` and `PASSED`: rows came, with targets and without. `TARGETED`: targets came for
    rows of an earlier sequence. `SKIPPED`: a frame changed nothing but was counted; `LATE` the
    same, because its targets came too late. `OPENED`: a stream took a session.
    """

    LEARNED = 1
    PASSED = 2
    TARGETED = 3
    SKIPPED = 4
    LATE = 5
    OPENED = 6


class _TargetKind(IntEnum):
    NONE = 0
    TEXTS = 1
    WHOLE_NUMBERS = 2
    NUMBERS = 3


@dataclass(frozen=True)
class Entry:
    """One change of a network.

    Attributes:
        session: key of the session; zeros for none.
        sequence: of the frame within it.
        rows: inputs and targets; of `TARGETED` the inputs are empty.
        target_sequence: the frame that late targets belong to.
        message_id: of the source, if it gave one.
        user: who opened the session (`OPENED`).
        since: when that user was made (`OPENED`); 0 where it was not noted.
        horizon_rows: rows that may get their targets later (`OPENED`).
    """

    kind: EntryKind
    session: bytes = NO_SESSION
    sequence: int = 0
    rows: Rows | None = None
    arrival: Arrival = Arrival.STREAMED
    target_sequence: int = 0
    message_id: str = ""
    user: str = ""
    since: int = 0
    horizon_rows: int = 0


def encode(entry: Entry) -> Sequence[bytes | memoryview]:
    """Return an entry as the parts of a record."""
    inputs = entry.rows.inputs if entry.rows is not None else np.empty((0, 0), np.uint8)
    target_kind, columns, target = _encode_target(entry.rows.target if entry.rows else None)
    times = entry.rows.event_times if entry.rows is not None else None
    message_id = entry.message_id.encode()
    if entry.kind is EntryKind.OPENED:
        target = entry.user.encode()
    header = _HEADER.pack(
        _VERSION,
        entry.kind,
        _ARRIVALS.index(entry.arrival),
        _INPUT_TYPES.index(inputs.dtype),
        target_kind,
        times is not None,
        len(message_id),
        entry.session,
        # Opening one has no sequence; records of before have 0 there.
        entry.since if entry.kind is EntryKind.OPENED else entry.sequence,
        entry.horizon_rows if entry.kind is EntryKind.OPENED else entry.target_sequence,
        *inputs.shape,
        columns,
    )
    if not inputs.size:
        return [header + message_id, target]
    return [
        header + message_id,
        np.ascontiguousarray(inputs).reshape(-1).view(np.uint8).data,
        b"" if times is None else np.ascontiguousarray(times, np.int64).tobytes(),
        target,
    ]


def decode(data: bytes) -> Entry:
    """Return the entry in a record.

    Raises:
        ValueError: It is none, or of a version not known here.
    """
    try:
        return _decode(data)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"not an entry of a journal: {error}") from error


def _decode(data: bytes) -> Entry:
    fields = _HEADER.unpack_from(data)
    version, kind, arrival, input_type, target_kind, has_times, id_length = fields[:7]
    session, sequence, other, row_count, channels, columns = fields[7:]
    if version != _VERSION:
        raise ValueError(f"an entry of version {version}, not {_VERSION}")
    place = _HEADER.size + id_length
    message_id = data[_HEADER.size : place].decode()
    if (kind := EntryKind(kind)) is EntryKind.OPENED:
        user = data[place:].decode()
        return Entry(kind, session, user=user, since=int(sequence), horizon_rows=int(other))
    inputs = np.frombuffer(data, _INPUT_TYPES[input_type], row_count * channels, place)
    place += inputs.nbytes
    times = np.frombuffer(data, np.int64, row_count, place) if has_times and inputs.size else None
    place += times.nbytes if times is not None else 0
    target = _decode_target(_TargetKind(target_kind), columns, data[place:])
    return Entry(
        kind,
        session,
        sequence,
        Rows(inputs.reshape(row_count, channels), target, event_times=times),
        _ARRIVALS[arrival],
        int(other),
        message_id,
    )


def storable(inputs: Array) -> Array:
    """Return inputs of any number type as a journal and the engines take them.

    A number beyond float32's range becomes infinite, as in the engine's policy.
    """
    if inputs.dtype in _INPUT_TYPES:
        return inputs
    with np.errstate(over="ignore"):
        return inputs.astype(np.float32)


def _encode_target(target: Target) -> tuple[_TargetKind, int, bytes]:
    if target is None:
        return _TargetKind.NONE, 0, b""
    if isinstance(target, Numbers):
        with np.errstate(over="ignore"):
            numbers = np.ascontiguousarray(target.values, np.float32)
        columns = numbers.shape[1] if numbers.ndim > 1 else 0
        return _TargetKind.NUMBERS, columns, numbers.tobytes()
    if target.values and isinstance(target.values[0], int):
        try:
            return _TargetKind.WHOLE_NUMBERS, 0, np.array(target.values, np.int64).tobytes()
        except OverflowError:
            # Beyond int64: a label is the same as its digits.
            pass
    texts = [str(value) for value in target.values]
    return _TargetKind.TEXTS, 0, json.dumps(texts, ensure_ascii=False).encode()


def _decode_target(kind: _TargetKind, columns: int, data: bytes) -> Target:
    if kind is _TargetKind.NONE:
        return None
    if kind is _TargetKind.NUMBERS:
        numbers = np.frombuffer(data, np.float32)
        return Numbers(numbers.reshape(-1, columns) if columns else numbers)
    if kind is _TargetKind.WHOLE_NUMBERS:
        return Labels(np.frombuffer(data, np.int64).tolist())
    return Labels(json.loads(data))
