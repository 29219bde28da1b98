"""A live run goes on exactly as its journal has it, wherever it was cut off; what cannot be so halts and is known."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from engine.adapters.journal_sqlite import SqliteJournal
from engine.adapters.notifier_print import JournalledNotifier
from engine.core.checkpoint import dump_state
from engine.core.step import step
from engine.model.codec import canonical
from engine.model.effects import PlaceOrder
from engine.model.events import HaltCommand, Input, OrderWithheld, RunMode
from engine.model.orders import Intent, OrderKind, OrderState, Side
from engine.ports.feed import TapeEvent
from engine.ports.journal import JournalError
from engine.runtime.config import STRATEGIES, Config, config_from_source
from engine.runtime.gate import PolicyGate
from engine.runtime.live import check_same_money
from engine.runtime.options import RunError
from engine.runtime.perform import Performer
from engine.runtime.recover import Recovered, begin_or_recover, live_checkpoint, recover, start_of
from engine.runtime.taking import Deciding, Taker
from tests.core.kit import config, heading, told

HEADER = heading()
VENUE = "paper"


class Player(Taker):
    """Takes a tape's events as a live run would: each kept in the journal before it is taken."""

    def __init__(self, run: Recovered) -> None:
        assert run.paper is not None
        for instrument in HEADER.instruments:
            run.paper.define(instrument)
        self.run = run
        self.withheld: list[OrderWithheld] = []
        super().__init__(Deciding(
            state=run.state, record=run.record, observe=lambda effect: 0.0, keep=run.record.market,
            performer=Performer(PolicyGate(run.state), run.paper, JournalledNotifier(), self.withheld.append),
        ))

    def start(self, journal: SqliteJournal, epoch: str) -> None:
        begin = start_of(journal, self.run, RunMode.DRY_RUN, epoch=epoch, venues=())
        self.take_urgent(max(self.at, self.run.at), begin)
        journal.commit(durable=True)

    def market(self, at: int, event: TapeEvent) -> None:
        paper = self.run.paper
        assert paper is not None
        while (due := paper.next_due()) is not None and due <= at:
            for reached, answer in paper.pop_due(due):
                self.take_urgent(reached, answer)
        self.at = max(self.at, at)
        paper.on_market(event, self.at)
        self.seq += 1
        self.run.record.market(self.seq, self.at, event)
        self._after(step(self.run.state, Input(self.seq, self.at, event)), self.at)


def begun(path: Path) -> tuple[SqliteJournal, Player]:
    journal = SqliteJournal.open(path / "journal.sqlite")
    run = begin_or_recover(journal, config(), HEADER.producers, HEADER.first_at)
    player = Player(run)
    player.start(journal, "aa11")
    return journal, player


def canonical_state(run: Recovered) -> bytes:
    return canonical(dump_state(run.state))


@pytest.mark.parametrize("cut", [1, 57, 900, 9000])
def test_a_run_that_was_cut_off_goes_on_as_it_was(tmp_path: Path, cut: int) -> None:
    journal, player = begun(tmp_path)
    for number, (at, event) in enumerate(told()[1][:cut], start=1):
        player.market(at, event)
        if number == cut // 2:
            journal.write_checkpoint(live_checkpoint(player.run, player.seq, player.at))
    journal.commit()
    lived = {player.seq: canonical_state(player.run)}
    # Taken, and committed only as far as an order or an answer made it so: the rest is as if it had not happened.
    for at, event in told()[1][cut : cut + 20]:
        player.market(at, event)
        lived[player.seq] = canonical_state(player.run)
    journal.close()

    again = SqliteJournal.open(tmp_path / "journal.sqlite")
    found = recover(again, lambda digest: config())
    assert found.broken is None
    assert found.again <= cut + 2
    assert canonical_state(found) == lived[found.seq]
    again.close()


def test_orders_without_an_answer_are_of_unknown_fate_for_a_new_process(tmp_path: Path) -> None:
    journal, player = begun(tmp_path)
    for at, event in told()[1]:
        player.market(at, event)
        if any(record.state is OrderState.SENT for record in player.run.state.execution.all_live()):
            break
    sent = [record.client_id for record in player.run.state.execution.all_live()]
    assert sent
    journal.close()

    again = SqliteJournal.open(tmp_path / "journal.sqlite")
    run = begin_or_recover(again, config(), HEADER.producers, HEADER.first_at)
    second = Player(run)
    second.start(again, "bb22")
    found = [run.state.execution.order(client_id) for client_id in sent]
    assert [record.state for record in found if record is not None] == [OrderState.UNKNOWN] * len(sent)
    again.close()


def lost_order(at: int) -> PlaceOrder:
    return PlaceOrder(
        at=at, client_id="rb-aa11-99", account="main", venue=VENUE, symbol="NOVAUSDT", side=Side.BUY,
        kind=OrderKind.MARKET, intent=Intent.ENTRY, quantity=Decimal(3), limit_price=None, trigger_price=None,
        reference_price=Decimal(2), reduce_only=False, close_position=False, post_only=False, purpose="x",
        policy_version=1,
    )


