"""The rendered gateway configuration, read back as YAML."""

import re
from dataclasses import replace
from typing import Any

import pytest
import yaml

from hanami_sdk.local.contracts import Contracts
from hanami_sdk.local.envoy_config import (
    SERVICES,
    Address,
    EnvoyParameters,
    GrpcRoute,
    PeerTls,
    TlsFiles,
    render,
)

LOCAL = EnvoyParameters(
    listen=Address("127.0.0.1", 1337),
    admin=Address("127.0.0.1", 1338),
    keys=Address("127.0.0.1", 1339),
    services={name: Address("127.0.0.1", 7001 + i) for i, name in enumerate(SERVICES)},
    torii_http=Address("127.0.0.1", 7006),
)


def rendered(parameters: EnvoyParameters = LOCAL) -> dict[str, Any]:
    """Return the configuration as data."""
    configuration: dict[str, Any] = yaml.safe_load(render(parameters))
    return configuration


def manager(configuration: dict[str, Any]) -> dict[str, Any]:
    """Return the HTTP settings of the gateway."""
    listener = configuration["static_resources"]["listeners"][0]
    settings: dict[str, Any] = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return settings


def routes(configuration: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the routes, in order."""
    found: list[dict[str, Any]] = manager(configuration)["route_config"]["virtual_hosts"][0][
        "routes"
    ]
    return found


def clusters(configuration: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the clusters by name."""
    return {cluster["name"]: cluster for cluster in configuration["static_resources"]["clusters"]}


def jwt_rules(configuration: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rules of the token check, in order."""
    filters = {f["name"]: f["typed_config"] for f in manager(configuration)["http_filters"]}
    rules: list[dict[str, Any]] = filters["envoy.filters.http.jwt_authn"]["rules"]
    return rules


def test_filters_stand_in_the_only_safe_order() -> None:
    """JSON is transcoded before the token check, so no REST path slips past it."""
    names = [
        f["name"].removeprefix("envoy.filters.http.") for f in manager(rendered())["http_filters"]
    ]

    expected = [
        "cors",
        "grpc_web",
        "grpc_json_transcoder",
        "jwt_authn",
        "local_ratelimit",
        "router",
    ]
    assert expected == names


def test_every_method_that_is_not_public_needs_a_token() -> None:
    """The first rule that matches a method asks for a token unless the contract says public."""
    rules = jwt_rules(rendered())

    for method in Contracts.load().methods:
        first = next(
            rule
            for rule in rules
            if rule["match"].get("path") == method.path
            or method.path.startswith(rule["match"].get("prefix", "\0"))
        )
        assert method.is_public == ("requires" not in first), method.path


def test_streams_have_no_time_limit_and_no_retries() -> None:
    """The route of every stream never times out and never repeats."""
    by_path = {route["match"].get("path"): route for route in routes(rendered())}

    for method in Contracts.load().methods:
        if method.is_stream:
            action = by_path[method.path]["route"]
            assert ("0s", "0s") == (action["timeout"], action["idle_timeout"])
            assert "retry_policy" not in action


def test_only_reads_are_repeated_after_an_answer() -> None:
    """A route that repeats after UNAVAILABLE belongs to a unary read."""
    reads = {method.path for method in Contracts.load().methods if method.is_repeatable}

    repeated = {
        route["match"].get("path")
        for route in routes(rendered())
        if "unavailable" in route.get("route", {}).get("retry_policy", {}).get("retry_on", "")
    }

    assert reads == repeated


def test_upgrade_is_allowed_on_two_routes_only() -> None:
    """Websockets are off, and on for the two paths that torii has."""
    configuration = rendered()

    upgraded = [
        r["match"] for r in routes(configuration) if r.get("route", {}).get("upgrade_configs")
    ]
    assert [{"path": "/v1/learn"}, {"path": "/v1/direct"}] == upgraded
    assert [False] == [u["enabled"] for u in manager(configuration)["upgrade_configs"]]


def test_every_service_is_checked_and_protected() -> None:
    """Every service's cluster has health checks, outlier detection and circuit breakers."""
    for name in SERVICES:
        cluster = clusters(rendered())[name]
        assert {"health_checks", "outlier_detection", "circuit_breakers"} <= cluster.keys()
        check = cluster["health_checks"][0]
        assert ("0.25s", "1s") == (
            check["no_traffic_interval"],
            check["no_traffic_healthy_interval"],
        )


def test_plain_gateway_has_no_tls_and_no_tracing() -> None:
    """Nothing is encrypted or traced unless asked for."""
    configuration = rendered()

    assert (
        "transport_socket"
        not in configuration["static_resources"]["listeners"][0]["filter_chains"][0]
    )
    assert "tracing" not in manager(configuration)
    assert "otlp" not in clusters(configuration)


def test_tls_offers_http2_first() -> None:
    """A TLS gateway negotiates h2 before http/1.1 with the given files."""
    configuration = rendered(replace(LOCAL, tls=TlsFiles("/c.pem", "/k.pem")))

    chain = configuration["static_resources"]["listeners"][0]["filter_chains"][0]
    context = chain["transport_socket"]["typed_config"]["common_tls_context"]
    assert ["h2", "http/1.1"] == context["alpn_protocols"]
    assert "/k.pem" == context["tls_certificates"][0]["private_key"]["filename"]


@pytest.mark.parametrize(
    ("endpoint", "encrypted"), [("http://collector:4317", False), ("https://collector", True)]
)
def test_otlp_endpoint_turns_tracing_on(endpoint: str, encrypted: bool) -> None:
    """With an endpoint spans go to its cluster, over TLS for https."""
    configuration = rendered(replace(LOCAL, otlp_endpoint=endpoint))

    cluster = clusters(configuration)["otlp"]
    assert "envoy.tracers.opentelemetry" == manager(configuration)["tracing"]["provider"]["name"]
    assert "STRICT_DNS" == cluster["type"]
    assert encrypted == ("transport_socket" in cluster)


def test_otlp_endpoint_without_scheme_is_refused() -> None:
    """An endpoint that is no URL is an error, not a silent nothing."""
    with pytest.raises(ValueError, match="http://host:4317"):
        render(replace(LOCAL, otlp_endpoint="collector:4317"))


@pytest.mark.parametrize("requires_token", [True, False])
def test_extra_route_gets_a_cluster_and_a_token_rule(requires_token: bool) -> None:
    """A cluster of one's own is routed by its prefix, with or without a token."""
    route = GrpcRoute("bench", "/bench.v1.", Address("127.0.0.1", 9000), requires_token)
    configuration = rendered(replace(LOCAL, extra_grpc_routes=(route,)))

    rule = next(r for r in jwt_rules(configuration) if r["match"].get("prefix") == "/bench.v1.")
    found = next(r for r in routes(configuration) if r["match"].get("prefix") == "/bench.v1.")
    assert requires_token == ("requires" in rule)
    assert ("bench", "0s") == (found["route"]["cluster"], found["route"]["timeout"])
    assert "bench" in clusters(configuration)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost", True),
        ("http://localhost:5173", True),
        ("http://127.0.0.1:80", True),
        ("https://localhost:5173", False),
        ("http://localhost.evil.example", False),
        ("http://localhost:5173.evil.example", False),
        ("http://127x0x0x1:80", False),
    ],
)
def test_local_pages_only_are_allowed(origin: str, allowed: bool) -> None:
    """The patterns of origins match whole local origins and nothing that resembles them."""
    policy = manager(rendered())["route_config"]["virtual_hosts"][0]["typed_per_filter_config"]
    patterns = [
        one["safe_regex"]["regex"]
        for one in policy["envoy.filters.http.cors"]["allow_origin_string_match"]
    ]

    assert allowed == any(re.fullmatch(pattern, origin) for pattern in patterns)


