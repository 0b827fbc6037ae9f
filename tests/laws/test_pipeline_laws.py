"""What holds of every network behind a pipeline: frames, snapshots and refusals leave no trace."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kyouko.domain.engine import Arrival, NetworkStructure
from kyouko.domain.networks.learner import Labels, Learner, Numbers, RowResults, Rows, Target
from kyouko.domain.networks.network import SnapshotContent
from kyouko.domain.template import resolve
from kyouko.storage.snapshots import decode, encode
from kyouko.templates import read_template
from mesh.errors import InvalidArgument

ROWS = 90
CHANNELS = 3
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """A pipeline, and what its rows come with."""

    pipeline: str
    kind: str = "numbers"
    inputs: str = "{name: row}"
    has_targets: bool = False
    least_channels: int = CHANNELS


CASES = {
    "forecast": Case("{lags: [1, 2, 7], differences: [1], forecast: {horizon: 1}}"),
    "far_forecast": Case("{window: 3, forecast: {horizon: 5, channels: [2, 'row[0]']}}"),
    "patient_forecast": Case(
        "{lags: [4], forecast: {horizon: 3}, missing: skip, calendar: {time_zone: Asia/Kathmandu},"
        " late: {tolerance_seconds: 90}}"
    ),
    "delayed_forecast": Case("{forecast: {horizon: 1}}", inputs="{name: row, delays: [1, 3]}"),
    "reconstruction": Case("{reconstruction: {channels: [row]}, stuck_rows: 2}"),
    "labels": Case(
        "{lags: [1, 5], missing: hold, rules: [{channels: [1], missing: learn, stuck_rows: 3}]}",
        kind="classes",
        has_targets=True,
    ),
    "numbers": Case("{differences: [2], calendar: {}, late: {}}", has_targets=True),
    "growing": Case(
        "{lags: [1, 2], differences: [1], forecast: {horizon: 2}, grow_channels: true,"
        " most_channels: 6, narrow_rows: true, missing: hold}",
        least_channels=2,
    ),
}


def structure_of(case: Case) -> NetworkStructure:
    """Return the structure of a small network."""
    template = read_template(
        f"inputs: [{case.inputs}]\n"
        "populations: [{name: all, neurons: 16}]\n"
        f"outputs: [{{name: out, kind: {case.kind}}}]\n"
        f"pipeline: {case.pipeline}\n"
        "options: {memory_limit_bytes: 33554432}\n"
    )
    return resolve(template, channels=CHANNELS)


def values(width: int = 5, *, seed: int = 3) -> Float32:
    """Return rows with gaps, infinities, and channels that stand still for a while."""
    random = np.random.default_rng(seed)
    rows = np.cumsum(random.normal(size=(ROWS, width)), axis=0).astype(np.float32)
    rows[20:26, 1] = rows[20, 1]
    rows[random.random(rows.shape) < 0.06] = np.nan
    rows[33, 0], rows[34, 2] = np.inf, -np.inf
    return rows


def times() -> Int64:
    """Return times a minute apart, some of them out of order."""
    minutes = np.arange(ROWS)
    minutes[[30, 31, 60]] -= np.array([1, 8, 3])
    return (1_760_000_000 + 60 * minutes).astype(np.int64) * 1_000_000_000


def frames_of(case: Case, cuts: Sequence[int], *, seed: int = 3) -> Iterator[Rows]:
    """Yield the rows of a case in frames that end at the cuts."""
    rows, clock = values(seed=seed), times()
    for start, stop in zip([0, *cuts], [*cuts, ROWS], strict=True):
        part = slice(start, stop)
        yield Rows(rows[part, :CHANNELS], target_of(case, part), event_times=clock[part])


def target_of(case: Case, part: slice) -> Target:
    """Return what there is to learn from rows, if anything."""
    places = np.arange(ROWS)[part]
    if not case.has_targets:
        return None
    if case.kind == "classes":
        return Labels([f"label {place // 11 % 3}" for place in places])
    return Numbers(np.sin(places / 7)[:, np.newaxis])


def widened(frames: Sequence[Rows], wide: Float32) -> list[Rows]:
    """Return frames with one channel more from row 40 on, then two more, then one less."""
    result, start = [], 0
    for frame in frames:
        stop = start + len(frame.inputs)
        width = 3 if stop <= 40 else 4 if stop <= 60 else 5 if stop <= 75 else 2
        result.append(replace(frame, inputs=wide[start:stop, :width]))
        start = stop
    return result


def learn(network: Learner, frames: Sequence[Rows]) -> list[RowResults]:
    """Let a network learn frames."""
    return [network.learn(frame, Arrival.STREAMED) for frame in frames]


def all_frames(name: str, cuts: Sequence[int]) -> list[Rows]:
    """Return the frames of a case; those of a growing one change their width at fixed rows."""
    if name != "growing":
        return list(frames_of(CASES[name], cuts))
    return widened(list(frames_of(CASES[name], sorted({*cuts, 40, 60, 75}))), values())


def outputs_of(results: Sequence[RowResults]) -> Float32:
    """Return all outputs, padded with zeros where classes opened later."""
    width = results[-1].outputs.shape[1]
    return np.concatenate(
        [np.pad(part.outputs, ((0, 0), (0, width - part.outputs.shape[1]))) for part in results]
    )


def losses_of(results: Sequence[RowResults]) -> Float32:
    """Return the losses of all rows."""
    return np.concatenate(
        [np.empty(0, np.float32), *(part.loss for part in results if part.loss is not None)]
    )


def is_same(one: SnapshotContent, other: SnapshotContent) -> bool:
    """Tell whether two networks are the same to the bit, but for the scale of foreign targets."""
    assert one.pipeline is not None
    assert other.pipeline is not None
    return dict(one.pipeline.header) == dict(other.pipeline.header) and all(
        left.keys() == right.keys()
        and all(np.array_equal(left[name], right[name], equal_nan=True) for name in left)
        for left, right in (
            (one.engine.arrays, other.engine.arrays),
            (dict(one.pipeline.arrays), dict(other.pipeline.arrays)),
        )
    )


cuts_of_rows = st.lists(st.integers(1, ROWS - 1), unique=True, max_size=12).map(sorted)


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=5, deadline=None)
@given(cuts=cuts_of_rows)
def test_frames_do_not_matter(name: str, cuts: list[int]) -> None:
    """Rows in any frames give the same answers, losses and network, to the bit."""
    whole, parts = (Learner(structure_of(CASES[name]), None) for _ in range(2))

    expected = learn(whole, all_frames(name, []))
    actual = learn(parts, all_frames(name, cuts))

    assert np.array_equal(outputs_of(expected), outputs_of(actual), equal_nan=True)
    assert np.array_equal(losses_of(expected), losses_of(actual), equal_nan=True)
    assert is_same(whole.export(), parts.export())


@pytest.mark.parametrize("name", CASES)
def test_rows_one_by_one(name: str) -> None:
    """One row a frame is no exception."""
    whole, parts = (Learner(structure_of(CASES[name]), None) for _ in range(2))

    expected = learn(whole, all_frames(name, []))
    actual = learn(parts, all_frames(name, range(1, ROWS)))

    assert np.array_equal(outputs_of(expected), outputs_of(actual), equal_nan=True)
    assert is_same(whole.export(), parts.export())


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=3, deadline=None)
@given(cut=st.integers(1, ROWS - 1))
def test_restored_networks_continue_exactly(name: str, cut: int) -> None:
    """A network that went through a snapshot's bytes goes on as if nothing had been."""
    whole = Learner(structure_of(CASES[name]), None)
    frames = all_frames(name, [cut])
    first = next(
        place
        for place in range(len(frames) + 1)
        if sum(len(frame.inputs) for frame in frames[:place]) >= cut
    )
    learn(whole, frames[:first])

    restored = Learner(whole.structure, decode(encode(whole.export())))
    expected, actual = learn(whole, frames[first:]), learn(restored, frames[first:])

    assert np.array_equal(outputs_of(expected), outputs_of(actual), equal_nan=True)
    assert np.array_equal(losses_of(expected), losses_of(actual), equal_nan=True)
    assert is_same(whole.export(), restored.export())


