"""All that decides, read from the disk once: settings, signals, flags, rules.

A configuration is whole or it is not used: every mistake of every file is found in one
reading, and one error anywhere means no run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from engine.model.codec import canonical, to_data
from engine.model.flagbook import FlagBook
from engine.model.flags import FlagSpec, FlagValue
from engine.ruleset.binding import World
from engine.ruleset.catalogue_file import CatalogueFile, read_catalogue_file
from engine.ruleset.diagnostics import Finding, Severity, has_errors, settle
from engine.ruleset.flags_file import FlagFile, read_flags
from engine.ruleset.lint_unused import Declared, unused
from engine.ruleset.loader import RuleLoader
from engine.ruleset.ruling import Denied, Ruling
from engine.ruleset.spec import RuleSet
from engine.runtime.anchors import anchors_of
from engine.runtime.denylist import read_denylist
from engine.runtime.disk import Read, Wanted, read_disk
from engine.runtime.flag_readers import READERS
from engine.runtime.flags import environment_layer, missing_flags
from engine.runtime.provenance import Provenance, provenance
from engine.runtime.settings import Settings, read_settings
from engine.runtime.strategies_file import DEFAULT, Chosen, read_strategies
from engine.signals.catalogue import Catalogue

SETTINGS, FLAGS, SIGNALS, RUNBOOK, RULES, DENYLIST = (
    "conf/engine.yaml", "conf/flags.yaml", "conf/signals.yaml", "RUNBOOK.md", "rules", "conf/event_denylist.txt",
)
STRATEGIES = "conf/strategies.yaml"
_FILES = (SETTINGS, FLAGS, SIGNALS, RUNBOOK, DENYLIST, STRATEGIES)
_NO_RULES = "no_rules"
"""In a source: whatever its files hold, it has no rules."""
_NO_RUNBOOK = "a rule's runbook says what to do when it fires; write the page"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blobs:
    """The bytes that decide, for the journal; a `Start` names each by its SHA-256 in hex."""

    rules: bytes
    """Canonical JSON of {file name: text}."""
    catalogue: bytes
    flags: bytes
    """Declarations and the values below the operator's layer."""
    settings: bytes
    source: bytes
    """Canonical JSON of every file that was read and of the environment's flags: `config_from_source` reads it back."""

    def digest(self, name: str) -> str:
        """Return the SHA-256 of the blob called `name`, in hex."""
        data: bytes = getattr(self, name)
        return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One reading of the configuration. Where `usable` is false the rest is what could be read, for showing only."""

    root: Path
    settings: Settings
    catalogue: Catalogue | None
    flag_specs: Mapping[str, FlagSpec]
    flag_file: Mapping[str, FlagValue]
    """The file's layer: what `value:` sets."""
    flag_environment: Mapping[str, FlagValue]
    rules: RuleSet | None
    rule_files: Mapping[str, bytes]
    findings: tuple[Finding, ...]
    blobs: Blobs
    provenance: Provenance = field(default_factory=Provenance)
    denylist: tuple[Denied, ...] = ()
    strategies: tuple[Chosen, ...] = DEFAULT
    """Which are to run; whether they can be had is found out where a run is wired."""
    unused: tuple[Finding, ...] = ()
    """Flags and signals that nobody reads, and what is wrong with their silences. Means nothing of a part of a set."""

    @property
    def usable(self) -> bool:
        """Whether a run may begin: everything was read and nothing is an error."""
        return self.catalogue is not None and self.rules is not None and not has_errors(self.findings)

    def ruling(self) -> Ruling:
        """Return what decides; only of a usable configuration."""
        assert self.rules is not None and self.catalogue is not None, "only a usable configuration decides"
        return Ruling(
            rules=self.rules, catalogue=self.catalogue, flag_specs=self.flag_specs, flag_file=self.flag_file,
            flag_environment=self.flag_environment, denylist=self.denylist,
        )

    def flag_book(self) -> FlagBook:
        """Return a new book of these flags, without any operator's value."""
        return FlagBook(self.flag_specs.values(), file=self.flag_file, environment=self.flag_environment)


