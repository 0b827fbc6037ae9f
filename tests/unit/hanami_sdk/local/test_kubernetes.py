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
    assert 0 == main(["--check"])


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


@pytest.mark.parametrize("name", [*SERVICES, "envoy"])
def test_every_pod_gets_its_own_certificate_with_mtls(name: str) -> None:
    """Each has a secret of its own; services are probed where health alone is told plainly."""
    path = BASE.parent / "overlays" / "mtls" / "kustomization.yaml"
    patches = yaml.safe_load(path.read_text(encoding="utf-8"))["patches"]
    (text,) = (patch["patch"] for patch in patches if patch["target"]["name"] == name)
    changes = {change["path"]: change["value"] for change in yaml.safe_load(text)}
    container = "/spec/template/spec/containers/0"
    values = [change["value"] for change in yaml.safe_load(text)]

    assert f"hanami-mtls-{name}" == changes["/spec/template/spec/volumes/-"]["secret"]["secretName"]
    assert "/etc/hanami/mtls" == changes[f"{container}/volumeMounts/-"]["mountPath"]
    if name != "envoy":
        probes = {changes[f"{container}/{p}Probe/grpc/port"] for p in ("startup", "readiness")}
        assert {7010} == probes | {changes[f"{container}/livenessProbe/grpc/port"]}
        assert {"name": "HANAMI_TLS_DIRECTORY", "value": "/etc/hanami/mtls"} in values
        assert {"name": "HANAMI_HEALTH_LISTEN", "value": "0.0.0.0:7010"} in values


@pytest.mark.parametrize("name", SERVICES)
def test_no_lost_dependency_restarts_a_pod(name: str) -> None:
    """Liveness asks whether the process works; readiness and start follow what it needs, too."""
    container = workload(name)["containers"][0]

    assert "liveness" == container["livenessProbe"]["grpc"]["service"]
    assert "service" not in container["readinessProbe"]["grpc"]
    assert "service" not in container["startupProbe"]["grpc"]


@pytest.mark.parametrize("name", ["misaki", "shiori"])
def test_a_data_folder_has_one_process(name: str) -> None:
    """The pod that owns a volume ends before the next one starts."""
    (deployment,) = documents(name, "Deployment")

    assert 1 == deployment["spec"]["replicas"]
    assert "Recreate" == deployment["spec"]["strategy"]["type"]


def documents(file: str, kind: str) -> list[dict[str, Any]]:
    """Return the documents of one kind in a file."""
    text = (BASE / f"{file}.yaml").read_text(encoding="utf-8")
    return [document for document in yaml.safe_load_all(text) if document["kind"] == kind]


def policies() -> dict[str, dict[str, Any]]:
    """Return what every network policy says, by name."""
    found = documents("network", "NetworkPolicy")
    return {document["metadata"]["name"]: document["spec"] for document in found}


def connections(direction: str, peer: str) -> set[tuple[str, str, int]]:
    """Return the allowed connections as (from, to, port), read from one of their ends."""
    found = set()
    for name in (*SERVICES, "envoy"):
        for rule in policies()[name].get(direction, ()):
            for other in (other for entry in rule.get(peer, ()) for other in names_of(entry)):
                ends = (other, name) if peer == "from" else (name, other)
                found |= {(*ends, port["port"]) for port in rule["ports"]}
    return found


def names_of(peer: dict[str, Any]) -> list[str]:
    """Return the components that one side of a policy's rule selects."""
    selector = peer["podSelector"]
    if "matchLabels" in selector:
        return list(selector["matchLabels"].values())
    return [name for entry in selector["matchExpressions"] for name in entry["values"]]


def test_nobody_may_connect_but_for_what_is_said() -> None:
    """One policy forbids everything to every pod."""
    nobody = policies()["nobody"]

    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} == nobody


def test_every_connection_is_allowed_at_both_ends() -> None:
    """What may leave a pod may enter the other, and the other way round."""
    assert connections("egress", "to") == connections("ingress", "from")


def test_services_reach_whom_they_call() -> None:
    """The connections that exist are allowed: all others are not."""
    ports = {name: containers(name)[0]["ports"] for name in SERVICES}
    calls = {
        "envoy": list(SERVICES),
        "torii": ["azuki", "kyouko", "misaki", "shiori"],
        "kyouko": ["misaki", "shiori"],
        "shiori": ["misaki"],
        "azuki": ["misaki", "shiori"],
        "misaki": ["shiori"],
    }

    wanted = {
        (caller, service, port["containerPort"])
        for caller, services in calls.items()
        for service in services
        for port in ports[service]
    }

    assert wanted == connections("egress", "to")


def test_only_the_gateway_is_open() -> None:
    """Whoever comes from outside reaches Envoy's port and nothing else."""
    is_open = {
        name
        for name, policy in policies().items()
        if any("from" not in rule for rule in policy.get("ingress", ()))
    }

    assert {"envoy"} == is_open
    assert [{"ports": [{"port": "gateway"}]}] == policies()["envoy"]["ingress"]
