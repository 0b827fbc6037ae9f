"""The report of the measurements: demands, tables, and their way into the documentation."""

import json

import pytest

from tests.bench import report
from tests.bench.documentation import PAGE, insert_tables, read_tables
from tests.bench.report import Figure, at_least, at_most, render_report, write_results

FIGURES = [
    Figure("a.right", 97.2, "%", must=at_least(97.1), goal=at_least(97.5), runs=[97.1, 97.3],
           part="first"),
    Figure("a.speed", 1234.0, "rows/s", "a.peer", 2.5, must=at_least(3.0, of="ratio"),
           note="one seed", part="first"),
    Figure("b.peer", None, "rows/s", note="not installed", part="second"),
]  # fmt: skip


def test_bounds_are_met_at_the_limit() -> None:
    """What equals its limit is good enough, on either side."""
    figure = Figure("a", 1.0, "s", "b", 0.2)

    assert at_least(1.0).holds(figure.value, figure.ratio)
    assert at_most(0.2, of="ratio").holds(figure.value, figure.ratio)


def test_what_was_not_measured_meets_nothing() -> None:
    """A missing value or ratio misses a demand."""
    assert not Figure("a", None, "s", must=at_most(1.0)).met
    assert not Figure("a", 1.0, "s", must=at_most(1.0, of="ratio")).met


def test_figures_without_demand_are_met() -> None:
    """Nothing demanded is nothing missed."""
    assert Figure("a", None, "s").met
    assert Figure("a", None, "s").reached


def test_the_report_tells_what_was_missed() -> None:
    """Misses of demands and goals stand above the tables and beside the figures."""
    text = render_report(FIGURES, {"processor": "quick"})

    assert "1 of 2 demands are met.\nMissed: a.speed." in text
    assert "Not reached: a.right." in text
    assert "| a.right | 97.2 | % |  |  | 0.1414 of 2 | >= 97.1 | >= 97.5 not yet |" in text
    assert "| a.speed (1) | 1,234 | rows/s | a.peer | 2.5 |  | >= 3 x MISSED |  |" in text
    assert "| b.peer (1) | not measured | rows/s |" in text


def test_results_for_programs(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    """The JSON file holds every figure with its seeds, demands and whether they are met."""
    monkeypatch.setattr(report, "RESULTS", tmp_path / "bench" / "results.json")
    monkeypatch.setattr(report, "REPORT", tmp_path / "bench" / "report.md")

    write_results(FIGURES, {"processor": "quick"})

    content = json.loads((tmp_path / "bench" / "results.json").read_text())
    first, second, third = content["figures"]
    assert {"processor": "quick"} == content["machine"]
    assert ([97.1, 97.3], True, False) == (first["seeds"], first["met"], first["reached"])
    assert (">= 3 x", False) == (second["must"], second["met"])
    assert third["value"] is None


def test_tables_reach_the_documentation() -> None:
    """A measured part's table replaces the old one; others stay, text around them too."""
    page = (
        "before\n<!-- figures: first -->\nold\n<!-- end -->\nbetween\n"
        "<!-- figures: other -->\nkept\n<!-- end -->\n"
    )

    found, copied = insert_tables(page, read_tables(render_report(FIGURES, {})))

    assert ["first"] == copied
    assert "old" not in found
    assert "| a.right |" in found
    assert "(1)" in found
    assert found.endswith("between\n<!-- figures: other -->\nkept\n<!-- end -->\n")


def test_every_part_has_its_place_in_the_documentation() -> None:
    """docs/benchmarks.md has markers for every part that can be measured."""
    from tests.bench.__main__ import PARTS

    text = PAGE.read_text(encoding="utf-8")

    assert [] == [part for part in PARTS if f"<!-- figures: {part} -->" not in text]