def load_config(
    root: Path, environment: Mapping[str, str], *, rules: Sequence[Path] | None = None,
    loader: RuleLoader | None = None,
) -> Config:
    """Return the configuration under `root`, with the flags that `environment` sets.

    `rules` are files and folders a person named; None means `rules/` under `root`; `loader`
    knows what day it is. Never raises: whatever is wrong is among the findings.
    """
    read = read_disk(wanted_files(root, rules))
    return config_from_read(root, read, environment, provenance(root), loader=loader)


def config_from_source(
    root: Path, source: bytes, environment: Mapping[str, str] | None = None, *, loader: RuleLoader | None = None
) -> Config:
    """Return the configuration that the blob `source` was made from; the disk is not looked at.

    `environment` sets flags in place of the one that was kept; `loader` as for `load_config`.
    """
    data = json.loads(source)
    read = Read(files={name: text.encode() for name, text in data["files"].items()})
    around = data["environment"] if environment is None else environment
    config = config_from_read(root, read, around, Provenance(**data["provenance"]), loader=loader)
    return without_rules(config) if data.get(_NO_RULES) else config


def without_rules(config: Config) -> Config:
    """Return `config` with no rules at all, under which no entry is allowed, whatever its rule files say."""
    data = json.loads(config.blobs.source)
    files = {name: text for name, text in data["files"].items() if name in _FILES}
    rules = RuleSet(rules=(), digest=hashlib.sha256(b"").hexdigest(), files=())
    return replace(
        config, rules=rules, rule_files={}, findings=(),
        blobs=replace(
            config.blobs, rules=canonical({}), source=canonical({**data, "files": files, _NO_RULES: True})
        ),
    )


def with_provenance(config: Config, known: Provenance) -> Config:
    """Return `config` as read from the commit `known`, which may have been asked for while it was read."""
    if known == config.provenance:
        return config
    source = canonical({**json.loads(config.blobs.source), "provenance": to_data(known)})
    return replace(config, provenance=known, blobs=replace(config.blobs, source=source))


def config_from_read(
    root: Path, read: Read, environment: Mapping[str, str], known: Provenance, *, loader: RuleLoader | None = None
) -> Config:
    """Return the configuration in the files that were `read`; whatever is wrong is among the findings.

    `loader` is kept from one reading to the next, so that only what changed is read again.
    """
    findings = list(read.findings)
    flags = _flags(read, findings)
    from_environment, found = environment_layer(flags.specs, environment)
    findings += found
    settings = Settings()
    if SETTINGS in read.files:
        known_flags = None if has_errors(flags.findings) or not flags.specs else flags.specs
        settings, found = read_settings(read.files[SETTINGS], SETTINGS, known_flags)
        findings += found
    strategies, found = read_strategies(read.files.get(STRATEGIES), STRATEGIES)
    findings += found
    loader = loader or RuleLoader()
    signals = _catalogue(read, findings)
    rule_files = _rule_files(read)
    denylist, found = read_denylist(read.files.get(DENYLIST, b""), DENYLIST)
    findings += found
    rule_set = _rules(read, signals.catalogue, flags, loader, findings)
    book = FlagBook(flags.specs.values(), file=flags.values, environment=from_environment)
    return Config(
        root=root, settings=settings, catalogue=signals.catalogue, flag_specs=book.specs, flag_file=flags.values,
        flag_environment=from_environment, rules=rule_set, rule_files=rule_files, findings=settle(findings),
        blobs=Blobs(
            rules=canonical({name: data.decode("utf-8", "replace") for name, data in rule_files.items()}),
            catalogue=read.files.get(SIGNALS, b""), flags=book.base, settings=settings.deciding(),
            source=_source(read, flags.specs, environment, known),
        ),
        provenance=known, denylist=denylist, strategies=strategies,
        unused=_unused(rule_set, signals, flags, settings, loader),
    )


