"""Pages of large networks."""

from hanami.kyouko.v1 import network_service_pb2 as pb

from kyouko.servicers.networks import bounded
from mesh.pages import page_request

LARGE = pb.Network(name="projects/p/networks/n", labels=["x" * 100])


def test_a_page_of_large_networks_has_fewer_of_them() -> None:
    """As many as fit, one more to know that the listing goes on, and at least one."""
    asked = page_request(10, "", listing="networks")

    some, kept = bounded(asked, [LARGE] * 11, limit_bytes=3 * LARGE.ByteSize())
    one, alone = bounded(asked, [LARGE] * 11, limit_bytes=1)
    every, whole = bounded(asked, [LARGE] * 5, limit_bytes=10**6)

    assert (3, 4) == (some.limit, len(kept))
    assert (1, 2) == (one.limit, len(alone))
    assert (10, 5) == (every.limit, len(whole))
