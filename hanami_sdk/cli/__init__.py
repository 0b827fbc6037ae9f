"""The `hanami` command."""

__all__ = ["main"]


def main() -> None:
    """Run the command with the arguments of the process."""
    from hanami_sdk.cli.app import app

    app()
