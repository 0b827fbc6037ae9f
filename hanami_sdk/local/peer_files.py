"""Where the certificates of a mesh lie with which its parts prove who they are.

Each part has a folder with `ca.crt`, `tls.crt` and `tls.key`, named as in the secrets of
Kubernetes. `peer_certificates` makes them.
"""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["PeerFiles", "peer_files"]


@dataclass(frozen=True)
class PeerFiles:
    """Where the certificates of one part of the mesh lie, PEM."""

    folder: Path

    @property
    def authority(self) -> Path:
        """What the others are verified with."""
        return self.folder / "ca.crt"

    @property
    def certificate(self) -> Path:
        """What the part shows to the others."""
        return self.folder / "tls.crt"

    @property
    def private_key(self) -> Path:
        """What proves that it is its own."""
        return self.folder / "tls.key"


def peer_files(folder: Path, name: str) -> PeerFiles:
    """Return where the certificates of a part of the mesh lie."""
    return PeerFiles(folder / name)
