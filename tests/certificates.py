"""Certificates for tests: of a mesh of one's own, with any end."""

import datetime
from pathlib import Path

from hanami_sdk.local.peer_certificates import ensure_peer_certificates
from hanami_sdk.local.peer_files import PeerFiles, peer_files


def certificates_of(
    folder: Path, *names: str, now: datetime.datetime | None = None
) -> list[PeerFiles]:
    """Make certificates of one authority for services of these names."""
    moment = now or datetime.datetime.now(datetime.UTC)
    ensure_peer_certificates(folder, names, moment, may_renew_authority=True)
    return [peer_files(folder, name) for name in names]
