"""TLS between the services: each shows a certificate of the mesh's authority, and asks for one.

A folder holds `ca.crt`, `tls.crt` and `tls.key`, PEM, as the secrets of Kubernetes do. A
certificate names its service (`misaki`, `kyouko`, ...) as a DNS name.
"""

import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import grpc
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

AUTHORITY: Final = "ca.crt"
CERTIFICATE: Final = "tls.crt"
PRIVATE_KEY: Final = "tls.key"


class TlsError(ValueError):
    """The files of TLS cannot be used; the message says which, and why."""


@dataclass(frozen=True)
class MeshTls:
    """What a service proves itself with, and verifies the others with."""

    folder: Path
    authority: bytes = field(repr=False)
    certificate: bytes = field(repr=False)
    private_key: bytes = field(repr=False)

    @classmethod
    def read(cls, folder: Path, *, now: datetime | None = None) -> "MeshTls":
        """Read the files and see that they belong together.

        Raises:
            TlsError: They cannot be used.
        """
        tls = cls(folder, *(_read(folder / n) for n in (AUTHORITY, CERTIFICATE, PRIVATE_KEY)))
        tls._check(now or datetime.now(UTC))
        return tls

    def server_credentials(self) -> grpc.ServerCredentials:
        """Return what a server needs that takes calls of the mesh only."""
        return grpc.ssl_server_credentials(
            [(self.private_key, self.certificate)],
            root_certificates=self.authority,
            require_client_auth=True,
        )

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Return what a client needs that calls services of the mesh."""
        return grpc.ssl_channel_credentials(self.authority, self.private_key, self.certificate)

    def http_server_context(self) -> ssl.SSLContext:
        """Return the same for servers of HTTP."""
        context = ssl.create_default_context(
            ssl.Purpose.CLIENT_AUTH, cadata=self.authority.decode("ascii")
        )
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(self.folder / CERTIFICATE, self.folder / PRIVATE_KEY)
        return context

    def _check(self, now: datetime) -> None:
        authorities = _certificates(self.folder / AUTHORITY, self.authority)
        own = _certificates(self.folder / CERTIFICATE, self.certificate)[0]
        try:
            key = serialization.load_pem_private_key(self.private_key, None)
        except (ValueError, TypeError) as error:
            raise TlsError(f"{self.folder / PRIVATE_KEY} holds no private key") from error
        if key.public_key() != own.public_key():
            raise TlsError(f"{self.folder}: {PRIVATE_KEY} is not the key of {CERTIFICATE}")
        if not own.not_valid_before_utc <= now <= own.not_valid_after_utc:
            span = f"{own.not_valid_before_utc:%Y-%m-%d} to {own.not_valid_after_utc:%Y-%m-%d}"
            raise TlsError(f"{self.folder / CERTIFICATE} is valid from {span} only")
        if not any(_has_signed(authority, own) for authority in authorities):
            # With a chain in the file the first one is signed by the next.
            chain = _certificates(self.folder / CERTIFICATE, self.certificate)[1:]
            if not any(_has_signed(link, own) for link in chain):
                raise TlsError(f"{self.folder}: {CERTIFICATE} is not signed by {AUTHORITY}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TlsError(f"cannot read {path}: {error.strerror}") from error


def _certificates(path: Path, pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise TlsError(f"{path} holds no certificate") from error


def _has_signed(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
