"""Frames as they come: what cannot be used is refused before any of it is kept."""

import numpy as np
import numpy.typing as npt
import pytest
from hanami.kyouko.v1 import learning_service_pb2 as pb
from hanami.type.v1 import tensor_pb2

from kyouko.convert.streams import frame_of
from kyouko.domain.networks.learner import Labels, Numbers, Rows
from kyouko.domain.streams.pieces import StreamMode
from kyouko.domain.streams.stream import StreamTerms
from mesh.errors import DomainError
from mesh.tensors import tensor_of

TERMS = StreamTerms(
    mode=StreamMode.LEARN,
    channels=3,
    window_rows=100,
    window_bytes=2000,
    max_frame_rows=10,
    return_outputs=False,
    idle_seconds=15.0,
)
ROWS = np.ones((2, 3), np.float32)


def message(inputs: "npt.NDArray[np.generic]" = ROWS, **target: object) -> pb.LearnFrame:
    """Return a frame with inputs and one kind of target."""
    return pb.LearnFrame(sequence=7, inputs=tensor_of(inputs), **target)  # type: ignore[arg-type]


def refusal(frame: pb.LearnFrame) -> DomainError:
    """Return why a frame is refused; nothing else of it is left."""
    made = frame_of(frame, TERMS)
    assert isinstance(made.rows, DomainError)
    assert (7, 0, 0) == (made.sequence, made.row_count, made.byte_count)
    return made.rows


def test_a_frame_counts_the_memory_it_takes() -> None:
    """Inputs and targets, labels with what holds them."""
    texts = message(labels=pb.LabelList(values=["ab", "c"]))
    numbers = message(label_numbers=tensor_of(np.array([1, 2], np.uint8)))
    targets = message(targets=tensor_of(np.ones((2, 5), np.float64)))

    made = [frame_of(frame, TERMS) for frame in (message(), texts, numbers, targets)]

    assert [24, 24 + 131, 24 + 128, 24 + 80] == [frame.byte_count for frame in made]
    assert [2, 2, 2, 2] == [frame.row_count for frame in made]
    rows = [frame.rows for frame in made if isinstance(frame.rows, Rows)]
    assert [type(None), Labels, Labels, Numbers] == [type(item.target) for item in rows]


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        (np.zeros((1, 15 * 2**20), np.uint8), "WIDTH_MISMATCH"),
        (np.zeros(15 * 2**20, np.uint8), "TENSOR_INVALID"),
        (np.zeros((11, 3), np.uint8), "LIMIT_REACHED"),
        (np.zeros((2**20, 3), np.uint8), "LIMIT_REACHED"),
    ],
)
def test_inputs_of_another_shape_are_not_kept(inputs: "npt.NDArray[np.uint8]", reason: str) -> None:
    """However large they are, the error is all that waits for the network."""
    assert reason == refusal(message(inputs)).reason


def test_targets_that_are_not_one_a_row_are_not_kept() -> None:
    """Neither texts nor numbers; nobody makes a list of them first."""
    many = tensor_of(np.zeros(15 * 2**20, np.uint8))
    frames = [
        message(labels=pb.LabelList(values=["a"] * 3)),
        message(label_numbers=many),
        message(targets=many),
    ]

    errors = [refusal(frame) for frame in frames]

    assert ["TARGET_INVALID"] * 3 == [error.reason for error in errors]
    assert ["3", str(15 * 2**20), str(15 * 2**20)] == [error.metadata["actual"] for error in errors]


def test_long_texts_are_not_kept() -> None:
    """A label far beyond the longest one is refused with its row."""
    error = refusal(message(labels=pb.LabelList(values=["a", "b" * 2**20])))

    assert ("TARGET_INVALID", "1") == (error.reason, error.metadata["row"])


def test_a_frame_larger_than_the_window_is_refused() -> None:
    """It would never fit, whatever is answered before."""
    error = refusal(message(targets=tensor_of(np.ones((2, 200), np.float64))))

    assert ("LIMIT_REACHED", "2000") == (error.reason, error.metadata["limit"])


def test_an_endless_shape_makes_no_endless_error() -> None:
    """The refusal of a shape of many lengths is as short as any other."""
    shape = tensor_pb2.Tensor(data_type=tensor_pb2.DATA_TYPE_UINT8, shape=[1] * 10**5, packed=b"a")
    frames = [pb.LearnFrame(sequence=7, inputs=shape), message(targets=shape)]

    assert all(len(refusal(frame).message) < 200 for frame in frames)
