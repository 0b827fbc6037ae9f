"""The pictures of the documentation, and what is computed for them alone."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.bench.pictures import FOLDER, PICTURES, ramp_drives


@pytest.mark.parametrize("name", list(PICTURES))
def test_pictures_are_small_and_undated(name: str) -> None:
    """Each picture is there, is an SVG of less than 150 kB, and does not tell when it was made."""
    text = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")

    assert len(text) < 150_000
    assert ElementTree.fromstring(text).tag.endswith("svg")  # noqa: S314 - our own file
    assert "<dc:date>" not in text


def test_every_picture_is_drawn_by_the_program() -> None:
    """Nothing lies among the pictures that cannot be drawn anew."""
    assert sorted(PICTURES) == sorted(path.stem for path in Path(FOLDER).iterdir())


def test_drives_of_sections() -> None:
    """Above the band a section rises from 0 to 1, below it falls from 0 to -1; at rest it is 0."""
    values = np.array([3.0, 5.0, 7.0, 8.0, 9.0, 11.0, 13.0])

    above = ramp_drives(values, 7.0, 9.0, 0.0, 4.0)
    below = ramp_drives(values, 7.0, 9.0, -4.0, 0.0)

    assert [0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 1.0] == above.tolist()
    assert [-1.0, -0.5, 0.0, 0.0, 0.0, 0.0, 0.0] == below.tolist()