@pytest.mark.parametrize("field", ["admin", "keys"])
def test_administration_stays_on_loopback(field: str) -> None:
    """Neither Envoy's administration nor its own way to the keys can be opened to others."""
    with pytest.raises(ValueError, match="loopback"):
        replace(LOCAL, **{field: Address("192.0.2.1", 1)})


def test_missing_service_is_named() -> None:
    """Parameters without an address for a service are refused by its name."""
    with pytest.raises(ValueError, match="kyouko"):
        replace(LOCAL, services={k: v for k, v in LOCAL.services.items() if k != "kyouko"})


def test_text_values_cannot_break_out_of_the_yaml() -> None:
    """A path with quotes and line ends stays one value."""
    strange = 'a"b\nadmin: x'

    configuration = rendered(replace(LOCAL, access_log=strange))

    assert strange == manager(configuration)["access_log"][0]["typed_config"]["path"]


def test_access_log_has_no_headers_that_hold_secrets() -> None:
    """No field of the access log shows a query, a token or a sub-protocol."""
    logged = manager(rendered())["access_log"][0]["typed_config"]["log_format"]["json_format"]

    text = " ".join(logged.values()).lower()
    assert "authorization" not in text
    assert "sec-websocket" not in text
    assert "req(:path)" not in text


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:80", Address("127.0.0.1", 80)),
        ("misaki:7001", Address("misaki", 7001)),
        ("[::1]:80", Address("::1", 80)),
    ],
)
def test_address_is_read_and_written(text: str, address: Address) -> None:
    """host:port is read, and written the same way."""
    assert address == Address.parse(text)
    assert text == str(address)


@pytest.mark.parametrize("text", ["", "localhost", ":80", "a:b", "a:99999"])
def test_bad_address_is_refused(text: str) -> None:
    """What is not host:port is an error."""
    with pytest.raises(ValueError, match=r".+"):
        Address.parse(text)


def test_services_are_called_with_certificates_when_there_are_some() -> None:
    """Each must show one in its own name; the gateway's other connections stay as they are."""
    peers = PeerTls("/c/ca.crt", "/c/tls.crt", "/c/tls.key")

    found = clusters(rendered(replace(LOCAL, peer_tls=peers)))

    contexts = {
        name: cluster["transport_socket"]["typed_config"]
        for name, cluster in found.items()
        if "transport_socket" in cluster
    }
    assert {*SERVICES, "torii_http"} == set(contexts)
    for name, context in contexts.items():
        common = context["common_tls_context"]
        (wanted,) = common["validation_context"]["match_typed_subject_alt_names"]
        service = name.removesuffix("_http")
        assert service == context["sni"] == wanted["matcher"]["exact"]
        assert {"filename": "/c/ca.crt"} == common["validation_context"]["trusted_ca"]
        assert {"filename": "/c/tls.key"} == common["tls_certificates"][0]["private_key"]
        assert ["http/1.1" if name == "torii_http" else "h2"] == common["alpn_protocols"]


def test_services_are_called_plainly_without_certificates() -> None:
    """No cluster has a transport of its own."""
    assert not any("transport_socket" in cluster for cluster in clusters(rendered()).values())
