"""Lints that somebody silenced, with a reason: for good, or until a day.

A silence stands in the rule, flag or signal that it is about, and reaches no further. It
never silences an error. What day it is, is the caller's to know.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from engine.ruleset.diagnostics import Finding, Severity, has_errors
from engine.ruleset.lints import LINTS
from engine.ruleset.nodes import Node
from engine.ruleset.scalars import quoted
from engine.ruleset.spec import Silence
from engine.ruleset.suggest import fix_for

_ASKS = ("lint-runbook-anchor",)
"""Lints that are not asked everywhere: where they are not, a silence of one is not idle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hush:
    """A silence and what it reaches: everything in its file from `begin` up to `end` (line, column), which is out."""

    silence: Silence
    node: Node
    begin: tuple[int, int]
    end: tuple[int, int] | None

    def reaches(self, finding: Finding) -> bool:
        """Whether `finding` is about what this silences."""
        at = (finding.line, finding.column)
        return (
            finding.code == self.silence.lint and finding.severity is not Severity.ERROR
            and finding.file == self.node.source.file and self.begin <= at and (self.end is None or at < self.end)
        )


def read_silences(node: Node | None, findings: list[Finding]) -> tuple[Silence, ...]:
    """Return what a `lint:` key says; everything wrong with it that the schema does not say goes to `findings`."""
    return tuple(silence for silence, _ in _read(node, findings))


def hushes(items: Sequence[Node]) -> tuple[Hush, ...]:
    """Return the silences of `items`, in the order of the file, with what each reaches."""
    found: list[Hush] = []
    for index, item in enumerate(items):
        if item.kind != "map" or "lint" not in item.entries:
            continue
        before = items[index - 1] if index else None
        following = items[index + 1] if index + 1 < len(items) else None
        # From the beginning of the line where it is nobody else's: some findings know only their line.
        begin = (item.line, 0 if before is None or before.line < item.line else item.col)
        end = None if following is None else (following.line, 0 if following.line > item.line else following.col)
        for silence, node in _read(item.get("lint"), []):
            found.append(Hush(silence=silence, node=node, begin=begin, end=end))
    return tuple(found)


def silence(findings: Iterable[Finding], hushed: Sequence[Hush], today: date | None) -> list[Finding]:
    """Return `findings` without what is silenced, and with what is wrong with the silences.

    `today` None means that no day has come yet.
    """
    if not hushed:
        return list(findings)
    by_file: dict[str, list[Hush]] = {}
    over: list[Finding] = []
    for hush in hushed:
        if today is not None and hush.silence.until and date.fromisoformat(hush.silence.until) <= today:
            over.append(hush.node.finding(
                "lint-silence-over", f"{hush.silence.lint} was to be quiet until {hush.silence.until}",
                "mend what it silenced, or choose another day", severity=Severity.WARNING,
            ))
        else:
            by_file.setdefault(hush.node.source.file, []).append(hush)
    kept: list[Finding] = []
    used: set[int] = set()
    for finding in findings:
        reached = [hush for hush in by_file.get(finding.file, ()) if hush.reaches(finding)]
        used.update(id(hush) for hush in reached)
        if not reached:
            kept.append(finding)
    kept += over
    if not has_errors(kept):
        kept += [_idle(hush) for own in by_file.values() for hush in own if id(hush) not in used and _asked(hush)]
    return kept


def _asked(hush: Hush) -> bool:
    return hush.silence.lint not in _ASKS


def _idle(hush: Hush) -> Finding:
    return hush.node.finding(
        "lint-silence-idle", f"there is no {hush.silence.lint} here to silence", "remove it", severity=Severity.WARNING,
    )


def _read(node: Node | None, findings: list[Finding]) -> list[tuple[Silence, Node]]:
    found = []
    for item in node.items if node is not None else ():
        said = _one(item, findings) if item.kind == "map" else None
        if said is not None:
            found.append((said, item))
    return found


def _one(item: Node, findings: list[Finding]) -> Silence | None:
    disable, snooze, until, reason = (item.get(key) for key in ("disable", "snooze", "until", "reason"))
    named = disable or snooze
    if named is None or disable is not None and snooze is not None:
        findings.append(item.finding(
            "silence-kind", "one of `disable` and `snooze` is wanted, with the id of a lint",
            "write {disable: lint-..., reason: ...} or {snooze: lint-..., until: \"2026-12-31\", reason: ...}",
        ))
        return None
    if (snooze is None) is not (until is None):
        findings.append((until or item).finding(
            "silence-kind", "`snooze` ends on a day, and `disable` does not",
            "write `snooze` with `until`, or `disable` without",
        ))
        return None
    lint = LINTS.get(named.text)
    if named.kind == "str" and lint is None:
        findings.append(named.finding(
            "silence-unknown", f"there is no lint {quoted(named.text)}", fix_for(named.text, LINTS),
        ))
    elif lint is not None and not lint.silent:
        findings.append(named.finding("silence-never", f"{lint.id} cannot be silenced", "mend what it says"))
    elif lint is not None and (until is None or _is_day(until, findings)):
        text = reason.text if reason is not None else ""
        return Silence(lint=lint.id, until=until.text if until is not None else "", reason=text, place=item.place)
    return None


def _is_day(node: Node, findings: list[Finding]) -> bool:
    if node.kind != "str":
        return False
    try:
        date.fromisoformat(node.text)
    except ValueError:
        findings.append(node.finding("silence-until", "this is no day", 'write one such as "2026-12-31"'))
        return False
    return True
