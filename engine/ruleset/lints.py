"""Every lint there is: its id, how grave it is, what it finds, and what to do about it.

A lint is about what is allowed and probably not meant. Its id never changes: people write
it down where they silence it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Lint:
    """One lint. `severity` as a person reads it; where `silent` is false it can never be silenced."""

    id: str
    severity: str
    finds: str
    fix: str
    silent: bool = True


_GRAVE = "warning; error where protection is lost for certain"

LINTS: Mapping[str, Lint] = {lint.id: lint for lint in (
    Lint(
        id="lint-always-true", severity="warning", finds="`expr` holds whatever is measured",
        fix="compare with a limit that can be on either side of the signal",
    ),
    Lint(
        id="lint-clear-overlap", severity="warning", finds="`expr` and `clear_expr` can hold at once",
        fix="leave a gap between the two limits",
    ),
    Lint(
        id="lint-constant", severity="warning", finds="`expr` reads nothing, so it never changes",
        fix="compare a signal with a limit",
    ),
    Lint(
        id="lint-duplicate-expression", severity="warning", finds="another rule asks the very same",
        fix="let one rule do both, or say why there are two",
    ),
    Lint(
        id="lint-equality", severity="warning", finds="a measured number is compared with == or !=",
        fix="compare with < <= > or >=",
    ),
    Lint(
        id="lint-evidence", severity="warning",
        finds="an average or a quantile of events is believed without asking how many there were",
        fix="begin with count_over(...) >= N and",
    ),
    Lint(
        id="lint-for-short", severity="warning",
        finds="`for` is shorter than two periods of what is read, so one sample may be all there is",
        fix="make it two periods, or leave `for` out",
    ),
    Lint(
        id="lint-gate-cannot-fail", severity=_GRAVE, finds="`allow_expr` of a maker_gate always holds",
        fix="compare with a limit that the evidence can miss",
    ),
    Lint(
        id="lint-gate-cannot-pass", severity="error; warning where a flag's default is why",
        finds="`allow_expr` of a maker_gate can never hold", fix="compare with a limit that the evidence can reach",
    ),
    Lint(
        id="lint-latches-on-silence", severity="warning", finds="silence of a signal alone sets a latch",
        fix="let a guard without a latch restrain on silence, and latch on a measured value",
    ),
    Lint(
        id="lint-never-clears", severity="warning", finds="once the rule fires, nothing measured can clear it",
        fix="let `clear_expr` hold on the far side of the limit; of a counter, ask for an increase",
    ),
    Lint(
        id="lint-never-fires", severity=_GRAVE, finds="`expr` can never hold",
        fix="compare with a limit that the signal can pass",
    ),
    Lint(
        id="lint-no-clear", severity="warning",
        finds="a rule on a noisy signal (a measured gauge) clears at the very limit at which it fires",
        fix="add `clear_expr` with a limit further off, or `keep_firing_for`",
    ),
    Lint(
        id="lint-none-in-force", severity="error", silent=False,
        finds="no rule that restrains or refuses is in force: all are off, in shadow or disabled",
        fix="enforce one, or remove what is no longer used",
    ),
    Lint(
        id="lint-on-unknown", severity="warning", finds="in doubt the rule does less than restrain",
        fix="write restrict unless the reason still holds",
    ),
    Lint(
        id="lint-page-without-need", severity="warning",
        finds="somebody is woken by a rule that neither stops trading nor acts",
        fix="write `to: alert` or `to: digest`",
    ),
    Lint(
        id="lint-runbook-anchor", severity="warning", finds="the runbook has no such heading",
        fix="name a heading that is there, or write it",
    ),
    Lint(
        id="lint-silence-idle", severity="warning", silent=False, finds="a `disable` or `snooze` silences nothing",
        fix="remove it, so that it does not hide the next finding",
    ),
    Lint(
        id="lint-silence-over", severity="warning", silent=False, finds="the day of a `snooze` has come",
        fix="mend what it silenced, or choose another day",
    ),
    Lint(
        id="lint-subsumed", severity="warning",
        finds="another rule with the same effect fires whenever this one does",
        fix="remove this one, or let it restrain more",
    ),
    Lint(
        id="lint-threshold-range", severity="warning",
        finds="one comparison of a larger condition is decided whatever is measured",
        fix="compare with a limit inside the range of the catalogue",
    ),
    Lint(
        id="lint-unused-flag", severity="warning", finds="neither a rule nor the engine reads the flag",
        fix="remove it, or say under `lint:` who reads it",
    ),
    Lint(
        id="lint-unused-signal", severity="warning", finds="no rule reads the signal",
        fix="remove it, or say under `lint:` who reads it",
    ),
)}


def page() -> str:
    """Return the page of all lints (docs/lints.md)."""
    rows = "\n".join(f"| `{one.id}` | {one.severity} | {one.finds} | {one.fix} |" for one in LINTS.values())
    return _PAGE.format(rows=rows)


_PAGE = """# Lints

What `engine rules check` says of things that are allowed and probably not meant. A lint that is an error stops the set
from loading and cannot be silenced. Warnings alone end with exit code 3.

| id | severity | finds | what to do |
|---|---|---|---|
{rows}

## Silencing one
With a reason, in the rule, or in the entry of `conf/flags.yaml` or `conf/signals.yaml` that it is about:

```yaml
    lint:
      - {{disable: lint-on-unknown, reason: "a blind book is the entry filter's business"}}
      - {{snooze: lint-no-clear, until: "2026-12-31", reason: "until the gap has been measured"}}
```

`disable` holds for good, `snooze` until its day comes: from then on the lint speaks again, and so does
`lint-silence-over`. A silence that silences nothing is `lint-silence-idle`. What is silenced is part of what was
reviewed: it changes the digest of a rule set.

## How things are known
- **Where a limit can be**: from the ranges of `conf/signals.yaml`, with flags at their defaults. What depends on a
  flag is a warning, because the flag can be changed.
- **A noisy signal** is a gauge that counts neither things nor standings (its unit is not count, bool or enum). A rule
  on it that neither latches nor waits needs `clear_expr` or `keep_firing_for`.
- **Subsumed** is said only of rules of one kind with the same labels, effect, latch, times and doubt, where the values
  for which one holds lie within those for which the other does.
- **Evidence** is counted when each way in which the condition can hold asks for a least count of the same events.

Rules without tests are no lint: `engine rules check` says of them `test-missing`, which is an error of a kill or a
guard and a warning of any other rule.

This page is made by `python -m tests.ruleset.lints_page`.
"""
