"""Bad input through the gateway: a clear error, and everything still works."""

import time
from collections.abc import Callable, Iterator

import grpc
import numpy as np
import pytest
from google.rpc import status_pb2
from grpc_status import rpc_status
from hanami.kyouko.v1 import learning_service_pb2 as learning
from hanami.kyouko.v1 import (
    learning_service_pb2_grpc,
    network_service_pb2,
    network_service_pb2_grpc,
    task_service_pb2,
    task_service_pb2_grpc,
    template_service_pb2,
    template_service_pb2_grpc,
)
from hanami.misaki.v1 import token_service_pb2, token_service_pb2_grpc
from hanami.shiori.v1 import dataset_service_pb2, dataset_service_pb2_grpc

from mesh.status import error_info
from tests.e2e import rows
from tests.e2e.conftest import Login, RunningMesh


def failure(call: Callable[[], object]) -> tuple[grpc.StatusCode, str, dict[str, str]]:
    """Make a call that has to fail; return code, reason and metadata."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    rich = rpc_status.from_call(caught.value)
    info = error_info(rich if rich is not None else status_pb2.Status())
    return caught.value.code(), info.reason, dict(info.metadata)


def datasets(mesh: RunningMesh) -> dataset_service_pb2_grpc.DatasetServiceStub:
    """Return the stub of shiori."""
    return dataset_service_pb2_grpc.DatasetServiceStub(mesh.channel)


def networks(mesh: RunningMesh) -> network_service_pb2_grpc.NetworkServiceStub:
    """Return the stub of kyouko's networks."""
    return network_service_pb2_grpc.NetworkServiceStub(mesh.channel)


def faults(
    mesh: RunningMesh, login: Login, network: str, *frames: learning.LearnRequest
) -> list[str]:
    """Send frames on a fresh stream; return the kinds of the answers, or the faults' reasons."""
    answers = learning_service_pb2_grpc.LearningServiceStub(mesh.channel).Learn(
        iter([rows.opening(network), *frames, rows.closing()]), metadata=login.metadata
    )
    return [
        error_info(answer.fault.status).reason
        if answer.HasField("fault")
        else str(answer.WhichOneof("message"))
        for answer in answers
        # News of the journal comes in between when it comes.
        if not answer.HasField("progress")
    ]


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c2Vycy9hZG1pbiJ9.",
        "eyJhbGciOiJFZERTQSJ9.e30.AAAA",
    ],
    ids=["empty", "garbage", "unsigned", "foreign"],
)
def test_a_wrong_token_is_unauthenticated(mesh: RunningMesh, project: str, token: str) -> None:
    """Whatever is wrong with it, the call is refused as UNAUTHENTICATED."""
    code, _, _ = failure(
        lambda: networks(mesh).ListNetworks(
            network_service_pb2.ListNetworksRequest(parent=project),
            metadata=(("authorization", f"Bearer {token}"),),
        )
    )

    assert grpc.StatusCode.UNAUTHENTICATED == code


def test_a_refresh_token_opens_no_door(mesh: RunningMesh, project: str) -> None:
    """A refresh token is no access token."""
    password = mesh.home.admin_password_file.read_text(encoding="utf-8").strip()
    pair = token_service_pb2_grpc.TokenServiceStub(mesh.channel).Login(
        token_service_pb2.LoginRequest(user_id=mesh.admin.user_id, password=password)
    )

    code, _, _ = failure(
        lambda: networks(mesh).ListNetworks(
            network_service_pb2.ListNetworksRequest(parent=project),
            metadata=(("authorization", f"Bearer {pair.refresh_token}"),),
        )
    )

    assert grpc.StatusCode.UNAUTHENTICATED == code


