"""What an operator sees at 3 a.m., as data: what holds, why, and what is typed to end it."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal

from engine.core.depeg import depeg_active
from engine.core.headline import headline, unwatched
from engine.core.health import health_report
from engine.core.overrides import scope_words
from engine.core.report_overrides import overrides_status
from engine.core.state import State
from engine.model.codec import Data, decimal_text
from engine.model.events import RunMode
from engine.model.fills import Position
from engine.model.flags import FlagValue
from engine.model.ledger import OrderRecord
from engine.model.restraints import NONE, InForce
from engine.model.samples import Status
from engine.model.time import SECOND
from engine.policy.quotes import quote_left
from engine.ruleset.words import restraint_words


def status(state: State) -> Data:
    """Return the status of `state` as the command line and the journal show it."""
    overall = state.policy.overall
    return {
        **headline(state),
        "at": state.at, "mode": state.mode.value, "asked": state.asked.value,
        "mode_held": list(state.mode_held), "level": state.policy.general.level.word, "size_mult": overall.size_mult,
        "mute": sorted(overall.mute), "deny": sorted(overall.deny), "deny_quotes": sorted(overall.deny_quotes),
        "quote": quote_left(state.quote_preference, overall.deny_quotes), "risk_depeg_active": depeg_active(state),
        "max_notional_usd": None if overall.max_notional_usd is None else decimal_text(overall.max_notional_usd),
        "restrains": [_restrains(state, item) for item in state.policy.in_force if item.restraint != NONE],
        "positions": _positions(state),
        "daily_loss": _daily_loss(state), "health": health_report(state),
        "nearest": _nearest(state),
        "stale": _stale(state),
        "overrides": [
            {
                "flag": flag.name, "value": flag.value, "reason": flag.reason, "actor": flag.actor,
                "until": flag.until, "waits": flag.waits,
            }
            for flag in state.flags.overrides()
        ],
        **overrides_status(state),
        "not_guarding": _not_guarding(state),
        "latches": _latches(state),
        "boundary": {"at": state.boundary_at, "local": str(state.flags.values.get("DAILY_RESET_TZ", "UTC"))},
        "orders": state.execution.count_orders(), "live_orders": _live_orders(state),
        "flattening": state.execution.flattening(), "income": state.execution.income(),
        "pnl_usd": round(pnl_usd(state), 2),
        "counts": state.tally.dump(),
        "candidate": _candidate(state), "generation": state.generation,
        "rules_digest": state.ruling.rules.digest, "ruling": state.ruling.digest,
        "reload_failed": None if state.reload_fault is None else asdict(state.reload_fault),
    }


def _candidate(state: State) -> Data:
    """Return what a rule set in shadow would have made of the run, or None where there is none."""
    candidate = state.candidate
    if candidate is None:
        return None
    differs = candidate.policy.overall
    return {
        "ruling": candidate.ruling.digest, "rules": len(candidate.ruling.rules.rules),
        "level": differs.level.word, "restraint": restraint_words(differs), **candidate.found.dump(),
        "latches": [latch.name for latch in candidate.book.latches()],
    }


def _restrains(state: State, item: InForce) -> Data:
    # One instance may have several latches open, an episode each; the command names which one this is.
    number = next(
        (latch.number for latch in state.book.latches() if item.clear_with == f"engine rearm {latch.number}"), None
    )
    return {
        "rule": item.rule, "instance": item.instance, "because": item.because,
        "restraint": restraint_words(item.restraint), "about": _about(item),
        "since": item.since, "ends": item.ends, "clear_with": item.clear_with,
        "latch": number if item.because == "latched" else None,
    }


def _about(item: InForce) -> str:
    """Return what a person's restriction is about where it is not everything: its name says nothing of it."""
    return scope_words(item.scope) if item.because == "operator" and not item.restraint.deny else ""


def _positions(state: State) -> list[Data]:
    return [_position(state, position) for position in state.execution.positions() if position.quantity != 0]


