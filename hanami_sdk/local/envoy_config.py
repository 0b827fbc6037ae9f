"""Render the one Envoy configuration, for this machine or for Kubernetes.

The template is `envoy/envoy.yaml.j2`; this file only works out its values.
`hanami_sdk.local.kubernetes` writes those of the manifests.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import jinja2

from hanami_sdk.local.contracts import PACKAGES, Contracts, find_asset
from hanami_sdk.local.envoy_problems import PLAIN_PROBLEMS, PROBLEMS

__all__ = [
    "SERVICES",
    "Address",
    "EnvoyParameters",
    "GrpcRoute",
    "PeerTls",
    "TlsFiles",
    "render",
]

SERVICES = tuple(PACKAGES)
LOCAL_ORIGINS = ("http://localhost:*", "http://127.0.0.1:*")

# torii's: learning streams, and direct IO of the prototype.
_WEBSOCKET_PATHS = ("/v1/learn", "/v1/direct")
# Headers of calls that services read, with what they can read.
_GRPC_HEADERS = {"grpc-timeout": "[0-9]{1,8}[HMSmun]", "grpc-encoding": "identity|gzip|deflate"}
_ANY_PORT = r"(:[0-9]{1,5})?"


@dataclass(frozen=True)
class Address:
    """A host and a port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read `host:port`; an IPv6 host stands in brackets.

        Raises:
            ValueError: the text has another form.
        """
        parts = urlsplit(f"//{text}")
        if not parts.hostname or parts.port is None:
            raise ValueError(f"{text!r} is not host:port")
        return cls(parts.hostname, parts.port)

    @property
    def is_ip(self) -> bool:
        """Whether no name has to be resolved."""
        return re.fullmatch(r"[0-9.]+|[0-9a-fA-F:]*:[0-9a-fA-F:.]*", self.host) is not None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class TlsFiles:
    """The certificate (with its chain) and private key of the gateway, PEM."""

    certificate: str
    private_key: str


@dataclass(frozen=True)
class PeerTls:
    """What the gateway and the services prove to each other with, PEM."""

    authority: str
    certificate: str
    private_key: str


@dataclass(frozen=True)
class GrpcRoute:
    """A cluster of one's own behind the gateway, for instance a benchmark's server.

    `prefix` is matched against the path, such as `/hanami.bench.v1.`; its calls are
    treated as streams: no time limit, no retries.
    """

    name: str
    prefix: str
    address: Address
    requires_token: bool = True


@dataclass(frozen=True)
class EnvoyParameters:
    """Every value of the configuration.

    Args:
        listen: where the gateway listens.
        admin: Envoy's own administration; must be a loopback address.
        keys: where Envoy itself fetches misaki's public keys; must be one, too.
        services: the gRPC address of every service, by name.
        torii_http: the address of torii's pages and websocket.
        tls: serves TLS with these files; plain when None.
        peer_tls: speaks TLS with the services, and shows them a certificate; plain when None.
        otlp_endpoint: exports traces to this OTLP/gRPC collector, such as
            `http://127.0.0.1:4317`; no traces when None.
        authorities_file: the certificate authorities that a collector behind https is
            verified with.
        access_log: a file, `/dev/stdout` for the console.
        cors_origins: web pages of these origins may call; `:*` stands for any port.
        max_message_bytes: the largest gRPC message that services take.
        calls_per_second: what the local rate limit lets pass over time, of all
            clients together; `credential_calls_per_second` is the same for methods
            that take passwords or refresh tokens.
        max_heap_bytes: from 95 % of this on, new calls are refused.
    """

    listen: Address
    admin: Address
    keys: Address
    services: Mapping[str, Address]
    torii_http: Address
    tls: TlsFiles | None = None
    peer_tls: PeerTls | None = None
    otlp_endpoint: str | None = None
    authorities_file: str = "/etc/ssl/certs/ca-certificates.crt"
    access_log: str = "/dev/stdout"
    cors_origins: tuple[str, ...] = LOCAL_ORIGINS
    token_issuer: str = "hanami"
    token_audience: str = "hanami"
    max_message_bytes: int = 16 * 1024 * 1024
    unary_timeout_seconds: int = 60
    calls_per_second: int = 10_000
    credential_calls_per_second: int = 20
    max_connections: int = 4096
    max_heap_bytes: int = 1024 * 1024 * 1024
    extra_grpc_routes: tuple[GrpcRoute, ...] = field(default=())

    def __post_init__(self) -> None:
        missing = [name for name in SERVICES if name not in self.services]
        if missing:
            raise ValueError(f"no address for {', '.join(missing)}")
        for address in (self.admin, self.keys):
            if address.host not in {"127.0.0.1", "::1"}:
                raise ValueError(f"must stay on loopback: {address}")


def render(parameters: EnvoyParameters, contracts: Contracts | None = None) -> str:
    """Return the configuration as YAML.

    Raises:
        ValueError: a parameter has no possible meaning, such as an OTLP endpoint
            that is no URL.
    """
    contracts = contracts if contracts is not None else Contracts.load()
    template_path = find_asset("envoy/envoy.yaml.j2", "envoy.yaml.j2")
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # YAML, not HTML: every text value goes through `tojson`, which quotes it.
        autoescape=False,  # noqa: S701
    )
    template = environment.from_string(template_path.read_text(encoding="utf-8"))
    return template.render(_values(parameters, contracts))


def _values(parameters: EnvoyParameters, contracts: Contracts) -> dict[str, Any]:
    return {
        "p": parameters,
        "service_names": SERVICES,
        "grpc_services": contracts.services,
        "methods": {name: contracts.methods_of(name) for name in SERVICES},
        "packages": PACKAGES,
        # Public contracts have packages of their own beside the mesh's.
        "call_prefixes": ["/hanami.", *_public_prefixes()],
        "websocket_paths": _WEBSOCKET_PATHS,
        "public_paths": [method.path for method in contracts.methods if method.is_public],
        "descriptor_set": base64.b64encode(contracts.descriptor_set).decode("ascii"),
        "otlp": _otlp(parameters.otlp_endpoint),
        "cors_patterns": [_origin_pattern(origin) for origin in parameters.cors_origins],
        # JSON writes bytes as base64, a third longer, and quotes the rest.
        "max_body_bytes": parameters.max_message_bytes * 4 // 3 + 1024 * 1024,
        "problems": PROBLEMS,
        "plain_problems": PLAIN_PROBLEMS,
        "grpc_headers": _GRPC_HEADERS,
    }


def _public_prefixes() -> list[str]:
    packages = (package for packages in PACKAGES.values() for package in packages)
    return [f"/{package}." for package in packages if not package.startswith("hanami.")]


def _otlp(endpoint: str | None) -> dict[str, Any] | None:
    if endpoint is None:
        return None
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"the OTLP endpoint must look like http://host:4317, not {endpoint!r}")
    return {"address": Address(parts.hostname, parts.port or 4317), "tls": parts.scheme == "https"}


def _origin_pattern(origin: str) -> str:
    if origin.endswith(":*"):
        return re.escape(origin.removesuffix(":*")) + _ANY_PORT
    return re.escape(origin)
