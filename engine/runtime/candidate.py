"""From the files on the disk to a configuration that may take over, or to the reason why it must not.

Nothing here touches the engine that runs. What comes out is whole: the files of one moment,
read, checked, tested, compared with what is in force; a mistake anywhere and the set in
force stays. What protects less needs an acknowledgement of exactly this change.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.model.flag_values import planned_notes
from engine.ruleset.diagnostics import Finding, Severity, has_errors, settle
from engine.ruleset.evaluate import RuleBook
from engine.ruleset.loosening import Change, compare, loosening, masked_edits
from engine.ruleset.ruling import Ruling, pair_digest
from engine.ruleset.test_demands import TEST_CODES, demand_tests
from engine.runtime.acks import Ack, Acks, acknowledged
from engine.runtime.blast import Blast, Running, blast_radius, imagine, operator_values
from engine.runtime.config import FLAGS, Config, config_from_read, config_from_source, with_provenance
from engine.runtime.disk import Read, fingerprint
from engine.runtime.file_modes import unsafe_modes
from engine.runtime.frozen import kept_files
from engine.runtime.provenance import Provenance, provenance
from engine.runtime.settings import ReloadSettings
from engine.runtime.steady import read_steady
from engine.runtime.tested import Passed
from engine.signals.snapshot import Snapshot

_WARMING_NS = 10**10
_GIT_S = 0.2
"""How much longer than all else git may take to name the commit, which is for people only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a reading is to know beside the files. `passed` is kept from one reading to the next."""

    settings: ReloadSettings = field(default_factory=ReloadSettings)
    allow: str = ""
    """The pair that a person acknowledged with `--allow-loosening`."""
    actor: str = "disk"
    """Who asked."""
    at: int = 0
    """When (ns), for an acknowledgement by hand."""
    passed: Passed = field(default_factory=Passed)
    acks: Acks = field(default_factory=Acks)
    running: Running | None = None
    """The engine's knowledge, to see what would be lifted at once; None where no engine runs yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A configuration that may take over from the one it was compared with. See `prepare`."""

    config: Config
    ruling: Ruling
    digest: str
    """The ruling's."""
    source: bytes
    """`config.blobs.source`: what the journal and the last good file keep."""
    fingerprint: str
    """What `RuleWatch.judged` is told."""
    changes: tuple[Change, ...]
    same: bool
    """Whether the ruling in force is this one: nothing has to be swapped."""
    pair: str
    ack: Ack | None
    """Who acknowledged, where anything loosens; else None."""
    warnings: tuple[Finding, ...]
    what_changed: tuple[str, ...]
    """A line for each change, for the journal and for people."""
    blast: Blast | None
    provenance: Provenance
    timings: Mapping[str, int]
    """ns of each step, in the order of the steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why the files on the disk must not take over, and what to do about it."""

    reason: str
    """In a line."""
    fix: str
    findings: tuple[Finding, ...]
    fingerprint: str
    timings: Mapping[str, int]
    pair: str = ""
    """The change that is to be acknowledged; empty where no acknowledgement would do."""
    command: str = ""
    """What acknowledges it."""
    changes: tuple[Change, ...] = ()
    blast: Blast | None = None


class _No(Exception):
    """The reading ends here: a refusal without its circumstances."""

    def __init__(self, reason: str, fix: str, findings: tuple[Finding, ...] = (), *, pair: str = "") -> None:
        self.reason, self.fix, self.findings, self.pair = reason, fix, findings, pair
        super().__init__(reason)


def prepare(root: Path, environment: Mapping[str, str], base: Config, asked: Asked) -> Candidate | Refused:
    """Return what the files under `root` may become, `base` being the configuration in force.

    Never raises for what a disk may hold. Takes as long as reading and testing take: call it
    in a thread. Two calls with one `asked.passed` take turns.
    """
    work = _Work(root, base, asked)
    git = ThreadPoolExecutor(1, thread_name_prefix="git")
    known = git.submit(provenance, root)
    try:
        with asked.passed.lock:
            return work.candidate(environment, known)
    except _No as no:
        return work.refused(no)
    finally:
        git.shutdown(wait=False, cancel_futures=True)


