"""Render every kustomization and check each document against the schemas.

`make lint` runs it: `python k8s/validate.py`. It needs no cluster.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent
KUBERNETES_VERSION = "1.34.0"
# What must be in every rendering; a file that fell out of a kustomization would go unnoticed.
EXPECTED = {
    ("Deployment", "misaki"),
    ("Deployment", "shiori"),
    ("StatefulSet", "kyouko"),
    ("DaemonSet", "azuki"),
    ("Deployment", "torii"),
    ("Deployment", "envoy"),
    ("Service", "gateway"),
    ("NetworkPolicy", "nobody"),
    ("NetworkPolicy", "dns"),
    ("NetworkPolicy", "misaki"),
    ("NetworkPolicy", "shiori"),
    ("NetworkPolicy", "kyouko"),
    ("NetworkPolicy", "azuki"),
    ("NetworkPolicy", "torii"),
    ("NetworkPolicy", "envoy"),
}


def main() -> int:
    """Check all of them; returns the number of kustomizations with problems."""
    failed = 0
    for folder in (ROOT / "base", *sorted((ROOT / "overlays").iterdir())):
        problems = check(folder)
        name = folder.relative_to(ROOT.parent)
        print(f"{name}: {'; '.join(problems)}" if problems else f"{name}: in order")
        failed += bool(problems)
    return failed


def check(folder: Path) -> list[str]:
    """Return what is wrong with one kustomization."""
    rendered = subprocess.run(
        [_tool("kubectl"), "kustomize", str(folder)], capture_output=True, text=True, check=False
    )
    if rendered.returncode != 0:
        return [rendered.stderr.strip()]
    documents = [document for document in yaml.safe_load_all(rendered.stdout) if document]
    present = {(document["kind"], base_name(document)) for document in documents}
    problems = [f"{kind} {name} is missing" for kind, name in sorted(EXPECTED - present)]
    problems += [
        f"{document['metadata']['name']} holds a secret"
        for document in documents
        if document["kind"] == "Secret"
    ]
    return problems + _schema_problems(rendered.stdout)


def base_name(document: dict[str, dict[str, str]]) -> str:
    """Return the name of a document."""
    return document["metadata"]["name"]


def _schema_problems(text: str) -> list[str]:
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        command = [_tool("kubernetes-validate"), "--strict", "-k", KUBERNETES_VERSION, file.name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return []
    return [(done.stdout + done.stderr).strip().replace(file.name, "rendered")]


def _tool(name: str) -> str:
    """Return the tool that is installed beside this Python."""
    return str(Path(sys.executable).parent / name)


if __name__ == "__main__":
    sys.exit(main())
