"""Shows people which quotas are nearly used up, whatever they do."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from hanami_sdk.cli.output import note
from hanami_sdk.quota_warnings import QuotaWarning


@contextmanager
def quota_warnings_shown() -> Iterator[None]:
    """Tell people on stderr which quotas are nearly used up, once each."""
    with warnings.catch_warnings():
        others = warnings.showwarning

        def show_warning(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if issubclass(category, QuotaWarning):
                note(f"Warning: {message}.")
            else:
                others(message, category, filename, lineno, file, line)

        warnings.showwarning = show_warning
        warnings.simplefilter("default", QuotaWarning)
        yield
