"""What is done about a missing stop: a new one, and where none can be had, the way out.

The new stop is there before the old one is asked back. Each attempt costs of a budget that
comes back by the hour; a stop that cannot be placed, that would trigger at once, or that
triggered and did not fill, ends in closing the position at market. An attempt that the
venue refuses because it holds a stop on the whole position already is no failure: it is
the venue's word that there is one.
"""

from __future__ import annotations

from decimal import Decimal

from engine.model.codec import decimal_text
from engine.model.effects import Notify, PlanMade
from engine.model.ledger import OrderRecord
from engine.model.orders import Cancellation, Closing, Intent, OrderKind, OrderState, Proposal, Side
from engine.model.reports import Rejection
from engine.model.time import HOUR, MINUTE, SECOND
from engine.model.wishes import Wish
from engine.risk.stops_cover import WORD, leaving, stands, surplus
from engine.risk.stops_watch import PROPOSER, RULE, Moment, Watch

MOST_FAILURES = 3
"""After so many refusals in a row there is no stop to be had."""
FIRST_RETRY = 1 * SECOND
PATIENCE = 2 * SECOND
"""How long a venue gets to end the stops of a closed position, and execution to take back what it replaced."""
ASK_BACK_AGAIN = 10 * SECOND
_NO_STOP = frozenset({Rejection.CAPABILITY.value, Rejection.TOO_MANY.value})
_OUTSIDE = frozenset({Rejection.LIMITED.value, Rejection.CLOCK.value, Rejection.NOT_SENT.value})
"""Refusals that say nothing of the stop: an exit would be refused like it. Only the budget ends these."""


def tell(watch: Watch, at: int) -> list[Wish]:
    """Return what has happened to `watch` as messages and lines of the story, once."""
    told: list[Wish] = []
    for to, text in watch.news:
        if to in ("page", "alert"):
            told.append(Notify(at=at, to=to, rule=RULE, text=text))
        else:
            told.append(PlanMade(at=at, strategy=PROPOSER, symbol=watch.symbol, state=to, text=text))
    watch.news.clear()
    return told


def mend(watch: Watch, now: Moment) -> list[Wish]:
    """Return what brings a position that is open back under a stop, or out."""
    if not watch.sign:
        return []
    stuck = _stuck(watch, now)
    if stuck:
        return _close(watch, stuck)
    _follow(watch, now)
    unlucky = _hopeless(watch)
    if watch.bare_since and unlucky:
        return _close(watch, unlucky)
    if not _wanted(watch, now) or now.at < watch.retry_at or watch.purpose or leaving(now):
        return []
    return _place(watch, now)


def _wanted(watch: Watch, now: Moment) -> bool:
    if watch.closing or not now.settings.repair or now.instrument is None:
        return False
    if watch.bare_since:
        return watch.missing
    # The venue's word is asked for again before it is too old to be believed.
    return watch.word_at > 0 and not watch.reported and now.at >= watch.word_at + WORD


def _place(watch: Watch, now: Moment) -> list[Wish]:
    trigger, reference = trigger_of(watch, now), now.reference()
    if trigger is None or trigger <= 0 or reference <= 0:
        return []
    touch = now.touch(watch.side)
    if watch.bare_since and touch is not None and (touch - trigger) * watch.sign <= 0:
        price = f"the price is {decimal_text(touch)}"
        return _close(watch, f"{price}, through where its missing stop belongs ({decimal_text(trigger)})")
    if watch.bare_since and spent(watch, now):
        return _close(watch, f"its stop was repaired {len(watch.repairs)} times within the hour")
    watch.numbered += 1
    watch.repairs.append(now.at)
    watch.purpose = f"{watch.symbol}/validator/{watch.numbered}"
    watch.refused_as = ""
    counted = f"{len(watch.repairs)} of {now.settings.budget} an hour"
    text = f"stop on the whole position at {decimal_text(trigger)} ({counted})"
    story = PlanMade(at=now.at, strategy=PROPOSER, symbol=watch.symbol, state="repairing", text=text)
    return [story, Proposal(
        proposer=PROPOSER, purpose=watch.purpose, intent=Intent.STOP, venue=watch.venue, symbol=watch.symbol,
        side=watch.side, kind=OrderKind.STOP_MARKET, quantity=None, reference_price=reference, trigger_price=trigger,
        close_position=True, replaces=_too_small(watch, now), account=now.view.account,
    )]


def trigger_of(watch: Watch, now: Moment) -> Decimal | None:
    """Return where the stop belongs, rounded to protect sooner; None where no price is known.

    Where the last one was, else the flag's percentage on the losing side of the entry.
    """
    wanted = watch.trigger
    if wanted is None:
        entry = now.position.average_price if now.position.average_price > 0 else now.reference()
        wanted = entry * (1 - watch.sign * now.settings.loss_pct / 100)
    if now.instrument is None or wanted <= 0:
        return None
    return now.instrument.price_up(wanted) if watch.side is Side.SELL else now.instrument.price_down(wanted)


def _too_small(watch: Watch, now: Moment) -> str | None:
    """Return the stop for less than is held that the new one replaces; one that a strategy moves is its own affair."""
    small = [
        one for one in now.records
        if stands(one, watch) and one.side is watch.side and (one.foreign or one.proposer == PROPOSER)
    ]
    return small[-1].client_id if small else None