@pytest.mark.parametrize("name", CASES)
def test_predicting_changes_nothing(name: str) -> None:
    """Nor does it matter which rows are predicted together."""
    network = Learner(structure_of(CASES[name]), None)
    frame = next(iter(frames_of(CASES[name], [])))
    learn(network, all_frames(name, [])[:1])
    before = network.export()

    asked = replace(frame, target=None)
    together = network.predict(asked)
    apart = [network.predict(asked.of(np.array([place]))) for place in range(ROWS)]

    assert np.array_equal(together.outputs, outputs_of(apart), equal_nan=True)
    assert is_same(before, network.export())


@pytest.mark.parametrize("name", ["forecast", "far_forecast", "reconstruction", "growing"])
def test_no_forecast_has_seen_what_it_foretells(name: str) -> None:
    """Other rows from row 50 on change no word that was said of the rows up to there."""
    one, other = (Learner(structure_of(CASES[name]), None) for _ in range(2))
    before = list(frames_of(CASES[name], [50]))
    after = list(frames_of(CASES[name], [50], seed=4))[1]

    expected = learn(one, before)
    actual = learn(other, [before[0], after])

    horizon = one.structure.pipeline.horizon if one.structure.pipeline else 0
    for left, right in zip(expected, actual, strict=True):
        assert left.foretold is not None
        assert right.foretold is not None
        same = left.foretold.predicted[:horizon] if left is expected[1] else left.foretold.predicted
        there = right.foretold.predicted[: len(same)]
        assert np.array_equal(same, there, equal_nan=True)
    assert not np.array_equal(expected[1].outputs, actual[1].outputs, equal_nan=True)


