"""Which stores there are, and what only a folder knows; the rest is the contract suite's."""

import errno
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.blobs import BlobStore, checked_url


@pytest.mark.parametrize(
    "url", ["", "file:///var/blobs", "s3://bucket", "s3://bucket/some/prefix", "file:///a%20b/"]
)
def test_known_url_is_taken(url: str) -> None:
    """Folders and buckets are known, and empty means the default."""
    assert url == checked_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "/var/blobs",
        "file://",
        "file://host/var",
        "s3://",
        "s3:///prefix",
        "gs://bucket",
        "memory:///",
        "s3://key:secret@bucket",
        "s3://bucket?region=here",
        "s3://bucket#part",
    ],
)
def test_other_url_is_refused_without_repeating_it(url: str) -> None:
    """The error says what is allowed; a secret in a URL does not get into a log."""
    with pytest.raises(ValueError, match="neither file:///FOLDER nor s3://BUCKET/PREFIX") as caught:
        checked_url(url)

    assert "secret" not in str(caught.value)


async def test_folder_of_a_url_has_a_part_for_each_service(tmp_path: Path) -> None:
    """Services that share a URL do not see each other's blobs."""
    url = (tmp_path / "all blobs").as_uri()
    store = BlobStore.at(url, service="garden", default=tmp_path / "default")

    await store.put("a", b"1")

    assert b"1" == (tmp_path / "all blobs" / "garden" / "a").read_bytes()
    assert ["all blobs"] == files_in(tmp_path)


async def test_empty_url_is_the_default_folder(tmp_path: Path) -> None:
    """Without a URL blobs lie in the folder of the service."""
    store = BlobStore.at("", service="garden", default=tmp_path / "default")

    await store.put("a", b"1")

    assert b"1" == (tmp_path / "default" / "a").read_bytes()


async def test_lost_folder_fails_the_check(tmp_path: Path) -> None:
    """A folder that goes away under a service is noticed."""
    store = BlobStore.in_folder(tmp_path / "blobs")
    await store.prepare()

    (tmp_path / "blobs").rename(tmp_path / "elsewhere")

    with pytest.raises(FileNotFoundError):
        await store.check()


@pytest.fixture
def small_files() -> Iterator[None]:
    """Let no file of this process grow beyond 64 KiB, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files")
async def test_full_disk_is_told_with_its_number(tmp_path: Path) -> None:
    """A blob that does not fit fails as the system says it, and leaves nothing."""
    store = BlobStore.in_folder(tmp_path)

    with pytest.raises(OSError, match="File too large") as caught:
        await store.put("a", bytes(2**17))

    assert errno.EFBIG == caught.value.errno
    assert [] == files_in(tmp_path)


async def test_unfinished_files_are_removed(tmp_path: Path) -> None:
    """Half-written files of a killed process go, and whole blobs stay."""
    store = BlobStore.in_folder(tmp_path)
    await store.put("whole", b"1")
    (tmp_path / "half#1").write_bytes(b"1")

    removed = store.remove_unfinished()

    assert 1 == removed
    assert ["whole"] == [name async for name in store.names()]
    assert ["whole"] == files_in(tmp_path)


def files_in(folder: Path) -> list[str]:
    """Return the names of the files in a folder."""
    return [path.name for path in folder.iterdir()]
