"""What an upload may announce."""

import pytest

from mesh.errors import InvalidArgument, ResourceExhausted
from shiori.domain.announcement import AnnouncedFile, Announcement
from shiori.domain.dataset import DatasetName, FileFormat

NAME = DatasetName("flowers", "iris")


def announcement(
    format_: FileFormat, *roles: str, size_bytes: int = 10, target: str = ""
) -> Announcement:
    """Return an announcement of files of one size."""
    files = tuple(AnnouncedFile(role, size_bytes, "0" * 64) for role in roles)
    return Announcement(NAME, format_, files, target)


@pytest.mark.parametrize(
    ("format_", "roles"),
    [
        (FileFormat.CSV, ("data",)),
        (FileFormat.IDX, ("images", "labels")),
        (FileFormat.IDX, ("labels", "images")),
    ],
)
def test_fitting_files_are_accepted(format_: FileFormat, roles: tuple[str, ...]) -> None:
    """Each format has its files, in any order, up to the limit to the byte."""
    accepted = announcement(format_, *roles)

    assert accepted.check(max_bytes=10 * len(roles)) is None


@pytest.mark.parametrize(
    ("format_", "roles"),
    [
        (FileFormat.CSV, ("images",)),
        (FileFormat.CSV, ("data", "data")),
        (FileFormat.IDX, ("images",)),
        (FileFormat.IDX, ("images", "labels", "labels")),
        (FileFormat.IDX, ("data",)),
    ],
)
def test_other_files_are_refused(format_: FileFormat, roles: tuple[str, ...]) -> None:
    """A missing, a second or a foreign file is refused with the ones expected."""
    with pytest.raises(InvalidArgument) as caught:
        announcement(format_, *roles).check(max_bytes=1000)

    assert ["open.files"] == [violation.field for violation in caught.value.violations]


def test_target_of_idx_is_the_label() -> None:
    """IDX has no other column to learn than its labels."""
    with pytest.raises(InvalidArgument) as caught:
        announcement(FileFormat.IDX, "images", "labels", target="image").check(max_bytes=1000)

    assert "open.target_column" == caught.value.violations[0].field


def test_all_violations_come_together() -> None:
    """Two mistakes are told in one answer."""
    with pytest.raises(InvalidArgument) as caught:
        announcement(FileFormat.IDX, "data", target="x").check(max_bytes=1000)

    assert ["open.files", "open.target_column"] == [v.field for v in caught.value.violations]


def test_too_many_bytes_are_refused_before_they_come() -> None:
    """The limit holds for all files together."""
    with pytest.raises(ResourceExhausted) as caught:
        announcement(FileFormat.IDX, "images", "labels", size_bytes=2**40).check(max_bytes=2**32)

    assert "LIMIT_REACHED" == caught.value.reason
    assert {"limit": str(2**32), "actual": str(2**41)} == caught.value.metadata