def _live_orders(state: State) -> list[Data]:
    return [
        {
            "client_id": record.client_id, "venue": record.venue, "symbol": record.symbol,
            "intent": record.intent.value, "side": record.side.value, "kind": record.kind.value,
            "quantity": None if record.quantity is None else decimal_text(record.quantity),
            "filled": decimal_text(record.filled), "price": _price_of(record), "state": record.state.value,
            "reduces": record.reduces, "purpose": record.purpose, "sent_at": record.sent_at,
            "foreign": record.foreign, "reason": record.reason,
        }
        for record in state.execution.all_live()
    ]


def _price_of(record: OrderRecord) -> str:
    price = record.trigger_price or record.limit_price
    return "" if price is None else decimal_text(price)


def _position(state: State, position: Position) -> Data:
    quote = state.reducers.quote(position.venue, position.symbol)
    mark = None if quote is None else (quote.bid + quote.ask) / 2
    open_pnl = None
    if mark is not None:
        open_pnl = round(float((Decimal(str(mark)) - position.average_price) * position.quantity), 2)
    return {
        "venue": position.venue, "symbol": position.symbol, "quantity": decimal_text(position.quantity),
        "average_price": decimal_text(position.average_price.quantize(Decimal("1e-8"))), "mark": mark,
        "pnl_usd": open_pnl, "stop": state.execution.stop_of(position.venue, position.symbol),
    }


def _daily_loss(state: State) -> Data:
    used = state.guardian.daily_loss_pct(state.look)
    return {
        "used_pct": None if used is None else round(max(0.0, used), 4),
        "limit_pct": state.flags.values.get("DAILY_LOSS_LIMIT_PCT"),
        "limit_usd": _loss_limit(state), **state.guardian.report(state.look),
    }


def _loss_limit(state: State) -> FlagValue | None:
    """Return how many USD a day may cost in this mode: a limited session has a limit of its own, and a smaller one."""
    names = ["MAX_DAILY_LOSS_USD"]
    names += ["LIMITED_LIVE_MAX_DAILY_LOSS_USD"] if state.mode is RunMode.LIMITED_LIVE else []
    limits = [limit for limit in map(state.flags.values.get, names) if isinstance(limit, int | float)]
    return min(limits, default=None)


def _nearest(state: State) -> list[Data]:
    return [
        {
            "instance": view.instance, "state": view.state, "margin": round(view.margin or 0.0, 4),
            "inputs": dict(view.inputs),
        }
        for view in state.book.nearest(state.at, 3)
    ]


def _stale(state: State) -> list[Data]:
    rows: list[Data] = []
    for sample in state.snapshot.doubtful(state.at):
        if sample.status is Status.UNWIRED:
            continue
        rows.append(
            {
                "signal": sample.name, "labels": list(sample.labels), "status": sample.status.name.lower(),
                "age_s": None if sample.age is None else sample.age // SECOND, "producer": sample.producer,
            }
        )
    return rows


def _not_guarding(state: State) -> list[Data]:
    idle = [{"rule": instance, "why": why} for instance, why in state.book.idle()]
    return idle + [
        {"rule": item.instance, "why": f"unwatched: no source tells of {', '.join(sorted(item.restraint.deny_quotes))}"}
        for item in state.policy.in_force if unwatched(state, item)
    ]


def _latches(state: State) -> list[Data]:
    return [
        {
            "number": latch.number, "name": latch.name, "rule": latch.rule, "mode": str(latch.mode),
            "since": latch.since, "restraint": restraint_words(latch.restraint),
            "clear_with": f"engine rearm {latch.number}",
        }
        for latch in state.book.latches()
    ]


def pnl_usd(state: State) -> float:
    """Return realised and open profit less fees of all positions, in USD-like quote currency."""
    total = Decimal(0)
    for position in state.execution.positions():
        total += position.realized - position.fees
        quote = state.reducers.quote(position.venue, position.symbol)
        if position.quantity != 0 and quote is not None:
            mid = (Decimal(str(quote.bid)) + Decimal(str(quote.ask))) / 2
            total += (mid - position.average_price) * position.quantity
    return float(total)
