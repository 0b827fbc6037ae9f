"""Runs beside `tritonclient`, away from Hanami: a question as JSON in, its answer as JSON out."""

import json
import sys

import numpy as np
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException


def infer(client, question):
    """Predict rows; outputs as lists of numbers and texts."""
    rows = np.array(question["rows"], question.get("dtype", "float32"))
    tensor = triton.InferInput("inputs", rows.shape, triton.np_to_triton_dtype(rows.dtype))
    tensor.set_data_from_numpy(rows)
    wanted = [triton.InferRequestedOutput(name) for name in question.get("outputs", [])]
    answer = client.infer(
        question["model"], [tensor], outputs=wanted or None, headers=question["headers"]
    )
    found = {}
    for output in answer.get_response().outputs:
        values = answer.as_numpy(output.name)
        is_text = output.datatype == "BYTES"
        found[output.name] = [v.decode() for v in values] if is_text else values.tolist()
    return found


def describe(client, question):
    """Ask all there is to ask beside predictions."""
    model, headers = question["model"], question["headers"]
    return {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "server": client.get_server_metadata(as_json=True),
        "model_ready": client.is_model_ready(model, headers=headers),
        "unknown_ready": client.is_model_ready("nobody/nothing", headers=headers),
        "model": client.get_model_metadata(model, headers=headers, as_json=True),
    }


def contract(_client, _question):
    """Tell how this client describes the protocol."""
    return service_pb2.DESCRIPTOR.serialized_pb.hex()


def main():
    """Answer one question."""
    question = json.load(sys.stdin)
    client = triton.InferenceServerClient(question.get("address", "127.0.0.1:1"))
    try:
        answer = globals()[question["kind"]](client, question)
    except InferenceServerException as error:
        answer = {"status": error.status(), "message": error.message()}
    json.dump(answer, sys.stdout)


main()
