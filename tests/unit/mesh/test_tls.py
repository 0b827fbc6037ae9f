"""What a service proves itself with: read, and found to belong together."""

import datetime
from pathlib import Path

import pytest

from mesh.clients import channel_to
from mesh.settings import MeshSettings
from mesh.tls import MeshTls, TlsError
from tests.certificates import certificates_of


class GardenSettings(MeshSettings):
    """Settings of a service that does not exist."""

    service_name: str = "garden"
    listen: str = "127.0.0.1:0"


def test_files_are_read(tmp_path: Path) -> None:
    """A folder with all three files is what a service needs, and no key shows."""
    (files,) = certificates_of(tmp_path, "garden")

    tls = GardenSettings(tls_directory=files.folder).tls

    assert tls is not None
    assert files.certificate.read_bytes() == tls.certificate
    assert "PRIVATE" not in f"{tls!r}"


def test_without_a_folder_there_is_no_tls() -> None:
    """Connections are plain unless somebody asks for more."""
    assert GardenSettings().tls is None


@pytest.mark.parametrize("name", ["ca.crt", "tls.crt", "tls.key"])
def test_missing_file_ends_the_start(tmp_path: Path, name: str) -> None:
    """The message names the setting and the file."""
    (files,) = certificates_of(tmp_path, "garden")
    (files.folder / name).unlink()

    with pytest.raises(SystemExit, match=f"HANAMI_TLS_DIRECTORY: cannot read .*{name}"):
        _ = GardenSettings(tls_directory=files.folder).tls


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("ca.crt", "holds no certificate"),
        ("tls.crt", "holds no certificate"),
        ("tls.key", "holds no private key"),
    ],
)
def test_damaged_file_is_named(tmp_path: Path, name: str, problem: str) -> None:
    """A file of something else is told by its name."""
    (files,) = certificates_of(tmp_path, "garden")
    (files.folder / name).write_text("something else")

    with pytest.raises(TlsError, match=f"{name} {problem}"):
        MeshTls.read(files.folder)


def test_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    """Key and certificate must belong together."""
    garden, other = certificates_of(tmp_path, "garden", "other")
    garden.private_key.write_bytes(other.private_key.read_bytes())

    with pytest.raises(TlsError, match=r"tls.key is not the key of tls.crt"):
        MeshTls.read(garden.folder)


def test_certificate_of_another_mesh_is_refused(tmp_path: Path) -> None:
    """A certificate that the own peers would refuse is found at the start."""
    (garden,) = certificates_of(tmp_path / "one", "garden")
    (other,) = certificates_of(tmp_path / "two", "garden")
    garden.authority.write_bytes(other.authority.read_bytes())

    with pytest.raises(TlsError, match=r"tls.crt is not signed by ca.crt"):
        MeshTls.read(garden.folder)


@pytest.mark.parametrize("days", [-1, 398])
def test_certificate_is_of_use_in_its_time_only(tmp_path: Path, days: int) -> None:
    """Before its beginning and after its end the dates are told."""
    now = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
    (files,) = certificates_of(tmp_path, "garden", now=now)

    with pytest.raises(TlsError, match=r"is valid from 20\d\d-\d\d-\d\d to 2031-02-02 only"):
        MeshTls.read(files.folder, now=now + datetime.timedelta(days=days))


async def test_channel_with_tls_needs_a_name(tmp_path: Path) -> None:
    """Nobody calls a service without knowing whose certificate it must show."""
    (files,) = certificates_of(tmp_path, "garden")

    with pytest.raises(ValueError, match="needs the name of the service"):
        channel_to("127.0.0.1:1", tls=MeshTls.read(files.folder))
