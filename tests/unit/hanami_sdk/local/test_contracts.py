"""What the gateway reads from the contracts."""

import pytest

from hanami_sdk.local.contracts import Contracts, Method, find_asset


@pytest.fixture(scope="module")
def contracts() -> Contracts:
    """Return the contracts of this version."""
    return Contracts.load()


def method(contracts: Contracts, path: str) -> Method:
    """Return the method of a path."""
    return next(method for method in contracts.methods if method.path == path)


def test_public_methods_are_the_known_ones(contracts: Contracts) -> None:
    """Exactly the methods that give out tokens and keys, or tell of the server, need no token."""
    public = {m.path for m in contracts.methods if m.is_public}

    tokens, inference = "/hanami.misaki.v1.TokenService/", "/inference.GRPCInferenceService/"
    names = {"Login", "RefreshToken", "RevokeToken", "IssueServiceToken", "GetJsonWebKeySet"}
    names |= {"ExchangeApiKey", "ExchangeClientSecret"}
    about = ("ServerLive", "ServerReady", "ServerMetadata")
    expected = {tokens + name for name in names} | {inference + name for name in about}
    others = "/hanami.misaki.v1.ProviderLoginService/"
    logins = ("ListLoginProviders", "StartProviderLogin", "FinishProviderLogin")
    expected |= {"/hanami.misaki.v1.OauthService/IssueToken", *(others + name for name in logins)}
    assert expected == public


@pytest.mark.parametrize(
    "path",
    [
        "/hanami.kyouko.v1.LearningService/Learn",
        "/hanami.kyouko.v1.TaskService/WatchTask",
        "/hanami.shiori.v1.DatasetService/UploadDataset",
        "/hanami.shiori.v1.DatasetService/ReadDataset",
        "/hanami.azuki.v1.MonitoringService/WatchMeasurements",
    ],
)
def test_streams_are_recognised_whatever_their_direction(contracts: Contracts, path: str) -> None:
    """A method that streams in any direction is a stream, and not repeatable."""
    found = method(contracts, path)

    assert (True, False) == (found.is_stream, found.is_repeatable)


def test_only_unary_reads_are_repeatable(contracts: Contracts) -> None:
    """Nothing but a unary Get or List, or what is declared to change nothing, is sent twice."""
    names = {m.name for m in contracts.methods if m.is_repeatable}

    declared = {m.name for m in contracts.methods if m.has_no_side_effects}
    assert {"ModelInfer", "ModelMetadata", "ModelReady", "TestPolicy"} < declared < names
    assert all(name.startswith(("Get", "List")) for name in names - declared)


def test_methods_that_can_be_used_to_guess_are_known(contracts: Contracts) -> None:
    """Login and renewal take credentials; the public keys do not."""
    names = {m.name for m in contracts.methods if m.takes_credentials}

    exchanges = {"ExchangeApiKey", "ExchangeClientSecret", "IssueToken"}
    exchanges |= {"StartProviderLogin", "FinishProviderLogin"}
    assert {"Login", "RefreshToken", "RevokeToken"} | exchanges == names


def test_methods_of_the_mesh_only_are_known(contracts: Contracts) -> None:
    """What services alone need, nobody asks for through the gateway."""
    internal = {m.name for m in contracts.methods if m.is_internal}

    assert {"IssueServiceToken", "WatchAccess"} <= internal


def test_descriptors_hold_the_standard_error_details(contracts: Contracts) -> None:
    """The gateway can write every standard error detail as JSON."""
    assert b"google/rpc/error_details.proto" in contracts.descriptor_set


def test_missing_asset_is_an_error_that_names_the_places() -> None:
    """A file that lies nowhere is reported with both places."""
    with pytest.raises(FileNotFoundError, match=r"nowhere\.txt"):
        find_asset("no/nowhere.txt", "nowhere.txt")
