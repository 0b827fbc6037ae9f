"""Reading and changing the policy, and asking what it decides."""

from collections.abc import Sequence

from mesh.access import Caller, Role
from mesh.errors import stale_etag
from misaki.domain.access_news import AccessNews
from misaki.domain.decisions import Decision, decide, somebody
from misaki.domain.policy import Catalogue, MethodRule, Misfits, PolicyVersion, Rules
from misaki.domain.prototype import Import, read_prototype
from misaki.ports import AccessStore, Clock, Directory

_CURRENT = "policies/current"


class Policies:
    """The policy of the mesh."""

    def __init__(
        self,
        store: AccessStore,
        directory: Directory,
        news: AccessNews,
        catalogue: Catalogue,
        *,
        clock: Clock,
    ) -> None:
        """Take the parts.

        Args:
            store: The versions.
            directory: The users, for questions about them.
            news: Told of new versions.
            catalogue: What a policy may say.
            clock: Tells the time.
        """
        self._store = store
        self._directory = directory
        self._news = news
        self._catalogue = catalogue
        self._clock = clock

    async def get(self, caller: Caller, version: int | None) -> PolicyVersion:
        """Return a version of the policy, the newest for None.

        Raises:
            PermissionDenied: ROLE_INSUFFICIENT.
            NotFound: RESOURCE_NOT_FOUND.
        """
        caller.authorize_method()
        return await self._store.policy(version)

    async def list(
        self, caller: Caller, *, before: int | None, limit: int
    ) -> Sequence[PolicyVersion]:
        """Return versions, newest first, down to the one that changes nothing.

        Raises:
            PermissionDenied: ROLE_INSUFFICIENT.
        """
        caller.authorize_method()
        if before == 0:
            return []
        found = await self._store.list_policies(before=before, limit=limit)
        return found if len(found) == limit else [*found, PolicyVersion(0)]

    async def methods(self, caller: Caller, *, after: str, limit: int) -> Sequence[MethodRule]:
        """Return methods in the order of their names, after a name, as they are now.

        Raises:
            PermissionDenied: ROLE_INSUFFICIENT.
        """
        caller.authorize_method()
        methods = self._catalogue.methods((await self._store.policy()).rules)
        return [method for method in methods if method.contract.method > after][:limit]

    async def misfits(self) -> tuple[PolicyVersion, Misfits]:
        """Return the newest version, and what of it does not fit the contracts."""
        policy = await self._store.policy()
        return policy, self._catalogue.misfits(policy.rules)

    async def update(
        self, caller: Caller, rules: Sequence[tuple[str, frozenset[Role]]], *, etag: str
    ) -> PolicyVersion:
        """Make a new version.

        Args:
            caller: Who makes it.
            rules: All methods that are to differ from their contract.
            etag: When not empty, the etag that the newest version has to have.

        Raises:
            PermissionDenied: ROLE_INSUFFICIENT.
            InvalidArgument: FIELD_INVALID.
            Aborted: ETAG_MISMATCH.
        """
        caller.authorize_method()
        return await self._add(caller, self._catalogue.check(rules), etag)

    async def roll_back(self, caller: Caller, version: int, *, etag: str) -> PolicyVersion:
        """Make a new version with the content of an older one; see `update`.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
        """
        caller.authorize_method()
        older = await self._store.policy(version)
        return await self._add(caller, self._catalogue.check(list(older.rules.items())), etag)

    async def take_over(
        self, caller: Caller, content: str, *, etag: str, validate_only: bool
    ) -> tuple[PolicyVersion, Import]:
        """Make a new version from a policy file of the prototype; see `update`.

        Raises:
            InvalidArgument: FIELD_INVALID: nothing in the file is known.
        """
        caller.authorize_method()
        found = read_prototype(content, self._catalogue)
        rules = self._catalogue.check(list(found.rules.items()))
        if validate_only:
            return PolicyVersion(0, rules), found
        return await self._add(caller, rules, etag), found

    async def test(
        self, caller: Caller, who: str | Role, *, method: str, project_id: str
    ) -> Decision:
        """Tell whether somebody may call a method.

        Args:
            caller: Who asks.
            who: The id of a user, or a role.
            method: The method.
            project_id: What the call would be about; empty for no project.

        Raises:
            PermissionDenied: ROLE_INSUFFICIENT.
            NotFound: RESOURCE_NOT_FOUND: there is no such user.
            InvalidArgument: FIELD_INVALID: there is no such method.
        """
        caller.authorize_method()
        policy = await self._store.policy()
        rule = self._catalogue.rule_of(method, policy.rules)
        source = policy.name if method in policy.rules else "contract"
        # A role is a text too.
        if isinstance(who, Role):
            return decide(somebody(who, project_id), rule, project_id=project_id, source=source)
        user = await self._directory.get_user(who)
        roles = await self._directory.roles_of(who)
        return decide((user, roles), rule, project_id=project_id, source=source)

    async def _add(self, caller: Caller, rules: Rules, etag: str) -> PolicyVersion:
        newest = await self._store.policy()
        if etag not in ("", newest.etag):
            raise stale_etag(_CURRENT, etag)
        policy = PolicyVersion(newest.version + 1, rules, caller.principal.name, self._clock())
        await self._store.add_policy(policy)
        await self._news.refresh()
        return policy
