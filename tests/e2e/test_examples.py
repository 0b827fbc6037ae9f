"""The examples of docs/examples, as they are: one scenario, many clients, the same numbers."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from google.protobuf import json_format
from hanami.kyouko.v1 import learning_service_pb2 as learning
from playwright.sync_api import Page, Route, expect

from tests.e2e import triton
from tests.e2e.browser import ROOT, launched_browser
from tests.e2e.conftest import PASSWORD, Login, RunningMesh

EXAMPLES = ROOT / "docs" / "examples"
JAVASCRIPT = EXAMPLES / "javascript"
TOOLS = Path(sys.executable).parent
Prediction = tuple[list[str], npt.NDArray[np.float32]]


@pytest.fixture
def surroundings(mesh: RunningMesh, project: str, member: Login, tmp_path: Path) -> dict[str, str]:
    """Return the environment that every example reads."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HANAMI_")}
    return {
        **kept,
        "PATH": os.pathsep.join([str(TOOLS), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "generated")]),
        "HANAMI_HOME": str(tmp_path),
        "HANAMI_URL": mesh.url,
        "HANAMI_USER": member.user_id,
        "HANAMI_PASSWORD": PASSWORD,
        "HANAMI_PROJECT": project.removeprefix("projects/"),
    }


@pytest.fixture
def expected(surroundings: dict[str, str]) -> Prediction:
    """Return what the blocking client of Python is told; its network is called `first`."""
    return prediction(run(surroundings, sys.executable, "python_sync.py", "first"))


@pytest.fixture(scope="module")
def packages() -> None:
    """Install the packages of the JavaScript examples, unless that has been done."""
    wanted = hashlib.sha256((JAVASCRIPT / "package-lock.json").read_bytes()).hexdigest()
    stamp = JAVASCRIPT / "node_modules" / ".installed-lock"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        npm("ci", "--silent")
        stamp.write_text(wanted, encoding="utf-8")


def npm(*arguments: str) -> None:
    """Run npm for the JavaScript examples."""
    path = os.pathsep.join([str(TOOLS), os.environ.get("PATH", os.defpath)])
    done = subprocess.run(
        [str(TOOLS / "npm"), *arguments],
        cwd=JAVASCRIPT,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def run(surroundings: dict[str, str], *command: str, folder: Path = EXAMPLES) -> str:
    """Run an example and return what it prints."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def prediction(printed: str) -> Prediction:
    """Return the prediction in the last line that an example prints."""
    found = json.loads(printed.strip().splitlines()[-1])
    return found["predicted"], np.array(found["outputs"], np.float32)


def check(expected: Prediction, actual: Prediction) -> None:
    """Compare two predictions, number by number."""
    labels, outputs = expected

    assert labels == actual[0]
    assert outputs.shape == actual[1].shape
    assert outputs.tobytes() == actual[1].tobytes()


def test_the_network_of_the_examples_learns(expected: Prediction) -> None:
    """What it says of rows it has never seen is mostly right."""
    lines = (EXAMPLES / "machine.csv").read_text(encoding="utf-8").splitlines()[161:]
    right = [line.rpartition(",")[2] for line in lines]

    assert sum(a == b for a, b in zip(expected[0], right, strict=True)) >= 30


def test_asynchronous_python(expected: Prediction, surroundings: dict[str, str]) -> None:
    """Frames sent ahead give the same network."""
    actual = prediction(run(surroundings, sys.executable, "python_async.py", "second"))

    check(expected, actual)


@pytest.mark.usefixtures("packages")
def test_node(expected: Prediction, surroundings: dict[str, str]) -> None:
    """@grpc/grpc-js, with the contracts from one file."""
    node = str(TOOLS / "node")

    actual = prediction(run(surroundings, node, "node.mjs", "second", folder=JAVASCRIPT))

    check(expected, actual)


def test_command_lines(expected: Prediction, surroundings: dict[str, str]) -> None:
    """`buf curl` learns by reflection and prints the messages as JSON."""
    answers = _messages(run(surroundings, "bash", "command_line.sh", "second"))

    network = answers[0].opened.network
    (result,) = (answer.result for answer in answers if answer.HasField("result"))
    indices = np.frombuffer(result.predicted.packed, "<i4")
    outputs = np.frombuffer(result.outputs.packed, "<f4").reshape(result.outputs.shape)
    check(expected, ([network.labels[index] for index in indices], outputs))


def _messages(printed: str) -> list[learning.LearnResponse]:
    decoder, found, text = json.JSONDecoder(), [], printed.strip()
    while text:
        content, end = decoder.raw_decode(text)
        found.append(json_format.ParseDict(content, learning.LearnResponse()))
        text = text[end:].lstrip()
    return found


def test_open_inference(expected: Prediction, surroundings: dict[str, str]) -> None:
    """The public client asks the network that our own has taught."""
    outside = {name: value for name, value in surroundings.items() if name != "PYTHONPATH"}

    actual = prediction(run(outside, str(triton.python()), "open_inference.py", "first"))

    check(expected, actual)


@pytest.fixture
def page(packages: None, mesh: RunningMesh, tmp_path: Path) -> Iterator[Page]:
    """Open the example's page in a real browser, as if the gateway's host served it."""
    npm("run", "--silent", "build", "--", f"--outfile={tmp_path / 'browser.js'}")

    def serve(route: Route) -> None:
        path = route.request.url.removeprefix(f"{mesh.url}/examples/")
        built = tmp_path / "browser.js"
        route.fulfill(path=built if path.endswith("/browser.js") else EXAMPLES / path)

    with launched_browser() as browser:
        # To the browser a page that no host has served comes from outside, and has to ask.
        opened = browser.new_context(permissions=["local-network-access"]).new_page()
        opened.route(f"{mesh.url}/examples/**", serve)
        opened.goto(f"{mesh.url}/examples/javascript/browser.html")
        yield opened


@pytest.mark.browser
def test_a_browser(page: Page, expected: Prediction, surroundings: dict[str, str]) -> None:
    """It learns over grpc-web in two halves, and predicts over the websocket."""
    for label, value in (
        ("Mesh", surroundings["HANAMI_URL"]),
        ("Project", surroundings["HANAMI_PROJECT"]),
        ("New network", "second"),
        ("User", surroundings["HANAMI_USER"]),
        ("Password", surroundings["HANAMI_PASSWORD"]),
    ):
        page.get_by_label(label).fill(value)

    page.get_by_role("button").click()

    status = page.get_by_role("status")
    expect(status).to_contain_text("predicted", timeout=30_000)
    check(expected, prediction(status.inner_text()))


def test_every_example_is_run() -> None:
    """No program lies there that nobody tries."""
    tested = Path(__file__).read_text(encoding="utf-8")
    programs = [
        path.name
        for path in (*EXAMPLES.iterdir(), *JAVASCRIPT.iterdir())
        if path.suffix in (".py", ".sh", ".mjs", ".html")
    ]

    assert 6 == len(programs)
    assert all(f'{name}"' in tested for name in programs)
