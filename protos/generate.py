"""Generate the code of the contracts into `generated/`.

Writes Python modules with type stubs, TypeScript, and the descriptor set that
Envoy transcodes JSON with. Run it through `make protos`; with `--check` it
changes nothing and fails when `generated/` is not what it would write.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import files
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
GENERATED = ROOT / "generated"
BUILD = ROOT / ".build"
THIRD_PARTY = BUILD / "third_party"
NODE_PACKAGES = [
    "@bufbuild/protobuf@2.13.0",
    "@bufbuild/protoc-gen-es@2.13.0",
]


def main() -> int:
    """Generate everything afresh, or check it; returns the exit code."""
    copy_third_party()
    if "--check" not in sys.argv[1:]:
        generate(GENERATED)
        return 0
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        fresh = Path(folder) / "generated"
        generate(fresh)
        stale = differences(fresh, GENERATED)
    for path in stale:
        print(f"generated/{path} is stale; run make protos", file=sys.stderr)
    return 1 if stale else 0


def generate(target: Path) -> None:
    """Generate everything into a folder, which is emptied first."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    generate_python(target)
    write_packages(target)
    generate_descriptors(target)
    generate_typescript(target)


def differences(fresh: Path, committed: Path) -> list[str]:
    """Return the files that differ between two folders or are in one only."""
    contents = [
        {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        for folder in (fresh, committed)
    ]
    names = sorted(contents[0].keys() | contents[1].keys())
    return [name for name in names if contents[0].get(name) != contents[1].get(name)]


def copy_third_party() -> None:
    """Copy the google/api and google/rpc protos out of their installed wheel."""
    shutil.rmtree(THIRD_PARTY, ignore_errors=True)
    for file in files("googleapis-common-protos") or []:
        if file.suffix == ".proto" and file.parts[:2] in {("google", "api"), ("google", "rpc")}:
            target = THIRD_PARTY / Path(*file.parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(file.locate()), target)


def generate_python(target: Path) -> None:
    """Generate messages, gRPC stubs and type stubs for both."""
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    bin_directory = Path(sys.executable).parent
    run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"--proto_path={PROTOS}",
            f"--proto_path={THIRD_PARTY}",
            f"--proto_path={grpc_tools_protos()}",
            f"--plugin=protoc-gen-mypy_grpc={bin_directory / 'protoc-gen-mypy_grpc'}",
            f"--python_out={target}",
            f"--plugin=protoc-gen-mypy={bin_directory / 'protoc-gen-mypy'}",
            f"--mypy_out=quiet:{target}",
            f"--grpc_python_out={target}",
            f"--mypy_grpc_out=quiet:{target}",
            *sources,
        ]
    )


def write_packages(target: Path) -> None:
    """Make every folder of Python a regular package.

    Without it, a folder called `hanami` beside somebody's script, a clone for
    example, would be imported in place of the contracts.
    """
    for package in sorted({p for path in target.rglob("*.py") for p in path.parents}):
        if package.is_relative_to(target) and package != target:
            name = ".".join(package.relative_to(target).parts)
            text = f'"""Generated from the contracts: {name}."""\n'
            (package / "__init__.py").write_text(text, encoding="utf-8")


def generate_descriptors(target: Path) -> None:
    """Write the descriptor set, comments left out, imports included."""
    run(
        [buf(), "build", "protos", "--exclude-source-info", "-o", str(target / "descriptors.binpb")]
    )


def generate_typescript(target: Path) -> None:
    """Generate TypeScript with the Node that comes as a Python package."""
    node_home = BUILD / "node"
    node_home.mkdir(parents=True, exist_ok=True)
    if not (node_home / "node_modules" / ".bin" / "protoc-gen-es").exists():
        run(
            [*npm(), "install", "--silent", "--no-audit", "--no-fund", *NODE_PACKAGES],
            cwd=node_home,
        )
    run([buf(), "generate", "--output", str(target.parent)])


def buf() -> str:
    """Return the path of the buf that is installed beside this Python."""
    return str(Path(sys.executable).parent / "buf")


def npm() -> list[str]:
    """Return the command that runs the npm installed beside this Python."""
    return [str(Path(sys.executable).parent / "npm")]


def grpc_tools_protos() -> Path:
    """Return the folder of the google/protobuf protos inside grpcio-tools."""
    spec = importlib.util.find_spec("grpc_tools")
    if spec is None or spec.origin is None:
        raise SystemExit("grpcio-tools is not installed; run make setup")
    return Path(spec.origin).parent / "_proto"


def run(command: list[str], cwd: Path = ROOT) -> None:
    """Run a command; its failure ends the generation."""
    path = f"{Path(sys.executable).parent}:{BUILD / 'node' / 'node_modules' / '.bin'}"
    subprocess.run(
        command, cwd=cwd, check=True, env={**os.environ, "PATH": path + ":/usr/bin:/bin"}
    )


if __name__ == "__main__":
    sys.exit(main())