def _source(read: Read, flags: Mapping[str, FlagSpec], environment: Mapping[str, str], known: Provenance) -> bytes:
    # Only what names a flag: the rest of an environment holds secrets and decides nothing.
    named = {name: value for name, value in environment.items() if name in flags}
    files = {name: data.decode("utf-8", "replace") for name, data in read.files.items()}
    return canonical({"files": files, "environment": named, "provenance": to_data(known)})


def wanted_files(root: Path, rules: Sequence[Path] | None = None) -> Wanted:
    """Return which files make the configuration under `root`; `rules` as for `load_config`."""
    files = {name: root / name for name in _FILES}
    if rules is None:
        return Wanted(files=files, folders={RULES: root / RULES}, within=(root,))
    # What a person names they mean, wherever it lies; links inside must not lead further.
    return Wanted(files=files, folders={str(path): path for path in rules}, within=(root, *rules))


@lru_cache(maxsize=2)
def _read_flags(data: bytes) -> FlagFile:
    """Kept, because an edit of a rule leaves the flags as they were, and reading them takes longer than reading it."""
    return read_flags(data, FLAGS)


@lru_cache(maxsize=2)
def _read_signals(data: bytes) -> CatalogueFile:
    return read_catalogue_file(data, SIGNALS)


def _rule_files(read: Read) -> dict[str, bytes]:
    return {name: data for name, data in read.files.items() if name not in _FILES}


def _flags(read: Read, findings: list[Finding]) -> FlagFile:
    if FLAGS not in read.files:
        findings.append(_missing(FLAGS, "declare the flags that the rules name"))
        return FlagFile()
    flags = _read_flags(read.files[FLAGS])
    findings += flags.findings
    if not has_errors(flags.findings):
        findings += missing_flags(flags.specs, FLAGS)
    return flags


def _catalogue(read: Read, findings: list[Finding]) -> CatalogueFile:
    if SIGNALS not in read.files:
        findings.append(_missing(SIGNALS, "list the signals that the rules read"))
        return CatalogueFile(catalogue=None, findings=())
    signals = _read_signals(read.files[SIGNALS])
    findings += signals.findings
    return signals


def _unused(
    rules: RuleSet | None, signals: CatalogueFile, flags: FlagFile, settings: Settings, loader: RuleLoader
) -> tuple[Finding, ...]:
    if rules is None or signals.catalogue is None:
        return ()
    balance = settings.paper.starting_balance
    planned = {name for name, spec in flags.specs.items() if spec.planned}
    read = frozenset(READERS) | planned | ({balance} if isinstance(balance, str) else set())
    return unused(
        rules.rules, World(catalogue=signals.catalogue, flags=flags.specs),
        Declared(file=FLAGS, hushes=flags.hushes, read_elsewhere=read),
        Declared(file=SIGNALS, hushes=signals.hushes), today=loader.today,
    )


def _rules(
    read: Read, catalogue: Catalogue | None, flags: FlagFile, loader: RuleLoader, findings: list[Finding]
) -> RuleSet | None:
    """Return the rule set, or None. Rules are not read against signals or flags that are broken: each would echo."""
    files = _rule_files(read)
    if RUNBOOK not in read.files:
        findings.append(_missing(RUNBOOK, _NO_RUNBOOK, severity=Severity.WARNING))
    if not files:
        if not has_errors(read.findings):
            findings.append(_missing(RULES, "without a rule nothing guards the account; restore the folder"))
        return None
    if catalogue is None or has_errors(flags.findings) or not flags.specs:
        return None
    loaded = loader.load(files, catalogue, flags.specs, anchors=anchors_of(read.files.get(RUNBOOK, b"")))
    findings += loaded.findings
    return loaded.rules


def _missing(name: str, fix: str, *, severity: Severity = Severity.ERROR) -> Finding:
    what = "holds no rule file" if name == RULES else "is not there"
    return Finding(
        file=name, line=1, column=1, code="config-missing", severity=severity, message=f"{name} {what}", fix=fix,
    )


