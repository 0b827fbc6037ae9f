"""The certificates with which the parts of a local mesh prove who they are."""

import datetime
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from hanami_sdk.local.peer_certificates import ensure_peer_certificates
from hanami_sdk.local.peer_files import peer_files

NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
NAMES = ("misaki", "kyouko")


def ensure(folder: Path, *, days: int = 0, may_renew_authority: bool = True) -> None:
    """Make what is missing, some days later."""
    now = NOW + datetime.timedelta(days=days)
    ensure_peer_certificates(folder, NAMES, now, may_renew_authority=may_renew_authority)


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files by name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_every_part_has_a_certificate_in_its_name(tmp_path: Path) -> None:
    """It is signed by the authority, for both ends of a connection."""
    ensure(tmp_path)

    for name in NAMES:
        files = peer_files(tmp_path, name)
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        extensions = certificate.extensions
        san = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value

        certificate.verify_directly_issued_by(
            x509.load_pem_x509_certificate(files.authority.read_bytes())
        )
        assert [name, "localhost"] == san.get_values_for_type(x509.DNSName)
        assert {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH} == set(usage)


def test_keys_are_the_owners(tmp_path: Path) -> None:
    """Nobody else can read a key or look into a folder."""
    ensure(tmp_path / "certificates")

    paths = list(tmp_path.rglob("*"))

    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_file()}
    assert {0o700} == {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_dir()}


def test_good_certificates_are_kept(tmp_path: Path) -> None:
    """A later start changes nothing."""
    ensure(tmp_path)
    before = contents(tmp_path)

    ensure(tmp_path, days=366)

    assert before == contents(tmp_path)


def test_certificates_near_their_end_are_renewed(tmp_path: Path) -> None:
    """The authority stays, so that what runs goes on being trusted."""
    ensure(tmp_path)
    before = contents(tmp_path)

    ensure(tmp_path, days=370, may_renew_authority=False)

    after = contents(tmp_path)
    changed = {name for name in after if after[name] != before[name]}
    assert {f"{name}/{file}" for name in NAMES for file in ("tls.crt", "tls.key")} == changed


@pytest.mark.parametrize("file", ["misaki/tls.key", "misaki/tls.crt", "misaki/ca.crt"])
def test_one_damaged_part_gets_a_new_certificate(tmp_path: Path, file: str) -> None:
    """The others keep theirs."""
    ensure(tmp_path)
    before = contents(tmp_path)
    (tmp_path / file).write_text("damaged")

    ensure(tmp_path, may_renew_authority=False)

    after = contents(tmp_path)
    assert b"damaged" != after[file]
    assert all(after[name] == before[name] for name in after if not name.startswith("misaki/"))


def test_authority_near_its_end_is_renewed_with_all_it_has_signed(tmp_path: Path) -> None:
    """Everything changes at once."""
    ensure(tmp_path)
    before = contents(tmp_path)

    ensure(tmp_path, days=3300)

    after = contents(tmp_path)
    assert all(after[name] != before[name] for name in before)


def test_authority_is_not_renewed_under_running_parts(tmp_path: Path) -> None:
    """What runs would not trust what is started; that is said instead."""
    ensure(tmp_path)
    before = contents(tmp_path)

    with pytest.raises(ValueError, match="authority has to be renewed"):
        ensure(tmp_path, days=3300, may_renew_authority=False)

    assert before == contents(tmp_path)
