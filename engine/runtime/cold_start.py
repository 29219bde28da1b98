"""What a run begins with when the files on the disk cannot be used: the last good ones, or no rules and no entries.

A typo must not keep an engine from its positions. So a start goes on, loudly, with what was
good last; without that it runs with entries paused until the files are mended. Only where
not even signals and flags can be read is there nothing to run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.ruleset.diagnostics import Finding, Severity
from engine.runtime.config import Config, config_from_source, load_config, without_rules
from engine.runtime.configured import ConfigError
from engine.runtime.last_good import load_last_good


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """The configuration a run begins with. `trouble` are lines for people: why it is not what the disk holds."""

    config: Config
    trouble: tuple[str, ...] = ()


def beginning(root: Path, environment: Mapping[str, str], last_good: Path) -> Beginning:
    """Return what to begin with under `root`; ConfigError with every finding where there is nothing to begin with."""
    config = load_config(root, environment)
    if config.usable:
        return Beginning(config=config)
    source, why = load_last_good(last_good)
    if source is not None:
        kept = config_from_source(root, source, environment)
        if kept.usable:
            known = kept.provenance.commit[:10]
            which = f"the last good files{f' of commit {known}' if known else ''} decide"
            return Beginning(config=kept, trouble=(*_told(config.findings), f"{which}, not what is on the disk"))
        why = f"{last_good} was written by another version of this engine"
    if config.catalogue is None or not config.flag_specs or _outside_rules(config):
        raise ConfigError(config.findings)
    paused = "there are no rules to run: entries stay paused until rules/ is good"
    return Beginning(config=without_rules(config), trouble=(*_told(config.findings), why, paused))


def _outside_rules(config: Config) -> bool:
    """Whether anything but a rule is wrong: what a rule file says cannot harm a run without rules."""
    return any(
        one.severity is Severity.ERROR and one.file not in config.rule_files and one.code != "config-missing"
        for one in config.findings
    )


def _told(findings: tuple[Finding, ...]) -> tuple[str, ...]:
    return tuple(f"{one}; fix: {one.fix}" for one in findings if one.severity is Severity.ERROR)
