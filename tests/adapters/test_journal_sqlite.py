"""What was committed is kept, what is damaged is named, and a reader disturbs nobody."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from engine.adapters.journal_sqlite import MOST_WAITING, SqliteJournal
from engine.adapters.journal_sqlite_read import SqliteReader
from engine.model.codec import decode, encode
from engine.model.digest import GENESIS, next_digest
from engine.model.effects import (
    Effect,
    LatchCleared,
    LatchSet,
    Notify,
    OrderRefused,
    PlaceOrder,
    PolicyChanged,
    RuleMoved,
    TargetOpened,
)
from engine.model.events import Event, HaltCommand, OrderAccepted, RearmCommand
from engine.model.orders import Intent, OrderKind, Side
from engine.ports.journal import About, Checkpoint, ClientIdReused, Journal, JournalError


def order(client_id: str, at: int = 5, symbol: str = "ALFAUSDT") -> PlaceOrder:
    return PlaceOrder(
        at=at, client_id=client_id, account="main", venue="paper", symbol=symbol, side=Side.BUY, kind=OrderKind.MARKET,
        intent=Intent.ENTRY, quantity=Decimal("1.50"), limit_price=None, trigger_price=None,
        reference_price=Decimal("2.1"), reduce_only=False, close_position=False, post_only=False, purpose="p",
        policy_version=3,
    )


def moved(rule: str, instance: str, at: int) -> RuleMoved:
    return RuleMoved(
        at=at, rule=rule, instance=instance, before="inactive", after="firing", why="true", inputs=(("x", "1"),),
        source="rules/a.yaml:3", restrains="level halted", episode=1,
    )


class Writer:
    """Appends effects with their place and their link, as a run does."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        tail = journal.tail()
        self.n, self.digest = tail.effect_n, tail.digest

    def add(self, *effects: Effect, seq: int = 1) -> None:
        for effect in effects:
            raw = encode(effect)
            self.digest = next_digest(self.digest, raw)
            self.n += 1
            self.journal.append_effect(self.n, seq, effect.at, effect, raw, self.digest)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[SqliteJournal]:
    opened = SqliteJournal.open(path)
    yield opened
    opened.close()


def test_what_was_committed_is_read_back_whole(journal: SqliteJournal, path: Path) -> None:
    """Inputs, effects, blobs and status, by the writer, by a reader beside it and by the next opening."""
    writer = Writer(journal)
    halt = HaltCommand(actor="ann", reason="ü", source="socket")
    journal.append_input(7, 100, halt)
    writer.add(Notify(at=101, to="page", rule="guard.x", text="t"), order("rb-1", at=101), seq=9)
    blob = journal.put_blob(b"rules")
    journal.put_status({"at": 101, "line": "HALTED"})
    journal.commit()
    with sqlite3.connect(path) as plain:
        assert plain.execute("select count(*) from effects").fetchone() == (2,)
        assert plain.execute("select client_id from client_ids").fetchall() == [("rb-1",)]
    plain.close()
    reader = SqliteReader.open(path)
    for seen in (journal, reader):
        tail = seen.tail()
        assert (tail.input_seq, tail.effect_n, tail.seq, tail.at, tail.digest) == (7, 2, 9, 101, writer.digest)
        assert seen.input_at(7) == encode(halt) and seen.input_at(8) is None
        assert seen.digest_at(0) == GENESIS and seen.digest_at(2) == writer.digest and seen.digest_at(3) is None
        assert [(one.seq, one.at, decode(Event, one.payload)) for one in seen.inputs_after(0)] == [(7, 100, halt)]
        assert list(seen.inputs_after(7)) == []
        assert [(one.n, one.seq, one.kind) for one in seen.effects_after(1)] == [(2, 9, "PlaceOrder")]
        assert seen.get_blob(blob) == b"rules" and seen.get_blob("0" * 64) is None
        assert seen.get_status() == {"at": 101, "line": "HALTED"}
        assert seen.verify() == ""
    reader.close()


def test_an_empty_journal_ends_at_genesis(journal: SqliteJournal) -> None:
    tail = journal.tail()
    assert (tail.input_seq, tail.effect_n, tail.seq, tail.at, tail.digest) == (0, 0, 0, 0, GENESIS)
    assert journal.get_status() is None
    assert journal.last_checkpoint().checkpoint is None


def test_what_was_not_committed_is_not_there(path: Path) -> None:
    """Neither for a reader nor after the end of the process."""
    journal = SqliteJournal.open(path)
    journal.append_input(1, 1, RearmCommand(actor="a", latch="1"))
    reader = SqliteReader.open(path)
    assert reader.tail().input_seq == 0
    journal.close()
    assert reader.tail().input_seq == 0
    reader.close()


