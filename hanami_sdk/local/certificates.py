"""The certificate of a local gateway that speaks TLS.

It is signed by an authority made for this one certificate, whose key is thrown
away at once: whoever trusts the authority trusts this gateway and nothing else.
"""

import datetime
import ipaddress
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["CertificateFiles", "ensure_certificate"]

_VALID = datetime.timedelta(days=397)
_RENEW_BEFORE = datetime.timedelta(days=30)
_LEEWAY = datetime.timedelta(minutes=5)


@dataclass(frozen=True)
class CertificateFiles:
    """Where everything lies, PEM. Clients verify the gateway with `authority`."""

    authority: Path
    certificate: Path
    private_key: Path


def ensure_certificate(folder: Path, host: str, now: datetime.datetime) -> CertificateFiles:
    """Return a certificate for a host and for localhost, made when there is none that fits.

    Args:
        folder: where it is kept.
        host: the address that the gateway listens on.
        now: with its time zone.
    """
    files = CertificateFiles(folder / "ca.pem", folder / "server.pem", folder / "server-key.pem")
    names = _names(host)
    if not _fits(files, names, now):
        _make(files, names, now)
    return files


def _names(host: str) -> list[x509.GeneralName]:
    hosts = {"localhost", "127.0.0.1", "::1", host}
    if host in {"0.0.0.0", "::"}:  # noqa: S104
        hosts = (hosts - {host}) | {socket.gethostname()}
    return [_general_name(name) for name in sorted(hosts)]


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _fits(files: CertificateFiles, names: list[x509.GeneralName], now: datetime.datetime) -> bool:
    if not (files.authority.exists() and files.private_key.exists()):
        return False
    try:
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        kept = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (FileNotFoundError, ValueError, x509.ExtensionNotFound):
        return False
    in_time = certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc
    lasts = certificate.not_valid_after_utc - now > _RENEW_BEFORE
    return in_time and lasts and all(name in list(kept) for name in names)


def _make(files: CertificateFiles, names: list[x509.GeneralName], now: datetime.datetime) -> None:
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _sign_authority(authority_key, now)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _sign_server(key, names, authority, authority_key, now)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write(files.private_key, private)
    _write(files.certificate, certificate.public_bytes(serialization.Encoding.PEM))
    _write(files.authority, authority.public_bytes(serialization.Encoding.PEM))


def _sign_authority(key: ec.EllipticCurvePrivateKey, now: datetime.datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Hanami on this machine")])
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
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _LEEWAY)
        .not_valid_after(now + _VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _sign_server(
    key: ec.EllipticCurvePrivateKey,
    names: list[x509.GeneralName],
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    now: datetime.datetime,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Hanami gateway")])
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _LEEWAY)
        .not_valid_after(now + _VALID)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer_key, critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
