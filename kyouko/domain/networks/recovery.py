"""Brings back, when the service starts, what a crash left in journals and in no snapshot."""

from collections.abc import Sequence

import structlog

from kyouko.domain.networks.live import LiveNetworks
from kyouko.domain.networks.network import Network
from kyouko.ports import Journals, NetworkRepository
from mesh.errors import DomainError

_log = structlog.get_logger(__name__)


class Recovery:
    """Finds networks whose journal is ahead, and has them loaded."""

    def __init__(
        self, repository: NetworkRepository, journals: Journals, live: LiveNetworks
    ) -> None:
        self._repository = repository
        self._journals = journals
        self._live = live

    async def unsaved(self) -> Sequence[Network]:
        """Return the networks whose journal has more than their snapshot: a crash came between.

        Only for a process that has no network in memory yet.
        """
        uids = await self._journals.uids()
        networks = await self._repository.by_uid(uids)
        if len(networks) < len(uids):
            # They may belong to another database with the same journals: they are left alone.
            _log.warning("journals of no network here", count=len(uids) - len(networks))
        return [network for network in networks if await self._is_unsaved(network)]

    async def _is_unsaved(self, network: Network) -> bool:
        try:
            journal = await self._journals.open(network.uid, after=network.journal_position)
        except DomainError as error:
            _log.error("cannot open a journal", network=network.name, error=str(error))
            return False
        is_ahead = journal.last_position > network.journal_position
        await journal.close()
        return is_ahead

    async def recover(self, networks: Sequence[Network]) -> None:
        """Bring back what a crash left in journals, so that everybody sees all that was learned."""
        for network in networks:
            try:
                async with self._live.using(network.project_id, network.network_id) as live:
                    await self._live.keep(live)
            except Exception as error:
                # One that cannot be brought back must not keep the others away.
                _log.exception("cannot recover", network=network.name, error=repr(error))