def test_another_projects_network_is_not_found(
    mesh: RunningMesh, network: network_service_pb2.Network, join: Callable[[str, str], Login]
) -> None:
    """A stranger cannot tell a foreign network from one that does not exist."""
    import uuid

    from hanami.misaki.v1 import project_service_pb2, project_service_pb2_grpc

    other = project_service_pb2_grpc.ProjectServiceStub(mesh.channel).CreateProject(
        project_service_pb2.CreateProjectRequest(project_id=f"p-{uuid.uuid4().hex[:12]}"),
        metadata=mesh.admin.metadata,
    )
    stranger = join(other.name, "PROJECT_ADMIN")

    answers = [
        failure(
            lambda name=name: networks(mesh).GetNetwork(  # type: ignore[misc]
                network_service_pb2.GetNetworkRequest(name=name), metadata=stranger.metadata
            )
        )[:2]
        for name in (network.name, f"{network.name}-missing")
    ]

    assert [(grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND")] * 2 == answers


def test_a_viewer_may_look_and_not_create(
    mesh: RunningMesh, project: str, join: Callable[[str, str], Login]
) -> None:
    """The role VIEWER does not allow CreateNetwork."""
    viewer = join(project, "VIEWER")

    code, reason, metadata = failure(
        lambda: networks(mesh).CreateNetwork(
            network_service_pb2.CreateNetworkRequest(
                parent=project, network_id="mine", template="templates/flat", channels=4
            ),
            metadata=viewer.metadata,
        )
    )

    assert (grpc.StatusCode.PERMISSION_DENIED, "ROLE_INSUFFICIENT") == (code, reason)
    assert "/hanami.kyouko.v1.NetworkService/CreateNetwork" == metadata["method"]


def test_an_unknown_template_field_is_shown_with_its_place(
    mesh: RunningMesh, member: Login
) -> None:
    """The error names line, column and path of the field."""
    yaml = (
        "inputs:\n  - name: pixels\n    channels: 4\n"
        "populations:\n  - name: a\n    neurons: 8\n    neuronz: 4\n"
        "outputs:\n  - name: label\n    kind: classes\n"
    )

    code, reason, metadata = failure(
        lambda: template_service_pb2_grpc.TemplateServiceStub(mesh.channel).ParseTemplate(
            template_service_pb2.ParseTemplateRequest(yaml=yaml), metadata=member.metadata
        )
    )

    assert (grpc.StatusCode.INVALID_ARGUMENT, "TEMPLATE_INVALID") == (code, reason)
    assert ("7", "5", "populations[0].neuronz") == (
        metadata["line"],
        metadata["column"],
        metadata["field"],
    )


@pytest.mark.parametrize("columns", [["a", "b", "c"], ["a", "b", "c", "d", "e"]])
def test_a_data_set_of_the_wrong_width_is_refused(
    mesh: RunningMesh,
    project: str,
    network: network_service_pb2.Network,
    member: Login,
    columns: list[str],
) -> None:
    """A task over rows narrower or wider than the network is not queued."""
    content = (
        ",".join([*columns, "kind"]) + "\n" + ",".join(["1"] * len(columns)) + ",x\n"
    ).encode()
    dataset = datasets(mesh).UploadDataset(
        rows.upload(project, "odd", content, target="kind"), metadata=member.metadata
    )

    code, reason, metadata = failure(
        lambda: task_service_pb2_grpc.TaskServiceStub(mesh.channel).CreateTask(
            task_service_pb2.CreateTaskRequest(
                parent=network.name, kind=task_service_pb2.TASK_KIND_LEARN, dataset=dataset.name
            ),
            metadata=member.metadata,
        )
    )

    assert (grpc.StatusCode.INVALID_ARGUMENT, "WIDTH_MISMATCH") == (code, reason)
    assert ("4", str(len(columns))) == (metadata["expected"], metadata["actual"])


def test_a_frame_whose_bytes_do_not_fit_its_shape_is_a_fault(
    mesh: RunningMesh, network: network_service_pb2.Network, member: Login
) -> None:
    """The bad frame changes nothing, and the stream goes on."""
    inputs, labels = rows.blobs(4)
    bad = rows.frame(1, inputs, labels)
    bad.frame.inputs.packed = bad.frame.inputs.packed[:-3]

    seen = faults(mesh, member, network.name, bad, rows.frame(2, inputs, labels))

    assert ["opened", "TENSOR_INVALID", "result", "closed"] == seen


def test_nan_is_missing_and_infinity_is_large(
    mesh: RunningMesh, network: network_service_pb2.Network, member: Login
) -> None:
    """Non-finite inputs are learned by the stated policy; non-finite targets cannot occur here."""
    inputs, labels = rows.blobs(64)
    inputs[3, 1], inputs[9, 0], inputs[10, 2] = np.nan, np.inf, -np.inf
    all_missing = np.full((1, 4), np.nan, dtype=np.float32)

    seen = faults(
        mesh,
        member,
        network.name,
        rows.frame(1, all_missing, ["quiet"]),
        rows.frame(2, inputs, labels),
    )

    assert ["opened", "result", "result", "closed"] == seen


def test_a_message_of_a_gigabyte_is_refused(mesh: RunningMesh, member: Login) -> None:
    """The call ends with RESOURCE_EXHAUSTED, and the mesh goes on."""
    huge = "x" * 2**30

    code, _, _ = failure(
        lambda: template_service_pb2_grpc.TemplateServiceStub(mesh.channel).ParseTemplate(
            template_service_pb2.ParseTemplateRequest(yaml=huge),
            metadata=member.metadata,
            timeout=100,
        )
    )

    listed = template_service_pb2_grpc.TemplateServiceStub(mesh.channel).ListTemplates(
        template_service_pb2.ListTemplatesRequest(), metadata=member.metadata
    )
    assert grpc.StatusCode.RESOURCE_EXHAUSTED == code
    assert len(listed.templates) >= 2


def test_a_truncated_upload_leaves_nothing(mesh: RunningMesh, project: str, member: Login) -> None:
    """Fewer bytes than announced: an error with both numbers, and no data set."""
    content = rows.csv_of(100)

    code, reason, metadata = failure(
        lambda: datasets(mesh).UploadDataset(
            rows.upload(project, "short", content, size_bytes=len(content) + 5),
            metadata=member.metadata,
        )
    )

    assert (grpc.StatusCode.INVALID_ARGUMENT, "UPLOAD_TRUNCATED") == (code, reason)
    assert str(len(content)) == metadata["actual"]
    assert [] == listed_datasets(mesh, project, member)


def test_a_wrong_checksum_leaves_nothing(mesh: RunningMesh, project: str, member: Login) -> None:
    """Bytes that do not match their checksum are refused."""
    code, reason, _ = failure(
        lambda: datasets(mesh).UploadDataset(
            rows.upload(project, "damaged", rows.csv_of(100), sha256="0" * 64),
            metadata=member.metadata,
        )
    )

    assert (grpc.StatusCode.INVALID_ARGUMENT, "CHECKSUM_MISMATCH") == (code, reason)
    assert [] == listed_datasets(mesh, project, member)


def test_an_upload_killed_halfway_leaves_nothing(
    mesh: RunningMesh, project: str, member: Login
) -> None:
    """A client that vanishes in mid-upload leaves neither a data set nor a taken name."""
    content = rows.csv_of(20000)

    def half() -> Iterator[dataset_service_pb2.UploadDatasetRequest]:
        messages = rows.upload(project, "broken-off", content, target="kind", chunk_bytes=2**14)
        for _ in range(5):
            yield next(messages)
        time.sleep(60)

    call = datasets(mesh).UploadDataset.future(half(), metadata=member.metadata)
    time.sleep(0.5)
    call.cancel()

    again = datasets(mesh).UploadDataset(
        rows.upload(project, "broken-off", content, target="kind"), metadata=member.metadata
    )
    assert 20000 == again.row_count
    assert ["broken-off"] == listed_datasets(mesh, project, member)


@pytest.mark.parametrize(
    ("content", "outcome"),
    [
        (b"a,kind\n1,x\ntwo,y\n", "STRING"),
        (b"a,kind\n1e-3,x\n2.5E4,y\n", "FLOAT64"),
        (b'a,kind\n"1","x, ""y"""\n2,"z\nz"\n', "INT64"),
        (b"a,kind\n1,x\n,y\n3,\n", "FLOAT64"),
        (b"a\n1\n2\n", "INT64"),
        (b"1,2\n3,4\n", "FILE_MALFORMED"),
        (b"a,kind\n1,x\n1,2,3\n", "FILE_MALFORMED"),
    ],
    ids=["text", "exponents", "quotes", "gaps", "single column", "no header", "ragged"],
)
def test_csv_of_every_kind(
    mesh: RunningMesh, project: str, member: Login, content: bytes, outcome: str
) -> None:
    """Odd but valid CSV is read; CSV that cannot be understood is refused with a reason."""
    upload = rows.upload(project, "csv", content)

    if outcome == "FILE_MALFORMED":
        code, reason, _ = failure(
            lambda: datasets(mesh).UploadDataset(upload, metadata=member.metadata)
        )
        assert (grpc.StatusCode.INVALID_ARGUMENT, outcome) == (code, reason)
    else:
        dataset = datasets(mesh).UploadDataset(upload, metadata=member.metadata)
        kind = dataset_service_pb2.ColumnType.Name(dataset.columns[0].type)
        assert outcome == kind.removeprefix("COLUMN_TYPE_")


def listed_datasets(mesh: RunningMesh, project: str, login: Login) -> list[str]:
    """Return the ids of a project's data sets."""
    answer = datasets(mesh).ListDatasets(
        dataset_service_pb2.ListDatasetsRequest(parent=project), metadata=login.metadata
    )
    return [dataset.name.rpartition("/")[2] for dataset in answer.datasets]
