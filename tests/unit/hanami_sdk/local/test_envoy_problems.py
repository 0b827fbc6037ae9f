"""The errors that the gateway answers itself."""

import base64

import pytest
from google.rpc import error_details_pb2, status_pb2
from hanami.type.v1 import error_reason_pb2

from hanami_sdk.local.envoy_problems import PLAIN_PROBLEMS, PROBLEMS, Problem


@pytest.mark.parametrize("problem", PROBLEMS + PLAIN_PROBLEMS, ids=lambda problem: problem.reason)
def test_problem_is_a_rich_status_of_the_contract(problem: Problem) -> None:
    """Code, message and reason are readable, and the reason is one the contracts know."""
    padded = problem.details_binary + "=" * (-len(problem.details_binary) % 4)
    status = status_pb2.Status.FromString(base64.b64decode(padded))
    info = error_details_pb2.ErrorInfo()

    assert status.details[0].Unpack(info)
    assert (problem.code, problem.message) == (status.code, status.message)
    assert error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{info.reason}") > 0
    assert info.reason == problem.details_json[0]["reason"]
