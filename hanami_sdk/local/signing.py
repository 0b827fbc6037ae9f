"""Makes certificate authorities and certificates. Where they are kept is for others to say."""

import datetime
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = [
    "Authority",
    "Signed",
    "has_time_left",
    "new_authority",
    "read_authority",
    "write_secret",
]

_LEEWAY = datetime.timedelta(minutes=5)


@dataclass(frozen=True)
class Signed:
    """A certificate and its private key, PEM."""

    certificate: bytes
    private_key: bytes

    def __repr__(self) -> str:
        return "Signed(...)"


@dataclass(frozen=True)
class Authority:
    """Signs certificates."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> Signed:
        """The authority's own certificate and key."""
        return _signed(self.certificate, self.key)

    def sign(
        self,
        common_name: str,
        names: Sequence[x509.GeneralName],
        usages: Sequence[x509.ObjectIdentifier],
        *,
        now: datetime.datetime,
        valid: datetime.timedelta,
    ) -> Signed:
        """Make a key and sign a certificate for it.

        Args:
            common_name: What people read of its owner.
            names: What its owner is called and addressed by.
            usages: What it may be used for.
            now: With its time zone.
            valid: For how long from now on.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(common_name))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _LEEWAY)
            .not_valid_after(now + valid)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(issuer, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return _signed(certificate, key)


def new_authority(
    common_name: str, *, now: datetime.datetime, valid: datetime.timedelta
) -> Authority:
    """Make an authority that signs certificates of services, and no other authorities."""
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(_name(common_name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _LEEWAY)
        .not_valid_after(now + valid)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def read_authority(certificate: Path, private_key: Path) -> Authority | None:
    """Return an authority that was written to files; None when it is not there, or not whole."""
    try:
        parsed = x509.load_pem_x509_certificate(certificate.read_bytes())
        key = serialization.load_pem_private_key(private_key.read_bytes(), None)
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != parsed.public_key():
        return None
    return Authority(parsed, key)


def has_time_left(
    certificate: x509.Certificate, now: datetime.datetime, least: datetime.timedelta
) -> bool:
    """Whether a certificate is valid now and will be for some time."""
    end = certificate.not_valid_after_utc
    return certificate.not_valid_before_utc <= now and end - now > least


def write_secret(path: Path, content: bytes) -> None:
    """Replace a file by one that only its owner may read, from its first moment on."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _signed(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Signed:
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Signed(certificate.public_bytes(serialization.Encoding.PEM), private)
