"""Runs over the recorded Chainlink rounds: what the depeg guards of the shipped set make of them.

A round holds until the next. The confirm windows are 60 s each and count time, not rounds: three windows are 180 s in
which no round was back. Chainlink tells a round when the price moved by 0.25 %, and once a day where it did not, so
that in these runs a peg may be 30 h old; live, `max_age` is 150 s, and a source is asked every minute.

Two years of timers of a whole core take minutes, and none of them is about a peg: here the signals and the rules run as
the core runs them and nothing else does. `test_rules_diff_depeg` and `whole` take days of it through everything.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from engine.model.effects import RuleMoved
from engine.model.events import Input
from engine.model.market import OraclePrice
from engine.model.time import SECOND
from engine.ruleset.evaluate import RuleBook
from engine.runtime.config import load_config
from engine.runtime.wiring_tapes import ImportOptions, import_files, named_tape
from engine.signals.reduce import Reducers, ReducerSettings
from engine.signals.snapshot import Snapshot
from tests.adapters.independent_depeg import DepegEpisode
from tests.shared_data import DEPEG
from tests.simulation.command import ROOT
from tests.simulation.watch import watched

FILES = {
    "usdt": DEPEG / "chainlink_usdt_usd_202102_202211.parquet",
    "usdc": DEPEG / "chainlink_usdc_usd_20221120_202303.parquet",
}
"""By coin, as its rule's id ends."""
_PEG_AGE = re.compile(r"(  - name: peg_\w+_usd\n(?:    .*\n)*?    max_age: )150s")


def root_with_old_oracle(place: Path) -> Path:
    """Return a copy of the configuration in which a peg may be 30 h old, as a daily oracle needs."""
    for name in ("conf", "rules"):
        shutil.copytree(ROOT / name, place / name)
    shutil.copy(ROOT / "RUNBOOK.md", place)
    signals = place / "conf/signals.yaml"
    text, count = _PEG_AGE.subn(r"\g<1>30h", signals.read_text())
    assert count == 3
    signals.write_text(text)
    return place


def set_flag(root: Path, name: str, value: float) -> None:
    """Give the flag `name` a value in the file, as a person would."""
    path = root / "conf/flags.yaml"
    lines = path.read_text().splitlines()
    at = lines.index(f"  - name: {name}")
    lines.insert(at + 1, f"    value: {value}")
    path.write_text("\n".join(lines) + "\n")


def imported(coin: str, place: Path, rounds: Path | None = None) -> Path:
    """Return the tape of a coin's rounds (those of the whole file, where no part of it is given), made in `place`."""
    tape = place / f"{coin}.tape"
    import_files([str(rounds or FILES[coin])], str(tape), ImportOptions(), None)
    return tape


class RulesAlone:
    """The signals and the depeg rules of a configuration, driven as the core drives them."""

    def __init__(self, root: Path, at: int) -> None:
        config = load_config(root, {})
        assert config.usable, config.findings
        ruling, flags = config.ruling(), config.flag_book().values
        rules = replace(ruling.rules, rules=tuple(
            rule for rule in ruling.rules.rules if rule.id.startswith("guard.depeg.")
        ))
        self._snapshot = Snapshot(ruling.catalogue)
        self._reducers = Reducers(self._snapshot, ReducerSettings.from_flags(flags))
        self.book = RuleBook(rules, ruling.catalogue, self._snapshot, flags, unwired=frozenset(), at=at)
        self._seq = 0
        self.moves: list[RuleMoved] = []

    def take(self, event: OraclePrice, at: int) -> None:
        """Fire what is due until `at` (ns), then take `event` in."""
        while (due := self._due()) is not None and due <= at:
            self._snapshot.fire(due)
            self._settle(due)
            self.book.fire(due)
            self._settle(due)
        self._seq += 1
        self._reducers.fold(Input(self._seq, at, event))
        self._settle(at)

    def _due(self) -> int | None:
        dues = (self._snapshot.next_due(), self.book.next_due())
        return min((due for due in dues if due is not None), default=None)

    def _settle(self, at: int) -> None:
        while not self._snapshot.settled():
            self._snapshot.take_new_labels()
            self.book.on_changed(at, self._snapshot.take_changed())
        self.moves += [move for move in self.book.take_moves() if isinstance(move, RuleMoved)]


def fired(coin: str, root: Path, tape: Path) -> list[DepegEpisode]:
    """Return what the coin's guard makes of the whole tape."""
    events = [(at, event) for at, event in named_tape(str(tape)).events() if isinstance(event, OraclePrice)]
    alone = RulesAlone(root, events[0][0])
    for at, event in events:
        alone.take(event, at)
    return episodes_of(alone.moves, coin)


def whole(coin: str, root: Path, tape: Path, state: Path) -> list[DepegEpisode]:
    """Return the same of a run of the whole engine."""
    return episodes_of(watched(root, str(tape), state).effects, coin)


def episodes_of(effects: Iterable[object], coin: str) -> list[DepegEpisode]:
    """Return the episodes of the coin's guard: when it began to wait, fired and cleared (s)."""
    found: list[DepegEpisode] = []
    pending = 0
    for move in effects:
        if not isinstance(move, RuleMoved) or move.rule != f"guard.depeg.{coin}":
            continue
        at_s = move.at // SECOND
        if move.after == "pending":
            pending = at_s
        elif move.after == "firing" and move.before not in ("firing", "clearing"):
            found.append(DepegEpisode(pending, at_s, None))
        elif move.before in ("firing", "clearing") and move.after not in ("firing", "clearing"):
            found[-1] = replace(found[-1], cleared_s=at_s)
    return found
