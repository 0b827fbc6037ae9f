"""How kyouko's tables came about, revision by revision. Forward only."""

from pathlib import Path

DIRECTORY = Path(__file__).parent
