"""The journal in one SQLite file, written by one engine.

Write-ahead log, one connection, and `synchronous` set for each commit: FULL when it holds
what must survive a power cut, NORMAL otherwise. SQLite refuses to switch inside a
transaction, so records wait in memory and a commit is one short transaction. A second
connection would buy nothing: there is one writer at a time, and a FULL commit syncs the
log with all earlier NORMAL commits in it. Measured: switching 3 us, a NORMAL commit 20 us,
a FULL one 350 us.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from pathlib import Path

from engine.adapters.journal_sqlite_format import (
    APPLICATION_ID,
    MARKET,
    SCHEMA,
    SCHEMA_VERSION,
    not_ours,
    plainly,
    said_plainly,
    subjects_of,
)
from engine.adapters.journal_sqlite_read import BUSY_S, SqliteReader, check_format, checkpoint_hash
from engine.model.codec import Data, canonical, encode
from engine.model.effects import Effect, PlaceOrder
from engine.model.events import Event
from engine.ports.journal import Checkpoint, ClientIdReused, JournalError

KEPT_CHECKPOINTS = 3
MOST_WAITING = 20_000
"""Rows that may wait in memory; then they are committed even if nobody asked."""


class SqliteJournal(SqliteReader):
    """A journal opened for writing, under the lock of its state directory.

    Reading sees what was committed. After any failure but ClientIdReused it refuses to go
    on: what it holds is what was committed before, and that is what the next start
    recovers from.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        super().__init__(path, connection)
        self._waiting: list[tuple[str, tuple[object, ...]]] = []
        self._new_ids: set[str] = set()
        self._must_survive = False
        self._unsynced = False
        self._full = True
        self._failure: JournalError | None = None

    @classmethod
    def open(cls, path: Path) -> SqliteJournal:
        """Open the journal at `path`, making it where there is none; JournalError says why it cannot be used."""
        with said_plainly(path):
            if not path.exists():
                # Made before SQLite does, so that nobody else can ever read it; log and index take after it.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
            try:
                _prepare(path, connection)
            except BaseException:
                connection.close()
                raise
        return cls(path, connection)

    def append_input(self, seq: int, at: int, event: Event) -> None:
        """Add an input; the next commit will be durable."""
        self._add("insert into inputs values (?, ?, ?, ?)", seq, at, type(event).__name__, encode(event))
        self._index("input", seq, event)
        self._must_survive = True

    def append_market(self, seq: int, at: int, event: Event) -> None:
        """Add a market event; it shares the fate of whatever is committed next."""
        self._add("insert into market values (?, ?, ?)", seq, at, encode(event))

    def append_effect(  # noqa: PLR0913 -- the columns of one row
        self, n: int, seq: int, at: int, effect: Effect, raw: bytes, digest: bytes
    ) -> None:
        """Add effect `n`; ClientIdReused, with nothing added, if it repeats an order."""
        if isinstance(effect, PlaceOrder):
            self._refuse_known(effect.client_id)
            self._new_ids.add(effect.client_id)
            self._add("insert into client_ids values (?, ?)", effect.client_id, n)
            self._must_survive = True
        self._add("insert into effects values (?, ?, ?, ?, ?, ?)", n, seq, at, type(effect).__name__, raw, digest)
        self._index("effect", n, effect)

    def put_blob(self, data: bytes) -> str:
        """Add `data` by its content and return its SHA-256 in hex."""
        digest = hashlib.sha256(data).hexdigest()
        self._add("insert or ignore into blobs values (?, ?)", digest, data)
        return digest

    def put_status(self, status: Data) -> None:
        """Replace the status row; `at` in it, in ns, is kept beside it."""
        self._add("insert or replace into status values (1, ?, ?)", int(status.get("at", 0)), canonical(status))

    def write_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Add a checkpoint, forget all but the newest three, and commit durably."""
        self._add(
            "insert or replace into checkpoints values (?, ?, ?, ?, ?)", checkpoint.seq, checkpoint.at,
            checkpoint.effect_n, checkpoint.payload, checkpoint_hash(checkpoint),
        )
        self._add(
            "delete from checkpoints where seq not in (select seq from checkpoints order by seq desc limit ?)",
            KEPT_CHECKPOINTS,
        )
        self._add("delete from market where seq <= (select min(seq) from checkpoints)")
        self.commit(durable=True)

    def commit(self, *, durable: bool = False) -> None:
        """Keep what was appended; synced to the disk if `durable`, or if an input or an order is among it."""
        self._check()
        full = durable or self._must_survive
        if not self._waiting:
            if not (full and self._unsynced):
                return
            # Nothing new, but earlier commits may still be in the memory of the machine: a FULL commit
            # syncs them too, and only a commit that writes something syncs at all.
            self._add("insert or replace into meta values ('synced', 'yes')")
        try:
            self._transact(full)
        except (sqlite3.Error, OSError) as error:
            self._failure = plainly(self.path, error)
            raise self._failure from error
        self._waiting.clear()
        self._new_ids.clear()
        self._must_survive = False
        self._unsynced = not full

    def _transact(self, full: bool) -> None:
        if full is not self._full:
            self._db.execute(f"pragma synchronous = {'full' if full else 'normal'}")
            self._full = full
        execute = self._db.execute
        execute("begin immediate")
        try:
            for statement, values in self._waiting:
                execute(statement, values)
            execute("commit")
        except BaseException:
            # SQLite may have rolled back by itself (a full disk); a second time is an error that hides the first.
            if self._db.in_transaction:
                execute("rollback")
            raise

    def _add(self, statement: str, *values: object) -> None:
        self._check()
        self._waiting.append((statement, values))
        if len(self._waiting) >= MOST_WAITING and not statement.startswith("insert into client_ids"):
            self.commit()

    def _index(self, record: str, number: int, noun: Effect | Event) -> None:
        for subject in subjects_of(noun):
            self._add("insert or ignore into subjects values (?, ?, ?)", subject, record, number)

    def _refuse_known(self, client_id: str) -> None:
        known = client_id in self._new_ids or self._one("select n from client_ids where client_id = ?", client_id)
        if known:
            raise ClientIdReused(
                f"client id {client_id} was used before",
                "this is a fault of the engine: keep the state directory and report it",
            )

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure


def _prepare(path: Path, connection: sqlite3.Connection) -> None:
    """Make the tables of a new file, or check those of an old one. Another program's file is left as it is."""
    application = connection.execute("pragma application_id").fetchone()[0]
    tables = connection.execute("select count(*) from sqlite_master").fetchone()[0]
    if application not in (0, APPLICATION_ID) or (tables and application != APPLICATION_ID):
        raise not_ours(path)
    connection.execute("pragma synchronous = full")
    if tables:
        check_format(path, connection)
        damage = connection.execute("pragma quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise sqlite3.DatabaseError(f"database disk image is malformed: {damage}")
    if connection.execute("pragma journal_mode = wal").fetchone()[0] != "wal":
        raise JournalError(
            f"the file system of {path} cannot hold a write-ahead log", "give a --state on a local disk"
        )
    if not tables:
        _make_tables(path, connection)
    connection.execute(MARKET)


def _make_tables(path: Path, connection: sqlite3.Connection) -> None:
    connection.execute("begin immediate")
    for statement in SCHEMA.split(";"):
        if statement.strip():
            connection.execute(statement)
    connection.execute("insert into meta values ('schema_version', ?)", (str(SCHEMA_VERSION),))
    connection.execute(f"pragma application_id = {APPLICATION_ID}")
    connection.execute("commit")
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # The name of a new file is on the disk only once its directory is.
        os.fsync(directory)
    finally:
        os.close(directory)
