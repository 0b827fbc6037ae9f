"""The settings of torii."""

from pathlib import Path

from pydantic import Field, field_validator

from mesh.settings import MeshSettings


class ToriiSettings(MeshSettings):
    """torii is the mesh's door for browsers: websocket, start page, health of all."""

    service_name: str = "torii"
    listen: str = Field(default="127.0.0.1:7005", description="host:port for gRPC")
    http_listen: str = Field(
        default="127.0.0.1:7006", description="host:port for HTTP and websockets"
    )
    kyouko_address: str = Field(default="127.0.0.1:7003", description="host:port of kyouko")
    azuki_address: str = Field(default="127.0.0.1:7004", description="host:port of azuki")
    static_directory: Path = Field(
        default=Path(__file__).parent / "static", description="the built start page"
    )
    health_interval_seconds: float = Field(
        default=1.0, gt=0, description="time between two looks at every other service"
    )
    health_timeout_seconds: float = Field(
        default=1.0, gt=0, description="how long a service may take to say how it is"
    )
    allowed_origins: tuple[str, ...] = Field(
        default=(),
        description="origins (https://host) whose pages may open websockets, besides the own",
    )
    max_websockets: int = Field(default=1000, ge=1, description="most open websockets")
    max_websockets_each: int = Field(
        default=64, ge=1, description="most open websockets of one user or service"
    )
    max_strangers: int = Field(
        default=100, ge=1, description="most open websockets without a good token so far"
    )
    max_stranger_bytes: int = Field(
        default=2**16, ge=1, description="largest message before there is a good token"
    )
    max_json_bytes: int = Field(
        default=2**20, ge=1, description="largest text message (JSON), in characters"
    )
    max_held_bytes: int = Field(
        default=2**28,
        ge=1,
        description="most bytes of messages that wait in torii, all websockets together; "
        "beyond, the websocket with the most of them ends",
    )
    first_message_seconds: float = Field(
        default=10.0, gt=0, description="how long a new websocket may be silent"
    )
    ping_seconds: float = Field(
        default=20.0, gt=0, description="time between pings, and how long a pong may take"
    )

    @field_validator("http_listen", "kyouko_address", "azuki_address")
    @classmethod
    def _is_host_and_port(cls, value: str) -> str:
        return cls._has_host_and_port(value)

    @property
    def other_services(self) -> dict[str, str]:
        """The addresses of all services but this one, by name."""
        return {
            "azuki": self.azuki_address,
            "kyouko": self.kyouko_address,
            "misaki": self.misaki_address,
            "shiori": self.shiori_address,
        }
