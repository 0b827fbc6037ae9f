"""Put the tables of the last run into docs/benchmarks.md.

    python -m tests.bench.documentation

Copies each part's table from .bench/report.md to between the part's two markers; parts that were
not measured keep the table they have. What the tables mean is written by hand, around them.
"""

import re
import sys
from pathlib import Path

from tests.bench.report import REPORT

PAGE = Path("docs") / "benchmarks.md"

_MARKED = re.compile(r"(<!-- figures: (?P<part>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> int:
    """Copy the tables and tell which."""
    tables = read_tables(REPORT.read_text(encoding="utf-8"))
    page, copied = insert_tables(PAGE.read_text(encoding="utf-8"), tables)
    PAGE.write_text(page, encoding="utf-8")
    print(f"{PAGE}: {', '.join(copied) or 'nothing'}")
    unplaced = sorted(set(tables) - set(copied))
    if unplaced:
        print(f"{PAGE} has no place for: {', '.join(unplaced)}", file=sys.stderr)
    return 1 if unplaced else 0


def read_tables(report: str) -> dict[str, str]:
    """Return what stands below each part's heading."""
    sections = re.split(r"^## (.+)\n", report, flags=re.MULTILINE)
    return dict(zip(sections[1::2], (text.strip() for text in sections[2::2]), strict=True))


def insert_tables(page: str, tables: dict[str, str]) -> tuple[str, list[str]]:
    """Replace what is between the markers of each measured part, and return which those were."""
    copied: list[str] = []

    def replace(found: re.Match[str]) -> str:
        part = found["part"]
        if part not in tables:
            return found[0]
        copied.append(part)
        return f"{found[1]}\n{tables[part]}\n\n{found[3]}"

    return _MARKED.sub(replace, page), copied


if __name__ == "__main__":
    sys.exit(main())
