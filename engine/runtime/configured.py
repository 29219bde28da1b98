"""The configuration of a run: from the disk when it begins, from its journal when it goes on.

A run that goes on must decide as it did, whatever was edited meanwhile; so the journal
holds the files themselves, and a resumption never looks at the disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from engine.core.state import State
from engine.model.codec import decode
from engine.model.events import Command, Event, Reload, Start
from engine.ports.journal import JournalError, JournalReader
from engine.ruleset.diagnostics import Finding
from engine.runtime.config import Config, config_from_source, load_config

FIRST = 1
"""The seq of a run's Start."""


class ConfigError(Exception):
    """The configuration cannot be used: every mistake, with its place and a fix. Exit code 2."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        self.findings = findings
        super().__init__(f"{len(findings)} mistakes in the configuration")


def journalled_config(journal: JournalReader, root: Path) -> tuple[Start, Config]:
    """Return how the run in `journal` began and the configuration it began with; JournalError if that is lost."""
    raw = journal.input_at(FIRST)
    start = None if raw is None else decode(Event, raw)
    if not isinstance(start, Start):
        raise JournalError("the journal has no beginning", "start a new run with another --state DIR")
    source = journal.get_blob(start.source_digest)
    if source is None:
        raise JournalError("the journal does not hold the files its run began with", "start a new run")
    return start, _usable_source(root, source)


def config_of(journal: JournalReader, root: Path, digest: str) -> Config:
    """Return the configuration whose source is the journal's blob `digest`; JournalError if that is lost."""
    source = journal.get_blob(digest)
    if source is None:
        what = f"the journal does not hold the files {digest[:12]} that decided"
        raise JournalError(what, "start a new run with another --state DIR")
    return _usable_source(root, source)


def shadow_config(root: Path, environment: Mapping[str, str], rules: Path) -> Config:
    """Return the configuration with the rules in `rules` in place of the live ones; ConfigError where it is broken."""
    config = load_config(root, environment, rules=[rules])
    if not config.usable:
        raise ConfigError(config.findings)
    return config


def offer(
    state: State, commands: Iterable[Command], journal: JournalReader, root: Path
) -> dict[str, tuple[Config, str]]:
    """Let the core have every ruling that a reload among `commands` names, as the journal keeps it.

    Returns by the ruling's digest (configuration, blob of its source).
    """
    found: dict[str, tuple[Config, str]] = {}
    for command in commands:
        if isinstance(command, Reload) and command.ruling not in found:
            config = config_of(journal, root, command.source_digest)
            state.offered[command.ruling] = config.ruling()
            found[command.ruling] = (config, command.source_digest)
    return found


def _usable_source(root: Path, source: bytes) -> Config:
    config = config_from_source(root, source)
    if not config.usable:
        raise JournalError("this engine cannot read the files that the run was on", "resume it with its version")
    return config