def spent(watch: Watch, now: Moment) -> bool:
    """Whether the budget of repairs is spent. It is until half of it has come back: no flapping at its edge."""
    watch.repairs = [one for one in watch.repairs if now.at - one < HOUR]
    if len(watch.repairs) >= now.settings.budget:
        watch.exhausted = True
    elif len(watch.repairs) <= now.settings.budget // 2:
        watch.exhausted = False
    return watch.exhausted


def _follow(watch: Watch, now: Moment) -> None:
    """Take over what became of the repair under way."""
    if not watch.purpose:
        return
    record = now.orders.latest(PROPOSER, watch.purpose)
    if record is None or record.working or record.state is OrderState.CANCELLING:
        watch.purpose = ""
        return
    if not record.state.final:
        if now.at < record.sent_at + now.settings.grace:
            return
        # Execution will find out what became of it; a second stop on the whole position cannot add risk. That
        # nobody answered is no refusal: only the budget ends it.
        watch.purpose = ""
        if not watch.bare_since:
            # The venue's word still stands: there is time to ask for it again.
            watch.retry_at = now.at + MINUTE
        return
    if record.state is OrderState.REJECTED:
        _refused(watch, record, now.at)
    elif record.state is not OrderState.FILLED:
        _failed(watch, now.at)
    watch.purpose = ""


def _refused(watch: Watch, record: OrderRecord, at: int) -> None:
    kind = watch.refused_as or record.rejection.value
    if kind == Rejection.CLOSE_EXISTS.value:
        watch.word_at, watch.bare_since, watch.missing, watch.failures = at, 0, False, 0
        # It cost the venue an order and us nothing: only what was placed counts.
        watch.repairs = watch.repairs[:-1]
        text = "the venue refused another stop because there is one: taken at its word, and asked where it is"
        watch.news.append(("found", text))
        return
    watch.word_at = 0
    if kind in _OUTSIDE:
        watch.retry_at = at + FIRST_RETRY * 2 ** min(len(watch.repairs), 5)
        return
    watch.refused_as = kind
    _failed(watch, at)


def _failed(watch: Watch, at: int) -> None:
    watch.purpose = ""
    watch.failures += 1
    watch.retry_at = at + FIRST_RETRY * 2 ** min(watch.failures - 1, 5)


def on_refused(watch: Watch, proposal: Proposal, at: int) -> None:
    """Policy refused the repair, so nothing left: it is tried again, and costs nothing."""
    if proposal.purpose == watch.purpose:
        watch.repairs = watch.repairs[:-1]
        watch.purpose = ""
        watch.retry_at = at + FIRST_RETRY


def _hopeless(watch: Watch) -> str:
    if watch.closing:
        return ""
    if watch.refused_as == Rejection.WOULD_TRIGGER.value:
        return "the venue says that its stop would trigger at once"
    if watch.refused_as in _NO_STOP:
        return f"the venue takes no stop ({watch.refused_as})"
    if watch.failures >= MOST_FAILURES:
        return f"{watch.failures} stops in a row came to nothing"
    return ""


def _stuck(watch: Watch, now: Moment) -> str:
    """Return why to leave at market: a stop that triggered and has not filled in time."""
    late = [name for name, at in watch.triggered.items() if now.at >= at + now.settings.triggered]
    if not late or watch.closing or leaving(now):
        return ""
    return f"its stop {late[0]} triggered {now.settings.triggered / 1e9:g} s ago and is not filled"


def _close(watch: Watch, why: str) -> list[Wish]:
    watch.closings += 1
    watch.closing = f"stops/{watch.symbol}/{watch.closings}"
    watch.purpose, watch.refused_as = "", ""
    watch.news.append(("page", f"{watch.symbol} is closed at market: {why}"))
    return [Closing(name=watch.closing, venue=watch.venue, symbol=watch.symbol, why=why)]


def flat_since_surplus(watch: Watch) -> bool:
    """Whether the venue itself said that nothing is held, since the stops there are one too many."""
    return watch.flat_at > max(watch.since, watch.surplus_since)


def sweep(watch: Watch, now: Moment) -> list[Wish]:
    """Return the stops that are to be taken back: orphans of a flat symbol, doubles, and those on the wrong side."""
    if not watch.surplus_since or now.at < watch.surplus_since + PATIENCE:
        return []
    if not watch.sign and now.live and not flat_since_surplus(watch):
        # We may be wrong about being flat; the stop would be all that is left.
        return []
    why = "the position is closed" if not watch.sign else "the position has its one stop"
    wishes: list[Wish] = []
    for record in surplus(watch, now):
        if now.at < watch.swept.get(record.client_id, -ASK_BACK_AGAIN) + ASK_BACK_AGAIN:
            continue
        watch.swept[record.client_id] = now.at
        what = why if not watch.sign or record.side is watch.side else "it is on the wrong side"
        watch.news.append(("swept", f"stop {record.client_id} is taken back: {what}"))
        wishes.append(Cancellation(
            proposer=PROPOSER, client_id=record.client_id, venue=watch.venue, symbol=watch.symbol, why=what,
        ))
    return wishes
