"""Certificates with which the parts of a local mesh prove to each other who they are.

One authority signs them all; its key stays in its folder, so that one part can get a new
certificate while the others run.
"""

import datetime
import ipaddress
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from hanami_sdk.local.peer_files import PeerFiles, peer_files
from hanami_sdk.local.signing import (
    Authority,
    has_time_left,
    new_authority,
    read_authority,
    write_secret,
)

__all__ = ["ensure_peer_certificates"]

_AUTHORITY_VALID = datetime.timedelta(days=3650)
# Longer than any certificate that it signs.
_AUTHORITY_RENEW_BEFORE = datetime.timedelta(days=400)
_VALID = datetime.timedelta(days=397)
_RENEW_BEFORE = datetime.timedelta(days=30)
_USAGES = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


def ensure_peer_certificates(
    folder: Path, names: Iterable[str], now: datetime.datetime, *, may_renew_authority: bool
) -> None:
    """Make what is missing, near its end, or signed by another authority.

    Args:
        folder: Holds the authority, and a folder for each part.
        names: Of the parts; a certificate is valid for its part's name, on this machine.
        now: With its time zone.
        may_renew_authority: False while parts run that trust the old one.

    Raises:
        ValueError: The authority would have to be renewed, and may not.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = _authority(folder, now, may_renew=may_renew_authority)
    for name in names:
        files = peer_files(folder, name)
        if not _fits(files, authority, now):
            _make(files, name, authority, now)


def _authority(folder: Path, now: datetime.datetime, *, may_renew: bool) -> Authority:
    certificate, key = folder / "authority.crt", folder / "authority.key"
    known = read_authority(certificate, key)
    if known is not None and has_time_left(known.certificate, now, _AUTHORITY_RENEW_BEFORE):
        return known
    if not may_renew:
        raise ValueError("the certificate authority has to be renewed")
    made = new_authority("Hanami mesh on this machine", now=now, valid=_AUTHORITY_VALID)
    write_secret(key, made.pem.private_key)
    write_secret(certificate, made.pem.certificate)
    return made


def _fits(files: PeerFiles, authority: Authority, now: datetime.datetime) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        key = serialization.load_pem_private_key(files.private_key.read_bytes(), None)
        is_known = files.authority.read_bytes() == authority.pem.certificate
        certificate.verify_directly_issued_by(authority.certificate)
    except (FileNotFoundError, ValueError, TypeError, InvalidSignature):
        return False
    is_own = key.public_key() == certificate.public_key()
    return is_known and is_own and has_time_left(certificate, now, _RENEW_BEFORE)


def _make(files: PeerFiles, name: str, authority: Authority, now: datetime.datetime) -> None:
    files.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    names: list[x509.GeneralName] = [x509.DNSName(name), x509.DNSName("localhost")]
    names += [x509.IPAddress(ipaddress.ip_address(host)) for host in ("127.0.0.1", "::1")]
    signed = authority.sign(f"hanami {name}", names, _USAGES, now=now, valid=_VALID)
    write_secret(files.private_key, signed.private_key)
    write_secret(files.certificate, signed.certificate)
    write_secret(files.authority, authority.pem.certificate)
