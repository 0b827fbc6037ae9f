"""A network at work: rows in, honest scores out, and nothing half done."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from kyouko.domain.engine import Arrival
from kyouko.domain.networks.learner import Labels, Learner, Numbers, Rows, Target
from kyouko.domain.template import resolve
from kyouko.templates import shipped_templates
from mesh.errors import DomainError

ONES = np.ones((2, 3), np.float32)


def learner(*, numbers: bool = False) -> Learner:
    """Return a small new network of three channels."""
    shipped = shipped_templates()["flat-numbers" if numbers else "flat"]
    return Learner(resolve(shipped.template, channels=3), None)


def test_learning_scores_before_it_learns() -> None:
    """The first label is never right, and opens the first output."""
    network = learner()

    first = network.learn(Rows(ONES, Labels(["a", "a"])), Arrival.STREAMED)

    assert first.predicted is not None
    assert [-1, 0] == first.predicted.tolist()
    assert (1, 0, 1, 2) == (
        first.correct_rows,
        first.labels_before,
        first.labels_after,
        first.learned_rows,
    )


def test_rows_without_targets_teach_nothing() -> None:
    """They are predicted, also by a learning stream."""
    network = learner()
    network.learn(Rows(ONES, Labels(["a", "b"])), Arrival.STREAMED)

    results = network.learn(Rows(ONES), Arrival.STREAMED)

    assert (None, 2, (2, 2)) == (results.loss, results.learned_rows, results.outputs.shape)


def test_time_goes_on_with_rows_without_targets() -> None:
    """With delays they become the past of the next rows, unless the stream only predicts."""
    structure = learner().structure
    past = replace(structure.inputs[0], delays=(1, 2))
    network, other = (Learner(replace(structure, inputs=(past,)), None) for _ in range(2))
    rows = np.random.default_rng(1).normal(size=(83, 3)).astype(np.float32)
    for twin in (network, other):
        twin.learn(Rows(rows[:80], Labels(["a", "b"] * 40)), Arrival.STREAMED)

    other.predict(Rows(rows[80:82]))
    unmoved = other.predict(Rows(rows[82:])).outputs
    together = other.learn(Rows(rows[80:]), Arrival.STREAMED).outputs
    apart = [network.learn(Rows(rows[[place]]), Arrival.STREAMED).outputs for place in (80, 81, 82)]

    assert np.array_equal(together, np.concatenate(apart))
    assert not np.array_equal(together[2:], unmoved)
    assert (80, 3) == (other.learned_rows, other.passed_rows)


def test_a_series_is_followed_aside() -> None:
    """Rows of a series are predicted in order, in any pieces, while the network's time stands."""
    structure = learner().structure
    past = replace(structure.inputs[0], delays=(2,))
    network = Learner(replace(structure, inputs=(past,)), None)
    rows = np.random.default_rng(1).normal(size=(120, 3)).astype(np.float32)
    labels = Labels(["a", "b"] * 20)
    network.learn(Rows(rows[:40], Labels(["a", "b"] * 20)), Arrival.STREAMED)
    before = network.predict(Rows(rows[40:]))

    aside, other = network.aside(), network.aside()
    whole = aside.follow(Rows(rows[40:80], labels))
    pieces = [other.follow(Rows(rows[start : start + 8])) for start in range(40, 80, 8)]

    assert np.array_equal(whole.outputs, np.concatenate([piece.outputs for piece in pieces]))
    assert np.array_equal(before.outputs, network.predict(Rows(rows[40:])).outputs)
    assert not np.array_equal(before.outputs[1:40], whole.outputs[1:])
    assert (40, 0) == (network.learned_rows, network.passed_rows)
    odd = np.arange(1, 40, 2)
    part = aside.score(whole.of(odd), Rows(rows[41:80:2], Labels(["b"] * 20)))
    assert whole.loss is not None
    assert part.loss is not None
    assert whole.loss[odd].tolist() == part.loss.tolist()


def test_without_a_past_a_series_needs_no_copy() -> None:
    """Networks that remember nothing predict series themselves."""
    network = learner()

    assert network is network.aside()


def test_scoring_does_not_learn_and_does_not_open_labels() -> None:
    """An unknown label costs the most and stays unknown."""
    network = learner()
    network.learn(Rows(ONES, Labels(["a", "a"])), Arrival.STREAMED)

    results = network.predict(Rows(ONES, Labels(["a", "z"])))

    assert results.loss is not None
    assert results.loss[1] == pytest.approx(13.8)
    assert (1, 2, ("a",)) == (results.correct_rows, results.learned_rows, network.labels.labels)


