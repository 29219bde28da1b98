"""The configuration of a run: from the disk when it begins, from its journal when it goes on.

A run that goes on must decide as it did, whatever was edited meanwhile; so the journal
holds the files themselves, and a resumption never looks at the disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engine.model.codec import decode
from engine.model.events import Event, Start
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


def usable_config(root: Path, environment: Mapping[str, str]) -> Config:
    """Return the configuration under `root`; ConfigError with every finding when it must not be used."""
    config = load_config(root, environment)
    if not config.usable:
        raise ConfigError(config.findings)
    return config


def journalled_config(journal: JournalReader, root: Path) -> tuple[Start, Config]:
    """Return how the run in `journal` began and the configuration it began with; JournalError if that is lost."""
    raw = journal.input_at(FIRST)
    start = None if raw is None else decode(Event, raw)
    if not isinstance(start, Start):
        raise JournalError("the journal has no beginning", "start a new run with another --state DIR")
    source = journal.get_blob(start.source_digest)
    if source is None:
        raise JournalError("the journal does not hold the files its run began with", "start a new run")
    config = config_from_source(root, source)
    if not config.usable:
        raise JournalError("this engine cannot read the files that the run began with", "resume it with its version")
    return start, config
