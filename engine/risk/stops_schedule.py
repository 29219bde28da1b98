"""When a watch next wants to be looked at though nothing happened, and what it makes of the signals."""

from __future__ import annotations

from collections.abc import Iterator

from engine.model.codec import Data, decimal_text
from engine.model.restraints import InForce, Level, Restraint, Scope
from engine.model.samples import Derived
from engine.model.time import SECOND
from engine.risk.stops_cover import WORD
from engine.risk.stops_repair import ASK_BACK_AGAIN, PATIENCE
from engine.risk.stops_watch import RULE, Settings, Watch

BARE, OPEN, FLAT = 1 * SECOND, 5 * SECOND, 25 * SECOND
"""Samples are no further apart than this while a position is unprotected, while one is open, and else."""


def next_look(watch: Watch, at: int, settings: Settings) -> int | None:
    """Return the next instant after `at` at which something of `watch` may be due (ns), or None."""
    instants = list(_instants(watch, settings))
    if not instants:
        return None
    # What was due and could not be done is tried again in a second: it waits for something that may not say so.
    later = [one for one in instants if one > at]
    return min([*later, at + SECOND]) if len(later) < len(instants) else min(later)


def _instants(watch: Watch, settings: Settings) -> Iterator[int]:
    if watch.bare_since and not watch.closing:
        yield watch.retry_at if watch.missing else watch.ready_at(settings.grace)
    if watch.word_at and not watch.bare_since:
        yield watch.word_at + WORD
    if watch.triggered and not watch.closing:
        yield from (heard + settings.triggered for heard in watch.triggered.values())
    if watch.surplus_since:
        asked = [one + ASK_BACK_AGAIN for one in watch.swept.values()]
        yield max([watch.surplus_since + PATIENCE, *asked])
    yield from (doubt.ask_at for doubt in watch.doubts.values() if not doubt.gone)
    yield from (take.gone_at + settings.grace for take in watch.takes if take.gone_at)


def hold(watch: Watch, settings: Settings) -> InForce | None:
    """Return what is restrained because the stop of `watch` is missing, or was too often."""
    if watch.missing:
        # Who may not repair must not go on elsewhere as if it were no matter.
        scope = Scope(venue=watch.venue, symbol=watch.symbol if settings.repair else "")
        ends = "ends when a stop on the whole position is proven, or the position is closed"
        return _paused(watch, scope, watch.bare_since, ends, "" if settings.repair else _REPAIR)
    if watch.exhausted:
        left = settings.budget // 2
        ends = f"repaired {len(watch.repairs)} times within the hour: ends when no more than {left} are"
        return _paused(watch, Scope(venue=watch.venue, symbol=watch.symbol), watch.repairs[-1], ends, "")
    return None


_REPAIR = "engine flag set STOP_VALIDATOR_REPAIR true"


def _paused(watch: Watch, scope: Scope, since: int, ends: str, command: str) -> InForce:
    return InForce(
        rule=RULE, instance=f"{RULE}[{watch.venue},{watch.symbol}]", scope=scope,
        restraint=Restraint(level=Level.ENTRIES_PAUSED), because="firing", since=since, ends=ends, clear_with=command,
    )


def samples_of(watch: Watch, at: int) -> list[Derived]:
    """Return the samples of one symbol: seconds without a proven stop, and how often it was missing and repaired."""
    labels = watch.key
    made = [Derived("unprotected_s", labels, bare_seconds(watch, at), at)]
    if watch.missing_total:
        made.append(Derived("stop_validator_missing_total", labels, float(watch.missing_total), at))
    if watch.repaired_total:
        made.append(Derived("stop_validator_repaired_total", labels, float(watch.repaired_total), at))
    # Each repair once, as an event: a symbol that was never repaired is known not to be, and is not held for it.
    made += [Derived("stop_repaired", labels, 1.0, at)] * (watch.repaired_total - watch.told_repaired)
    watch.told_repaired = watch.repaired_total
    return made


def bare_seconds(watch: Watch, at: int) -> float:
    """Return how long the position has been without a proven stop, in seconds; 0 while it has one or is flat."""
    return max(0, at - watch.bare_since) / SECOND if watch.bare_since else 0.0


def row_of(watch: Watch, at: int) -> Data:
    """Return what people are shown of one position: instants in ns, None where there is none."""
    return {
        "venue": watch.venue, "symbol": watch.symbol, "side": "long" if watch.sign > 0 else "short",
        "stop": watch.stop if not watch.bare_since else None,
        "trigger": None if watch.trigger is None else decimal_text(watch.trigger),
        "since": watch.stop_since or None, "proven_at": watch.proven_at or None,
        "unprotected_since": watch.bare_since or None, "unprotected_s": bare_seconds(watch, at),
        "missing": watch.missing, "closing": watch.closing or None, "repairs_within_hour": len(watch.repairs),
        "doubted": [name for name, doubt in watch.doubts.items() if not doubt.gone],
    }
