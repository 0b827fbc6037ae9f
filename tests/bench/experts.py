"""What each expert beside a network costs for a row: CPU time with it awake, less that without."""

import time
from typing import Final

import numpy as np

from kyouko.domain.engine import (
    InputPopulation,
    NetworkStructure,
    OutputPopulation,
    Population,
    TaskKind,
)
from kyouko.domain.engine.experts.answering import Frame, answer_frame
from kyouko.domain.engine.experts.members import MEMBERS, MEMORY, NETWORK, RECENT, REVIEW_EVERY
from kyouko.domain.engine.experts.sleeping import list_experts
from kyouko.domain.engine.experts.state import ExpertState, allocate_experts
from kyouko.kernels.warmup import warm_up
from tests.bench.mnist import Mnist
from tests.bench.progress import follow
from tests.bench.report import Figure

_CLASSES: Final = 5
_ROOM: Final = 8_000_000
_FRAMES: Final = 40


def measure(_: Mnist, runs: int) -> list[Figure]:
    """Learn random rows with each expert alone, with none, and with all of them awake."""
    warm_up()
    figures = []
    for channels in (10, 64):
        members = list_experts(TaskKind.CLASSES)
        sets: dict[str, tuple[int, ...]] = {MEMBERS[item]: (item,) for item in members}
        sets |= {"memory_and_recent": (MEMORY, RECENT), "all": members, "none": ()}
        found: dict[str, list[float]] = {name: [] for name in sets}
        for _run in follow(range(runs), f"experts: {channels} channels"):
            for name, awake in sets.items():
                found[name].append(_cost(channels, awake))
        none = float(np.median(found.pop("none")))
        name = f"experts.{channels}_channels"
        note = "units and mixing, with every expert asleep"
        figures.append(Figure(f"{name}.none", none, "us of CPU time a row", note=note))
        for which, costs in found.items():
            cost = float(np.median(costs)) - none
            figures.append(Figure(f"{name}.{which}", cost, "us more than none"))
    return figures


def _cost(channels: int, awake: tuple[int, ...]) -> float:
    """Return the microseconds for a row in frames of 256, once the memory is full."""
    state = _make(channels)
    state.awake[:] = 0
    state.awake[[NETWORK, *awake]] = 1
    random = np.random.default_rng(1)
    inputs = random.random((REVIEW_EVERY, channels)).astype(np.float32)
    labels = random.integers(0, _CLASSES, REVIEW_EVERY).astype(np.int32)
    answers = random.dirichlet(np.ones(_CLASSES), REVIEW_EVERY).astype(np.float32)
    frame = Frame.of(TaskKind.CLASSES, inputs, answers, _CLASSES, labels)
    started = 0.0
    for number in range(5 + _FRAMES):
        started = time.process_time() if number == 5 else started
        answer_frame(state, TaskKind.CLASSES, frame)
    return (time.process_time() - started) / (_FRAMES * REVIEW_EVERY) * 1e6


def _make(channels: int) -> ExpertState:
    structure = NetworkStructure(
        inputs=(InputPopulation("input", channels, (channels, 1, 1), (0.0, 0.0, 0.0)),),
        populations=(Population("hidden", (0.0, 0.0, 1.0), 128),),
        output=OutputPopulation("output", TaskKind.CLASSES, 0),
    )
    state = allocate_experts(structure, _ROOM)
    if state is None:
        raise MemoryError(f"{_ROOM} bytes are too few for the experts")
    return state