def test_a_journal_that_does_not_follow_from_its_inputs_halts_and_its_orders_count(tmp_path: Path) -> None:
    journal, player = begun(tmp_path)
    for at, event in told()[1][:300]:
        player.market(at, event)
    # An effect that no input explains: another version of the engine wrote it, or a fault of ours.
    player.run.record.effects(player.seq, player.at, [lost_order(player.at)])
    journal.close()

    again = SqliteJournal.open(tmp_path / "journal.sqlite")
    run = begin_or_recover(again, config(), HEADER.producers, HEADER.first_at)
    assert run.broken is not None and [order.client_id for order in run.broken.orders] == ["rb-aa11-99"]
    second = Player(run)
    second.start(again, "bb22")
    second.take_urgent(second.at, run.broken)
    record = run.state.execution.order("rb-aa11-99")
    assert record is not None and record.state is OrderState.UNKNOWN
    assert run.state.execution.exposure("main", VENUE, "NOVAUSDT").open_buys == 3
    assert run.state.policy.overall.level.word == "halted"
    again.close()

    third = begin_or_recover(SqliteJournal.open(tmp_path / "journal.sqlite"), config(), HEADER.producers, 0)
    assert third.broken is None, "what was found once is a part of the state"


def test_an_edited_settings_file_holds_for_a_run_that_goes_on(tmp_path: Path) -> None:
    journal, player = begun(tmp_path)
    player.take_urgent(player.at, HaltCommand(actor="me", reason="", source="socket"))
    journal.close()

    disk = config()
    edited = disk.settings.execution
    changed = replace(disk, settings=replace(disk.settings, execution=replace(edited, in_flight=edited.in_flight * 2)))
    changed = replace(changed, blobs=replace(changed.blobs, settings=changed.settings.deciding()))
    again = SqliteJournal.open(tmp_path / "journal.sqlite")
    run = begin_or_recover(again, changed, HEADER.producers, HEADER.first_at)
    assert run.state.halts, "what a person asked for is still asked for"
    assert any("edited" in note for note in run.notes)
    again.close()


def with_strategies(text: str) -> Config:
    """Return the shipped configuration with another conf/strategies.yaml."""
    data = json.loads(config().blobs.source)
    source = canonical({**data, "files": {**data["files"], STRATEGIES: f"version: 1\nstrategies: {text}\n"}})
    return config_from_source(config().root, source)


def test_another_set_of_strategies_holds_from_a_start_on_and_is_told(tmp_path: Path) -> None:
    """What stays remembers what it knew; what it began with stands in its `Start`."""
    journal, player = begun(tmp_path)
    for at, event in told()[1][:300]:
        player.market(at, event)
    journal.write_checkpoint(live_checkpoint(player.run, player.seq, player.at))
    journal.close()
    kept = dump_state(player.run.state)["strategies"]["event_breakout"]

    again = SqliteJournal.open(tmp_path / "journal.sqlite")
    run = begin_or_recover(again, with_strategies("[{name: event_breakout}]"), HEADER.producers, HEADER.first_at)
    assert [one.name for one in run.state.strategies] == ["event_breakout"]
    assert dump_state(run.state)["strategies"] == {"event_breakout": kept}
    assert any("what runs now is event_breakout" in note for note in run.notes)
    assert start_of(again, run, RunMode.DRY_RUN, epoch="bb22", venues=()).strategies == ("event_breakout (shipped)",)
    again.close()


def test_a_strategy_that_has_orders_is_not_left_out(tmp_path: Path) -> None:
    """Its stops would stay at the venue, and nobody would follow them."""
    journal, player = begun(tmp_path)
    for at, event in told()[1]:
        player.market(at, event)
        if player.run.state.look.positions() and player.run.state.execution.all_live():
            break
    journal.write_checkpoint(live_checkpoint(player.run, player.seq, player.at))
    journal.close()

    again = SqliteJournal.open(tmp_path / "journal.sqlite")
    with pytest.raises(JournalError, match="no longer names event_breakout, which has orders on"):
        begin_or_recover(again, with_strategies("[{name: scalp}]"), HEADER.producers, HEADER.first_at)
    again.close()


def test_a_directory_of_a_tape_is_refused(tmp_path: Path) -> None:
    journal, player = begun(tmp_path)
    player.run.paper = None
    journal.close()
    again = SqliteJournal.open(tmp_path / "other.sqlite")
    again.append_input(1, 5, start_of(again, player.run, RunMode.DRY_RUN, epoch="x", venues=()))
    again.commit(durable=True)
    with pytest.raises(JournalError, match="never stood still"):
        begin_or_recover(again, config(), HEADER.producers, 0)
    again.close()


def test_a_run_on_paper_does_not_go_on_with_money(tmp_path: Path) -> None:
    journal, player = begun(tmp_path)
    journal.close()
    again = SqliteJournal.open(tmp_path / "journal.sqlite")
    run = begin_or_recover(again, config(), HEADER.producers, HEADER.first_at)
    check_same_money(run, RunMode.DRY_RUN)
    with pytest.raises(RunError, match="holds a run in mode dry-run"):
        check_same_money(run, RunMode.LIMITED_LIVE)
    again.close()
    fresh = SqliteJournal.open(tmp_path / "fresh.sqlite")
    check_same_money(begin_or_recover(fresh, config(), HEADER.producers, 5), RunMode.LIMITED_LIVE)
    fresh.close()
    assert player.run.seq == 0
