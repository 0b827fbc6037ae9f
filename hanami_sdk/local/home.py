"""The folder that holds everything of one local mesh, and who may read it.

Layout: `state.json`, `lock`, `envoy.yaml`, `run/<component>.pid`,
`logs/<component>.log`, `data/<service>/`, `secrets/`, `tls/` and
`credentials.json` (the command's logins), `streams/` (bookmarks of
`hanami stream`). Every folder is open to its owner only.
"""

import base64
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from hanami_sdk.local.errors import HomeUnusable

__all__ = ["MeshHome"]


@dataclass(frozen=True)
class MeshHome:
    """One home folder; `MeshHome.default()` is the user's own."""

    root: Path

    @classmethod
    def default(cls) -> "MeshHome":
        """Return the home that HANAMI_HOME names, else the user's data folder."""
        named = os.environ.get("HANAMI_HOME", "")
        root = Path(named) if named else Path(platformdirs.user_data_dir("hanami", appauthor=False))
        return cls(root.expanduser().absolute())

    @property
    def state_file(self) -> Path:
        """What was started."""
        return self.root / "state.json"

    @property
    def lock_file(self) -> Path:
        """Held while the mesh is being started or stopped."""
        return self.root / "lock"

    @property
    def envoy_configuration(self) -> Path:
        """The rendered configuration of the gateway."""
        return self.root / "envoy.yaml"

    @property
    def access_log(self) -> Path:
        """The gateway's access log, one JSON object a line."""
        return self.logs / "access.log"

    @property
    def credentials_file(self) -> Path:
        """The logins of the command, by gateway URL."""
        return self.root / "credentials.json"

    @property
    def run(self) -> Path:
        """Holds `<component>.pid` of what was started."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """Holds `<component>.log`."""
        return self.root / "logs"

    @property
    def secrets(self) -> Path:
        """Holds generated secrets, one a file."""
        return self.root / "secrets"

    @property
    def tls(self) -> Path:
        """Holds the local certificate authority and the gateway's certificate."""
        return self.root / "tls"

    @property
    def peer_certificates(self) -> Path:
        """Holds the certificates with which the parts of the mesh prove who they are."""
        return self.tls / "mesh"

    @property
    def admin_password_file(self) -> Path:
        """The generated password of the first administrator."""
        return self.secrets / "admin-password"

    @property
    def service_secret_file(self) -> Path:
        """The secret with which services get their own tokens."""
        return self.secrets / "service-secret"

    @property
    def encryption_key_file(self) -> Path:
        """The keys that data sets, snapshots and journals are encrypted with."""
        return self.secrets / "encryption-key"

    def data(self, service: str) -> Path:
        """Return the folder for everything that a service stores."""
        return self.root / "data" / service

    def log(self, component: str) -> Path:
        """Return the log file of a component."""
        return self.logs / f"{component}.log"

    def pid_file(self, component: str) -> Path:
        """Return the file that holds the process id of a component."""
        return self.run / f"{component}.pid"

    def create(self) -> None:
        """Make the folders, open to the owner only.

        Raises:
            HomeUnusable: the home is no folder, or belongs to somebody else.
        """
        try:
            for folder in (
                self.root,
                self.root / "data",
                self.run,
                self.logs,
                self.secrets,
                self.tls,
            ):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                folder.chmod(0o700)
        except OSError as error:
            raise HomeUnusable(self.root, error.strerror or str(error)) from error

    def secret(self, path: Path) -> str:
        """Return the secret in a file, made on first use and kept with mode 0600."""
        if not path.exists():
            _write_secret(path, secrets.token_urlsafe(24))
        return path.read_text(encoding="utf-8").strip()

    def ensure_encryption_key(self) -> None:
        """Make a key for what is stored, when there is none yet."""
        if not self.encryption_key_file.exists():
            _write_secret(self.encryption_key_file, _new_encryption_key())

    def add_encryption_key(self) -> str:
        """Put a new key before those that there are; returns it."""
        known = self.encryption_key_file.read_text(encoding="ascii").split()
        new = _new_encryption_key()
        _write_secret(self.encryption_key_file, "\n".join([new, *known]))
        return new

    def keep_encryption_key(self, key: str) -> None:
        """Forget all keys but one."""
        _write_secret(self.encryption_key_file, key)


def _new_encryption_key() -> str:
    """Return a key as services read it: 32 random bytes in base64."""
    return base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def _write_secret(path: Path, secret: str) -> None:
    # Whole or not at all, and created with its final mode: at no moment can others open it.
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(secret + "\n")
        file.flush()
        os.fsync(descriptor)
    unfinished.replace(path)
