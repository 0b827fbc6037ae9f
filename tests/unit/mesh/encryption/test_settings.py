"""The settings of keys: from a file or from the environment, and never shown."""

import base64
from pathlib import Path

import pytest

from mesh.encryption.keys import KeyEncryptionKey
from mesh.encryption.settings import ObjectSettings

KEY = base64.b64encode(bytes(32)).decode("ascii")
KEY_ID = KeyEncryptionKey(bytes(32)).id


class GardenSettings(ObjectSettings):
    """Settings of a service that does not exist."""

    service_name: str = "garden"
    listen: str = "127.0.0.1:0"


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the environment says of keys."""
    for name in ("KEYS", "KEY_FILE", "REQUIRED"):
        monkeypatch.delenv(f"HANAMI_ENCRYPTION_{name}", raising=False)


def test_nothing_is_encrypted_without_keys() -> None:
    """Keys are a choice of those who run a service."""
    assert GardenSettings.from_command_line([]).key_ring() is None


def test_keys_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in the environment is used, and does not show in the settings."""
    monkeypatch.setenv("HANAMI_ENCRYPTION_KEYS", KEY)

    settings = GardenSettings.from_command_line([])

    ring = settings.key_ring()
    assert ring is not None
    assert KEY_ID == ring.active.id
    assert (
        KEY not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    )


def test_keys_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in a file is used."""
    path = tmp_path / "key"
    path.write_text(KEY)
    path.chmod(0o600)
    monkeypatch.setenv("HANAMI_ENCRYPTION_KEY_FILE", str(path))

    ring = GardenSettings.from_command_line([]).key_ring()

    assert ring is not None
    assert KEY_ID == ring.active.id


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({"KEYS": "bad-key-words"}, "key 1 is not 32 bytes in base64"),
        (
            {"KEYS": KEY, "KEY_FILE": "/somewhere"},
            "encryption_key_file and encryption_keys are both set; use one",
        ),
        ({"KEY_FILE": "/nowhere/key"}, "cannot read /nowhere/key: No such file"),
        ({"REQUIRED": "true"}, "encryption_required is set, but there are no keys"),
    ],
)
def test_unusable_keys_end_the_start(
    environment: dict[str, str], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says what is wrong and repeats no key."""
    for name, value in environment.items():
        monkeypatch.setenv(f"HANAMI_ENCRYPTION_{name}", value)

    with pytest.raises(SystemExit) as caught:
        GardenSettings.from_command_line([])

    assert f"settings: {problem}" in str(caught.value)
    assert "bad-key-words" not in str(caught.value)
    assert KEY not in str(caught.value)
