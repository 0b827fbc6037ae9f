"""An environment of its own for the public client of Triton and KServe.

`tritonclient` wants an older protobuf than Hanami, and both would describe the
same messages to it, so they cannot share a process. Its environment is made in
`.cache/` the first time, with the client as PyPI has it.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.e2e.browser import ROOT, publish

VERSION = "2.73.0"
QUESTIONS = Path(__file__).with_name("triton_questions.py")


def python() -> Path:
    """Return the Python that has `tritonclient[grpc]`."""
    folder = ROOT / ".cache" / f"tritonclient-{VERSION}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            made = Path(temporary) / "environment"
            _run(sys.executable, "-m", "venv", str(made))
            client = f"tritonclient[grpc]=={VERSION}"
            _run(str(made / "bin" / "python"), "-m", "pip", "install", "--quiet", client)
            publish(made, folder)
    return folder / "bin" / "python"


def ask(**question: Any) -> Any:
    """Ask the client's side (`triton_questions.py`) and return its answer."""
    return json.loads(_run(str(python()), str(QUESTIONS), text=json.dumps(question)))


def _run(*command: str, text: str = "") -> str:
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout
