"""What is told of many findings is no worse and no better than they are."""

from __future__ import annotations

import pytest

from engine.ruleset.diagnostics import MOST_IN_A_FILE, Finding, Severity, has_errors, settle


def findings(severities: list[Severity], file: str = "a.yaml") -> list[Finding]:
    return [
        Finding(file=file, line=line, column=1, code="c", severity=severity, message=str(line), fix="f")
        for line, severity in enumerate(severities, 1)
    ]


@pytest.mark.parametrize(
    ("last", "told"), [(Severity.WARNING, Severity.WARNING), (Severity.INFO, Severity.WARNING),
                       (Severity.ERROR, Severity.ERROR)],
)
def test_many_warnings_are_cut_short_and_forbid_no_more_than_one(last: Severity, told: Severity) -> None:
    kept = settle(findings([Severity.WARNING] * 300 + [last]))
    assert len(kept) == MOST_IN_A_FILE
    assert (kept[-1].code, kept[-1].severity) == ("too-many", told)
    assert kept[-1].message.startswith(f"{301 - MOST_IN_A_FILE + 1} more")
    assert has_errors(kept) == (last is Severity.ERROR)


def test_each_file_has_its_own_measure_and_reading_order_stays() -> None:
    many, few = findings([Severity.WARNING] * MOST_IN_A_FILE, "a.yaml"), findings([Severity.INFO], "b.yaml")
    assert list(settle([*few, *many])) == [*many, *few]
