"""The bare stream that the mesh is measured against.

A grpc.aio server without interceptors, parsing or learning. It sends every message back as it
came, or, if the caller says how many, so many bytes in its place.

    python -m tests.bench.echo_server PORT
"""

import asyncio
import sys
from typing import Any

import grpc
import uvloop

METHOD = "/hanami.bench.v1.EchoService/Learn"
ANSWER_BYTES = "answer-bytes"


async def _learn(_: Any, context: Any) -> None:
    answer = bytes(int(dict(context.invocation_metadata()).get(ANSWER_BYTES, 0)))
    while (message := await context.read()) is not grpc.aio.EOF:
        await context.write(answer or message)


async def _serve(port: int) -> None:
    server = grpc.aio.server()
    service, _, method = METHOD.strip("/").rpartition("/")
    handler: Any = grpc.stream_stream_rpc_method_handler(_learn)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {method: handler}),)
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
