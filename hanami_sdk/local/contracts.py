"""What the gateway must know about every method, read from the contracts.

Reads the descriptor set that `make protos` writes; a method that is added to the
contracts gets its route, its time limit and its token rule without any edit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from google.protobuf import descriptor_pb2
from google.rpc import error_details_pb2
from hanami.type.v1 import access_pb2

__all__ = ["PACKAGES", "Contracts", "Method", "find_asset"]

# The contracts of each service: the mesh's own, and the public ones that it speaks.
PACKAGES: Mapping[str, tuple[str, ...]] = {
    "misaki": ("hanami.misaki.v1",),
    "shiori": ("hanami.shiori.v1",),
    "kyouko": ("hanami.kyouko.v1", "inference"),
    "azuki": ("hanami.azuki.v1",),
    "torii": ("hanami.torii.v1",),
}

_SOURCE_ROOT = Path(__file__).resolve().parents[2]
_INSTALLED = Path(__file__).resolve().parent / "assets"
_READ_PREFIXES = ("Get", "List")
_NO_SIDE_EFFECTS = descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS


@dataclass(frozen=True)
class Method:
    """One RPC: where it is called, and what a gateway may do with its calls.

    An internal one is for services of the mesh, and hidden by the gateway.
    """

    package: str
    service: str
    name: str
    is_public: bool
    is_stream: bool
    is_internal: bool
    has_no_side_effects: bool = False

    @property
    def path(self) -> str:
        """The path of its HTTP/2 requests."""
        return f"/{self.package}.{self.service}/{self.name}"

    @property
    def is_repeatable(self) -> bool:
        """Whether a second call after a failure changes nothing (a unary read)."""
        is_read = self.has_no_side_effects or self.name.startswith(_READ_PREFIXES)
        return is_read and not self.is_stream

    @property
    def takes_credentials(self) -> bool:
        """Whether it can be called without a token to get one, so may be used to guess."""
        return self.is_public and not self.is_internal and not self.is_repeatable


@dataclass(frozen=True)
class Contracts:
    """All methods of the mesh, and the descriptor set they were read from."""

    descriptor_set: bytes

    @classmethod
    def load(cls) -> "Contracts":
        """Read the contracts of this version."""
        stored = find_asset("generated/descriptors.binpb", "descriptors.binpb").read_bytes()
        # No contract imports the standard error details, but every error carries some:
        # the gateway can write as JSON only what it has the description of. Added as
        # bytes: parsed and written again, options would change their order with what
        # else this process has imported.
        details = error_details_pb2.DESCRIPTOR
        if details.name.encode() in stored:
            return cls(stored)
        added = descriptor_pb2.FileDescriptorSet()
        added.file.add().ParseFromString(details.serialized_pb)
        return cls(stored + added.SerializeToString())

    @cached_property
    def methods(self) -> tuple[Method, ...]:
        """Every method of the mesh, ordered by path."""
        packages = {package for packages in PACKAGES.values() for package in packages}
        files = descriptor_pb2.FileDescriptorSet.FromString(self.descriptor_set).file
        found = [
            Method(
                package=file.package,
                service=service.name,
                name=method.name,
                is_public=method.options.Extensions[access_pb2.access].public,
                is_stream=method.client_streaming or method.server_streaming,
                is_internal=method.options.Extensions[access_pb2.access].internal,
                has_no_side_effects=method.options.idempotency_level == _NO_SIDE_EFFECTS,
            )
            for file in files
            if file.package in packages
            for service in file.service
            for method in service.method
        ]
        return tuple(sorted(found, key=lambda method: method.path))

    @cached_property
    def services(self) -> tuple[str, ...]:
        """The full names of every gRPC service, ordered."""
        return tuple(sorted({f"{method.package}.{method.service}" for method in self.methods}))

    def methods_of(self, service: str) -> tuple[Method, ...]:
        """Return the methods of one service of the mesh, such as `kyouko`, ordered by path."""
        return tuple(method for method in self.methods if method.package in PACKAGES[service])


def find_asset(source_path: str, installed_name: str) -> Path:
    """Return a file that lies elsewhere in a source tree than in an installed package.

    Args:
        source_path: where a source tree has it, from the root.
        installed_name: its name among the installed assets.

    Raises:
        FileNotFoundError: neither place has it.
    """
    candidates = (_SOURCE_ROOT / source_path, _INSTALLED / installed_name)
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    places = " nor at ".join(str(candidate) for candidate in candidates)
    raise FileNotFoundError(f"neither at {places}")
