"""The papers of the night: what the core told at the daily boundary, put where people and the next reload find it.

The core tells each night once, and makes up at a start for those that passed while no engine ran;
all of it is in the journal. What is told and not on the disk yet, because the process ended
between the two or the disk would not take it, is owed: it is written at the next start, or
tried again while the run lasts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from engine.model.codec import Data, decode, to_data
from engine.model.effects import Effect
from engine.model.nightly import OffendersJudged, RiskMeasured
from engine.model.time import MINUTE, format_second
from engine.ports.journal import About, JournalError, JournalReader
from engine.runtime.config import DENYLIST
from engine.runtime.denylist_refresh import RefreshError, refresh_file
from engine.runtime.whole_file import put_whole

FOLDER = "var"
"""Where a state directory keeps what was at risk, a file a day."""
DONE = "nightly.json"
"""Which night was the last whose papers are on the disk, by the kind of paper."""
NIGHTS = 31
"""How many nights are looked back for at a start."""
AGAIN = 10 * MINUTE
"""How long what could not be written waits until it is tried again."""
_METHOD = (
    "historical simulation: each day of the lookback that every position with a history knows, applied to the"
    " notionals of now; positions without one lose the same on each of them (unknown_usd)"
)
Paper = RiskMeasured | OffendersJudged


class Nightly:
    """Hears every effect of a run; nothing it cannot write ends the run."""

    def __init__(self, state: Path, warn: Callable[[str], None], root: Path | None = None) -> None:
        """`root` is where conf/ lies whose denylist is refreshed; None where the run is on a tape.

        What a run on a tape leaves is made again by the same run: nothing of it is forced to the
        disk or owed, and no denylist is edited for it.
        """
        self._state, self._warn, self._root = state, warn, root
        self._owed: dict[tuple[str, str], Paper] = {}
        self._again = 0

    def hear(self, effect: Effect) -> None:
        """Write down what `effect` leaves, and what is owed once its time has come."""
        if type(effect) is RiskMeasured or type(effect) is OffendersJudged:
            self._write(effect, effect.at)
        elif self._owed and effect.at >= self._again:
            for paper in list(self._owed.values()):
                self._write(paper, effect.at)

    def make_up(self, journal: JournalReader, now: int) -> None:
        """Write what the nights in `journal` told and the disk does not have, as of `now` (ns); tell of each."""
        try:
            missed = [*self._missed_risk(journal), *self._missed_offenders(journal)]
        except (JournalError, KeyError, TypeError, ValueError) as error:
            self._warn(f"what the nights before left could not be looked up: {error}")
            return
        for paper in missed:
            if self._write(paper, now):
                self._warn(f"made up for the night of {paper.day}: {_what(paper)}")

    def _missed_risk(self, journal: JournalReader) -> list[Paper]:
        told = list(_told(journal, RiskMeasured.__name__))
        missed = [one for one in told if one.day > _done(self._state, RiskMeasured.__name__)]
        # What a machine that went down left in pieces is written again.
        return missed or [one for one in told[-1:] if not _is_whole(self._state, one.day)]

    def _missed_offenders(self, journal: JournalReader) -> list[Paper]:
        # The newest judgement has the days before it in it. One that was written is not written again: a person may
        # have taken a line out since.
        newest = list(_told(journal, OffendersJudged.__name__))[-1:]
        return [one for one in newest if one.day > _done(self._state, OffendersJudged.__name__)]

    def _write(self, paper: Paper, now: int) -> bool:
        """Write `paper` as of `now` (ns); whether that was done. What was not is owed."""
        name = type(paper).__name__, paper.day if type(paper) is RiskMeasured else ""
        try:
            if type(paper) is RiskMeasured:
                write_risk(self._state, paper, durable=self._root is not None)
            elif type(paper) is OffendersJudged and self._root is not None:
                lasting = tuple(one for one in paper.offences if one.until > now)
                made = refresh_file(self._root / DENYLIST, lasting, paper.day, max(paper.at, now))
                for note in made.notes:
                    self._warn(note)
            if self._root is not None:
                _note_done(self._state, name[0], paper.day)
        except (OSError, RefreshError) as error:
            if name not in self._owed:
                self._warn(f"the night's {name[0]} could not be written: {error}")
            if self._root is not None:
                self._owed[name] = paper
                self._again = now + AGAIN
            return False
        if self._owed.pop(name, None) is not None:
            self._warn(f"the night of {paper.day} is written at last: {_what(paper)}")
        return True


def risk_data(effect: RiskMeasured) -> Data:
    """Return what the file of a day says."""
    data = to_data(effect)
    return {
        "day": effect.day, "at": format_second(effect.at), "var_usd": data["var_usd"],
        "confidence_pct": effect.confidence_pct, "method": _METHOD, "quantile": effect.quantile,
        "lookback_days": effect.lookback_days, "days": len(effect.results), "unknown_usd": data["unknown_usd"],
        "positions": data["held"], "results": data["results"],
    }


def write_risk(state: Path, effect: RiskMeasured, *, durable: bool) -> Path:
    """Write the file of the day, whole or not at all, and return where; the same again writes the same. OSError.

    With `durable` it is on the disk on return, and stays there whatever happens to the machine.
    """
    folder = state / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{effect.day}.json"
    put_whole(path, (json.dumps(risk_data(effect), indent=2) + "\n").encode(), durable=durable)
    return path


def _what(paper: Paper) -> str:
    return f"{FOLDER}/{paper.day}.json" if type(paper) is RiskMeasured else DENYLIST


def _told(journal: JournalReader, kind: str) -> Iterator[Paper]:
    for effect in journal.effects_about(About(kind=kind, newest=NIGHTS)):
        paper = decode(Effect, effect.payload)
        if isinstance(paper, RiskMeasured | OffendersJudged):
            yield paper


def _is_whole(state: Path, day: str) -> bool:
    try:
        said = json.loads((state / FOLDER / f"{day}.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get("day") == day


def _done(state: Path, kind: str) -> str:
    """Return the last day whose paper of this kind is written; empty for none."""
    return _all_done(state).get(kind, "")


def _all_done(state: Path) -> dict[str, str]:
    try:
        said = json.loads((state / DONE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return {str(kind): str(day) for kind, day in said.items()} if isinstance(said, dict) else {}


def _note_done(state: Path, kind: str, day: str) -> None:
    done = _all_done(state)
    done[kind] = max(day, done.get(kind, ""))
    put_whole(state / DONE, (json.dumps(done, sort_keys=True) + "\n").encode())
