"""The committed manifests."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from hanami_sdk.local.envoy_config import SERVICES
from hanami_sdk.local.kubernetes import main, renderings

BASE = Path(__file__).parents[4] / "k8s" / "base"
WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet"}


def workload(name: str) -> dict[str, Any]:
    """Return the pod specification of a component."""
    documents = yaml.safe_load_all((BASE / f"{name}.yaml").read_text(encoding="utf-8"))
    found = next(document for document in documents if document["kind"] in WORKLOADS)
    pod: dict[str, Any] = found["spec"]["template"]["spec"]
    return pod


def containers(name: str) -> list[dict[str, Any]]:
    """Return all containers of a component, those of the start included."""
    pod = workload(name)
    return [*pod["containers"], *pod.get("initContainers", [])]


def test_committed_configurations_are_fresh() -> None:
    """What is committed is what the template renders now."""
    stale = [str(path) for path, text in renderings().items() if path.read_text() != text]

    assert [] == stale


def test_check_says_that_all_is_fresh() -> None:
    """The command's check succeeds on the committed files."""
    assert 0 == main(["--kubernetes", "--check"])


@pytest.mark.parametrize("name", [*SERVICES, "envoy"])
def test_every_pod_runs_with_the_least_rights(name: str) -> None:
    """No pod runs as root, writes to its root, keeps a capability or gets an API token."""
    pod = workload(name)

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert "RuntimeDefault" == pod["securityContext"]["seccompProfile"]["type"]
    assert pod["automountServiceAccountToken"] is False
    for container in containers(name):
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert ["ALL"] == security["capabilities"]["drop"]


@pytest.mark.parametrize("name", [*SERVICES, "envoy"])
def test_every_container_has_limits_and_probes(name: str) -> None:
    """Memory is limited everywhere, and every long-lived container is probed three ways."""
    assert all("memory" in container["resources"]["limits"] for container in containers(name))
    probes = {"startupProbe", "readinessProbe", "livenessProbe"}
    assert all(probes <= container.keys() for container in workload(name)["containers"])


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_probed_over_grpc(name: str) -> None:
    """The kubelet asks services through the standard gRPC health protocol."""
    container = workload(name)["containers"][0]

    assert container["ports"][0]["containerPort"] == container["readinessProbe"]["grpc"]["port"]
