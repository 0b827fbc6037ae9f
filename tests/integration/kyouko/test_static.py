"""Static networks on the wire: made, taught, kept over a restart, refused where they cannot be."""

from pathlib import Path

import grpc
import pytest

from tests.integration.kyouko.servers import (
    RunningKyouko,
    info_of,
    rows_of_two_kinds,
    start_kyouko,
)
from tests.integration.meshes import RunningMisaki
from tests.integration.shiori.servers import RunningShiori

YAML = """
kind: static
inputs: [{name: row}]
populations:
  - {name: first, neurons: 12, activation: tanh}
  - {name: second, neurons: 5}
outputs: [{name: label, kind: classes}]
options: {optimizer: adam, device: DEVICE}
"""


async def test_static_networks_learn_and_survive_a_restart(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path
) -> None:
    """A static network learns from a stream and answers alike after a restart."""
    inputs, labels = rows_of_two_kinds(500)
    address = f"127.0.0.1:{shiori.running.port}"
    yaml = YAML.replace("DEVICE", "cpu")
    async with start_kyouko(misaki, address, tmp_path, shiori.alice) as kyouko:
        await kyouko.create_network(template_yaml=yaml, channels=inputs.shape[1])
        async with kyouko.stream(return_outputs=True) as stream:
            await stream.opened()
            await stream.send(1, inputs, labels)
            await stream.read()
            await stream.send(2, inputs[:50])
            before = await stream.read()

    async with start_kyouko(misaki, address, tmp_path, shiori.alice) as kyouko:
        network = await kyouko.network()
        async with kyouko.stream(return_outputs=True) as stream:
            await stream.opened()
            await stream.send(1, inputs[:50])
            after = await stream.read()

    assert (500, 500) == (network.kept_rows, network.statistics.learned_rows)
    assert network.statistics.running_error < 0.2
    assert before.result.outputs == after.result.outputs


def has_gpu() -> bool:
    """Tell whether torch is installed and finds a GPU."""
    try:
        import torch
    except ImportError:
        return False
    return bool(torch.cuda.is_available())


@pytest.mark.skipif(has_gpu(), reason="there is a GPU on this machine")
async def test_a_gpu_that_is_not_there_is_refused(kyouko: RunningKyouko) -> None:
    """Asking for a GPU where torch or a GPU is missing names the field and the reason."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await kyouko.create_network(template_yaml=YAML.replace("DEVICE", "gpu"), channels=2)

    assert grpc.StatusCode.INVALID_ARGUMENT is caught.value.code()
    assert "torch" in (caught.value.details() or "")
    assert info_of(caught.value) is not None
