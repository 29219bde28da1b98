"""The papers of the night: what the core told at the daily boundary, put where people and the next reload find it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from engine.model.codec import Data, to_data
from engine.model.effects import Effect
from engine.model.nightly import OffendersJudged, RiskMeasured
from engine.model.time import format_second
from engine.runtime.config import DENYLIST
from engine.runtime.denylist_refresh import RefreshError, refresh_file

FOLDER = "var"
"""Where a state directory keeps what was at risk, a file a day."""
_METHOD = (
    "historical simulation: each day of the lookback that every position with a history knows, applied to the"
    " notionals of now; positions without one lose the same on each of them (unknown_usd)"
)


class Nightly:
    """Hears every effect of a run; nothing it cannot write ends the run."""

    def __init__(self, state: Path, warn: Callable[[str], None], root: Path | None = None) -> None:
        """`root` is where conf/ lies whose denylist is refreshed; None where the run is no reason to edit it."""
        self._state, self._warn, self._root = state, warn, root

    def hear(self, effect: Effect) -> None:
        """Write down what `effect` leaves."""
        try:
            if type(effect) is RiskMeasured:
                write_risk(self._state, effect)
            elif type(effect) is OffendersJudged and self._root is not None:
                made = refresh_file(self._root / DENYLIST, effect.offences, effect.day, effect.at)
                for note in made.notes:
                    self._warn(note)
        except (OSError, RefreshError) as error:
            self._warn(f"the night's {type(effect).__name__} could not be written: {error}")


def risk_data(effect: RiskMeasured) -> Data:
    """Return what the file of a day says."""
    data = to_data(effect)
    return {
        "day": effect.day, "at": format_second(effect.at), "var_usd": data["var_usd"],
        "confidence_pct": effect.confidence_pct, "method": _METHOD, "quantile": effect.quantile,
        "lookback_days": effect.lookback_days, "days": len(effect.results), "unknown_usd": data["unknown_usd"],
        "positions": data["held"], "results": data["results"],
    }


def write_risk(state: Path, effect: RiskMeasured) -> Path:
    """Write the file of the day, whole or not at all, and return where; the same again writes the same. OSError."""
    folder = state / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    path, fresh = folder / f"{effect.day}.json", folder / f".{effect.day}.{os.getpid()}"
    fresh.write_text(json.dumps(risk_data(effect), indent=2) + "\n", encoding="utf-8")
    os.replace(fresh, path)
    return path
