"""The client is imported wherever the application's script lies."""

import subprocess
import sys
from pathlib import Path


def test_a_clone_beside_the_script_does_not_hide_the_contracts(tmp_path: Path) -> None:
    """A folder called `hanami` next to a script is not taken for the package."""
    (tmp_path / "hanami" / "shiori").mkdir(parents=True)
    script = tmp_path / "script.py"
    script.write_text(
        "from hanami_sdk import Client\n"
        "from hanami.shiori.v1 import dataset_service_pb2\n"
        "print(Client.__name__, dataset_service_pb2.Dataset.__name__)\n"
    )

    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert "Client Dataset\n" == done.stdout, done.stderr
