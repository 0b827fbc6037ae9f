"""The local gateway's certificate."""

import datetime
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from hanami_sdk.local.certificates import ensure_certificate

NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)


def names(path: Path) -> set[str]:
    """Return the names that a certificate is valid for."""
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in san}


@pytest.mark.parametrize("host", ["127.0.0.1", "mesh.example", "192.0.2.7"])
def test_certificate_covers_the_host_and_localhost(tmp_path: Path, host: str) -> None:
    """The certificate is valid for the chosen host and for this machine's own names."""
    files = ensure_certificate(tmp_path, host, NOW)

    assert {"localhost", "127.0.0.1", "::1", host} == names(files.certificate)


def test_certificate_is_signed_by_the_authority(tmp_path: Path) -> None:
    """Clients that trust the authority can verify the certificate."""
    files = ensure_certificate(tmp_path, "127.0.0.1", NOW)

    authority = x509.load_pem_x509_certificate(files.authority.read_bytes())
    x509.load_pem_x509_certificate(files.certificate.read_bytes()).verify_directly_issued_by(
        authority
    )
    assert isinstance(authority.public_key(), ec.EllipticCurvePublicKey)


def test_private_key_is_the_owners_and_the_authoritys_is_nowhere(tmp_path: Path) -> None:
    """The key has mode 0600, and no key of the authority is kept."""
    files = ensure_certificate(tmp_path, "127.0.0.1", NOW)

    assert 0o600 == stat.S_IMODE(files.private_key.stat().st_mode)
    keys = [path for path in tmp_path.iterdir() if b"PRIVATE KEY" in path.read_bytes()]
    assert [files.private_key] == keys


def test_fitting_certificate_is_kept(tmp_path: Path) -> None:
    """A second start uses the same certificate."""
    before = ensure_certificate(tmp_path, "127.0.0.1", NOW).certificate.read_bytes()

    after = ensure_certificate(tmp_path, "127.0.0.1", NOW + datetime.timedelta(days=30))

    assert before == after.certificate.read_bytes()


@pytest.mark.parametrize(
    ("host", "days"), [("other.example", 0), ("127.0.0.1", 380), ("127.0.0.1", 500)]
)
def test_unfit_certificate_is_renewed(tmp_path: Path, host: str, days: int) -> None:
    """Another host or a coming end makes a new certificate."""
    before = ensure_certificate(tmp_path, "127.0.0.1", NOW).certificate.read_bytes()

    after = ensure_certificate(tmp_path, host, NOW + datetime.timedelta(days=days))

    assert before != after.certificate.read_bytes()


def test_damaged_certificate_is_replaced(tmp_path: Path) -> None:
    """A file that is no certificate does not stop a start."""
    files = ensure_certificate(tmp_path, "127.0.0.1", NOW)
    files.certificate.write_text("damaged")

    ensure_certificate(tmp_path, "127.0.0.1", NOW)

    assert "localhost" in names(files.certificate)
