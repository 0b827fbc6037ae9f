"""The configuration of a bridge: which messages feed which network, and how they are read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from hanami_sdk.bridge.errors import ConfigurationInvalid

# A session remembers the ids of its last 4,096 messages. What may be under way stays
# well below, so that everything delivered again is known.
MOST_UNDER_WAY = 2000

Name = Annotated[str, Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Login(_Part):
    """Who the bridge is for a broker.

    Attributes:
        username: the name.
        password_env: the variable of the environment that holds the password.
        password_file: the file that holds it, on its first line.
    """

    username: str = ""
    password_env: str = ""
    password_file: Path | None = None

    def password(self) -> str | None:
        """Return the password, if there is to be one.

        Raises:
            ConfigurationInvalid: the variable or the file is not there.
        """
        if self.password_env:
            if self.password_env not in os.environ:
                raise ConfigurationInvalid(f"The variable {self.password_env} is not set.")
            return os.environ[self.password_env]
        if self.password_file is None:
            return None
        try:
            return (self.password_file.read_text(encoding="utf-8").splitlines() or [""])[0]
        except OSError as error:
            raise ConfigurationInvalid(f"{self.password_file}: {error.strerror}.") from error


class Mqtt(Login):
    """Topics of an MQTT broker.

    Attributes:
        client_id: names the broker's memory of what the bridge has not acknowledged.
        qos: 1 delivers again what was not acknowledged; 0 loses it.
        version: of the protocol; user properties need 5.
        session_expiry_seconds: how long the broker keeps that memory (version 5).
    """

    host: Name = "127.0.0.1"
    port: int = Field(1883, ge=1, le=65535)
    topics: list[Name] = Field(min_length=1)
    client_id: Name
    qos: Literal[0, 1] = 1
    version: Literal["3.1.1", "5"] = "3.1.1"
    tls: bool = False
    ca_file: Path | None = None
    session_expiry_seconds: int = Field(7 * 24 * 3600, ge=1)


class Nats(Login):
    """Subjects of a NATS server; with a stream, those of a durable JetStream consumer.

    Attributes:
        stream: the JetStream stream; without one, messages come once or never.
        durable: names the consumer.
        ack_wait_seconds: when JetStream delivers again what was not acknowledged.
    """

    url: Name = "nats://127.0.0.1:4222"
    subjects: list[Name] = Field(min_length=1)
    stream: str = ""
    durable: str = ""
    ack_wait_seconds: float = Field(30.0, gt=0)
    credentials_file: Path | None = None

    @model_validator(mode="after")
    def _consumer_is_named(self) -> Self:
        if bool(self.stream) != bool(self.durable):
            raise ValueError("stream and durable belong together")
        return self


class Source(_Part):
    """Where messages come from: one broker."""

    mqtt: Mqtt | None = None
    nats: Nats | None = None

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if (self.mqtt is None) == (self.nats is None):
            raise ValueError("a source has either mqtt or nats")
        return self


class MessageId(_Part):
    """What makes a message known when it is delivered again.

    Attributes:
        field: a field of the message.
        property: a user property (MQTT 5) or header (NATS).
    """

    field: str = ""
    property: str = ""

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if bool(self.field) == bool(self.property):
            raise ValueError("an id has either field or property")
        return self


class Route(_Part):
    """One network, and the messages that it learns.

    Attributes:
        inputs: the fields that are fed, in the order of the network's channels.
        label: the field of labels (classes).
        targets: the fields of numbers to learn; neither for a network that teaches itself.
        time: the field that says when a row was measured.
        columns: the names of the values of arrays and CSV lines.
        format: of the messages.
        id: what makes a message known; else the number that JetStream gave it, else
            a hash of topic and payload.
        max_under_way: the most messages that are not yet durable.
    """

    network: Name
    inputs: list[Name] = Field(min_length=1)
    label: str = ""
    targets: list[Name] = []
    time: str = ""
    columns: list[Name] = []
    format: Literal["json", "csv"] = "json"
    delimiter: str = Field(",", min_length=1, max_length=1)
    id: MessageId | None = None
    max_under_way: int = Field(1000, ge=1, le=MOST_UNDER_WAY)
    sources: list[Source] = Field(min_length=1)

    @model_validator(mode="after")
    def _fields_fit(self) -> Self:
        if self.label and self.targets:
            raise ValueError("what there is to learn is either label or targets")
        if self.format == "csv" and not self.columns:
            raise ValueError("csv needs columns, the names of its cells")
        wanted = [*self.inputs, *self.targets, *filter(None, (self.label, self.time))]
        missing = [name for name in wanted if self.columns and name not in self.columns]
        if missing:
            raise ValueError(f"columns has no {missing[0]!r}")
        return self


class Configuration(_Part):
    """A whole bridge.

    Attributes:
        url: where the mesh listens; the local one when left out.
        project: the project of the networks.
        state: the folder that keeps the sessions; in $HANAMI_HOME when left out.
    """

    url: str = ""
    project: str = ""
    state: Path | None = None
    networks: list[Route] = Field(min_length=1)

    @model_validator(mode="after")
    def _networks_differ(self) -> Self:
        names = [route.network for route in self.networks]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"network {name!r} has two entries; give one several sources")
        return self


def load(path: Path) -> Configuration:
    """Read a configuration.

    Raises:
        ConfigurationInvalid: it is no YAML, or a field is wrong; all wrong ones are named.
    """
    try:
        values = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise ConfigurationInvalid(f"{path} is not YAML: {_first_line(error)}") from error
    try:
        return Configuration.model_validate(values)
    except ValidationError as error:
        wrong = [f"{_where(each['loc'])}: {_what(each['msg'])}" for each in error.errors()]
        raise ConfigurationInvalid(f"{path}: " + "\n  ".join(wrong)) from error


def _where(location: tuple[int | str, ...]) -> str:
    """Return the path of a field: `networks[0].sources[1].mqtt.port`."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return path.removeprefix(".") or "the file"


def _what(message: str) -> str:
    words = {
        "Field required": "is missing",
        "Extra inputs are not permitted": "there is no such field",
    }
    text = words.get(message, message.removeprefix("Value error, "))
    return text[:1].lower() + text[1:] + "."


def _first_line(error: YAMLError) -> str:
    return " ".join(str(error).split())
