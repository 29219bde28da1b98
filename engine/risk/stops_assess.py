"""Whether a position is protected now, since when it is not, and when that must be said.

The only place where a watch turns: what is evidence was weighed before, what is to be done
is decided after.
"""

from __future__ import annotations

from engine.model.codec import decimal_text
from engine.model.ledger import OrderRecord
from engine.model.orders import Side
from engine.risk.stops_cover import covering, is_stop, stands, surplus, tightest, vouched
from engine.risk.stops_evidence import convict, forget_ended
from engine.risk.stops_watch import PROPOSER, Moment, Watch


def assess(watch: Watch, now: Moment) -> None:
    """Bring `watch` up to date with the ledger and the evidence at `now`."""
    sign = now.sign()
    if sign != watch.sign or not watch.since:
        _turn(watch, sign, now)
    forget_ended(watch, now)
    convict(watch, now.settings.confirmations)
    watch.surplus_since = (watch.surplus_since or now.at) if surplus(watch, now) else 0
    if not watch.sign:
        return
    found = covering(watch, now)
    if found:
        watch.word_at = 0
        _protected(watch, now, found[-1])
    elif vouched(watch, now.at):
        _vouched(watch, now)
    else:
        _bare(watch, now)


def _turn(watch: Watch, sign: int, now: Moment) -> None:
    """The position was opened, closed or turned round: what is known of its stop was about another one."""
    # A closing that was asked for goes on until it is reached, and its name is not used again.
    watch.sign, watch.since, watch.closing = sign, now.at, ""
    watch.bare_since, watch.missing, watch.flat_at = 0, False, 0
    watch.stop, watch.trigger, watch.stop_since, watch.proven_at = "", None, 0, 0
    watch.reported, watch.reported_trigger, watch.word_at = "", None, 0
    watch.purpose, watch.refused_as, watch.retry_at, watch.failures = "", "", 0, 0
    watch.doubts.clear()
    watch.triggered.clear()
    watch.takes.clear()


def _protected(watch: Watch, now: Moment, record: OrderRecord) -> None:
    watch.trigger = record.trigger_price
    if record.client_id != watch.stop:
        watch.stop, watch.stop_since, watch.proven_at = record.client_id, now.at, max(record.moved_at, 0)
    if watch.missing and record.proposer == PROPOSER:
        watch.repaired_total += 1
        text = f"{watch.symbol}: the missing stop was placed again at {_text(watch)}, after {_seconds(watch, now)} s"
        watch.news.append(("alert", text))
    elif watch.missing:
        text = f"{watch.symbol}: its stop at {_text(watch)} is back after {_seconds(watch, now)} s"
        watch.news.append(("alert", text))
    _relieved(watch)


def _vouched(watch: Watch, now: Moment) -> None:
    name = watch.reported or "at the venue"
    if name != watch.stop:
        watch.stop, watch.stop_since, watch.proven_at = name, now.at, now.at
    if watch.reported:
        watch.trigger = watch.reported_trigger or watch.trigger
    if watch.missing:
        text = f"{watch.symbol}: the venue says that there is a stop on the whole position; it is taken at its word"
        watch.news.append(("alert", text))
    _relieved(watch)


def _relieved(watch: Watch) -> None:
    if watch.bare_since:
        watch.retry_at = 0
    watch.bare_since, watch.missing, watch.failures = 0, False, 0
    if not watch.purpose:
        watch.refused_as = ""


def _bare(watch: Watch, now: Moment) -> None:
    if not watch.bare_since:
        gone = [doubt.since for doubt in watch.doubts.values() if doubt.gone]
        # Since the first evidence, not since the last that was needed to believe it.
        watch.bare_since = max(watch.since, min(gone)) if watch.stop in watch.doubts and gone else now.at
    standing = [one for one in now.records if stands(one, watch)]
    if watch.trigger is None:
        watch.trigger = tightest(standing, watch) or tightest((one for one in now.records if is_stop(one)), watch)
    if watch.missing or now.at < watch.ready_at(now.settings.grace) or watch.closing:
        return
    watch.missing = True
    watch.missing_total += 1
    side = "long" if watch.side is Side.SELL else "short"
    held = f"{watch.symbol}: {side} {decimal_text(now.held)}"
    by_hand = "STOP_VALIDATOR_REPAIR is off: place one by hand, or engine flatten"
    doing = "placing one" if now.settings.repair else by_hand
    watch.news.append(("page", f"{held} has had no proven stop for {_seconds(watch, now)} s; {doing}"))


def _seconds(watch: Watch, now: Moment) -> str:
    return f"{(now.at - watch.bare_since) / 1e9:.0f}"


def _text(watch: Watch) -> str:
    return "?" if watch.trigger is None else decimal_text(watch.trigger)
