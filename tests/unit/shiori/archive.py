"""The domain of shiori on stores in memory; only staged files touch the disk."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mesh.access import Role
from mesh.quota_counts import QuotaCounts
from mesh.quotas import QuotaBook
from shiori.domain.datasets import Datasets
from shiori.domain.leases import TableLeases
from shiori.domain.uploads import UploadLimits, Uploads, UploadStores
from shiori.formats.conversion import convert
from shiori.storage.staging import UploadFolders
from tests.contract.shiori.in_memory import InMemoryDatasets, InMemoryTables
from tests.factories import NOON, caller, principal

ALICE = caller(principal("users/alice", flowers=Role.MEMBER))


@dataclass(frozen=True)
class Archive:
    """Everything that an upload or a read goes through."""

    repository: InMemoryDatasets
    tables: InMemoryTables
    leases: TableLeases
    uploads: Uploads
    datasets: Datasets
    counts: QuotaCounts
    folder: Path

    def staged(self) -> list[str]:
        """Return what lies in the folder of unfinished uploads."""
        return [path.name for path in self.folder.iterdir()]


@contextmanager
def open_archive(folder: Path, *, per_user: int = 100) -> Iterator[Archive]:
    """Open an empty archive whose staged files lie in a folder."""
    repository, tables = InMemoryDatasets(), InMemoryTables()
    leases = TableLeases(repository, tables)
    counts = QuotaCounts(QuotaBook())
    with ThreadPoolExecutor(2) as executor:
        uploads = Uploads(
            UploadStores(UploadFolders(folder), tables, repository),
            leases=leases,
            counts=counts,
            convert=convert,
            writing=executor,
            converting=executor,
            limits=UploadLimits(max_bytes=10**6, idle_seconds=0.2, per_user=per_user),
            now=lambda: NOON,
        )
        datasets = Datasets(
            repository, tables, leases=leases, counts=counts, executor=executor, max_reads=2
        )
        yield Archive(repository, tables, leases, uploads, datasets, counts, folder)
