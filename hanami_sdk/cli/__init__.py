"""The `hanami` command."""

__all__ = ["main"]


def main() -> None:
    """Run the command with the arguments of the process."""
    import os

    # gRPC's core writes lines of its own to stderr; our errors say it better.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")

    from hanami_sdk.cli.app import app

    app()