def warm(base: Config, passed: Passed) -> None:
    """Read and test what is in force once more, without the disk, so that the first edit costs what it changes."""
    with passed.lock:
        config = config_from_source(base.root, base.blobs.source, loader=passed.loader)
        if config.usable:
            ruling = config.ruling()
            passed.made(ruling)
            passed.run(ruling, _WARMING_NS)
            # What is compiled once is kept: for looking ahead, and for the swap itself.
            RuleBook(ruling.rules, ruling.catalogue, Snapshot(ruling.catalogue), ruling.flag_values(), at=0)


class _Work:
    """One reading on its way, and what is known of it so far."""

    def __init__(self, root: Path, base: Config, asked: Asked) -> None:
        self._root = root
        self._base = base
        self._asked = asked
        self._fingerprint = ""
        self._timings: dict[str, int] = {}
        self._changes: tuple[Change, ...] = ()
        self._blast: Blast | None = None

    def candidate(self, environment: Mapping[str, str], known: Future[Provenance]) -> Candidate:
        """Return the candidate; _No where there is none."""
        before = self._asked.passed.shared(self._base.ruling())
        warnings: list[Finding] = []
        with self._timed("read"):
            read = self._read(warnings)
        with self._timed("load"):
            config = config_from_read(
                self._root, read, environment, self._base.provenance, loader=self._asked.passed.loader
            )
            _insist(config.findings)
            ruling = config.ruling()
            self._asked.passed.made(ruling)
        with self._timed("compare"):
            self._changes = self._compare(before, ruling)
        with self._timed("test"):
            warnings += self._demand(config, ruling)
            warnings += self._test(ruling)
        warnings += [*self._masked(before, ruling), *_planned(before, ruling)]
        with self._timed("imagine"):
            self._imagine(before, ruling)
        pair = pair_digest(before.digest, ruling.digest)
        ack = self._acknowledged(before, ruling, pair)
        with self._timed("git"):
            config = with_provenance(config, _named(known))
        return Candidate(
            config=config, ruling=ruling, digest=ruling.digest, source=config.blobs.source,
            fingerprint=self._fingerprint, changes=self._changes,
            same=ruling.digest == before.digest and ruling.flag_environment == before.flag_environment,
            pair=pair, ack=ack, warnings=settle([*config.findings, *warnings]),
            what_changed=tuple(str(one) for one in self._changes), blast=self._blast, provenance=config.provenance,
            timings=self._timings,
        )

    def refused(self, no: _No) -> Refused:
        """Return the refusal `no` with what was known when it came."""
        return Refused(
            reason=no.reason, fix=no.fix, findings=no.findings, fingerprint=self._fingerprint, timings=self._timings,
            pair=no.pair, command=f"engine reload --allow-loosening {no.pair}" if no.pair else "",
            changes=self._changes, blast=self._blast,
        )

    def _read(self, warnings: list[Finding]) -> Read:
        read = read_steady(self._root, self._asked.settings.max_quiesce)
        self._fingerprint = fingerprint(read)
        _insist(tuple(read.findings))
        found = unsafe_modes(self._root, refuse=self._asked.settings.unsafe_modes == "refuse")
        _insist(tuple(found))
        kept, more = kept_files(read, self._base)
        _insist(tuple(more))
        warnings += found + more
        return kept

    def _compare(self, before: Ruling, after: Ruling) -> tuple[Change, ...]:
        """Return the changes, judged under the values that operators set in the running engine."""
        running = self._asked.running
        return compare(_in_force(before, running), _in_force(after, running))

    def _masked(self, before: Ruling, after: Ruling) -> list[Finding]:
        """Return a warning for each edited flag whose value a stronger layer hides."""
        running = self._asked.running
        operator = operator_values(after, running.flags) if running is not None else {}
        told = masked_edits(before, after, operator)
        fix = "know that it comes into force when the stronger value ends"
        return [replace(_finding(FLAGS, 1, "flag-masked", one, fix), severity=Severity.WARNING) for one in told]

    def _demand(self, config: Config, ruling: Ruling) -> tuple[Finding, ...]:
        """Return what the tests do not show: that forbids a change which protects less, and is a warning otherwise."""
        missing = [one for one in demand_tests(ruling.rules, config.rule_files) if one.code in TEST_CODES]
        if loosening(self._changes):
            _insist(tuple(missing))
        return tuple(replace(one, severity=Severity.WARNING) for one in missing)

    def _test(self, ruling: Ruling) -> tuple[Finding, ...]:
        tested = self._asked.passed.run(ruling, self._asked.settings.test_budget)
        failed = tuple(
            _finding(
                one.place.file, one.place.line, "test-failed",
                f"the test `{one.test}` of {one.rule} fails: {one.error or one.mismatches[0]}",
                "run `engine rules test`, and mend the rule or its test",
            )
            for one in tested.failed
        )
        _insist(failed)
        late = tuple(
            _finding(
                spec.place.file, spec.place.line, "test-budget", f"there was no time for the tests of {spec.id}",
                "give reload.test_budget more time, or make the tests shorter",
            )
            for spec in ruling.rules.rules if spec.id in tested.left
        )
        if loosening(self._changes):
            _insist(late)
        return tuple(replace(one, severity=Severity.WARNING) for one in late)

    def _imagine(self, before: Ruling, after: Ruling) -> None:
        running = self._asked.running
        now, then = imagine(running, before, after) if running is not None else ((), ())
        self._blast = blast_radius(now, then, before.rules, after.rules)

    def _acknowledged(self, before: Ruling, after: Ruling, pair: str) -> Ack | None:
        """Return who acknowledged, None where nothing is loosened; _No where somebody must and nobody did."""
        asked, blast = self._asked, self._blast
        if not loosening(self._changes) and not (blast and blast.lifted):
            return None
        if asked.allow == pair:
            return Ack(pair=pair, by=asked.actor, reason="--allow-loosening", at=asked.at)
        if asked.allow:
            raise _No(
                f"{asked.allow} was acknowledged, but this change is {pair}: {self._looser()}",
                f"review it, then engine reload --allow-loosening {pair}", pair=pair,
            )
        too_much = blast.beyond(asked.settings.max_blast_radius, asked.settings.blast_minimum) if blast else ""
        ack = acknowledged(asked.acks, before.digest, after.digest)
        if ack is not None and not too_much:
            return ack
        what = too_much or self._looser()
        raise _No(
            f"the change protects less and nobody acknowledged it: {what}" if ack is None
            else f"the acknowledgement of {ack.by} is not enough: {what}",
            f"review it, then engine reload --allow-loosening {pair}", pair=pair,
        )

    def _looser(self) -> str:
        """Return the first thing that is loosened, and how many more there are."""
        found = [str(one) for one in self._changes if loosening((one,))]
        found += [f"{name} would restrain less at once" for name in (self._blast.lifted if self._blast else ())]
        return found[0] + (f" (and {len(found) - 1} more)" if len(found) > 1 else "")

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        began = time.perf_counter_ns()
        try:
            yield
        finally:
            self._timings[step] = time.perf_counter_ns() - began


