"""What torii can be told."""

import pytest
from pydantic import ValidationError

from torii.settings import ToriiSettings


def test_the_environment_names_the_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each neighbour has a variable of its own."""
    monkeypatch.setenv("HANAMI_KYOUKO_ADDRESS", "kyouko:7003")
    monkeypatch.setenv("HANAMI_HTTP_LISTEN", "0.0.0.0:80")

    settings = ToriiSettings()

    assert settings.other_services["kyouko"] == "kyouko:7003"
    assert settings.http_listen == "0.0.0.0:80"
    assert "torii" not in settings.other_services


def test_an_address_without_a_port_is_refused() -> None:
    """Addresses are checked at the start."""
    with pytest.raises(ValidationError, match="host:port"):
        ToriiSettings(kyouko_address="kyouko")
