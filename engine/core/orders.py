"""From wishes to effects: review each proposal, then plan what was approved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.core.broken import broke, called, heard
from engine.core.candidate import Candidate
from engine.core.committed import elsewhere_usd
from engine.core.noted import told_proposal
from engine.core.settle import rehold
from engine.core.state import State
from engine.execution.router import Granted
from engine.model.effects import AskVenue, Effect, Notify, OrderRefused, PlaceOrder, PlanMade
from engine.model.history import MarkKind
from engine.model.orders import Cancellation, Closing, Proposal
from engine.model.restraints import InForce
from engine.model.samples import Derived
from engine.model.wishes import Wish
from engine.policy.join import OrderKey, Policy
from engine.policy.review import Approved, Circumstances, Refused, Verdict, review
from engine.ruleset.evaluate import RuleBook


def dispatch(state: State, at: int, wishes: Iterable[Wish], out: list[Effect]) -> None:
    """Review `wishes` in their order and add the effects of what may be done.

    Each is reviewed and planned before the next, because an order that is about to be
    sent is exposure for the one behind it.
    """
    for wish in wishes:
        state.stirred = True
        if isinstance(wish, Proposal):
            _review_one(state, at, _routed(state, at, wish), out)
        elif isinstance(wish, Cancellation):
            state.router.on_cancellation(wish)
            out.extend(state.execution.plan(at, (), (wish,), state.policy.version))
        elif isinstance(wish, Closing):
            out.extend(state.execution.close(at, wish))
        elif isinstance(wish, Derived):
            # What no catalogue lists nobody can read: a strategy may count more than an operator wants to know.
            if wish.name in state.snapshot.catalogue.specs:
                state.snapshot.put_named(wish.name, wish.labels, wish.value, wish.event_at, at)
        elif isinstance(wish, AskVenue):
            out.append(state.execution.number(wish))
        else:
            state.tally.notifications += isinstance(wish, Notify) and wish.told
            out.append(wish)


def granted_at(state: State, at: int) -> Granted:
    """Return what tells whether makers are allowed at `at`."""
    def granted(venue: str, symbol: str, intent: str) -> bool:
        return _maker_granted(state, state.book, at, (venue, symbol, intent))[0]

    return granted


def _maker_granted(
    state: State, book: RuleBook, at: int, order: tuple[str, str, str]
) -> tuple[bool, tuple[str, ...]]:
    """Return whether a maker may rest for (venue, symbol, intent), and who is against it."""
    venue, symbol, intent = order
    granted, why = book.maker_granted(at, venue=venue, symbol=symbol, intent=intent)
    by_hand = state.overrides.maker_off(
        {"account": state.account, "venue": venue, "symbol": symbol, "intent": intent}
    )
    return granted and not by_hand, (*by_hand, *why)


def _routed(state: State, at: int, proposal: Proposal) -> Proposal:
    """Let the router choose how `proposal` is to be executed; whether it may be is decided behind."""
    return state.router.route(at, proposal, state.look, granted_at(state, at))


def _review_one(state: State, at: int, proposal: Proposal, out: list[Effect]) -> None:
    now = _circumstances(state, at, proposal, state.book, state.policy)
    verdict = review(proposal, now)
    if state.candidate is not None:
        _compare_orders(state, state.candidate, at, verdict)
    if state.snapshot.recorded:
        state.snapshot.note(at, MarkKind.PROPOSAL, told_proposal(proposal, verdict, now))
    if isinstance(verdict, Approved):
        effects = state.execution.plan(at, (verdict,), (), state.policy.version)
        placed = next((effect for effect in effects if isinstance(effect, PlaceOrder)), None)
        state.tally.orders += placed is not None
        state.router.on_placed(at, verdict.proposal, placed)
        out.extend(effects)
        return
    state.tally.refused += 1
    state.tally.skips[verdict.reason] += 1
    if "order_refusals" in state.snapshot.catalogue.specs:
        asked = verdict.proposal
        labels = (asked.venue, asked.symbol, asked.intent.value, verdict.reason)
        state.snapshot.put_named("order_refusals", labels, 1.0, at, at)
    out.append(_refusal(at, verdict))
    out.extend(state.router.on_refused(at, verdict.proposal, verdict.reason))
    if verdict.proposal.continues is not None:
        # The wish itself was let through: its proposer learns from the orders how far it has come.
        return
    _tell_strategy(state, at, verdict, out)
    state.execution.on_refused(at, verdict.proposal, verdict.reason)
    state.stops.on_refused(at, verdict.proposal, verdict.reason)


def _tell_strategy(state: State, at: int, refused: Refused, out: list[Effect]) -> None:
    """Let the strategy that proposed know; it may tell something, and propose only when it is asked again."""
    for strategy in state.strategies:
        if called(strategy) != refused.proposal.proposer or called(strategy) in state.broken:
            continue
        try:
            told = strategy.on_refused(at, refused.proposal, refused.reason)
        except Exception as error:
            broke(state, at, called(strategy), error, out)
            continue
        wishes = heard(state, at, strategy, told, out)
        dispatch(state, at, [wish for wish in wishes if not isinstance(wish, Proposal)], out)


def _compare_orders(state: State, candidate: Candidate, at: int, live: Approved | Refused) -> None:
    """Ask the candidate of the same order; what it says is counted and nothing else."""
    other = review(live.proposal, _circumstances(state, at, live.proposal, candidate.book, candidate.policy))
    candidate.judged(
        "" if isinstance(live, Approved) else live.reason, "" if isinstance(other, Approved) else other.reason
    )


def _refusal(at: int, refused: Refused) -> OrderRefused:
    proposal = refused.proposal
    return OrderRefused(
        at=at, proposer=proposal.proposer, purpose=proposal.purpose, intent=proposal.intent, venue=proposal.venue,
        symbol=proposal.symbol, side=proposal.side, reason=refused.reason, detail=refused.detail(), rules=refused.rules,
    )


def _circumstances(state: State, at: int, proposal: Proposal, book: RuleBook, policy: Policy) -> Circumstances:
    def unmet(key: OrderKey) -> tuple[InForce, ...]:
        account, venue, symbol, intent = key
        return state.overrides.lift(book.unmet(account=account, venue=venue, symbol=symbol, intent=intent))

    def judge(order: dict[str, float | str], labels: dict[str, str]) -> Sequence[Verdict]:
        return [
            Verdict(rule=found.rule, truth=found.truth, reasons=found.reasons, inputs=found.inputs)
            for found in book.judge_entry(at, order, labels)
            if state.overrides.waiver_of(found.rule) is None
        ]

    def maker_granted(venue: str, symbol: str, intent: str) -> tuple[bool, tuple[str, ...]]:
        return _maker_granted(state, book, at, (venue, symbol, intent))

    return Circumstances(
        policy=policy,
        instrument=state.look.instrument(proposal.venue, proposal.symbol),
        exposure=state.execution.exposure(proposal.account, proposal.venue, proposal.symbol),
        unmet=unmet, judge=judge, maker_granted=maker_granted, quote_preference=state.quote_preference,
        elsewhere_usd=lambda: elsewhere_usd(state, proposal.account, (proposal.venue, proposal.symbol)),
    )


def converge(state: State, at: int, out: list[Effect]) -> None:
    """Open the targets of new episodes and move the positions toward all open ones."""
    for episode in state.book.take_episodes():
        if episode.action is not None:
            state.stirred = True
            # The hedge first: it is worked out from what is held now, like the trim beside it.
            hedged = state.execution.hedges.open(at, episode, state.look)
            opened = [*hedged, *state.execution.open_targets(at, episode, state.flags.values)]
            state.tally.notifications += sum(isinstance(effect, Notify) for effect in opened)
            out.extend(opened)
    version = state.book.version
    if state.execution.hedges.wants_look(version):
        state.stirred = True
        dispatch(state, at, state.execution.hedges.step(at, state.look, state.book.episode, version), out)
        # What holds a market for a hedge is in force from here on: a process that takes this state over joins it too.
        rehold(state, at, out)
    if state.execution.has_targets():
        state.stirred = True
        _drop_trims(state, at, out)
        dispatch(state, at, state.execution.converge(at, state.look), out)


def _drop_trims(state: State, at: int, out: list[Effect]) -> None:
    """Give up the trims of rules that nobody enforces any more: a feature that is off sends nothing."""
    for target in state.execution.targets.trims():
        rule = target.name.partition("/")[0]
        if not any(one.compiled.enforced for one in state.book.of_rule(rule)):
            state.execution.targets.drop(target)
            text = f"{target.name}: its rule is off, the position stays as it is"
            out.append(PlanMade(at=at, strategy="execution", symbol=target.symbol, state="trim_dropped", text=text))


__all__ = ["converge", "dispatch", "granted_at"]
