"""Predictions of networks for single calls: rows in, answers out, nothing learned.

Learning streams predict too (`kyouko.domain.streams`); this is for clients that
ask once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kyouko.domain.networks.learner import Array, Learner, RowResults, Rows, check_shape
from kyouko.domain.networks.live import LiveNetworks
from kyouko.domain.networks.network import Network
from kyouko.domain.networks.seeing import SeenNetworks
from kyouko.domain.quotas import Quotas
from mesh.access import Action, Caller
from mesh.errors import ResourceExhausted
from mesh.guests import subjects_of_use


@dataclass(frozen=True)
class Inferred:
    """What a network said of rows, with the labels that its outputs had then."""

    network: Network
    results: RowResults
    labels: tuple[str, ...]


class Inference:
    """Predicts rows of one call."""

    def __init__(
        self,
        networks: LiveNetworks,
        seen: SeenNetworks,
        quotas: Quotas,
        *,
        max_rows: int,
        max_output_bytes: int,
    ) -> None:
        """Take the bounds of one call: its rows, and the bytes of their outputs."""
        self._networks = networks
        self._seen = seen
        self._quotas = quotas
        self._max_rows = max_rows
        self._max_output_bytes = max_output_bytes

    async def infer(
        self, caller: Caller, project_id: str, network_id: str, inputs: Array
    ) -> Inferred:
        """Predict rows, each as if it came next.

        Args:
            caller: Who asks.
            project_id: The network's project.
            network_id: The network.
            inputs: Any type of numbers, of shape [rows, channels].

        Raises:
            DomainError: RESOURCE_NOT_FOUND, ROLE_INSUFFICIENT, SCOPE_INSUFFICIENT,
                TENSOR_INVALID, WIDTH_MISMATCH, LIMIT_REACHED, QUOTA_EXCEEDED, or what
                `LiveNetworks.using` raises.
        """
        found = await self._seen.check(caller, project_id, network_id, Action.PREDICT)
        async with self._networks.using(project_id, network_id, uid=found.uid) as live:
            structure = live.network.structure
            self._check(inputs.shape, structure.channels, structure.most_outputs)
            self._take(caller, project_id, len(inputs))
            results, labels = await live.owner.run(lambda ledger: _predict(ledger.learner, inputs))
            return Inferred(live.network, results, labels)

    def _take(self, caller: Caller, project_id: str, rows: int) -> None:
        # A call cannot be slowed down as a stream can: it has to come again.
        with self._quotas.rates.pacing(subjects_of_use(project_id, caller.principal)) as pace:
            if pace.seconds_ahead() > 0:
                raise pace.refusal()
            pace.take(rows)

    def _check(self, shape: Sequence[int], channels: int, outputs: int) -> None:
        check_shape(shape, channels, field="inputs")
        limit = min(self._max_rows, max(1, self._max_output_bytes // (4 * outputs)))
        if shape[0] > limit:
            raise ResourceExhausted(
                f"inputs has {shape[0]} rows; at most {limit} go into one call",
                reason="LIMIT_REACHED",
                metadata={"limit": str(limit), "actual": str(shape[0])},
            )


def _predict(learner: Learner, inputs: Array) -> tuple[RowResults, tuple[str, ...]]:
    # In one turn: a label that is learned meanwhile opens an output.
    return learner.predict(Rows(inputs)), learner.labels.labels
