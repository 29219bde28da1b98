"""Who offends by the days that a state directory remembers: for refreshing the denylist by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from engine.model.flags import FlagValue
from engine.model.nightly import Offence
from engine.ports.journal import JournalReader
from engine.risk.offenders import Offenders
from engine.runtime.denylist_refresh import RefreshError
from engine.runtime.saved import unpack


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What is known: who offends, the local day that was running, and as of when (ns)."""

    offences: tuple[Offence, ...]
    day: str
    at: int


def remembered(reader: JournalReader, flags: Mapping[str, FlagValue]) -> Remembered:
    """Return who offends by the newest kept state of the run in `reader`, judged by `flags`; its last day is not over.

    RefreshError where nothing is kept, or by another version.
    """
    found = reader.last_checkpoint().checkpoint
    if found is None:
        raise RefreshError("no state of this run is kept yet", "ask again when the engine has run for a minute")
    try:
        _, data = unpack(found)
        core = data["core"]
        offenders = Offenders()
        offenders.load(core["offenders"])
        day, at = str(core["boundary_day"]), int(core["at"])
        ordinal = date.fromisoformat(day).toordinal() - 1
    except (KeyError, ValueError) as error:
        raise RefreshError(
            f"the state of this run was written by another version of the engine ({error})",
            "start the engine on it once",
        ) from error
    return Remembered(offences=offenders.judge(at, ordinal, flags), day=day, at=at)
