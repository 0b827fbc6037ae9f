"""Limits as people type them, shares as they read them, warnings as they meet them."""

import warnings

import pytest

from hanami_sdk.cli.failures import CommandFailure
from hanami_sdk.cli.quota_warnings import quota_warnings_shown
from hanami_sdk.cli.quotas import parse_limits, share_text
from hanami_sdk.quota_warnings import QuotaWarning


def test_limits_are_numbers_with_units_or_the_default() -> None:
    """Units are powers of ten or of two; `default` gives a limit back."""
    words = ["networks=20", "synapses=1_000_000", "dataset_bytes=5GiB", "streams=default"]

    assert {
        "networks": 20,
        "synapses": 1_000_000,
        "dataset_bytes": 5 * 2**30,
        "streams": None,
    } == parse_limits([*words])
    assert {"rows_per_second": 20_000} == parse_limits(["rows_per_second=20k"])


@pytest.mark.parametrize("word", ["networks", "networks=", "networks=many", "=3", "networks=-1"])
def test_other_words_are_refused(word: str) -> None:
    """What is no limit is repeated to the person who typed it."""
    with pytest.raises(CommandFailure) as caught:
        parse_limits([word])

    assert repr(word) in caught.value.message


@pytest.mark.parametrize(
    ("used", "limit", "text"), [(0, 10, "0%"), (999, 1000, "99%"), (3, 2, "150%"), (0, 0, "100%")]
)
def test_all_of_a_limit_is_a_hundred_percent(used: int, limit: int, text: str) -> None:
    """Nearly all of it is less, and where there may be nothing all is used up."""
    assert text == share_text(used, limit)


def test_warnings_are_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """Quotas nearly used up are told once each; other warnings go their way."""
    with warnings.catch_warnings(record=True) as others:
        warnings.simplefilter("always")
        with quota_warnings_shown():
            for _ in range(2):
                warnings.warn("projects/p has 4 of 5 networks", QuotaWarning, stacklevel=1)
            warnings.warn("something else", UserWarning, stacklevel=1)

    assert "Warning: projects/p has 4 of 5 networks.\n" == capsys.readouterr().err
    assert ["something else"] == [str(other.message) for other in others]
