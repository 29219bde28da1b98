"""`python -m tests.ruleset.lints_page`: write docs/lints.md from the lints that there are."""

from __future__ import annotations

from pathlib import Path

from engine.ruleset.lints import page

PAGE = Path(__file__).parents[2] / "docs" / "lints.md"

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
