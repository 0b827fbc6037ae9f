"""Scores of a session, over several streams and over a new start."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from hanami.kyouko.v1 import learning_service_pb2 as pb

from kyouko.domain.networks.learner import RowResults
from kyouko.domain.scoring import StreamScorer
from tests.integration.kyouko.servers import (
    RunningKyouko,
    Stream,
    reason_in,
    rows_of_two_kinds,
    start_kyouko,
)
from tests.integration.meshes import RunningMisaki
from tests.integration.shiori.servers import RunningShiori

INPUTS, LABELS = rows_of_two_kinds(600)
FRAME_ROWS = 50
ASKED = pb.LearnScoring(
    window_rows=200,
    metrics=True,
    drift=pb.DriftOptions(
        detectors=[pb.DRIFT_DETECTOR_ADWIN, pb.DRIFT_DETECTOR_KSWIN], all_input_channels=True
    ),
    anomaly=pb.AnomalyOptions(),
    intervals=pb.IntervalOptions(coverage=0.9),
)


async def learn(stream: Stream, sequence: int) -> pb.LearnResult:
    """Send the rows of a frame; returns its result."""
    rows = slice((sequence - 1) * FRAME_ROWS, sequence * FRAME_ROWS)
    await stream.send(sequence, INPUTS[rows], LABELS[rows])
    message = await stream.read()
    assert "result" == message.WhichOneof("message")
    return message.result


async def test_a_session_goes_on_with_its_scores(kyouko: RunningKyouko) -> None:
    """With a break after every frame, and frames sent twice, they are those of one stream."""
    for name in ("whole", "broken"):
        await kyouko.create_network(name)
    async with kyouko.stream(network_id="whole", scoring=ASKED) as stream:
        await stream.opened()
        whole = [(await learn(stream, sequence)).scores for sequence in range(1, 13)]

    broken, token = [], ""
    for sequence in range(1, 13):
        async with kyouko.stream(network_id="broken", scoring=ASKED, resume_token=token) as stream:
            token = (await stream.opened()).resume_token
            if sequence > 1:
                again = await learn(stream, sequence - 1)
                assert again.duplicate
                assert not again.HasField("scores")
            broken.append((await learn(stream, sequence)).scores)

    assert whole == broken
    assert (600, 0) == (broken[-1].scored_rows, broken[-1].since_learned_rows)


async def test_a_mistake_in_scoring_ends_the_scores_alone(
    kyouko: RunningKyouko, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream is told with an incident, and learns on; who goes on with it gets new scores."""
    score = StreamScorer.score

    def wrong(self: StreamScorer, results: RowResults, *arguments: Any, **options: Any) -> Any:
        if results.learned_rows == 2 * FRAME_ROWS:
            raise ZeroDivisionError("a mistake of ours")
        return score(self, results, *arguments, **options)

    monkeypatch.setattr(StreamScorer, "score", wrong)
    await kyouko.create_network()
    async with kyouko.stream(scoring=ASKED) as stream:
        token = (await stream.opened()).resume_token
        results = [await learn(stream, sequence) for sequence in (1, 2, 3)]
    async with kyouko.stream(scoring=ASKED, resume_token=token) as stream:
        await stream.opened()
        again = await learn(stream, 4)

    failure = results[1].scores.failure
    assert (grpc.StatusCode.INTERNAL.value[0], "INTERNAL") == (
        failure.code,
        reason_in(failure).reason,
    )
    assert "mistake" not in str(failure)
    assert [True, True, False] == [result.HasField("scores") for result in results]
    assert [50, 100, 150] == [result.learned_rows for result in results]
    assert not again.scores.HasField("failure")
    assert (50, 150) == (again.scores.scored_rows, again.scores.since_learned_rows)


async def test_other_wishes_begin_anew(kyouko: RunningKyouko) -> None:
    """The result says how many rows the network had learned by then."""
    await kyouko.create_network()
    async with kyouko.stream(scoring=ASKED) as stream:
        token = (await stream.opened()).resume_token
        await learn(stream, 1)
    other = pb.LearnScoring(metrics=True)

    async with kyouko.stream(scoring=other, resume_token=token) as stream:
        await stream.opened()
        scores = (await learn(stream, 2)).scores

    assert (FRAME_ROWS, FRAME_ROWS) == (scores.scored_rows, scores.since_learned_rows)


async def test_a_new_start_begins_anew_and_says_so(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path
) -> None:
    """No row from before is in any figure."""
    async with start_kyouko(misaki, "127.0.0.1:1", tmp_path, shiori.alice) as kyouko:
        await kyouko.create_network()
        async with kyouko.stream(scoring=ASKED) as stream:
            token = (await stream.opened()).resume_token
            for sequence in (1, 2, 3):
                await learn(stream, sequence)
            await stream.close()

    async with (
        start_kyouko(misaki, "127.0.0.1:1", tmp_path, shiori.alice) as kyouko,
        kyouko.stream(scoring=ASKED, resume_token=token) as stream,
    ):
        last = (await stream.opened()).last_sequence
        scores = (await learn(stream, last + 1)).scores

    assert (3, 150) == (last, scores.since_learned_rows)
    assert 50 == scores.scored_rows == scores.classes.total.rows
