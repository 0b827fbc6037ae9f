"""The mesh that a fuzz run is about: something in it to speak of, and everybody who calls."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
from hanami.kyouko.v1 import network_service_pb2, network_service_pb2_grpc
from hanami.misaki.v1 import (
    policy_service_pb2,
    policy_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
)
from hanami.shiori.v1 import dataset_service_pb2_grpc

from tests.e2e import rows
from tests.e2e.conftest import (
    Login,
    RunningMesh,
    log_in,
    make_device,
    make_member,
    make_project,
    make_user,
)
from tests.rpcs import Names, names_of
from tests.soak.house import House

_PATIENCE_SECONDS = 60.0
_NETWORK, _DATASET = "roses", "rows"


@dataclass(frozen=True)
class Stage:
    """A project with a network and a data set, and the tokens of everybody around it."""

    names: Names
    network: str
    tokens: Mapping[str, str] = field(repr=False)


class _FreshAddress(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc, type-arg]
    """Makes calls come as from addresses where nobody has guessed passwords yet."""

    def __init__(self) -> None:
        self._calls = 0

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        """Send the call as a proxy would."""
        self._calls += 1
        origin = f"198.{18 + self._calls // 62_500}.{self._calls // 250 % 250}.{self._calls % 250}"
        metadata = [*(details.metadata or ()), ("x-forwarded-for", origin)]
        return continuation(details._replace(metadata=metadata), request)


class Theatre:
    """Sets stages in a mesh: calls with full rights may well tear one down."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.count = 0
        self._channels = {
            service: grpc.insecure_channel(self.address(service))
            for service in ("misaki", "kyouko", "shiori")
        }
        self._misaki = grpc.intercept_channel(self._channels["misaki"], _FreshAddress())

    @property
    def gateway(self) -> str:
        """Host and port of the gateway."""
        return f"{self.house.state.host}:{self.house.state.port}"

    def address(self, service: str) -> str:
        """Return host and port of a service."""
        component = self.house.state.component(service)
        if component is None:
            raise LookupError(f"{service} was never started")
        return component.address

    def close(self) -> None:
        """Let go of the connections."""
        for channel in self._channels.values():
            channel.close()

    def set(self) -> Stage:
        """Make a project and everybody around it."""
        self.count += 1
        mesh = self._mesh()
        self._forget_policy(mesh.admin)
        project = make_project(mesh, f"garden-{self.count}")
        member = make_member(mesh, project, "MEMBER", f"member-{self.count}")
        self._fill(project, member)
        people = {
            "admin": mesh.admin,
            "project admin": make_member(mesh, project, "PROJECT_ADMIN", f"head-{self.count}"),
            "member": member,
            "viewer": make_member(mesh, project, "VIEWER", f"viewer-{self.count}"),
            "stranger": make_user(mesh, f"stranger-{self.count}"),
            "device": make_device(mesh, project, "", ("LEARN", "PREDICT"), f"key-{self.count}"),
        }
        tokens = {caller: login.token for caller, login in people.items()}
        tokens["service"] = self._service_token()
        decoy = make_member(mesh, project, "VIEWER", f"decoy-{self.count}").user_id
        ids = {"project": project.removeprefix("projects/"), "network": _NETWORK, "task": "t1"}
        ids |= {"user": decoy, "member": decoy, "dataset": _DATASET, "template": "flat"}
        ids |= {"api_key": "k1", "client": "c1", "policy": "1", "signing_key": "k"}
        ids |= {"login_provider": "idp", "session": "0b" * 16, "incident": "0c" * 16}
        return Stage(names_of(ids), f"{project}/networks/{_NETWORK}", tokens)

    def stands(self, stage: Stage) -> bool:
        """Whether everything is still there, and everybody still may."""
        stub = network_service_pb2_grpc.NetworkServiceStub(self._channels["kyouko"])
        for caller in ("admin", "project admin", "member", "viewer"):
            try:
                stub.GetNetwork(
                    network_service_pb2.GetNetworkRequest(name=stage.network),
                    metadata=(("authorization", f"Bearer {stage.tokens[caller]}"),),
                    timeout=_PATIENCE_SECONDS,
                )
            except grpc.RpcError:
                return False
        return True

    def _mesh(self) -> RunningMesh:
        state, home = self.house.state, self.house.home
        admin = log_in(self._misaki, state.admin_user_id, self.house.password)
        return RunningMesh(state, home, self._misaki, admin)

    def _forget_policy(self, admin: Login) -> None:
        policies = policy_service_pb2_grpc.PolicyServiceStub(self._misaki)
        policies.RollbackPolicy(
            policy_service_pb2.RollbackPolicyRequest(name="policies/0"),
            metadata=admin.metadata,
            timeout=_PATIENCE_SECONDS,
        )

    def _fill(self, project: str, member: Login) -> None:
        network_service_pb2_grpc.NetworkServiceStub(self._channels["kyouko"]).CreateNetwork(
            network_service_pb2.CreateNetworkRequest(
                parent=project, network_id=_NETWORK, template="templates/flat", channels=4
            ),
            metadata=member.metadata,
            timeout=_PATIENCE_SECONDS,
        )
        dataset_service_pb2_grpc.DatasetServiceStub(self._channels["shiori"]).UploadDataset(
            rows.upload(project, _DATASET, rows.csv_of(40), target="kind"),
            metadata=member.metadata,
            timeout=_PATIENCE_SECONDS,
        )

    def _service_token(self) -> str:
        secret = self.house.home.service_secret_file.read_text(encoding="utf-8").strip()
        answer = token_service_pb2_grpc.TokenServiceStub(self._misaki).IssueServiceToken(
            token_service_pb2.IssueServiceTokenRequest(service="azuki", secret=secret),
            timeout=_PATIENCE_SECONDS,
        )
        return str(answer.access_token)
