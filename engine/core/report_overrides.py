"""What an operator laid over the rules, as the status shows it: with its end and the command that ends it."""

from __future__ import annotations

from engine.core.overrides import restriction_words
from engine.core.state import State
from engine.core.waiving import unwaiving
from engine.model.codec import Data
from engine.model.overrides import Denial, Restriction, Term, Waiver
from engine.model.restraints import NONE, InForce
from engine.ruleset.words import restraint_words

FIRST = 20
"""Lines of the denylist file that a status names."""
_BY_A_TTL = frozenset({"firing", "clearing", "cooldown"})


def overrides_status(state: State) -> Data:
    """Return restrictions, denials, waivers, maintenance, and what of rules ends by contract."""
    book = state.overrides
    denied = [one for one in state.ruling.denylist if not 0 < one.until <= state.at]
    return {
        "restrictions": [_restriction(one) for one in book.restrictions.values()],
        "denials": [_denial(one) for _, one in sorted(book.denials.items())],
        "denied_by_file": {
            "count": len(denied),
            "first": [{"symbol": one.symbol, "line": one.line, "until": one.until} for one in denied[:FIRST]],
        },
        "waivers": [_waiver(state, one) for _, one in sorted(book.waivers.items())],
        "maintenance": None if book.maintenance is None else _term(book.maintenance, "engine maintenance --end"),
        "lapsing": [_lapsing(one) for one in state.policy.in_force if one.ttl and one.because in _BY_A_TTL],
    }


def _restriction(one: Restriction) -> Data:
    return {
        "number": one.number, "what": restriction_words(one), "restraint": restraint_words(one.restraint),
        "symbol": one.scope.symbol, "venue": one.scope.venue, "intent": one.scope.intent, "maker_off": one.maker_off,
        **_term(one.term, f"engine unrestrict {one.number}"),
    }


def _denial(one: Denial) -> Data:
    return {"symbol": one.symbol, **_term(one.term, f"engine undeny {one.symbol}")}


def _waiver(state: State, one: Waiver) -> Data:
    held = [force for force in state.book.restraints() if one.covers(force.rule, force.instance)]
    return {
        "name": one.name, "rule": one.rule, "kill": one.kill,
        "holds_back": [_held_back(force) for force in held if force.restraint != NONE],
        **_term(one.term, unwaiving(one.name)),
    }


def _held_back(force: InForce) -> Data:
    return {"instance": force.instance, "restraint": restraint_words(force.restraint), "because": force.because}


def _lapsing(one: InForce) -> Data:
    labels = one.instance.removeprefix(one.rule).strip("[]")
    which = f"{one.rule}/{labels}" if labels else one.rule
    return {
        "rule": one.rule, "instance": one.instance, "restraint": restraint_words(one.restraint),
        "because": one.because, "since": one.since, "until": one.until, "ttl": one.ttl, "ends": one.ends,
        "end": f"engine waive {which} --for 30m --reason TEXT",
    }


def _term(term: Term, end: str) -> Data:
    return {
        "actor": term.actor, "reason": term.reason, "since": term.since, "until": term.ends_at(), "waits": term.waits,
        "end": end,
    }
