"""The label book."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kyouko.domain.networks.labels import LabelBook
from mesh.errors import InvalidArgument, ResourceExhausted

LABELS = st.lists(st.text(min_size=1, max_size=4), max_size=30)


def test_looking_up_changes_nothing() -> None:
    """New labels get the next outputs, but are in the book only once they are added."""
    book = LabelBook(["a"], limit=5)

    found = book.look_up(["b", "a", "c", "b"])

    assert [1, 0, 2, 1] == found.indices.tolist()
    assert ("b", "c") == found.new
    assert ("a",) == book.labels


def test_numbers_are_their_digits() -> None:
    """Whole numbers and their decimal digits are one label, leading zeros are another."""
    book = LabelBook(["7", "-3", "07"], limit=9)

    assert [0, 1] == book.look_up([7, -3]).indices.tolist()
    assert [0, 1, 2] == book.look_up(["7", "-3", "07"]).indices.tolist()
    assert ("8",) == book.look_up([8, 8]).new


def test_unknown_labels_are_known_as_such() -> None:
    """Scoring does not open outputs."""
    book = LabelBook(["a", "5"], limit=9)

    assert [0, -1] == book.known(["a", "z"]).tolist()
    assert [1, -1] == book.known([5, 6]).tolist()


def test_the_limit_names_the_row_of_the_label_too_many() -> None:
    """Known labels pass at the limit; the first one beyond it does not."""
    book = LabelBook(["a", "b"], limit=3)

    with pytest.raises(ResourceExhausted) as refused:
        book.look_up(["a", "c", "b", "d"])

    assert ("LIMIT_REACHED", "3", "3") == (
        refused.value.reason,
        refused.value.metadata["row"],
        refused.value.metadata["limit"],
    )
    assert ("c",) == book.look_up(["a", "c"]).new


@pytest.mark.parametrize("label", ["", "x" * 257])
def test_labels_have_a_length(label: str) -> None:
    """Empty and very long labels are TARGET_INVALID with their row."""
    with pytest.raises(InvalidArgument) as refused:
        LabelBook(limit=9).look_up(["ok", label])

    assert ("TARGET_INVALID", "1") == (refused.value.reason, refused.value.metadata["row"])


def test_no_rows_have_no_labels() -> None:
    """An empty frame looks up nothing."""
    found = LabelBook(["a"], limit=2).look_up([])

    assert (0, ()) == (len(found.indices), found.new)


@given(st.lists(LABELS, max_size=6))
def test_the_book_only_grows_and_never_renumbers(frames: list[list[str]]) -> None:
    """Whatever comes, a label keeps its output, and every frame reads back as it was."""
    book = LabelBook(limit=1000)
    seen: dict[str, int] = {}

    for frame in frames:
        found = book.look_up(frame)
        book.add(found.new)
        for label, index in zip(frame, found.indices.tolist(), strict=True):
            assert index == seen.setdefault(label, index)
            assert label == book.labels[index]

    assert len(seen) == len(book) == len(set(book.labels))


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20))
def test_numbers_and_texts_agree(numbers: list[int]) -> None:
    """Labels learned as numbers are found as texts, on the same outputs."""
    book = LabelBook(limit=1000)
    found = book.look_up(numbers)
    book.add(found.new)

    assert (
        found.indices.tolist() == book.look_up([str(number) for number in numbers]).indices.tolist()
    )
    assert found.indices.tolist() == book.look_up(numbers).indices.tolist()
