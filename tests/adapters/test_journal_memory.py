"""Two journals, one promise: what is kept, what is seen, what is refused; in a file and in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.adapters.journal_memory import MemoryJournal
from engine.adapters.journal_sqlite import SqliteJournal
from engine.model.codec import encode
from engine.model.digest import GENESIS
from engine.model.effects import Notify
from engine.model.events import HaltCommand, OrderAccepted, RearmCommand
from engine.model.market import Heartbeat
from engine.ports.journal import About, Checkpoint, ClientIdReused, Journal
from tests.adapters.test_journal_sqlite import Writer, moved, order


class World:
    """A journal of either kind, and how its process dies."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._path = folder / "journal.sqlite" if kind == "sqlite" else None
        self.journal: Journal = MemoryJournal() if self._path is None else SqliteJournal.open(self._path)

    def crash(self) -> Journal:
        if isinstance(self.journal, MemoryJournal):
            self.journal.crash()
        else:
            self.journal.close()
            assert self._path is not None
            self.journal = SqliteJournal.open(self._path)
        return self.journal

    def before_and_after_a_crash(self) -> Iterator[Journal]:
        yield self.journal
        yield self.crash()


@pytest.fixture(params=["sqlite", "memory"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return World(request.param, tmp_path)


def test_an_empty_journal_ends_at_genesis(world: World) -> None:
    tail = world.journal.tail()
    assert (tail.input_seq, tail.effect_n, tail.seq, tail.at, tail.digest) == (0, 0, 0, 0, GENESIS)
    assert world.journal.get_status() is None
    assert world.journal.last_checkpoint().checkpoint is None
    assert world.journal.digest_at(0) == GENESIS and world.journal.digest_at(1) is None


def test_what_was_committed_survives_and_what_was_not_is_gone(world: World) -> None:
    journal = world.journal
    writer = Writer(journal)
    halt = HaltCommand(actor="ann", reason="ü", source="socket")
    journal.append_input(3, 100, halt)
    journal.append_market(4, 110, Heartbeat("feed", 110))
    writer.add(Notify(at=101, to="page", rule="guard.x", text="t"), order("rb-1", at=101), seq=5)
    blob = journal.put_blob(b"rules")
    journal.put_status({"at": 101, "line": "HALTED"})
    journal.commit()
    kept = writer.digest
    journal.append_input(6, 120, halt)
    journal.append_market(7, 130, Heartbeat("feed", 130))
    writer.add(order("rb-2", at=131), seq=7)
    journal.put_status({"at": 131, "line": "other"})
    for seen in world.before_and_after_a_crash():
        tail = seen.tail()
        assert (tail.input_seq, tail.effect_n, tail.seq, tail.at, tail.digest) == (3, 2, 5, 110, kept)
        assert seen.input_at(3) == encode(halt)
        assert [seen.input_at(seq) for seq in (2, 4, 6)] == [None, None, None]
        assert [one.seq for one in seen.inputs_after(0)] == [3] and list(seen.inputs_after(3)) == []
        assert [(one.seq, one.at) for one in seen.all_after(0)] == [(3, 100), (4, 110)]
        assert [one.payload for one in seen.all_after(3)] == [encode(Heartbeat("feed", 110))]
        assert [(one.n, one.seq, one.kind) for one in seen.effects_after(1)] == [(2, 5, "PlaceOrder")]
        assert seen.digest_at(2) == kept and seen.digest_at(3) is None
        assert seen.get_blob(blob) == b"rules" and seen.get_blob("0" * 64) is None
        assert seen.get_status() == {"at": 101, "line": "HALTED"}
        assert seen.verify() == ""
    again = Writer(world.journal)
    again.add(order("rb-2", at=140), seq=8)
    world.journal.commit()
    assert world.journal.tail().effect_n == 3 and world.journal.verify() == ""


def test_a_client_id_is_written_once(world: World) -> None:
    """In one commit, over commits and over a crash; what else was appended stays good."""
    writer = Writer(world.journal)
    writer.add(order("rb-1"))
    with pytest.raises(ClientIdReused, match="rb-1"):
        Writer(world.journal).add(order("rb-1"))
    world.journal.commit()
    with pytest.raises(ClientIdReused):
        Writer(world.journal).add(order("rb-1"))
    writer = Writer(world.crash())
    with pytest.raises(ClientIdReused):
        writer.add(order("rb-1"))
    writer = Writer(world.journal)
    writer.add(order("rb-2"))
    world.journal.commit()
    assert world.journal.tail().effect_n == 2 and world.journal.verify() == ""


def test_the_newest_three_checkpoints_are_kept_and_the_market_behind_them(world: World) -> None:
    journal = world.journal
    for seq in (10, 20, 30, 40):
        journal.append_market(seq - 1, seq * 10 - 5, Heartbeat("feed", seq))
        journal.append_market(seq + 1, seq * 10 + 5, Heartbeat("feed", seq))
        journal.write_checkpoint(Checkpoint(seq=seq, at=seq * 10, effect_n=0, payload=b"state %d" % seq))
    for seen in world.before_and_after_a_crash():
        found = seen.last_checkpoint()
        assert found.checkpoint == Checkpoint(seq=40, at=400, effect_n=0, payload=b"state 40") and found.damaged == ()
        earlier = seen.last_checkpoint(until=399).checkpoint
        assert earlier is not None and earlier.seq == 30
        assert seen.last_checkpoint(until=199).checkpoint is None
        assert [one.seq for one in seen.all_after(0)] == [21, 29, 31, 39, 41]
        assert seen.tail().seq == 41


def test_records_are_found_by_what_they_are_about(world: World) -> None:
    journal = world.journal
    writer = Writer(journal)
    writer.add(
        moved("guard.feed.stale", "guard.feed.stale[paper]", 1),
        moved("guard.feed.stale", "guard.feed.stale[other]", 2),
        order("rb-1", at=5),
    )
    journal.append_input(4, 6, OrderAccepted(client_id="rb-1", venue_order_id="9", venue_at=5))
    journal.append_input(5, 7, RearmCommand(actor="a", latch="1"))
    journal.commit()

    def found(about: About) -> list[int]:
        return [one.n for one in journal.effects_about(about)]

    assert found(About()) == [1, 2, 3]
    assert found(About(rule="guard.feed.stale")) == [1, 2]
    assert found(About(rule="guard.feed.stale", newest=1)) == [2]
    assert found(About(rule="guard.feed.stale[other]", since=2, until=2)) == [2]
    assert found(About(rule="guard.feed.stale", kind="PlaceOrder")) == []
    assert found(About(symbol="ALFAUSDT", client_id="rb-1")) == [3]
    assert [one.seq for one in journal.inputs_about(About(client_id="rb-1"))] == [4]
    assert [one.seq for one in journal.inputs_about(About(kind="RearmCommand"))] == [5]


def test_a_power_cut_takes_what_was_not_synced() -> None:
    """In memory only: no test can cut the power of a file."""
    journal = MemoryJournal()
    writer = Writer(journal)
    writer.add(Notify(at=1, to="page", rule="", text=""))
    journal.commit(durable=True)
    writer.add(Notify(at=2, to="page", rule="", text=""))
    journal.append_market(2, 2, Heartbeat("feed", 2))
    journal.commit()
    assert journal.tail().effect_n == 2
    journal.crash()
    assert journal.tail().effect_n == 2
    journal.crash(power_cut=True)
    assert journal.tail().effect_n == 1 and list(journal.all_after(0)) == []
    writer = Writer(journal)
    writer.add(Notify(at=2, to="page", rule="", text=""))
    journal.commit()
    journal.append_input(3, 3, RearmCommand(actor="a", latch="1"))
    journal.commit()
    journal.crash(power_cut=True)
    assert journal.tail().effect_n == 2 and journal.tail().input_seq == 3
