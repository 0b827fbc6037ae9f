"""Learning streams, by both clients, through Envoy."""

import itertools
from collections.abc import AsyncIterator

import numpy as np
import pytest

from hanami_sdk import AsyncClient, Client, Frame, FrameRefused, InvalidArgument, NotFound, Score
from hanami_sdk.errors import FailedPrecondition
from tests.integration.hanami_sdk.conftest import RunningMesh

RANDOM = np.random.default_rng(7)
ROWS = RANDOM.normal(size=(2_000, 4)).astype(np.float32)
KINDS = np.where(ROWS[:, 0] > ROWS[:, 1], "left", "right")


@pytest.fixture
def network(client: Client) -> str:
    """Return the name of a fresh network of four channels."""
    return client.networks.create("n1", template="flat", channels=4).name


def test_ten_lines_are_enough(client: Client, network: str) -> None:
    """Rows and labels go in, predictions come out, and the network remembers."""
    with client.learn(network) as stream:
        for values, kind in zip(ROWS[:50], KINDS[:50], strict=True):
            result = stream.send(values, labels=[kind])

    assert result.learned_rows == 50
    assert result.predicted_labels[0] in ("left", "right")
    assert stream.network.kept_rows == 50


def test_a_stream_learns(client: Client, network: str) -> None:
    """The prequential score beats guessing by far, and every row is kept at the end."""
    with client.learn(network) as stream:
        score = stream.learn_rows(ROWS, KINDS)
        grown = stream.close()

    assert score.rows == score.scored_rows == 2_000
    assert score.accuracy > 0.8
    assert sorted(stream.labels) == ["left", "right"]
    assert (grown.statistics.learned_rows, grown.kept_rows) == (2_000, 2_000)
    assert grown.statistics.connections > 0


def test_results_come_in_order_and_complete(client: Client, network: str) -> None:
    """Frames of any size, one answer for each."""
    sizes = [1, 64, 3, 200, 7]
    cuts = np.cumsum([0, *sizes])
    frames = (Frame(ROWS[a:b], labels=KINDS[a:b]) for a, b in itertools.pairwise(cuts))

    with client.learn(network) as stream:
        results = list(stream.results(frames))

    assert [result.rows for result in results] == sizes
    assert [result.sequence for result in results] == [1, 2, 3, 4, 5]
    assert all(result.loss.shape == (result.rows,) for result in results)


def test_predicting_changes_nothing(client: Client, network: str) -> None:
    """A predicting stream scores, and leaves the network as it is."""
    with client.learn(network) as stream:
        stream.learn_rows(ROWS, KINDS)
    before = client.networks.get(network).statistics

    with client.learn(network, mode="PREDICT", return_outputs=True) as stream:
        result = stream.send(ROWS[:100], labels=KINDS[:100])

    assert result.correct_rows > 80
    assert np.allclose(result.outputs.sum(axis=1), 1.0, atol=1e-4)
    assert result.predicted_labels == [
        stream.labels[index] for index in result.outputs.argmax(axis=1)
    ]
    assert client.networks.get(network).statistics == before


def test_numbers_are_learned_too(client: Client) -> None:
    """Targets instead of labels; predictions are numbers."""
    network = client.networks.create("n1", template="flat-numbers", channels=4).name
    sums = ROWS.sum(axis=1)

    with client.learn(network) as stream:
        stream.learn_rows(ROWS, targets=sums)
        result = stream.send(ROWS[:50])

    assert result.outputs.shape == (50, 1)
    assert np.abs(result.outputs[:, 0] - sums[:50]).mean() < np.abs(sums[:50]).mean() / 2


def test_a_refused_frame_leaves_the_stream_alive(client: Client, network: str) -> None:
    """The wrong width is an error of that frame, with its reason; the next one is learned."""
    with client.learn(network) as stream:
        stream.send(ROWS[:10], labels=KINDS[:10])
        with pytest.raises(FrameRefused) as caught:
            stream.send(ROWS[:10, :3], labels=KINDS[:10])
        result = stream.send(ROWS[10:20], labels=KINDS[10:20])

    assert caught.value.reason == "WIDTH_MISMATCH"
    assert caught.value.sequence == 2
    assert result.learned_rows == 20


