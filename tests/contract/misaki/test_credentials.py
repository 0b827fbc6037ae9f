"""What every store of API keys and clients has to do."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from mesh.access import Action, Role
from mesh.errors import Aborted, AlreadyExists, NotFound, ResourceExhausted
from mesh.revocations import Revocation
from misaki.domain.model import CredentialKind
from misaki.ports import CredentialStore, Directory
from tests import factories
from tests.contract.misaki.conftest import Stores

API_KEY, CLIENT = CredentialKind.API_KEY, CredentialKind.CLIENT


@pytest.fixture(autouse=True)
async def _projects(directory: Directory) -> None:
    for project_id in ("garden", "kitchen"):
        await directory.create_project(factories.project(project_id))


async def test_credential_comes_back_as_stored(credentials: CredentialStore) -> None:
    """By its name and by its digest, with all it allows; a client keeps its role."""
    narrow = replace(
        factories.api_key(),
        network_id="roses",
        actions=frozenset({Action.PREDICT}),
        expire_time=factories.NOON + timedelta(days=1),
    )
    client = replace(
        factories.api_key(),
        kind=CLIENT,
        uid="c1",
        role=Role.VIEWER,
        actions=frozenset(),
    )

    await credentials.create_credential(narrow, "digest-1", limit=9)
    await credentials.create_credential(client, "digest-2", limit=9)

    assert narrow == await credentials.get_credential(API_KEY, "garden", "sensor")
    assert narrow == await credentials.find_credential(API_KEY, "digest-1")
    assert client == await credentials.find_credential(CLIENT, "digest-2")


async def test_digest_belongs_to_one_kind(credentials: CredentialStore) -> None:
    """The secret of an API key is none of a client; an unknown one is nobody's."""
    await credentials.create_credential(factories.api_key(), "digest-1", limit=9)

    assert await credentials.find_credential(CLIENT, "digest-1") is None
    assert await credentials.find_credential(API_KEY, "digest-2") is None


async def test_id_is_unique_in_its_project(credentials: CredentialStore) -> None:
    """The second one of an id is refused; another project may have it too."""
    await credentials.create_credential(factories.api_key(), "digest-1", limit=9)

    with pytest.raises(AlreadyExists):
        await credentials.create_credential(
            replace(factories.api_key(), uid="other"), "digest-2", limit=9
        )
    await credentials.create_credential(factories.api_key("sensor", "kitchen"), "digest-3", limit=9)

    assert await credentials.find_credential(API_KEY, "digest-2") is None


async def test_missing_project_has_no_credentials(credentials: CredentialStore) -> None:
    """Neither can one be made there, nor listed."""
    with pytest.raises(NotFound) as created:
        await credentials.create_credential(factories.api_key("k1", "nowhere"), "d", limit=9)
    with pytest.raises(NotFound):
        await credentials.list_credentials(API_KEY, "nowhere", after="", limit=9)

    assert {"resource": "projects/nowhere"} == created.value.metadata


async def test_project_has_a_limited_number(credentials: CredentialStore) -> None:
    """One more than the limit is refused, and not stored."""
    for number in range(2):
        await credentials.create_credential(factories.api_key(f"k{number}"), f"d{number}", limit=2)

    with pytest.raises(ResourceExhausted) as caught:
        await credentials.create_credential(factories.api_key("k2"), "d2", limit=2)

    assert {"resource": "projects/garden/apiKeys", "limit": "2"} == caught.value.metadata
    assert await credentials.find_credential(API_KEY, "d2") is None


async def test_limit_is_not_passed_by_creations_at_once(credentials: CredentialStore) -> None:
    """Of many at the same time as many go through as there is room for."""
    outcomes = await asyncio.gather(
        *(
            credentials.create_credential(factories.api_key(f"k{number}"), f"d{number}", limit=3)
            for number in range(10)
        ),
        return_exceptions=True,
    )

    assert 3 == outcomes.count(None)
    assert 7 == sum(isinstance(outcome, ResourceExhausted) for outcome in outcomes)
    assert 3 == len(await credentials.list_credentials(API_KEY, "garden", after="", limit=99))


async def test_credentials_are_listed_by_project_and_page(credentials: CredentialStore) -> None:
    """In the order of ids, each once, nobody else's, and of one kind."""
    for key_id in ("k3", "k1", "k2"):
        await credentials.create_credential(factories.api_key(key_id), f"d-{key_id}", limit=9)
    await credentials.create_credential(factories.api_key("k0", "kitchen"), "d-k0", limit=9)

    first = await credentials.list_credentials(API_KEY, "garden", after="", limit=2)
    rest = await credentials.list_credentials(API_KEY, "garden", after="k2", limit=2)

    assert ["k1", "k2"] == [key.credential_id for key in first]
    assert ["k3"] == [key.credential_id for key in rest]
    assert [] == await credentials.list_credentials(CLIENT, "garden", after="", limit=2)


async def test_deleted_credential_is_gone_with_its_tokens(stores: Stores) -> None:
    """A stale etag deletes nothing; the end and the revocation are one."""
    key = factories.api_key()
    revocation = Revocation(key.subject, factories.NOON, factories.NOON + timedelta(minutes=1))
    await stores.credentials.create_credential(key, "digest", limit=9)

    with pytest.raises(Aborted):
        await stores.credentials.delete_credential(
            key, etag="stale", revocations_of=factories.revocations_of
        )
    before = list(stores.announced)
    await stores.credentials.delete_credential(
        key, etag="e1", revocations_of=factories.revocations_of
    )
    with pytest.raises(NotFound):
        await stores.credentials.delete_credential(
            key, etag="e1", revocations_of=factories.revocations_of
        )

    assert ([], [revocation]) == (before, stores.announced)
    assert await stores.credentials.find_credential(API_KEY, "digest") is None


async def test_last_use_is_noted(credentials: CredentialStore) -> None:
    """Of one that is gone nothing is noted, and that is no error."""
    key = factories.api_key()
    await credentials.create_credential(key, "digest", limit=9)

    await credentials.note_use(key, now=factories.NOON)
    await credentials.note_use(factories.api_key("other"), now=factories.NOON)

    noted = await credentials.get_credential(API_KEY, "garden", "sensor")
    assert factories.NOON == noted.last_use_time


async def test_credentials_go_with_their_project(stores: Stores) -> None:
    """They exchange no more, and their tokens end; those of other projects stay."""
    await stores.credentials.create_credential(factories.api_key(), "d1", limit=9)
    await stores.credentials.create_credential(
        factories.api_key("sensor", "kitchen"), "d2", limit=9
    )

    await stores.directory.delete_project(
        "garden",
        etag="",
        delete_time=factories.NOON,
        revocations_of=lambda subjects: [
            Revocation(subject, factories.NOON, factories.NOON) for subject in subjects
        ],
    )

    assert await stores.credentials.find_credential(API_KEY, "d1") is None
    assert await stores.credentials.find_credential(API_KEY, "d2") is not None
    subjects = [revocation.subject for revocation in stores.announced]
    assert [factories.api_key().subject] == subjects


async def test_same_credential_created_at_once_exists_once(credentials: CredentialStore) -> None:
    """Of several creations at once exactly one goes through."""
    outcomes = await asyncio.gather(
        *(
            credentials.create_credential(
                replace(factories.api_key(), uid=f"u{number}"), f"d{number}", limit=9
            )
            for number in range(4)
        ),
        return_exceptions=True,
    )

    assert 1 == outcomes.count(None)
    assert 3 == sum(isinstance(outcome, AlreadyExists) for outcome in outcomes)
