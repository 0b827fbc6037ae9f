"""What the guide shows works."""

import re
from pathlib import Path

from kyouko.domain.template import resolve
from kyouko.templates import read_template

GUIDE = Path(__file__).parents[4] / "docs" / "templates.md"


def test_the_example_of_the_guide_is_a_good_template() -> None:
    """The YAML in docs/templates.md makes a network of 194 channels."""
    found = re.search(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)

    assert found is not None
    assert 194 == resolve(read_template(found[1])).channels
