"""All rule files of a run to one rule set, or to everything that is wrong with them.

Reading files is the caller's business: what comes in is their bytes, what goes out is
the set or None, and findings. Nothing here raises for anything a file may hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from engine.model.flags import FlagSpec
from engine.ruleset.binding import World
from engine.ruleset.deciding import digest_of
from engine.ruleset.diagnostics import Finding, has_errors, settle
from engine.ruleset.identity import check_ids
from engine.ruleset.lint import lint_set
from engine.ruleset.rulefile import RuleFile, read_rule_file
from engine.ruleset.silences import silence
from engine.ruleset.spec import RuleSet
from engine.signals.catalogue import Catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What became of rule files: `rules` is None when any finding is an error."""

    rules: RuleSet | None
    findings: tuple[Finding, ...]


def load_rules(
    files: Mapping[str, bytes], catalogue: Catalogue, flags: Mapping[str, FlagSpec], *,
    anchors: frozenset[str] | None = None, today: date | None = None,
) -> Loaded:
    """Return the rules of `files` (name -> bytes), whatever their order.

    `anchors` are the headings of the runbook (`usdt-wobbly`), None where they cannot be
    checked; `today` ends snoozes of lints, None ends none. Never raises for bad content.
    """
    world = World(catalogue=catalogue, flags=flags, anchors=anchors)
    return join([read_rule_file(file, files[file], world) for file in sorted(files)], today=today)


def join(files: Sequence[RuleFile], *, today: date | None = None) -> Loaded:
    """Return the set that `files`, in the order of their names, make together, and all that is wrong with it."""
    findings = [finding for file in files for finding in file.findings]
    parsed = [one for file in files for one in file.parsed]
    check_ids(parsed, findings)
    lint_set([one for file in files for one in file.asked], findings)
    settled = settle(silence(findings, [hush for file in files for hush in file.hushes], today))
    if has_errors(settled):
        return Loaded(rules=None, findings=settled)
    specs = sorted((one.spec for one in parsed if one.spec is not None), key=lambda spec: spec.id)
    digest = digest_of(said for file in files for said in file.said)
    rules = RuleSet(rules=tuple(specs), digest=digest, files=tuple(file.name for file in files))
    return Loaded(rules=rules, findings=settled)
