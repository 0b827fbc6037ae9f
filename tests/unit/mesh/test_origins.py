"""Where calls come from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.origins import Origin, Origins

GATEWAY = "ipv4:127.0.0.1:40000"


@pytest.mark.parametrize(
    ("peer", "origin"),
    [
        ("ipv4:203.0.113.7:4711", "203.0.113.7"),
        ("ipv6:[2001:db8:1:2:3:4:5:6]:4711", "2001:db8:1:2::/64"),
        ("ipv6:%5B::ffff:203.0.113.7%5D:4711", "203.0.113.7"),
        ("ipv6:[fe80::1%25eth0]:4711", "fe80::/64"),
        ("unix:/run/x.sock", "local"),
        ("unix:", "local"),
        ("", "unknown"),
        ("vsock:3:4", "unknown"),
    ],
)
def test_direct_callers(peer: str, origin: str) -> None:
    """Without a proxy the peer itself is the origin."""
    assert origin == Origins().of(peer, {})


def test_proxy_tells_the_caller() -> None:
    """A trusted proxy's last entry counts; what came before it may be invented."""
    metadata = {"x-forwarded-for": "1.2.3.4, 198.51.100.9"}

    assert "198.51.100.9" == Origins().of(GATEWAY, metadata)


def test_strangers_are_not_believed() -> None:
    """Who is no trusted proxy is the origin, whatever it says."""
    metadata = {"x-forwarded-for": "198.51.100.9"}

    assert "203.0.113.7" == Origins().of("ipv4:203.0.113.7:4711", metadata)
    assert "127.0.0.1" == Origins(["10.0.0.0/8"]).of(GATEWAY, metadata)


def test_wrong_network_is_refused() -> None:
    """A setting that is no network is an error at once."""
    with pytest.raises(ValueError, match="garden"):
        Origins(["garden"])


@given(peer=st.text(), forwarded=st.text())
def test_whatever_comes_is_an_origin(peer: str, forwarded: str) -> None:
    """No peer and no header breaks it, and no origin is longer than its column."""
    for who in (peer, GATEWAY, "unix:"):
        assert 0 < len(Origins().of(who, {"x-forwarded-for": forwarded})) <= 64


@pytest.mark.parametrize(
    ("address", "forwarded", "expected"),
    [
        ("127.0.0.1", "", Origin("127.0.0.1")),
        ("127.0.0.1", "192.0.2.7", Origin("192.0.2.7", via="127.0.0.1")),
        ("::1", "2001:db8::7", Origin("2001:db8::7", via="::1")),
        ("127.0.0.1", "10.6.6.6, 192.0.2.7", Origin("192.0.2.7", via="127.0.0.1")),
        ("192.0.2.9", "10.6.6.6", Origin("192.0.2.9")),
        ("127.0.0.1", "<script>", Origin("127.0.0.1")),
        ("127.0.0.1", "fe80::1%" + "x" * 99, Origin("127.0.0.1")),
        ("local", "192.0.2.7", Origin("192.0.2.7", via="local")),
    ],
)
def test_full_origin_says_who_told_it(address: str, forwarded: str, expected: Origin) -> None:
    """Logs get the whole address, and that of the proxy when it was one that told it."""
    assert expected == Origins().seen(address, forwarded)


def test_certificate_tells_a_proxy_where_there_are_any() -> None:
    """With TLS the name counts, wherever the connection comes from."""
    origins = Origins(["127.0.0.0/8"], ["envoy"])

    gateway = origins.seen("10.1.2.3", "192.0.2.7", ["envoy"])
    service = origins.seen("127.0.0.1", "192.0.2.7", ["kyouko"])

    assert (Origin("192.0.2.7", via="10.1.2.3"), Origin("127.0.0.1")) == (gateway, service)


@pytest.mark.parametrize(
    "neighbour", ["10.0.0.7", "172.16.4.4", "192.168.1.9", "fd00::7", "169.254.1.1", "100.64.0.1"]
)
def test_neighbours_are_no_proxies_unless_named(neighbour: str) -> None:
    """Who only shares a private network is not believed: nobody may choose their address."""
    expected = Origin(neighbour)

    assert expected == Origins().seen(neighbour, "198.51.100.9")
    assert "198.51.100.9" == Origins([neighbour]).seen(neighbour, "198.51.100.9").address