def test_more_than_a_page_is_read_in_order(journal: SqliteJournal) -> None:
    writer = Writer(journal)
    for number in range(2_500):
        writer.add(Notify(at=number, to="digest", rule=f"watch.{number % 3}", text=""), seq=number)
    journal.commit()
    assert [one.n for one in journal.effects_after(0)] == list(range(1, 2_501))
    assert [one.n for one in journal.effects_about(About(rule="watch.1"))] == list(range(2, 2_501, 3))
    assert [one.n for one in journal.effects_about(About(rule="watch.1", newest=2))] == [2495, 2498]
    assert journal.verify() == ""


def test_too_many_waiting_records_are_committed_unasked(journal: SqliteJournal, path: Path) -> None:
    """Memory is bounded even where a caller forgets to commit."""
    writer = Writer(journal)
    while writer.n < MOST_WAITING:
        writer.add(Notify(at=1, to="digest", rule="", text=""))
    reader = SqliteReader.open(path)
    assert reader.tail().effect_n == MOST_WAITING
    reader.close()


def test_a_client_id_is_written_once(journal: SqliteJournal, path: Path) -> None:
    """In one commit, over commits and over restarts; what else was appended stays good."""
    writer = Writer(journal)
    writer.add(order("rb-1"))
    with pytest.raises(ClientIdReused, match="rb-1"):
        writer.add(order("rb-1"))
    journal.commit()
    writer = Writer(journal)
    with pytest.raises(ClientIdReused):
        writer.add(order("rb-1"))
    journal.close()
    again = SqliteJournal.open(path)
    writer = Writer(again)
    with pytest.raises(ClientIdReused):
        writer.add(order("rb-1"))
    writer = Writer(again)
    writer.add(order("rb-2"))
    again.commit()
    assert again.tail().effect_n == 2 and again.verify() == ""
    again.close()


def test_effects_are_found_by_what_they_are_about(journal: SqliteJournal) -> None:
    """By rule or instance, order, symbol, kind and time, each narrowing the other."""
    writer = Writer(journal)
    scope = PolicyChanged(
        at=3, version=1, level="halted", size_mult=1, mute=(), deny=(), deny_quotes=(), max_notional_usd=None,
        binding=("guard.feed.stale[paper]",), stricter=True,
    )
    refused = OrderRefused(
        at=6, proposer="s", purpose="p", intent=Intent.ENTRY, venue="paper", symbol="BETAUSDT", side=Side.BUY,
        reason="entry.spread", detail="", rules=("entry.spread",),
    )
    target = TargetOpened(
        at=7, name="guard.peg[a/b]/12", kind="exit_risk", venue="paper", symbol="ALFAUSDT", quantity=Decimal(0),
        dry_run=False,
    )
    writer.add(
        moved("guard.feed.stale", "guard.feed.stale[paper]", 1),
        moved("guard.feed.stale", "guard.feed.stale[other]", 2),
        scope, order("rb-1", at=5), refused, target,
        LatchSet(at=8, latch="guard.peg/1", number=1, rule="guard.peg", mode="manual", restrains="x"),
        LatchCleared(at=9, latch="guard.peg/1", number=1, actor="ann", why=""),
    )
    journal.append_input(4, 6, OrderAccepted(client_id="rb-1", venue_order_id="9", venue_at=5))
    journal.commit()

    def found(about: About) -> list[int]:
        return [one.n for one in journal.effects_about(about)]

    assert found(About(rule="guard.feed.stale")) == [1, 2, 3]
    assert found(About(rule="guard.feed.stale[paper]")) == [1, 3]
    assert found(About(rule="guard.feed.stale", kind="RuleMoved", since=2)) == [2]
    assert found(About(client_id="rb-1")) == [4]
    assert found(About(symbol="ALFAUSDT", until=6)) == [4]
    assert found(About(rule="entry.spread")) == [5]
    assert found(About(rule="guard.peg[a/b]")) == [6]
    assert found(About(rule="guard.peg")) == [6, 7, 8]
    assert found(About(since=8)) == [7, 8]
    assert found(About(rule="nothing")) == []
    assert [one.seq for one in journal.inputs_about(About(client_id="rb-1"))] == [4]


