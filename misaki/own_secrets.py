"""What misaki has to keep to itself: passwords and keys of files and settings.

Each function raises SystemExit when a file is missing or wrong; the message says which.
"""

from pathlib import Path

import structlog

from misaki.crypto.digests import Digests, HashKeyError
from misaki.crypto.digests import load_or_create as load_or_create_digests
from misaki.crypto.key_ring import FileKeyRing
from misaki.crypto.keys import KeyFileError
from misaki.domain.key_times import RotationRules
from misaki.ports import Clock
from misaki.settings import MisakiSettings

_log = structlog.get_logger(__name__)


def admin_password(settings: MisakiSettings) -> str:
    """Return the password of the first admin; empty when nobody set one."""
    if settings.admin_password_file is not None:
        return _secret_in(settings.admin_password_file, "HANAMI_ADMIN_PASSWORD_FILE")
    return settings.admin_password.get_secret_value()


def service_secret(settings: MisakiSettings) -> str:
    """Return the secret with which services get tokens; empty when there is none."""
    if settings.service_secret_file is None:
        _log.warning("services get no tokens: HANAMI_SERVICE_SECRET_FILE is not set")
        return ""
    return _secret_in(settings.service_secret_file, "HANAMI_SERVICE_SECRET_FILE")


def _secret_in(path: Path, setting: str) -> str:
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SystemExit(f"misaki: cannot read {setting}: {error}") from error
    if not secret:
        raise SystemExit(f"misaki: {setting}: {path} is empty")
    return secret


def key_ring(folder: Path, rules: RotationRules, clock: Clock) -> FileKeyRing:
    """Open the keys that sign tokens; the first one is made when there is none."""
    try:
        return FileKeyRing(folder, rules, clock=clock)
    except (OSError, KeyFileError) as error:
        raise SystemExit(f"misaki: no signing key: {error}") from error


def digests(folder: Path) -> Digests:
    """Open the key of digests; it is made when there is none."""
    try:
        return load_or_create_digests(folder)
    except (OSError, HashKeyError) as error:
        raise SystemExit(f"misaki: no hash key: {error}") from error
