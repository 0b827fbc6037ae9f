"""What the README says, as it is pasted."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hanami_sdk.logins import LoginFile
from tests.integration.hanami_sdk.conftest import RunningMesh

README = Path(__file__).parents[3] / "README.md"


def block(heading: str) -> str:
    """Return the first block of code after a heading in bold."""
    found = re.search(
        rf"\*\*{re.escape(heading)}.*?```\w+\n(.*?)```", README.read_text(), re.DOTALL
    )
    assert found is not None
    return found[1]


@pytest.fixture
def surroundings(mesh: RunningMesh, project: str) -> dict[str, str]:
    """Return the environment of somebody who has followed the README so far."""
    LoginFile(mesh.home.credentials_file).save(mesh.url, mesh.tokens)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HANAMI_")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {
        **kept,
        "PATH": path,
        "HANAMI_HOME": str(mesh.home.root),
        "HANAMI_PROJECT": project,
    }


def test_the_own_csv_and_the_own_stream_run_as_they_are_pasted(
    surroundings: dict[str, str], tmp_path: Path
) -> None:
    """A file, a data set, a network, a task; then a stream that goes on."""
    script = block("Your own stream").replace("plant", surroundings["HANAMI_PROJECT"])

    table = subprocess.run(
        ["bash", "-euc", block("Your own CSV.")],
        env=surroundings,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    stream = subprocess.run(
        [sys.executable, "-c", script],
        env=surroundings,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert table.returncode == 0, table.stderr
    assert "pressure, flow (2 channels)" in table.stdout
    assert "succeeded" in table.stdout
    assert stream.returncode == 0, stream.stderr
    assert stream.stdout.splitlines()[-1].endswith(" 2100")
