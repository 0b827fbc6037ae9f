"""The certificate of a local gateway that speaks TLS.

It is signed by an authority made for this one certificate, whose key is thrown
away at once: whoever trusts the authority trusts this gateway and nothing else.
"""

import datetime
import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from hanami_sdk.local.signing import has_time_left, new_authority, write_secret

__all__ = ["CertificateFiles", "ensure_certificate"]

_VALID = datetime.timedelta(days=397)
_RENEW_BEFORE = datetime.timedelta(days=30)


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
    lasts = has_time_left(certificate, now, _RENEW_BEFORE)
    return lasts and all(name in list(kept) for name in names)


def _make(files: CertificateFiles, names: list[x509.GeneralName], now: datetime.datetime) -> None:
    authority = new_authority("Hanami on this machine", now=now, valid=_VALID)
    usages = [ExtendedKeyUsageOID.SERVER_AUTH]
    signed = authority.sign("Hanami gateway", names, usages, now=now, valid=_VALID)
    write_secret(files.private_key, signed.private_key)
    write_secret(files.certificate, signed.certificate)
    write_secret(files.authority, authority.pem.certificate)
