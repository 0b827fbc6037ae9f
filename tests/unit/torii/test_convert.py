"""Between torii's messages and its domain."""

from hanami.kyouko.v1 import learning_service_pb2 as learning_pb
from hanami.torii.v1 import mesh_service_pb2 as pb

from mesh import status
from mesh.clients import unavailable
from torii import convert
from torii.domain.mesh_status import Health, ServiceStatus


def test_every_health_of_the_contract_has_its_counterpart() -> None:
    """Contract and domain name the same ways a service can be."""
    declared = [name.removeprefix("HEALTH_") for name, value in pb.Health.items() if value]

    assert list(Health) == declared


def test_a_missing_latency_stays_unset() -> None:
    """No answer has no latency; a quick one has its nanoseconds."""
    message = convert.mesh_message(
        "1.2.3",
        [
            ServiceStatus("kyouko", Health.UNREACHABLE, None),
            ServiceStatus("misaki", Health.SERVING, 0.0015),
        ],
    )

    assert message.version == "1.2.3"
    assert [False, True] == [service.HasField("latency") for service in message.services]
    assert message.services[1].latency.ToMicroseconds() == 1500


def test_a_fault_frame_holds_the_whole_status() -> None:
    """The last frame carries code, words and details, and no sequence."""
    reason = status.status_of(unavailable("kyouko"))

    response = learning_pb.LearnResponse.FromString(convert.fault_frame(reason))

    assert response.fault.status == reason
    assert not response.fault.HasField("sequence")
