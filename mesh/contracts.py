"""All services that the contracts of the mesh state, whoever serves them."""

import importlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import hanami
from google.protobuf.descriptor import ServiceDescriptor


@cache
def all_services() -> Sequence[ServiceDescriptor]:
    """Return every service, found by its generated module, so that none can be forgotten."""
    found: list[ServiceDescriptor] = []
    for root in map(Path, hanami.__path__):
        for file in sorted(root.rglob("*_pb2.py")):
            module = ".".join(("hanami", *file.relative_to(root).with_suffix("").parts))
            found += importlib.import_module(module).DESCRIPTOR.services_by_name.values()
    return tuple(found)