class Checkpointer:
    def __init__(self, journal: SqliteJournal, path: Path) -> None:
        self.journal, self.path = journal, path

    def write(self, *seqs: int) -> None:
        for seq in seqs:
            self.journal.write_checkpoint(Checkpoint(seq=seq, at=seq * 10, effect_n=seq, payload=b"state %d" % seq))

    def spoil(self, statement: str) -> None:
        with sqlite3.connect(self.path) as other:
            other.execute(statement)
        other.close()


def test_the_newest_three_checkpoints_are_kept_and_the_newest_is_found(journal: SqliteJournal, path: Path) -> None:
    points = Checkpointer(journal, path)
    points.write(10, 20, 30, 40)
    found = journal.last_checkpoint()
    assert found.checkpoint == Checkpoint(seq=40, at=400, effect_n=40, payload=b"state 40") and found.damaged == ()
    with sqlite3.connect(path) as other:
        assert other.execute("select seq from checkpoints order by seq").fetchall() == [(20,), (30,), (40,)]
    other.close()


@pytest.mark.parametrize(
    "spoil",
    [
        "update checkpoints set bytes = x'00' where seq = 30", "update checkpoints set at = 1 where seq = 30",
        "update checkpoints set effect_n = 1 where seq = 30", "update checkpoints set sha256 = x'' where seq = 30",
        "update checkpoints set bytes = 'text' where seq = 30", "update checkpoints set effect_n = 'x' where seq = 30",
        "update checkpoints set bytes = 9999999999999 where seq = 30",
    ],
)
def test_a_damaged_checkpoint_is_skipped_and_said(journal: SqliteJournal, path: Path, spoil: str) -> None:
    """The one before is used, and what its place was counts as part of it."""
    points = Checkpointer(journal, path)
    points.write(10, 20, 30)
    points.spoil(spoil)
    found = journal.last_checkpoint()
    assert found.checkpoint is not None and found.checkpoint.seq == 20
    assert found.damaged == ("the checkpoint at input 30 is damaged and was skipped",)
    points.write(30)
    assert journal.last_checkpoint().damaged == ()


def test_with_no_whole_checkpoint_there_is_none(journal: SqliteJournal, path: Path) -> None:
    points = Checkpointer(journal, path)
    points.write(10, 20)
    points.spoil("update checkpoints set bytes = x''")
    found = journal.last_checkpoint()
    assert found.checkpoint is None and len(found.damaged) == 2


def test_damage_in_the_chain_and_in_blobs_is_named(journal: SqliteJournal, path: Path) -> None:
    writer = Writer(journal)
    writer.add(*(Notify(at=n, to="page", rule="", text="") for n in range(5)))
    digest = journal.put_blob(b"flags")
    journal.commit()
    points = Checkpointer(journal, path)
    points.spoil("update blobs set bytes = x'00'")
    with pytest.raises(JournalError, match="damaged"):
        journal.get_blob(digest)
    points.spoil("update effects set payload = x'7b7d' where n = 3")
    assert journal.verify() == "effect 3 (Notify) does not fit the digest chain"
    points.spoil("delete from effects where n = 2")
    assert journal.verify() == "effect 2 is missing"
    assert digest == hashlib.sha256(b"flags").hexdigest()


def levels(journal: SqliteJournal) -> list[str]:
    """What SQLite is told from now on: the level of safety and each commit."""
    told: list[str] = []

    def listen(said: str) -> None:
        if "synchronous" in said or said == "commit":
            told.append(said)

    journal._db.set_trace_callback(listen)
    return told


def test_what_must_survive_is_committed_with_a_full_sync(journal: SqliteJournal) -> None:
    """Inputs, orders and whatever a caller says; the rest is cheap; and a sync of nothing new syncs the cheap."""
    journal.commit()
    told = levels(journal)
    writer = Writer(journal)
    writer.add(Notify(at=1, to="page", rule="", text=""))
    journal.commit()
    assert told == ["pragma synchronous = normal", "commit"]
    told.clear()
    journal.commit()
    assert told == []
    journal.commit(durable=True)
    assert told == ["pragma synchronous = full", "commit"]
    told.clear()
    journal.commit(durable=True)
    assert told == []
    journal.append_input(1, 1, RearmCommand(actor="a", latch="1"))
    journal.commit()
    writer.add(order("rb-1"))
    journal.commit()
    assert told == ["commit", "commit"]
    told.clear()
    writer.add(Notify(at=1, to="page", rule="", text=""))
    journal.commit()
    journal.write_checkpoint(Checkpoint(seq=1, at=1, effect_n=2, payload=b""))
    assert told == ["pragma synchronous = normal", "commit", "pragma synchronous = full", "commit"]


