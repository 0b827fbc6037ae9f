"""Messages as frames: fields, arrays, CSV, labels, targets and ids."""

import json
from typing import Any

import numpy as np
import pytest

from hanami_sdk.bridge.configuration import Route
from hanami_sdk.bridge.errors import MessageUnreadable
from hanami_sdk.bridge.mapping import frame_of
from hanami_sdk.bridge.messages import Message


async def _acknowledge() -> None:
    """Nobody waits for it here."""


def message(payload: Any, topic: str = "pumps/1", **more: Any) -> Message:
    """Return a message as a broker delivers it."""
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Message(topic, data, _acknowledge, **more)


def route(**changes: Any) -> Route:
    """Return a route of two inputs and a label."""
    source = {"nats": {"subjects": ["x"]}}
    values = {"network": "n1", "inputs": ["a", "b.c"], "label": "is", "sources": [source]}
    return Route.model_validate({**values, **changes})


def test_fields_become_channels_in_the_order_of_the_route() -> None:
    """Objects within objects have paths; what is missing is not a number."""
    frame = frame_of(message({"is": "x", "b": {"c": "2.5"}}), route())

    assert ["x"] == frame.labels
    np.testing.assert_array_equal([[np.nan, 2.5]], frame.inputs)


def test_several_rows_may_share_a_message() -> None:
    """Objects, arrays or lines of CSV; they are one frame with one id."""
    columns = {"columns": ["is", "a", "b.c"]}
    objects = frame_of(message([{"a": 1, "is": 7}, {"a": 2, "is": True}]), route())
    arrays = frame_of(message([["x", 1, 2], ["y", 3, None]]), route(**columns))
    lines = frame_of(message(b"x,1,2\ny,3,NA\n"), route(**columns, format="csv"))

    assert ["7", "true"] == objects.labels
    assert ["x", "y"] == arrays.labels == lines.labels
    np.testing.assert_array_equal([[1, 2], [3, np.nan]], arrays.inputs)
    np.testing.assert_array_equal(arrays.inputs, lines.inputs)


def test_targets_are_numbers() -> None:
    """A message without them is only predicted."""
    numbers = route(label="", targets=["y", "z"])

    taught = frame_of(message({"a": 1, "b.c": 2, "y": 3, "z": 4}), numbers)
    untaught = frame_of(message({"a": 1, "b.c": 2, "y": None, "z": 4}), numbers)

    np.testing.assert_array_equal([[3.0, 4.0]], taught.targets)  # type: ignore[arg-type]
    assert untaught.targets is None


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not text in UTF-8"),
        (b"[" * 100_000, "not JSON"),
        (7, "no object and no array"),
        ([1, 2], "no columns"),
        ([], "no columns"),
        ({"a": "much"}, "Field 'a' is no number: 'much'"),
        ({"a": "1_0"}, "Field 'a' is no number"),
        ({"a": [1]}, "Field 'a' is no number"),
        ({"is": 1.5}, "Field 'is' is no label"),
        ([{"is": "x"}, {"a": 1}], "Some of its rows have a label"),
    ],
)
def test_what_does_not_fit_is_told(payload: Any, words: str) -> None:
    """And the bridge goes on with the next message."""
    with pytest.raises(MessageUnreadable, match=words):
        frame_of(message(payload), route())


def test_the_id_is_what_the_route_says() -> None:
    """A field or a property, within its topic: two devices may number alike."""
    by_field, by_property = route(id={"field": "n"}), route(id={"property": "uid"})

    ids = [
        frame_of(message({"n": 5}), by_field).message_id,
        frame_of(message({"n": 5}, "pumps/2"), by_field).message_id,
        frame_of(message({"n": 5, "a": 1}), by_field).message_id,
        frame_of(message({}, properties={"uid": "abc"}), by_property).message_id,
    ]

    assert ["pumps/1 5", "pumps/2 5", "pumps/1 5", "pumps/1 abc"] == ids


def test_a_message_without_its_id_is_told() -> None:
    """It could be learned twice."""
    for chosen in ({"field": "n"}, {"property": "uid"}):
        with pytest.raises(MessageUnreadable, match="which is to be its id"):
            frame_of(message({"a": 1}), route(id=chosen))


def test_without_an_id_the_brokers_own_counts_and_else_a_hash() -> None:
    """The same bytes on the same topic are the same message then."""
    known = frame_of(message({"a": 1}, broker_id="PUMPS 17"), route()).message_id
    hashed = [
        frame_of(message({"a": value}, topic), route()).message_id
        for topic, value in (("t", 1), ("t", 1), ("t", 2), ("u", 1))
    ]

    assert "PUMPS 17" == known
    assert hashed[0] == hashed[1]
    assert 3 == len(set(hashed))


def test_a_long_id_is_known_by_its_hash() -> None:
    """The contract allows 128 characters."""
    by_field = route(id={"field": "n"})

    first, second = (
        frame_of(message({"n": "x" * 200 + end}), by_field).message_id for end in ("1", "2")
    )

    assert first != second
    assert max(len(first), len(second)) <= 128
