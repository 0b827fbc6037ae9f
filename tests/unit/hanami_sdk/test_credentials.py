"""What an application says about who it is."""

import pytest

from hanami_sdk.credentials import Credentials
from hanami_sdk.errors import InvalidArgument
from hanami_sdk.surroundings import named_credentials

VARIABLES = (
    "HANAMI_USER",
    "HANAMI_PASSWORD",
    "HANAMI_API_KEY",
    "HANAMI_CLIENT_ID",
    "HANAMI_CLIENT_SECRET",
)


@pytest.mark.parametrize(
    "fields",
    [
        {"user": "alice", "api_key": "k"},
        {"user": "alice", "client_id": "c", "client_secret": "s"},
        {"client_id": "c"},
        {"client_secret": "s"},
    ],
)
def test_contradictions_are_refused(fields: dict[str, str]) -> None:
    """Nobody is two at once, and nobody is half a program."""
    with pytest.raises(InvalidArgument):
        Credentials(**fields)


def test_secrets_do_not_show_in_logs() -> None:
    """A repr names who it is, never what proves it."""
    shown = repr(
        [
            Credentials(user="alice", password="s3cret"),
            Credentials(api_key="s3cret"),
            Credentials(client_id="nightly", client_secret="s3cret"),
        ]
    )

    assert "alice" in shown
    assert "nightly" in shown
    assert "s3cret" not in shown


def test_the_environment_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user counts more than a device, and a device more than a program; halves do not count."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    found = [named_credentials()]
    for name, value in (
        ("HANAMI_CLIENT_ID", "nightly"),
        ("HANAMI_CLIENT_SECRET", "s"),
        ("HANAMI_API_KEY", "k"),
        ("HANAMI_USER", "alice"),
        ("HANAMI_PASSWORD", "p"),
    ):
        monkeypatch.setenv(name, value)
        found.append(named_credentials())

    nobody, program = Credentials(), Credentials(client_id="nightly", client_secret="s")
    device, user = Credentials(api_key="k"), Credentials(user="alice", password="p")
    assert [nobody, nobody, program, device, device, user] == found
    assert nobody.is_empty
    assert not device.is_empty
