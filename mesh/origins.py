"""Where a call comes from, behind a proxy or without one."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import unquote

Network = IPv4Network | IPv6Network
# Loopback, and the private networks in which a mesh keeps its own gateway.
PRIVATE_NETWORKS = (
    "127.0.0.0/8",
    "::1/128",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "fc00::/7",
)
# One customer of a provider has at least this much of IPv6.
_IPV6_PREFIX = 64
LOCAL = "local"
UNKNOWN = "unknown"


class Origins:
    """Tells callers apart by their addresses.

    A proxy appends the address of its own caller to `x-forwarded-for`; that entry is
    believed when the proxy is among the trusted ones, and the earlier entries, which
    the caller may have invented, never.
    """

    def __init__(self, trusted_proxies: Iterable[str] = PRIVATE_NETWORKS) -> None:
        """Take the proxies, as addresses or networks (`10.0.0.0/8`).

        Raises:
            ValueError: One of them is neither.
        """
        self._trusted: list[Network] = [ip_network(proxy) for proxy in trusted_proxies]

    def of_call(self, context: Any) -> str:
        """Return the address of the caller of a gRPC call; see `of`."""
        return self.of(context.peer(), call_metadata(context))

    def of(self, peer: str, metadata: Mapping[str, str]) -> str:
        """Return the address of a caller.

        Args:
            peer: Who is at the other end, as gRPC writes it: `ipv4:10.0.0.7:4711`.
            metadata: What came with the call.

        Returns:
            An IPv4 address, the /64 network of an IPv6 address, `local` for a unix
            socket, `unknown` for anything else.
        """
        address = _address_of(peer)
        forwarded = metadata.get("x-forwarded-for", "").rpartition(",")[2].strip()
        if forwarded and self._is_trusted(address):
            address = forwarded
        return _grouped(address)

    def _is_trusted(self, address: str) -> bool:
        if address == LOCAL:
            return True
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._trusted)


def call_metadata(context: Any) -> dict[str, str]:
    """Return the textual metadata of a gRPC call; of a repeated key the last value."""
    items = context.invocation_metadata() or ()
    return {key: value for key, value in items if isinstance(value, str)}


def _address_of(peer: str) -> str:
    kind, _, rest = unquote(peer).partition(":")
    if kind == "unix":
        return LOCAL
    if kind not in ("ipv4", "ipv6"):
        return UNKNOWN
    return rest.rpartition(":")[0].strip("[]").partition("%")[0]


def _grouped(address: str) -> str:
    if address == LOCAL:
        return LOCAL
    try:
        parsed = ip_address(address)
    except ValueError:
        return UNKNOWN
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed, _IPV6_PREFIX), strict=False))
