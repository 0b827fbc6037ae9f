"""Follows networks as they grow, and stops those that go beyond a quota.

Nothing of this may change what a network learns from a row: a replay of its journal has to give
the same network whatever the quotas were. So a network does not stop to grow; it is not given
more rows to learn.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from kyouko.domain.holdings import Holdings
from kyouko.domain.networks.live import LiveNetworks
from kyouko.domain.networks.live_network import LiveNetwork
from kyouko.domain.networks.network import Network
from kyouko.domain.rates import RowRates
from kyouko.ports import NetworkRepository
from mesh.errors import DomainError

_log = structlog.get_logger(__name__)
_LOOK_SECONDS: Final = 0.25

EndLearning = Callable[[Network, DomainError], None]


class GrowthWatch:
    """Looks at all networks in memory again and again."""

    def __init__(
        self,
        live: LiveNetworks,
        repository: NetworkRepository,
        holdings: Holdings,
        rates: RowRates,
        *,
        end_learning: EndLearning,
    ) -> None:
        """Take the parts.

        Args:
            live: The networks in memory.
            repository: Knows those that have left it since.
            holdings: Told how large networks are.
            rates: Measured along with this.
            end_learning: Ends the streams that teach a network.
        """
        self._live = live
        self._repository = repository
        self._holdings = holdings
        self._rates = rates
        self._end_learning = end_learning
        self._positions: dict[str, tuple[int, str]] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self.look()
            except Exception as error:  # Whatever it is, the next look comes.
                _log.exception("growth not looked at", error=repr(error))

    async def look(self) -> None:
        """Count what networks have become, and stop those that have grown too large."""
        self._rates.measure()
        present = self._live.present()
        left = self._positions.keys() - present.keys()
        for network in await self._repository.by_uid(left) if left else ():
            self._holdings.update(network, network.statistics.connections)
        for uid in left:
            del self._positions[uid]
        self._look_at(present)

    def _look_at(self, present: Mapping[str, LiveNetwork]) -> None:
        for uid, live in present.items():
            position = (live.owner.ledger.position, live.network.snapshot)
            if self._positions.get(uid) == position and live.excess is None:
                continue
            self._positions[uid] = position
            synapses = live.owner.ledger.statistics().connections
            has_grown = self._holdings.update(live.network, synapses)
            excess = self._holdings.excess(live.network)
            live.excess = excess if has_grown or live.excess is not None else None
            if has_grown and excess is not None:
                _log.warning("network grew beyond a quota", network=live.network.name)
                self._end_learning(live.network, excess)