def _planned(before: Ruling, after: Ruling) -> list[Finding]:
    """Return a warning for each flag that was changed and of which nothing comes yet."""
    old, new = before.flag_values(), after.flag_values()
    changed = {name: value for name, value in new.items() if old.get(name) != value}
    fix = "know that it changes nothing until what reads it is there"
    return [
        replace(_finding(FLAGS, 1, "flag-planned", note, fix), severity=Severity.WARNING)
        for note in planned_notes(after.flag_specs, changed)
    ]


def _in_force(ruling: Ruling, running: Running | None) -> Ruling:
    if running is None:
        return ruling
    return replace(
        ruling, flag_environment={**ruling.flag_environment, **operator_values(ruling, running.flags)},
        # A line that has ended denies nothing: to take it out loosens nothing.
        denylist=tuple(one for one in ruling.denylist if not 0 < one.until <= running.at),
    )


def _insist(findings: tuple[Finding, ...]) -> None:
    """Refuse unless `findings` are free of errors."""
    if not has_errors(findings):
        return
    wrong = [one for one in settle(findings) if one.severity is Severity.ERROR]
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    raise _No(f"{wrong[0]}{more}", wrong[0].fix, tuple(settle(findings)))


def _named(known: Future[Provenance]) -> Provenance:
    try:
        return known.result(_GIT_S)
    except TooSlow:
        return Provenance()


def _finding(file: str, line: int, code: str, message: str, fix: str) -> Finding:
    return Finding(file=file, line=line, column=1, code=code, severity=Severity.ERROR, message=message, fix=fix)