def test_a_refusal_amid_many_frames_is_raised_in_its_place(client: Client, network: str) -> None:
    """The answers before it are handed out first."""
    frames = [Frame(ROWS[:8], KINDS[:8])] * 3 + [Frame(ROWS[:8, :2], KINDS[:8])]
    seen: list[int] = []

    with client.learn(network) as stream:
        with pytest.raises(FrameRefused):
            seen.extend(result.sequence for result in stream.results(frames))
        grown = stream.close()

    assert seen == [1, 2, 3]
    assert grown.statistics.learned_rows == 24


def test_the_window_is_the_servers(client: Client, network: str) -> None:
    """Never more rows are under way than granted, and a larger frame is refused here."""
    with client.learn(network, max_outstanding_rows=128) as stream:
        assert 0 < stream.max_outstanding_rows <= 128
        futures = [stream.submit(ROWS[:64], labels=KINDS[:64]) for _ in range(20)]
        with pytest.raises(InvalidArgument) as caught:
            stream.submit(ROWS[:129], labels=KINDS[:129])

    assert sum(future.result().rows for future in futures) == 20 * 64
    assert caught.value.reason == "LIMIT_REACHED"


def test_an_unknown_network_is_told_at_once(client: Client) -> None:
    """The stream does not open."""
    with pytest.raises(NotFound), client.learn("nobody"):
        pytest.fail("the stream is open")


def test_a_closed_stream_takes_no_frames(client: Client, network: str) -> None:
    """Sending after the end is an error, not a hang."""
    with client.learn(network) as stream:
        stream.send(ROWS[:1], labels=KINDS[:1])

    with pytest.raises(FailedPrecondition):
        stream.send(ROWS[:1], labels=KINDS[:1])


def test_an_exception_drops_the_stream(client: Client, network: str) -> None:
    """The application's own error comes through; the network can be used again."""

    def fail() -> None:
        with client.learn(network) as stream:
            stream.send(ROWS[:1], labels=KINDS[:1])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    with client.learn(network) as stream:
        assert stream.send(ROWS[:1], labels=KINDS[:1]).rows == 1


def test_progress_is_told(client: Client, network: str) -> None:
    """A callback sees the running score."""
    seen: list[int] = []

    def show(score: Score) -> None:
        seen.append(score.rows)

    with client.learn(network) as stream:
        stream.learn_rows(ROWS[:200], KINDS[:200], frame_rows=100, progress=show)

    assert seen == [100, 200]


async def test_the_asynchronous_stream_does_the_same(mesh: RunningMesh, project: str) -> None:
    """Frames may come from an ordinary or an asynchronous iterator."""

    async def later() -> AsyncIterator[Frame]:
        for start in range(0, 640, 64):
            yield Frame(ROWS[start : start + 64], KINDS[start : start + 64])

    async with AsyncClient(mesh.url, project=project, tokens=mesh.tokens) as client:
        await client.networks.create("n1", template="flat", channels=4)
        async with client.learn("n1") as stream:
            score = await stream.learn_rows(ROWS, KINDS)
            results = [result async for result in stream.results(later())]
            single = await stream.send(ROWS[0])
        kept = (await client.networks.get("n1")).kept_rows

    assert score.accuracy > 0.8
    assert [result.rows for result in results] == [64] * 10
    assert single.predicted_labels[0] == KINDS[0]
    assert kept == 2_640


async def test_an_iterator_left_early_leaves_the_stream_usable(
    mesh: RunningMesh, project: str
) -> None:
    """What is under way is answered; nothing is stuck."""
    async with AsyncClient(mesh.url, project=project, tokens=mesh.tokens) as client:
        await client.networks.create("n1", template="flat", channels=4)
        async with client.learn("n1") as stream:
            async for _ in stream.results([Frame(ROWS[:64], KINDS[:64])] * 50):
                break
            result = await stream.send(ROWS[:64], labels=KINDS[:64])

    assert result.rows == 64
