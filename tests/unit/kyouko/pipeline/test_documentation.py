"""What docs/pipelines.md shows works."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

from hanami_sdk.frames import Frame, encode_frame
from kyouko.domain.engine import Arrival, TaskKind
from kyouko.domain.networks.learner import Labels, Learner, Rows
from kyouko.domain.template import resolve
from kyouko.templates import read_template

PAGE = (Path(__file__).parents[4] / "docs" / "pipelines.md").read_text(encoding="utf-8")
TEMPLATES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("text", TEMPLATES, ids=range(len(TEMPLATES)))
def test_each_template_makes_a_network_that_learns(text: str) -> None:
    """Forty rows with times, and with labels where there are classes, are learned."""
    network = Learner(resolve(read_template(text)), None)
    rows = np.random.default_rng(1).normal(size=(40, network.structure.channels))
    is_classes = network.structure.output.kind is TaskKind.CLASSES
    times = np.arange(40) * 1_000_000_000

    network.learn(
        Rows(rows, Labels(["a", "b"] * 20) if is_classes else None, event_times=times),
        Arrival.STREAMED,
    )

    assert network.learned_rows >= 34


def test_the_client_takes_what_the_example_sends() -> None:
    """The example's arguments make a frame with one row and its time."""
    example = next(iter(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)))
    calls = [node for node in ast.walk(ast.parse(example)) if isinstance(node, ast.Call)]
    sent = next(
        call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "send"
    )
    (inputs,), (event_times,) = sent.args, (item.value for item in sent.keywords)
    assert isinstance(inputs, ast.Call)
    assert isinstance(event_times, ast.Call)
    rows = np.array(ast.literal_eval(inputs.args[0]), np.float32)
    times = np.array(*(ast.literal_eval(item) for item in event_times.args))

    message = encode_frame(Frame(rows, event_times=times))

    assert ([1, 3], [1_777_636_800_000_000_000]) == (
        list(message.inputs.shape),
        list(message.event_times),
    )
