"""From a message to a frame: fields to channels, label or targets, and the message's id."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from typing import Any

import numpy as np

from hanami_sdk.bridge.configuration import Route
from hanami_sdk.bridge.errors import MessageUnreadable
from hanami_sdk.bridge.messages import Message
from hanami_sdk.event_times import parse_time
from hanami_sdk.frames import Frame
from hanami_sdk.gaps import GAPS
from hanami_sdk.json_fields import flat_fields

# The contract's limit; an id that is longer is known by its hash.
_LONGEST_ID = 128
_HASH_BYTES = 20

Fields = dict[str, Any]


def frame_of(message: Message, route: Route) -> Frame:
    """Return the rows of a message: one, or several that it holds together.

    Raises:
        MessageUnreadable: its payload does not fit the route.
    """
    is_csv = route.format == "csv"
    rows = (_csv_rows if is_csv else _json_rows)(message.payload, route)
    inputs = np.array(
        [[_number(row, name) for name in route.inputs] for row in rows], dtype=np.float32
    )
    frame_id = message_id(message, route, rows)
    times = [_time(row, route.time) for row in rows] if route.time else None
    if route.label:
        labels = [_label(row, route.label) for row in rows]
        known = [label for label in labels if label]
        if known and len(known) < len(rows):
            raise MessageUnreadable("Some of its rows have a label, others have none.")
        return Frame(inputs, known or None, message_id=frame_id, event_times=times)
    targets = np.array(
        [[_number(row, name) for name in route.targets] for row in rows], dtype=np.float32
    )
    if not route.targets:
        return Frame(inputs, message_id=frame_id, event_times=times)
    gaps = np.isnan(targets).any(axis=1)
    if gaps.any() and not gaps.all():
        raise MessageUnreadable("Some of its rows have targets, others have none.")
    known_targets = None if gaps.any() else targets
    return Frame(inputs, targets=known_targets, message_id=frame_id, event_times=times)


def message_id(message: Message, route: Route, rows: list[Fields]) -> str:
    """Return what makes a message known when it comes again.

    Ids of devices count within their topic: two devices may number their messages alike.

    Raises:
        MessageUnreadable: the chosen field or property is missing.
    """
    if route.id is not None:
        if route.id.field:
            given = rows[0].get(route.id.field)
            what = f"field {route.id.field!r}"
        else:
            given = message.properties.get(route.id.property)
            what = f"property {route.id.property!r}"
        if given is None or given == "":
            raise MessageUnreadable(f"It has no {what}, which is to be its id.")
        return _short(f"{message.topic} {given}")
    if message.broker_id:
        return _short(message.broker_id)
    return _digest(message.topic.encode() + b"\0" + message.payload)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_ID else _digest(text.encode())


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=_HASH_BYTES).hexdigest()


def _text(payload: bytes) -> str:
    try:
        return payload.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MessageUnreadable("It is not text in UTF-8.") from error


def _json_rows(payload: bytes, route: Route) -> list[Fields]:
    try:
        value = json.loads(_text(payload))
    except (ValueError, RecursionError) as error:
        raise MessageUnreadable(f"It is not JSON: {error}.") from error
    many = value if isinstance(value, list) and value and _holds_rows(value) else [value]
    return [_fields(row, route) for row in many]


def _holds_rows(values: list[Any]) -> bool:
    return all(isinstance(each, (dict, list)) for each in values)


def _fields(value: Any, route: Route) -> Fields:
    if isinstance(value, dict):
        return dict(flat_fields(value))
    if isinstance(value, list):
        return _named(value, route)
    raise MessageUnreadable("It is no object and no array.")


def _named(values: list[Any], route: Route) -> Fields:
    if not route.columns:
        raise MessageUnreadable(
            "It is an array, and the route has no columns that name its values."
        )
    if len(values) != len(route.columns):
        raise MessageUnreadable(f"It has {len(values)} values for {len(route.columns)} columns.")
    return dict(zip(route.columns, values, strict=True))


def _csv_rows(payload: bytes, route: Route) -> list[Fields]:
    try:
        found = csv.reader(_text(payload).splitlines(), delimiter=route.delimiter, strict=True)
        rows = [_named(list(cells), route) for cells in found if cells]
    except csv.Error as error:
        raise MessageUnreadable(f"It is not CSV: {error}.") from error
    if not rows:
        raise MessageUnreadable("It is empty.")
    return rows


def _number(row: Fields, name: str) -> float:
    """Return a value; one that is missing is not a number."""
    value = row.get(name)
    if isinstance(value, str):
        value = value.strip()
        if value in GAPS:
            return math.nan
    elif value is None:
        return math.nan
    try:
        if isinstance(value, str) and "_" in value:  # Python reads 1_000 as a number.
            raise ValueError(value)
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise MessageUnreadable(f"Field {name!r} is no number: {str(value)[:40]!r}.") from error


def _time(row: Fields, name: str) -> int:
    try:
        return parse_time(str(row.get(name, "")))
    except ValueError as error:
        raise MessageUnreadable(
            f"Field {name!r} is no time: {str(row.get(name))[:40]!r}."
        ) from error


def _label(row: Fields, name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if isinstance(value, (list, float)):
        raise MessageUnreadable(f"Field {name!r} is no label: {str(value)[:40]!r}.")
    return str(value).lower() if isinstance(value, bool) else str(value).strip()
