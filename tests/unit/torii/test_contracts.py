"""What torii knows of the contracts."""

from pathlib import Path

import hanami.torii.v1

from torii.contracts import LEARN_METHOD, MESH_SERVICE, grpc_services

GENERATED = Path(next(iter(hanami.torii.v1.__path__))).parent.parent


def test_every_generated_service_is_known() -> None:
    """Reflection and health speak of all services whose code was generated."""
    generated = {
        path.parent.parent.name: set[str]() for path in GENERATED.glob("*/v1/*_service_pb2.py")
    }
    for path in GENERATED.glob("*/v1/*_service_pb2.py"):
        service = path.parent.parent.name
        words = path.name.removesuffix("_pb2.py").split("_")
        name = "".join(word.capitalize() for word in words)
        generated[service].add(f"hanami.{service}.v1.{name}")
    generated["kyouko"].add("inference.GRPCInferenceService")

    known = {service: set(names) for service, names in grpc_services().items()}

    assert generated == known


def test_the_names_torii_uses_itself_are_in_the_contracts() -> None:
    """The two names written by hand are right."""
    services = [name for names in grpc_services().values() for name in names]

    assert MESH_SERVICE in services
    assert LEARN_METHOD.strip("/").rpartition("/")[0] in services