def test_losses_are_finite_however_far_apart_the_numbers_are() -> None:
    """Also after the least numbers came the greatest, and for rows that are only predicted."""
    network = learner(numbers=True)
    least = Numbers(np.array([[0.0], [1e-20]], np.float32))
    greatest = Numbers(np.array([[-3e38], [3e38]], np.float32))
    network.learn(Rows(ONES, least), Arrival.STREAMED)

    predicted = network.predict(Rows(ONES, greatest))
    learned = network.learn(Rows(ONES, greatest), Arrival.STREAMED)
    running = network.statistics().running_loss

    assert predicted.loss is not None
    assert learned.loss is not None
    assert np.isfinite(predicted.loss).all()
    assert np.isfinite(learned.loss).all()
    assert 0 < running <= float(np.finfo(np.float32).max)


def test_numbers_are_scored_in_units_of_their_variance() -> None:
    """Before anything was learned there is no unit, and the loss is 0."""
    network = learner(numbers=True)
    target = Numbers(np.array([[1.0], [3.0]]))

    before = network.predict(Rows(ONES, target))
    network.learn(Rows(ONES, target), Arrival.STREAMED)
    after = network.predict(Rows(ONES, Numbers(np.array([2.0, 2.0]))))

    assert before.loss is not None
    assert after.loss is not None
    assert [0.0, 0.0] == before.loss.tolist()
    assert 4.0 == pytest.approx(before.absolute_error)
    assert after.predicted is None
    assert after.loss.max() < 10


@pytest.mark.parametrize(
    ("inputs", "target", "reason", "field"),
    [
        (np.ones(3, np.float32), None, "TENSOR_INVALID", "frame.inputs"),
        (np.ones((2, 4), np.float32), None, "WIDTH_MISMATCH", "frame.inputs"),
        (ONES, Numbers(np.ones((2, 1))), "TARGET_INVALID", "frame.targets"),
        (ONES, Labels(["a"]), "TARGET_INVALID", "frame.labels"),
        (ONES, Labels(["a", "x" * 300]), "TARGET_INVALID", "frame.labels"),
    ],
)
def test_rows_that_do_not_fit_change_nothing(
    inputs: npt.NDArray[np.float32], target: Target, reason: str, field: str
) -> None:
    """Each is refused with its reason and field, learning and predicting alike."""
    network = learner()
    network.learn(Rows(ONES, Labels(["a", "b"])), Arrival.STREAMED)
    before = network.predict(Rows(ONES)).outputs
    rows = Rows(inputs, target, place="frame.")

    with pytest.raises(DomainError) as refused:
        network.learn(rows, Arrival.STREAMED)

    assert (reason, field) == (refused.value.reason, refused.value.metadata["field"])
    assert (2, ("a", "b")) == (network.learned_rows, network.labels.labels)
    assert np.array_equal(before, network.predict(Rows(ONES)).outputs)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (Labels(["a", "b"]), "TARGET_INVALID"),
        (Numbers(np.ones((2, 2))), "WIDTH_MISMATCH"),
        (Numbers(np.ones((3, 1))), "TARGET_INVALID"),
        (Numbers(np.array([[1.0], [np.nan]])), "TARGET_INVALID"),
        (Numbers(np.array([[1.0], [1e300]])), "TARGET_INVALID"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(target: Target, reason: str) -> None:
    """Labels, wrong shapes, and what is not finite in float32."""
    network = learner(numbers=True)

    with pytest.raises(DomainError) as refused:
        network.learn(Rows(ONES, target), Arrival.STREAMED)

    assert (reason, 0) == (refused.value.reason, network.learned_rows)


def test_any_number_type_is_taken() -> None:
    """Integers and doubles become float32; bytes stay bytes and mean the same."""
    network = learner()
    network.learn(Rows(ONES, Labels(["a", "b"])), Arrival.STREAMED)

    outputs = [
        network.predict(Rows(ONES.astype(dtype))).outputs
        for dtype in (np.uint8, np.int16, np.int32, np.int64, np.float32, np.float64)
    ]

    assert all(np.array_equal(outputs[0], other) for other in outputs)


def test_a_snapshot_goes_on_exactly() -> None:
    """After a round trip the network learns on to the bit as the original does."""
    generator = np.random.default_rng(1)
    inputs = generator.normal(size=(300, 3)).astype(np.float32)
    labels = Labels([f"label-{value}" for value in generator.integers(0, 4, 300)])
    original = learner()
    original.learn(Rows(inputs, labels), Arrival.STREAMED)

    copy = Learner(original.structure, original.export())
    both = [item.learn(Rows(inputs, labels), Arrival.STREAMED) for item in (original, copy)]

    assert original.labels.labels == copy.labels.labels
    assert np.array_equal(both[0].outputs, both[1].outputs)
    assert original.statistics() == copy.statistics()
