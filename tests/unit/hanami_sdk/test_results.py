"""What a network answered, as numpy arrays."""

import numpy as np
import pytest
from google.rpc import code_pb2, status_pb2
from hanami.kyouko.v1 import learning_service_pb2 as pb

from hanami_sdk.results import Result, Score, refusal
from hanami_sdk.tensors import encode


def answer(**fields: object) -> pb.LearnResult:
    """Return an answer to a frame of two rows."""
    message = pb.LearnResult(
        sequence=3,
        predicted=encode(np.array([1, -1], np.int32)),
        loss=encode(np.array([0.5, 1.5], np.float32)),
        correct_rows=1,
        learned_rows=100,
        kept_rows=64,
    )
    message.MergeFrom(pb.LearnResult(**fields))  # type: ignore[arg-type]
    return message


def test_indices_become_labels() -> None:
    """A row without a known label is None."""
    result = Result(answer(), rows=2, labels=["cat", "dog"])

    assert result.predicted.tolist() == [1, -1]
    assert result.predicted_labels == ["dog", None]


def test_figures_are_taken_over() -> None:
    """Sequence and counters are plain numbers."""
    result = Result(answer(), rows=2, labels=["cat", "dog"])

    assert (result.sequence, result.correct_rows) == (3, 1)
    assert (result.learned_rows, result.kept_rows) == (100, 64)
    assert result.size_bytes == answer().ByteSize()


def test_what_was_not_sent_is_empty() -> None:
    """Outputs are there only when they were asked for."""
    result = Result(answer(), rows=2, labels=["cat", "dog"])

    assert result.outputs.size == 0


def test_outputs_are_a_matrix() -> None:
    """One line for each row."""
    outputs = np.array([[0.25, 0.75], [0.5, 0.5]], np.float32)

    result = Result(answer(outputs=encode(outputs)), rows=2, labels=["cat", "dog"])

    assert result.outputs.tolist() == outputs.tolist()


def test_a_score_adds_up() -> None:
    """Only rows with a loss count as scored."""
    score = Score()
    score.add(Result(answer(), rows=2, labels=["cat", "dog"]))
    score.add(Result(pb.LearnResult(sequence=4), rows=5, labels=[]))

    assert (score.rows, score.scored_rows) == (7, 2)
    assert score.accuracy == 0.5
    assert score.mean_loss == 1.0


def test_an_empty_score_is_not_a_number() -> None:
    """Nothing scored is not the same as nothing right."""
    assert np.isnan(Score().accuracy)


@pytest.mark.parametrize("row", [None, 0, 5])
def test_a_fault_becomes_an_error_with_its_row(row: int | None) -> None:
    """Row 0 is a row, and not the absence of one."""
    fault = pb.LearnFault(
        sequence=9, row=row, status=status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message="No.")
    )

    error = refusal(fault)

    assert (error.sequence, error.row, error.message) == (9, row, "No.")


def test_rows_without_a_loss_do_not_count() -> None:
    """A row that a pipeline left out, or that nobody foretold, is no part of the score."""
    loss = encode(np.array([0.5, np.nan, 1.5], np.float32))
    score = Score()

    score.add(Result(pb.LearnResult(loss=loss), rows=3, labels=[]))

    assert (3, 2, 1.0) == (score.rows, score.scored_rows, score.mean_loss)
