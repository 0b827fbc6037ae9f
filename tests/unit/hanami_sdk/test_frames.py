"""Rows become frames."""

import numpy as np
import pytest

from hanami_sdk.errors import InvalidArgument
from hanami_sdk.frames import Frame, as_frame, encode_frame, split_rows
from hanami_sdk.tensors import decode

PIXELS = np.arange(12, dtype=np.uint8).reshape(3, 4)


def test_pixels_go_as_the_bytes_they_are() -> None:
    """A uint8 frame is not blown up to floats."""
    message = encode_frame(Frame(PIXELS))

    assert message.inputs.packed == PIXELS.tobytes()
    assert message.WhichOneof("target") is None


def test_whole_numbers_as_labels_are_packed() -> None:
    """Integer labels go as bytes, not one by one."""
    message = encode_frame(Frame(PIXELS, labels=np.array([7, 0, 9], np.uint8)))

    assert message.WhichOneof("target") == "label_numbers"
    assert message.label_numbers.packed == b"\x07\x00\x09"


def test_text_labels_are_listed() -> None:
    """Labels that are text go as text."""
    message = encode_frame(Frame(PIXELS, labels=["cat", "dog", "cat"]))

    assert list(message.labels.values) == ["cat", "dog", "cat"]


def test_numbers_to_learn_become_a_matrix() -> None:
    """A vector of targets is one output."""
    message = encode_frame(Frame(PIXELS, targets=[0.5, 1.5, 2.5]))

    assert decode(message.targets).tolist() == [[0.5], [1.5], [2.5]]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0.5, 1.0, 2.0], "use targets"),
        (["a", "b"], "labels of shape"),
        ([["a"], ["b"], ["c"]], "labels of shape"),
        (np.array(["a", 1, "c"], dtype=object), "text or whole numbers"),
        (np.full(3, 2**64 - 1, dtype=np.uint64), "too large"),
    ],
)
def test_labels_that_fit_no_row_are_refused(labels: object, words: str) -> None:
    """The mistake is named before anything is sent."""
    with pytest.raises(InvalidArgument, match=words):
        encode_frame(Frame(PIXELS, labels=labels))  # type: ignore[arg-type]


def test_labels_and_targets_exclude_each_other() -> None:
    """A frame teaches classes or numbers."""
    with pytest.raises(InvalidArgument, match="not both"):
        encode_frame(Frame(PIXELS, labels=[1, 2, 3], targets=[1.0, 2.0, 3.0]))


def test_an_empty_frame_is_refused() -> None:
    """No rows, no frame."""
    with pytest.raises(InvalidArgument, match="at least one row"):
        encode_frame(Frame(np.zeros((0, 4), np.uint8)))


def test_long_arrays_are_cut_in_order() -> None:
    """Every row goes into exactly one frame, the last one may be short."""
    frames = list(split_rows(np.arange(10).reshape(5, 2), labels=list("abcde"), frame_rows=2))

    assert [np.asarray(f.inputs).tolist() for f in frames] == [
        [[0, 1], [2, 3]],
        [[4, 5], [6, 7]],
        [[8, 9]],
    ]
    assert [f.labels for f in frames] == [["a", "b"], ["c", "d"], ["e"]]


def test_labels_have_to_be_as_many_as_rows() -> None:
    """A short label list is refused as a whole, before the first frame."""
    with pytest.raises(InvalidArgument, match="3 rows, but 2 labels"):
        list(split_rows(PIXELS, labels=[1, 2]))


def test_bare_arrays_are_frames_without_labels() -> None:
    """What has no labels is only predicted."""
    assert as_frame(PIXELS).labels is None


@pytest.mark.parametrize(
    "times", [[0, 10**9, 2 * 10**9], np.arange(3).astype("datetime64[s]")], ids=["ns", "datetime"]
)
def test_event_times_are_nanoseconds(times: object) -> None:
    """Whole numbers are taken as they are, moments are converted, and long arrays are divided."""
    frames = split_rows(PIXELS, event_times=times, frame_rows=2)  # type: ignore[arg-type]

    messages = [encode_frame(frame) for frame in frames]

    assert [[0, 10**9], [2 * 10**9]] == [list(message.event_times) for message in messages]


@pytest.mark.parametrize("times", [[1], [0.5, 1.5, 2.5]], ids=["too_few", "fractions"])
def test_event_times_that_do_not_fit_are_refused(times: list[float]) -> None:
    """There has to be one whole number for each row."""
    with pytest.raises(InvalidArgument, match="one whole number of nanoseconds"):
        encode_frame(Frame(PIXELS, event_times=times))
