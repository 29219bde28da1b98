"""What must be so when a simulation is over: after a quiet while the books agree, and the run can be run again."""

from __future__ import annotations

import json
from collections import Counter

from engine.core.checkpoint import dump_state
from engine.core.state import State
from engine.exchange.exchange import SimulatedExchange
from engine.model.codec import canonical, decode
from engine.model.effects import Effect, FillBooked, TargetOpened
from engine.model.orders import OrderState
from engine.ports.journal import Journal, JournalError
from engine.runtime.recover import Read, recover
from engine.runtime.simulate_judge import Judge
from engine.runtime.simulate_laws import BOOKS, FILLS, REPLAY

_FEW = 4


def judge_end(judge: Judge, state: State, exchange: SimulatedExchange, journal: Journal, read: Read) -> None:
    """Compare what the engine believes with what is so, and its journal with what it did, at the end of a run."""
    at = state.at
    for what in unequal(state, exchange):
        judge.violation(BOOKS, at, what)
    for what in miscounted(exchange, journal):
        judge.violation(FILLS, at, what)
    for what in unrepeatable(state, journal, read):
        judge.violation(REPLAY, at, what)


def unequal(state: State, exchange: SimulatedExchange) -> list[str]:
    """Return where the engine's books are not the venue's."""
    held = {(one.venue, one.symbol): one.quantity for one in exchange.positions()}
    believed = {(one.venue, one.symbol): one.quantity for one in state.execution.positions() if one.quantity}
    found = [
        f"{key[1]}: the engine believes in {believed.get(key, 0)}, the venue has {held.get(key, 0)}"
        for key in sorted(held.keys() | believed.keys()) if held.get(key, 0) != believed.get(key, 0)
    ]
    there = {one.order.client_id: one for one in exchange.open_orders()}
    records = [record for key in _symbols(state, exchange) for record in state.execution.live(*key)]
    live = {record.client_id for record in records}
    found += [f"{one} is live at the venue and not known to be" for one in sorted(there.keys() - live)]
    found += [
        f"{record.client_id} is {record.state.value} for the engine and not at the venue"
        for record in records if record.client_id not in there and not record.state.final
    ]
    found += [
        f"{record.client_id} is still of unknown fate" for record in records if record.state is OrderState.UNKNOWN
    ]
    found += [
        f"{client_id}, a stop of {one.order.symbol}, is left though nothing is held"
        for client_id, one in sorted(there.items())
        if one.conditional and (one.order.venue, one.order.symbol) not in held
    ]
    return _few(found)


def _symbols(state: State, exchange: SimulatedExchange) -> list[tuple[str, str]]:
    known = {(one.venue, one.symbol) for one in state.look.instruments.values()}
    return sorted(known | {(one.order.venue, one.order.symbol) for one in exchange.open_orders()})


def targets_of(journal: Journal) -> list[TargetOpened]:
    """Return the targets that rules and flattening opened, as they are on the disk."""
    rows = (row for row in journal.effects_after(0) if row.kind == TargetOpened.__name__)
    return [decode(Effect, row.payload) for row in rows]


def miscounted(exchange: SimulatedExchange, journal: Journal) -> list[str]:
    """Return every trade of the venue that was not booked exactly once, and every booking that was no trade."""
    booked: Counter[tuple[str, str]] = Counter()
    for effect in journal.effects_after(0):
        if effect.kind == FillBooked.__name__:
            fill = json.loads(effect.payload)["fill"]
            booked[fill["symbol"], fill["trade_id"]] += 1
    traded = {(fill.symbol, fill.trade_id): fill for fill in exchange.trades()}
    found = [
        f"trade {trade} of {fill.client_id} ({fill.side} {fill.quantity} {symbol}) was booked {times} times"
        for (symbol, trade), fill in traded.items() if (times := booked[symbol, trade]) != 1
    ]
    found += [f"trade {trade} of {symbol} was booked and never was" for symbol, trade in sorted(booked.keys() - traded)]
    return _few(found)


def unrepeatable(state: State, journal: Journal, read: Read) -> list[str]:
    """Return why the run does not come out of its own journal again, byte for byte."""
    broken = journal.verify()
    if broken:
        return [broken]
    try:
        again = recover(journal, read)
    except JournalError as error:
        return [error.what]
    if again.broken is not None:
        return [again.broken.what]
    if canonical(dump_state(again.state)) != canonical(dump_state(state)):
        before, after = dump_state(state), dump_state(again.state)
        parts = ", ".join(sorted(key for key in before if canonical(before[key]) != canonical(after[key])))
        return [f"what the journal leads to is not what the engine knows: {parts}"]
    return []


def _few(found: list[str]) -> list[str]:
    """Return one line for many findings of a sort."""
    more = [f"and {len(found) - _FEW} more"] if len(found) > _FEW else []
    return ["; ".join([*found[:_FEW], *more])] if found else []
