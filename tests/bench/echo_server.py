"""The bare streams that the mesh is measured against.

A grpc.aio server without interceptors. `Learn` sends every message back as it came, or, if the
caller says how many, so many bytes in its place. `LearnByEngine` is the least that a service
which learns can do: it parses a frame, hands it to an engine, and answers what the engine said.

    python -m tests.bench.echo_server PORT
"""

import asyncio
import sys
from typing import Any

import grpc
import numpy as np
import uvloop
from hanami.kyouko.v1 import learning_service_pb2 as pb

from kyouko.domain.engine import Arrival, create_engine
from kyouko.kernels.warmup import warm_up
from mesh.tensors import array_of
from tests.bench.networks import structure_of

METHOD = "/hanami.bench.v1.EchoService/Learn"
ENGINE_METHOD = "/hanami.bench.v1.EchoService/LearnByEngine"
TEMPLATE = "templates/grid"
ANSWER_BYTES = "answer-bytes"


async def _learn(_: Any, context: Any) -> None:
    answer = bytes(int(dict(context.invocation_metadata()).get(ANSWER_BYTES, 0)))
    while (message := await context.read()) is not grpc.aio.EOF:
        await context.write(answer or message)


async def _learn_by_engine(_: Any, context: Any) -> None:
    engine = create_engine(structure_of(TEMPLATE))
    while (message := await context.read()) is not grpc.aio.EOF:
        frame = pb.LearnRequest.FromString(message).frame
        labels = array_of(frame.label_numbers, field="labels").astype(np.int32)
        inputs = array_of(frame.inputs, field="inputs")
        scored = engine.learn(inputs, labels, arrival=Arrival.STREAMED)
        result = pb.LearnResult(sequence=frame.sequence)
        result.predicted.packed = scored.predicted.tobytes()
        result.loss.packed = scored.loss.tobytes()
        await context.write(pb.LearnResponse(result=result).SerializeToString())


async def _serve(port: int) -> None:
    warm_up()
    server = grpc.aio.server()
    handlers: dict[str, Any] = {
        path.rpartition("/")[2]: grpc.stream_stream_rpc_method_handler(work)
        for path, work in ((METHOD, _learn), (ENGINE_METHOD, _learn_by_engine))
    }
    service = METHOD.strip("/").rpartition("/")[0]
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
