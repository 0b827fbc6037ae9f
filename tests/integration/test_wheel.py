"""What is installed: everything that runs, and nothing else."""

from pathlib import Path
from zipfile import ZipFile

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """Return the names of all files in a wheel built now."""
    folder = tmp_path_factory.mktemp("wheel")
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with ZipFile(wheel) as archive:
        return frozenset(archive.namelist())


@pytest.mark.parametrize(
    "name",
    [
        "hanami/torii/v1/mesh_service_pb2.py",
        "hanami_sdk/local/assets/descriptors.binpb",
        "hanami_sdk/local/assets/envoy.yaml.j2",
        "torii/static/index.html",
    ],
)
def test_what_runs_is_in_the_wheel(names: frozenset[str], name: str) -> None:
    """Files that are no modules of the services are found beside them."""
    assert name in names


@pytest.mark.parametrize(
    ("folder", "pattern"),
    [
        ("kyouko/templates", "*.yaml"),
        ("kyouko/storage/migrations/versions", "*.py"),
        ("misaki/storage/migrations/versions", "*.py"),
        ("shiori/storage/migrations/versions", "*.py"),
        ("torii/static/assets", "*"),
    ],
)
def test_a_folder_is_in_the_wheel(names: frozenset[str], folder: str, pattern: str) -> None:
    """Every template, migration and part of the start page is there."""
    wanted = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).glob(pattern)}

    assert wanted
    assert set() == wanted - names


def test_sources_of_the_start_page_stay_out(names: frozenset[str]) -> None:
    """Only its built form is installed, without the sources and what builds them."""
    assert [] == [name for name in names if "dashboard" in name or "node_modules" in name]
