"""What is allowed and probably not meant. A lint is a warning, unless it is certain to lose protection."""

from __future__ import annotations

from collections.abc import Sequence

from engine.ruleset.binding import World
from engine.ruleset.diagnostics import Finding
from engine.ruleset.parse import Parsed


def lint(parsed: Sequence[Parsed], world: World, findings: list[Finding], *, whole: bool) -> None:
    """Add the lints of all rules; `whole` says that no rule is missing, so that what nobody uses can be told."""
