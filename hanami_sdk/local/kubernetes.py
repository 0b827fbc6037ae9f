"""Write the Envoy configurations of the Kubernetes manifests.

Run as `python -m hanami_sdk.local.kubernetes [--check]` in a source tree.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hanami_sdk.local.envoy_config import (
    SERVICES,
    Address,
    EnvoyParameters,
    PeerTls,
    TlsFiles,
    render,
)

__all__ = ["main", "parameters", "renderings"]

_MANIFESTS = Path(__file__).resolve().parents[2] / "k8s"
_TLS_FOLDER = "/etc/hanami/tls"
_PEER_FOLDER = "/etc/hanami/mtls"
_GENERATED = "# Rendered by `make manifests`; never edited.\n"


def parameters(*, tls: bool, mtls: bool = False) -> EnvoyParameters:
    """Return what holds in a cluster: services by name, TLS with the files of secrets."""
    ports = dict(zip(SERVICES, range(7001, 7006), strict=True))
    files = TlsFiles(f"{_TLS_FOLDER}/tls.crt", f"{_TLS_FOLDER}/tls.key")
    own = (f"{_PEER_FOLDER}/{name}" for name in ("ca.crt", "tls.crt", "tls.key"))
    return EnvoyParameters(
        # All interfaces of the pod.
        listen=Address("0.0.0.0", 8443 if tls else 8080),  # noqa: S104
        admin=Address("127.0.0.1", 9901),
        keys=Address("127.0.0.1", 9902),
        services={name: Address(name, port) for name, port in ports.items()},
        torii_http=Address("torii", 7006),
        tls=files if tls else None,
        peer_tls=PeerTls(*own) if mtls else None,
        # A cluster's gateway is called by its own pages; others are a decision of their own.
        cors_origins=(),
        # Below the memory limit of the manifest.
        max_heap_bytes=800 * 1024 * 1024,
    )


def renderings() -> dict[Path, str]:
    """Return the text of every configuration by the file it belongs into."""
    return {
        _MANIFESTS / folder / "envoy-configuration.yaml": _GENERATED + render(chosen)
        for folder, chosen in (
            ("base", parameters(tls=True)),
            ("overlays/dev", parameters(tls=False)),
            ("overlays/mtls", parameters(tls=True, mtls=True)),
        )
    }


def main(arguments: Sequence[str]) -> int:
    """Write the configurations, or say whether they are up to date; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    options = parser.parse_args(arguments)
    stale = [path for path, text in renderings().items() if _read(path) != text]
    for path in stale:
        if options.check:
            print(f"{path} is out of date; run: make manifests", file=sys.stderr)
        else:
            path.write_text(renderings()[path], encoding="utf-8")
            print(f"{path} written")
    return 1 if stale and options.check else 0


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
