"""What a run begins with when the files on the disk cannot be used: the last good ones, or no rules and no entries.

A typo must not keep an engine from its positions. So a start goes on, loudly, with what was
good last; without that it runs with entries paused until the files are mended. Only where
not even signals and flags can be read is there nothing to run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.model.events import ReloadRefused
from engine.ruleset.diagnostics import Finding, Severity
from engine.ruleset.loosening import compare, loosening
from engine.runtime.config import Config, config_from_source, load_config, without_rules
from engine.runtime.configured import ConfigError
from engine.runtime.last_good import load_last_good


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """The configuration a run begins with. `trouble` are lines for people: why it is not what the disk holds."""

    config: Config
    trouble: tuple[str, ...] = ()
    refused: ReloadRefused | None = None
    """The first thing the core is told where the files on the disk are not what it begins with."""
    notes: tuple[str, ...] = ()
    """What is worth a warning although the files are good."""


def beginning(root: Path, environment: Mapping[str, str], last_good: Path) -> Beginning:
    """Return what to begin with under `root`; ConfigError with every finding where there is nothing to begin with."""
    config = load_config(root, environment)
    source, why = load_last_good(last_good)
    if config.usable:
        return Beginning(config=config, notes=_protects_less(root, source, environment, config))
    if source is not None:
        kept = config_from_source(root, source, environment)
        if kept.usable:
            known = kept.provenance.commit[:10]
            which = f"the last good files{f' of commit {known}' if known else ''} decide"
            trouble = (*_told(config.findings), f"{which}, not what is on the disk")
            return Beginning(config=kept, trouble=trouble, refused=_refused(config.findings))
        why = f"{last_good} was written by another version of this engine"
    if config.catalogue is None or not config.flag_specs or _outside_rules(config):
        raise ConfigError(config.findings)
    paused = "there are no rules to run: entries stay paused until rules/ is good"
    trouble = (*_told(config.findings), why, paused)
    return Beginning(config=without_rules(config), trouble=trouble, refused=_refused(config.findings))


def _protects_less(
    root: Path, source: bytes | None, environment: Mapping[str, str], config: Config
) -> tuple[str, ...]:
    """Return what `config` loosens against the last good files. A start takes what is there; it does not hide it."""
    before = None if source is None else config_from_source(root, source, environment)
    if before is None or not before.usable:
        return ()
    found = [str(one) for one in compare(before.ruling(), config.ruling()) if loosening((one,))]
    if not found:
        return ()
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return (f"the files protect less than those of the run before: {found[0]}{more}",)


def _outside_rules(config: Config) -> bool:
    """Whether anything but a rule is wrong: what a rule file says cannot harm a run without rules."""
    return any(
        one.severity is Severity.ERROR and one.file not in config.rule_files and one.code != "config-missing"
        for one in config.findings
    )


def _refused(findings: tuple[Finding, ...]) -> ReloadRefused:
    wrong = [one for one in findings if one.severity is Severity.ERROR]
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return ReloadRefused(actor="start", what=f"{wrong[0]}{more}", fix=wrong[0].fix)


def _told(findings: tuple[Finding, ...]) -> tuple[str, ...]:
    return tuple(f"{one}; fix: {one.fix}" for one in findings if one.severity is Severity.ERROR)
