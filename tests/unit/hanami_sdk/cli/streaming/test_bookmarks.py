"""Bookmarks: what is known after a kill at any moment."""

import json
import stat
from pathlib import Path

import pytest

from hanami_sdk.cli.failures import CommandFailure
from hanami_sdk.cli.streaming.bookmarks import Bookmark, held, usual_path
from hanami_sdk.cli.streaming.places import Place

HERE = [Place(1, 2, 10 * n, n, 99, 4) for n in range(6)]


def loaded(path: Path) -> Bookmark:
    """Read the bookmark again, as the next process does."""
    return Bookmark.load(path, "projects/p/networks/n", "/rows.csv")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a stream was killed after three frames, of which one is durable."""
    found = tmp_path / "bookmark.jsonl"
    mark = loaded(found)
    assert mark.begin("secret", 0) is None
    mark.columns = ("a", "b")
    for sequence in (1, 2, 3):
        mark.note(sequence, HERE[sequence])
        mark.settle(1)
    mark.close()
    return found


@pytest.mark.parametrize("last", [1, 2, 3])
def test_the_server_says_where_to_go_on(path: Path, last: int) -> None:
    """Whatever frame it has, the bookmark knows where that one ended."""
    mark = loaded(path)

    place = mark.begin("secret", last)

    assert HERE[last] == place
    assert ("secret", ("a", "b")) == (mark.token, mark.columns)
    mark.close()


@pytest.mark.parametrize("last", [0, 4])
def test_a_frame_that_nobody_wrote_down_is_told(path: Path, last: int) -> None:
    """Guessing would leave rows out, or learn them twice."""
    with pytest.raises(CommandFailure, match=f"does not know frame {last}"):
        loaded(path).begin("secret", last)


def test_a_line_that_was_cut_off_does_not_count(path: Path) -> None:
    """Its frame was never sent."""
    with path.open("a") as file:
        file.write("[4, [1, 2, 4")
    mark = loaded(path)

    place = mark.begin("secret", 3)

    assert HERE[3] == place
    mark.close()


def test_a_frame_sent_after_going_on_takes_the_place_of_a_lost_one(path: Path) -> None:
    """A frame that the server never got is forgotten."""
    mark = loaded(path)
    mark.begin("secret", 2)
    mark.note(3, HERE[5])
    mark.close()
    again = loaded(path)

    place = again.begin("secret", 3)

    assert HERE[5] == place
    again.close()


def test_it_is_a_secret_in_one_piece(path: Path) -> None:
    """It holds the session's token, so only its owner may read it."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]

    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert (1, HERE[1].as_list()) == (lines[0]["sequence"], lines[0]["place"])
    assert [2, 3] == [sequence for sequence, _ in lines[1:]]
    assert [path] == list(path.parent.iterdir())


def test_it_belongs_to_one_network_and_source(path: Path) -> None:
    """Another stream's bookmark is not taken."""
    with pytest.raises(CommandFailure, match=r"is about the source /rows\.csv"):
        Bookmark.load(path, "projects/p/networks/n", "/other.csv")


@pytest.mark.parametrize("text", ["", "{}", "[]", "hello", '{"version": 9}'])
def test_what_is_no_bookmark_is_told(path: Path, text: str) -> None:
    """It is not silently begun anew: that would learn rows twice."""
    path.write_text(text)

    with pytest.raises(CommandFailure, match="is no bookmark"):
        loaded(path)


def test_two_processes_do_not_share_one(tmp_path: Path) -> None:
    """The second one is told."""
    path = tmp_path / "deep" / "bookmark.jsonl"
    with held(path), pytest.raises(CommandFailure, match="Another hanami stream"), held(path):
        pytest.fail("both had it")


def test_each_network_and_source_has_its_own(tmp_path: Path) -> None:
    """And each mesh."""
    paths = {
        usual_path(tmp_path, mesh, network, source)
        for mesh in ("http://a", "http://b")
        for network in ("projects/p/networks/n", "projects/q/networks/n")
        for source in ("/x.csv", "/y.csv")
    }

    assert 8 == len(paths)