def test_a_full_disk_is_said_and_ends_the_journal(journal: SqliteJournal, path: Path) -> None:
    """What was committed before stays; nothing is written afterwards, also when there is room again."""
    writer = Writer(journal)
    writer.add(order("rb-1"))
    journal.commit()
    pages = journal._db.execute("pragma page_count").fetchone()[0]
    journal._db.execute(f"pragma max_page_count = {pages}")
    journal.put_blob(os.urandom(100_000))
    with pytest.raises(JournalError, match="disk is full") as caught:
        journal.commit()
    assert "--resume" in caught.value.fix
    journal._db.execute("pragma max_page_count = 100000")
    with pytest.raises(JournalError, match="disk is full"):
        writer.add(order("rb-2"))
    with pytest.raises(JournalError, match="disk is full"):
        journal.put_status({})
    with pytest.raises(JournalError, match="disk is full"):
        journal.commit()
    journal.close()
    again = SqliteJournal.open(path)
    assert again.tail().effect_n == 1 and again.verify() == ""
    again.close()


def test_only_the_user_may_read_it(journal: SqliteJournal, path: Path) -> None:
    journal.put_status({"at": 1})
    journal.commit()
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_a_file_of_another_program_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("create table theirs (a)")
    other.close()
    before = path.read_bytes()
    for opening in (SqliteJournal.open, SqliteReader.open):
        with pytest.raises(JournalError, match="not a journal of this engine"):
            opening(path)
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused(journal: SqliteJournal, path: Path) -> None:
    journal.close()
    with sqlite3.connect(path) as other:
        other.execute("update meta set value = '2' where name = 'schema_version'")
    other.close()
    for opening in (SqliteJournal.open, SqliteReader.open):
        with pytest.raises(JournalError, match="has schema 2; this engine knows schemas up to 1"):
            opening(path)


@pytest.mark.parametrize("spoil", ["text", "header", "pages", "cut"])
def test_a_damaged_file_is_refused_in_words(path: Path, spoil: str) -> None:
    """Whether it never was a database, lost its head, has nonsense inside or was cut short."""
    journal = SqliteJournal.open(path)
    writer = Writer(journal)
    for number in range(300):
        writer.add(order(f"rb-{number}"))
    journal.commit()
    journal.close()
    raw = bytearray(path.read_bytes())
    if spoil == "text":
        raw = bytearray(b"# not a database\n" * 100)
    elif spoil == "header":
        raw[:16] = os.urandom(16)
    elif spoil == "pages":
        for start in range(4096 * 2, len(raw) - 4096, 4096):
            raw[start:start + 64] = b"\xff" * 64
    else:
        del raw[len(raw) // 2:]
    path.write_bytes(raw)
    with pytest.raises(JournalError, match="damaged") as caught:
        SqliteJournal.open(path)
    assert "fresh" in caught.value.fix


def test_a_file_that_creation_did_not_finish_is_begun_again(path: Path) -> None:
    """A crash between making the file and its tables leaves an empty one."""
    path.touch()
    journal = SqliteJournal.open(path)
    assert journal.tail().effect_n == 0
    journal.close()


def test_where_nothing_can_be_written_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be opened"):
        SqliteJournal.open(tmp_path / "missing" / "journal.sqlite")
    (tmp_path / "folder.sqlite").mkdir()
    with pytest.raises(JournalError):
        SqliteJournal.open(tmp_path / "folder.sqlite")
    with pytest.raises(JournalError, match="there is no journal"):
        SqliteReader.open(tmp_path / "journal.sqlite")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_without_rights_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(JournalError, match="may not be written"):
            SqliteJournal.open(tmp_path / "journal.sqlite")
    finally:
        tmp_path.chmod(0o700)


def test_a_second_writer_is_told(journal: SqliteJournal, path: Path) -> None:
    """An SQLite shell that holds a transaction: the lock of the directory does not keep that out."""
    journal._db.execute("pragma busy_timeout = 20")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin immediate")
    journal.put_status({"at": 1})
    with pytest.raises(JournalError, match="another program is writing"):
        journal.commit()
    other.close()


def test_a_reader_works_on_a_name_that_needs_quoting(tmp_path: Path) -> None:
    path = tmp_path / "a ?#%20b" / "journal.sqlite"
    path.parent.mkdir()
    SqliteJournal.open(path).close()
    reader = SqliteReader.open(path)
    assert reader.tail().effect_n == 0
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._db.execute("insert into meta values ('a', 'b')")
    reader.close()
