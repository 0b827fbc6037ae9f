"""Configurations of bridges: what is read, and how a wrong field is named."""

from pathlib import Path

import pytest

from hanami_sdk.bridge.configuration import Configuration, load
from hanami_sdk.bridge.errors import BridgeError, ConfigurationInvalid
from hanami_sdk.bridge.sources import library

GOOD = """
project: plant
networks:
  - network: pumps
    inputs: [speed, motor.temperature]
    label: state
    id: {field: number}
    sources:
      - mqtt: {host: broker, topics: ["pumps/+"], client_id: hanami-pumps}
      - nats: {subjects: ["pumps.>"], stream: PUMPS, durable: hanami}
"""


def loaded(tmp_path: Path, text: str) -> Configuration:
    """Read a configuration."""
    path = tmp_path / "bridge.yaml"
    path.write_text(text)
    return load(path)


def test_a_configuration_is_read(tmp_path: Path) -> None:
    """What is left out has its usual value."""
    found = loaded(tmp_path, GOOD)

    (route,) = found.networks
    first, second = route.sources
    assert ("plant", "pumps", "json", 1000) == (
        found.project,
        route.network,
        route.format,
        route.max_under_way,
    )
    assert first.mqtt is not None
    assert second.nats is not None
    assert (1883, 1, "PUMPS") == (first.mqtt.port, first.mqtt.qos, second.nats.stream)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("host: broker", "hots: broker", "networks[0].sources[0].mqtt.hots: there is no such"),
        ("client_id: hanami-pumps", "port: 1883", "sources[0].mqtt.client_id: is missing"),
        ("host: broker", "port: 70000", "mqtt.port: input should be less than or equal to 65535"),
        ("host: broker", "qos: 2", "mqtt.qos: input should be 0 or 1"),
        ("label: state", "label: state\n    targets: [x]", "either label or targets"),
        ("label: state", "label: state\n    format: csv", "csv needs columns"),
        ("label: state", "label: state\n    columns: [a]", "columns has no 'speed'"),
        ("{field: number}", "{}", "networks[0].id: an id has either field or property"),
        (", durable: hanami", "", "stream and durable belong together"),
        ("label: state", "label: state\n    max_under_way: 9000", "networks[0].max_under_way"),
        ("project: plant", "projekt: plant", "projekt: there is no such field"),
        ("networks:", "networks: [", "is not YAML"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    """With its path in the file."""
    with pytest.raises(ConfigurationInvalid) as caught:
        loaded(tmp_path, GOOD.replace(old, new))

    assert words in caught.value.sentence


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    """And so is one that holds something else."""
    for text in ("", "[1, 2]"):
        with pytest.raises(ConfigurationInvalid, match="the file"):
            loaded(tmp_path, text)


def test_a_password_comes_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the environment or a file, never from the configuration itself."""
    (tmp_path / "secret").write_text("from-file\nsecond line\n")
    login = "host: broker, username: u"
    by_variable = loaded(tmp_path, GOOD.replace("host: broker", f"{login}, password_env: PW"))
    by_file = loaded(
        tmp_path, GOOD.replace("host: broker", f"{login}, password_file: {tmp_path}/secret")
    )
    found = [each.networks[0].sources[0].mqtt for each in (by_variable, by_file)]
    assert found[0] is not None
    assert found[1] is not None

    with pytest.raises(ConfigurationInvalid, match="PW is not set"):
        found[0].password()
    monkeypatch.setenv("PW", "from-environment")

    assert ["from-environment", "from-file"] == [each.password() for each in found if each]


def test_a_missing_library_is_told_with_what_to_install() -> None:
    """In words, with the extra that brings it."""
    with pytest.raises(BridgeError, match="not installed") as caught:
        library("no_such_library_anywhere", "paho-mqtt")

    assert "hanami[bridge]" in caught.value.hint
