"""What a client announces before it sends bytes, and what of it is refused at once."""

from dataclasses import dataclass

from mesh.errors import FieldViolation, InvalidArgument, ResourceExhausted
from mesh.visibility import Visibility
from shiori.domain.dataset import DatasetName, FileFormat

IMAGES = "images"
LABELS = "labels"
DATA = "data"
LABEL_COLUMN = "label"
_ROLES = {FileFormat.IDX: (IMAGES, LABELS), FileFormat.CSV: (DATA,)}


@dataclass(frozen=True)
class AnnouncedFile:
    """One file that will come; `sha256` is in lower-case hexadecimal."""

    role: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Announcement:
    """The files of one upload, in the order in which their bytes come.

    Attributes:
        target_column: The column to learn by default; none when empty.
        visibility: Who may know of the data set.
        owner: Whose the upload of a service is, and since when the owner is; of others None.
    """

    name: DatasetName
    format: FileFormat
    files: tuple[AnnouncedFile, ...]
    target_column: str = ""
    visibility: Visibility = Visibility.SHARED
    owner: tuple[str, int] | None = None

    @property
    def size_bytes(self) -> int:
        """How many bytes all files have together."""
        return sum(file.size_bytes for file in self.files)

    def check(self, *, max_bytes: int) -> None:
        """Refuse what can be known to fail before any byte has come.

        Args:
            max_bytes: The most bytes that all files together may have.

        Raises:
            InvalidArgument: FIELD_INVALID, with all violations together.
            ResourceExhausted: LIMIT_REACHED: the files are too large.
        """
        violations = [*self._file_violations(), *self._target_violations()]
        if violations:
            raise InvalidArgument(
                "; ".join(f"{v.field}: {v.description}" for v in violations),
                metadata={"violations": str(len(violations))},
                violations=violations,
            )
        total = self.size_bytes
        if total > max_bytes:
            raise ResourceExhausted(
                f"the files have {total} bytes, but an upload may have {max_bytes} at most",
                reason="LIMIT_REACHED",
                metadata={"limit": str(max_bytes), "actual": str(total)},
            )

    def _file_violations(self) -> list[FieldViolation]:
        expected = _ROLES[self.format]
        if sorted(file.role for file in self.files) == sorted(expected):
            return []
        actual = ", ".join(file.role for file in self.files)
        wanted = " and ".join(expected)
        return [
            FieldViolation(
                "open.files",
                f"{self.format} takes one file for each of {wanted}, but {actual} came",
            )
        ]

    def _target_violations(self) -> list[FieldViolation]:
        if self.format is FileFormat.IDX and self.target_column not in ("", LABEL_COLUMN):
            description = f"the target of {self.format} is always {LABEL_COLUMN!r}"
            return [FieldViolation("open.target_column", description)]
        return []