BAD_FRAMES = {
    "too_wide": Rows(np.ones((2, 9), np.float32)),
    "no_matrix": Rows(np.ones(3, np.float32)),
    "short_of_times": Rows(values()[:2, :3], Numbers(np.ones((2, 1))), event_times=times()[:1]),
    "impossible_time": Rows(
        values()[:1, :3], Numbers(np.ones((1, 1))), event_times=np.array([-(2**63)])
    ),
    "no_times": Rows(values()[:2, :3], Numbers(np.ones((2, 1)))),
    "bad_target": Rows(values()[:1, :3], Numbers(np.full((1, 1), np.nan)), event_times=times()[:1]),
}


@pytest.mark.parametrize("frame", BAD_FRAMES.values(), ids=BAD_FRAMES)
def test_refused_frames_leave_no_mark(frame: Rows) -> None:
    """Whatever is wrong with a frame, the network is as it was."""
    network = Learner(structure_of(CASES["numbers"]), None)
    learn(network, list(frames_of(CASES["numbers"], [])))
    before, rows = network.export(), (network.learned_rows, network.passed_rows)

    with pytest.raises(InvalidArgument):
        network.learn(frame, Arrival.STREAMED)

    assert is_same(before, network.export())
    assert rows == (network.learned_rows, network.passed_rows)


@pytest.mark.parametrize("name", CASES)
def test_hard_rows_leave_everything_finite(name: str) -> None:
    """Numbers at the ends of float32 and float64, of any order, spoil neither answers nor state."""
    network = Learner(structure_of(CASES[name]), None)
    hard = np.array([3.4e38, -3.4e38, 1e308, -1e308, 1e-45, 0.0, np.nan, np.inf])
    rows = np.random.default_rng(7).choice(hard, (ROWS, CHANNELS))

    frame = Rows(rows, target_of(CASES[name], slice(None)), event_times=times())
    results = network.learn(frame, Arrival.STREAMED)

    assert not np.isinf(results.outputs).any()
    assert results.loss is not None
    assert not np.isinf(results.loss).any()
    numbers = [
        array for array in network.export().engine.arrays.values() if array.dtype.kind == "f"
    ]
    assert not any(np.isinf(array).any() for array in numbers)


@pytest.mark.parametrize("name", CASES)
def test_memory_stays_in_its_bound(name: str) -> None:
    """What the pipeline takes is taken from the network's memory."""
    network = Learner(structure_of(CASES[name]), None)
    learn(network, all_frames(name, []))

    assert network.statistics().memory_bytes <= network.structure.options.memory_limit_bytes
