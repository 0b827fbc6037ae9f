"""Where a call comes from, behind a proxy or without one.

Where services prove who they are (TLS), a proxy is known by the names in its
certificate; otherwise by its address.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import unquote

Network = IPv4Network | IPv6Network
# The gateway of a mesh on one machine. A gateway elsewhere has to be named: whoever is believed
# can call from any address, and so guess passwords as often as there are addresses.
LOOPBACK = ("127.0.0.0/8", "::1/128")
# One customer of a provider has at least this much of IPv6.
_IPV6_PREFIX = 64
# Where the gateway writes the address of a caller.
FORWARDED_FOR = "x-forwarded-for"
_MOST_CHARACTERS = 64
LOCAL = "local"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Origin:
    """The address of a caller, and that of the proxy who told it (empty: nobody did)."""

    address: str
    via: str = ""


class Origins:
    """Tells callers apart by their addresses.

    A proxy appends the address of its own caller to `x-forwarded-for`; that entry is
    believed when the proxy is among the trusted ones, and the earlier entries, which
    the caller may have invented, never.
    """

    def __init__(
        self,
        trusted_proxies: Iterable[str] = LOOPBACK,
        trusted_names: Iterable[str] = (),
    ) -> None:
        """Take the proxies.

        Args:
            trusted_proxies: Addresses or networks (`10.0.0.0/8`) of those that show no
                certificate.
            trusted_names: Names in the certificates of the others.

        Raises:
            ValueError: One of them is no network.
        """
        self._trusted: list[Network] = [ip_network(proxy) for proxy in trusted_proxies]
        self._names = frozenset(trusted_names)
        self._is_trusted = lru_cache(maxsize=1024)(self._lies_in_trusted)

    def of_call(self, context: Any) -> str:
        """Return the address of the caller of a gRPC call; see `of`."""
        return _grouped(self.seen_in(context).address)

    def of(self, peer: str, metadata: Mapping[str, str]) -> str:
        """Return the address of a caller, such that those of one customer are one.

        Args:
            peer: Who is at the other end, as gRPC writes it: `ipv4:10.0.0.7:4711`.
            metadata: What came with the call.

        Returns:
            An IPv4 address, the /64 network of an IPv6 address, `local` for a unix
            socket, `unknown` for anything else.
        """
        return _grouped(self.seen(_address_of(peer), metadata.get(FORWARDED_FOR, "")).address)

    def seen_in(self, context: Any) -> Origin:
        """Return where a gRPC call comes from, in full."""
        forwarded = call_metadata(context).get(FORWARDED_FOR, "")
        names = context.auth_context().get("x509_subject_alternative_name", ())
        texts = [name.decode(errors="replace") for name in names]
        return self.seen(_address_of(context.peer() or ""), forwarded, texts)

    def seen(self, address: str, forwarded: str, names: Collection[str] = ()) -> Origin:
        """Return where a request comes from, in full.

        Args:
            address: The other end of the connection.
            forwarded: What the request says in `x-forwarded-for`.
            names: In the certificate that the other end has shown; empty without one.
        """
        last = forwarded.rpartition(",")[2].strip()
        if last and self._believes(address, names) and _is_address(last):
            return Origin(last, via=address)
        return Origin(address)

    def _believes(self, address: str, names: Collection[str]) -> bool:
        return not self._names.isdisjoint(names) if names else self._is_trusted(address)

    def _lies_in_trusted(self, address: str) -> bool:
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


@lru_cache(maxsize=1024)
def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    # A zone (`%eth0`) may be of any length.
    return len(text) <= _MOST_CHARACTERS


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
