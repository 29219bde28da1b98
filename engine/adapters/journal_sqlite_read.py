"""Looks into a journal without disturbing the engine that writes to it.

Every question is one short read: a long one would hold the write-ahead log back from
being folded into the file.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from engine.adapters.journal_sqlite_format import APPLICATION_ID, SCHEMA_VERSION, not_ours, said_plainly, too_new
from engine.model.codec import Data
from engine.model.digest import GENESIS, next_digest
from engine.ports.journal import (
    About,
    Checkpoint,
    FoundCheckpoint,
    JournalError,
    JournalledEffect,
    JournalledInput,
    Tail,
)

Row = tuple[Any, ...]
"""What SQLite gives; the tables say which types."""
BUSY_S = 2.0
"""How long to wait for another program's lock."""
PAGE = 1000
"""Rows a read."""
_INPUT = "select seq, at, payload from inputs"
_EFFECT = "select n, seq, at, kind, payload, digest from effects"


class SqliteReader:
    """A journal opened for reading."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._db = connection

    @classmethod
    def open(cls, path: Path) -> SqliteReader:
        """Open the journal at `path`, which a running engine may be writing to; JournalError if there is none."""
        with said_plainly(path):
            if not path.exists():
                raise JournalError(f"there is no journal at {path}", "give the state directory of a run: --state DIR")
            uri = f"file:{quote(str(path.absolute()))}?mode=ro"
            connection = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)
            try:
                check_format(path, connection)
            except BaseException:
                connection.close()
                raise
        return cls(path, connection)

    def tail(self) -> Tail:
        """Return where the journal ends."""
        row = self._one(
            "select ifnull((select max(seq) from inputs), 0), ifnull((select max(n) from effects), 0),"
            " (select max(seq) from effects), (select max(seq) from checkpoints),"
            " (select at from inputs order by seq desc limit 1), (select at from effects order by n desc limit 1),"
            " (select at from checkpoints order by seq desc limit 1),"
            " (select digest from effects order by n desc limit 1)"
        )
        assert row is not None
        input_seq, effect_n, effect_seq, checkpoint_seq, *ats, digest = row
        market = self._last_market()
        ats.append(market[1])
        return Tail(
            input_seq=input_seq, effect_n=effect_n, seq=max(input_seq, effect_seq or 0, checkpoint_seq or 0, market[0]),
            at=max(at or 0 for at in ats), digest=bytes(digest) if digest is not None else GENESIS,
        )

    def _last_market(self) -> tuple[int, int]:
        """Return (seq, at) of the last market event kept, zeros for none."""
        if self._one("select 1 from sqlite_master where name = 'market'") is None:
            return 0, 0
        row = self._one("select seq, at from market order by seq desc limit 1")
        return (0, 0) if row is None else (row[0], row[1])

    def input_at(self, seq: int) -> bytes | None:
        """Return the payload of input `seq`, or None."""
        row = self._one("select payload from inputs where seq = ?", seq)
        return None if row is None else bytes(row[0])

    def digest_at(self, n: int) -> bytes | None:
        """Return the link after effect `n`, or None."""
        if n == 0:
            return GENESIS
        row = self._one("select digest from effects where n = ?", n)
        return None if row is None else bytes(row[0])

    def inputs_after(self, seq: int) -> Iterator[JournalledInput]:
        """Yield the inputs behind `seq`, in order."""
        for row in self._paged(f"{_INPUT} where seq > ? order by seq limit {PAGE}", seq):
            yield JournalledInput(*row)

    def all_after(self, seq: int) -> Iterator[JournalledInput]:
        """Yield inputs and market events behind `seq`, in order."""
        if self._one("select 1 from sqlite_master where name = 'market'") is None:
            yield from self.inputs_after(seq)
            return
        both = f"select * from ({_INPUT} union all select seq, at, payload from market)"
        for row in self._paged(f"{both} where seq > ? order by seq limit {PAGE}", seq):
            yield JournalledInput(*row)

    def effects_after(self, n: int) -> Iterator[JournalledEffect]:
        """Yield the effects behind `n`, in order."""
        for row in self._paged(f"{_EFFECT} where n > ? order by n limit {PAGE}", n):
            yield JournalledEffect(*row)

    def effects_about(self, about: About) -> Iterator[JournalledEffect]:
        """Yield the effects that are about something, in order."""
        for row in self._about(_EFFECT, "n", "effect", about):
            yield JournalledEffect(*row)

    def inputs_about(self, about: About) -> Iterator[JournalledInput]:
        """Yield the inputs that are about something, in order."""
        for row in self._about(_INPUT, "seq", "input", about):
            yield JournalledInput(*row)

    def get_blob(self, digest: str) -> bytes | None:
        """Return the bytes whose SHA-256 is `digest` (hex), or None."""
        row = self._one("select bytes from blobs where digest = ?", digest)
        if row is None:
            return None
        data = bytes(row[0])
        if hashlib.sha256(data).hexdigest() != digest:
            raise JournalError(f"blob {digest[:12]} in {self.path} is damaged", "start with a fresh --state")
        return data

    def last_checkpoint(self, *, until: int | None = None) -> FoundCheckpoint:
        """Return the newest checkpoint (at or before `until`, ns) whose hash still fits, naming those skipped."""
        damaged: list[str] = []
        wanted = "select seq from checkpoints where at <= ifnull(?, at) order by seq desc"
        for (seq,) in self._all(wanted, until):
            row = self._one("select seq, at, effect_n, bytes, sha256 from checkpoints where seq = ?", seq)
            if row is None:
                continue
            # SQLite keeps any type in any column, so a damaged one may hold a text or a number.
            if isinstance(row[3], bytes):
                found = Checkpoint(seq=row[0], at=row[1], effect_n=row[2], payload=row[3])
                if checkpoint_hash(found) == row[4]:
                    return FoundCheckpoint(checkpoint=found, damaged=tuple(damaged))
            damaged.append(f"the checkpoint at input {seq} is damaged and was skipped")
        return FoundCheckpoint(checkpoint=None, damaged=tuple(damaged))

    def verify(self) -> str:
        """Return where the database or the digest chain is broken, in words; empty when all is whole."""
        with said_plainly(self.path):
            found = self._db.execute("pragma quick_check(1)").fetchone()[0]
        if found != "ok":
            return f"the database is damaged: {found}"
        digest, expected = GENESIS, 1
        for effect in self.effects_after(0):
            if effect.n != expected:
                return f"effect {expected} is missing"
            digest = next_digest(digest, effect.payload)
            if digest != effect.digest:
                return f"effect {effect.n} ({effect.kind}) does not fit the digest chain"
            expected += 1
        return ""

    def get_status(self) -> Data | None:
        """Return the last status that was put, or None."""
        row = self._one("select json from status where only = 1")
        return None if row is None else json.loads(row[0])

    def close(self) -> None:
        """Let go of the journal."""
        self._db.close()

    def _about(self, select: str, key: str, record: str, about: About) -> Iterator[Row]:
        where: list[str] = []
        values: list[object] = []
        for word in (f"rule:{about.rule}", f"order:{about.client_id}", f"symbol:{about.symbol}"):
            if not word.endswith(":"):
                where.append(f"{key} in (select id from subjects where subject = ? and record = '{record}')")
                values.append(word)
        for test, value in (("kind = ?", about.kind or None), ("at >= ?", about.since), ("at <= ?", about.until)):
            if value is not None:
                where.append(test)
                values.append(value)
        condition = " and ".join([*where, f"{key} > ?"])
        if about.newest:
            rows = self._all(f"{select} where {condition} order by {key} desc limit {about.newest:d}", *values, -1)
            yield from reversed(rows)
            return
        yield from self._paged(f"{select} where {condition} order by {key} limit {PAGE}", -1, *values)

    def _paged(self, query: str, after: int, *values: object) -> Iterator[Row]:
        """Yield rows of `query`, whose last parameter is the key to go on from and whose first column is that key."""
        while rows := self._all(query, *values, after):
            yield from rows
            after = rows[-1][0]

    def _one(self, query: str, *values: object) -> Row | None:
        rows = self._all(query, *values)
        return rows[0] if rows else None

    def _all(self, query: str, *values: object) -> list[Row]:
        with said_plainly(self.path):
            return self._db.execute(query, values).fetchall()


def check_format(path: Path, connection: sqlite3.Connection) -> None:
    """Raise JournalError unless `connection` is to a journal of a schema this engine knows."""
    if connection.execute("pragma application_id").fetchone()[0] != APPLICATION_ID:
        raise not_ours(path)
    row = connection.execute("select value from meta where name = 'schema_version'").fetchone()
    if row is None or not str(row[0]).isdecimal():
        raise not_ours(path)
    if int(row[0]) > SCHEMA_VERSION:
        raise too_new(path, row[0])


def checkpoint_hash(checkpoint: Checkpoint) -> bytes:
    """Return the SHA-256 over all of `checkpoint`, its place included."""
    place = f"{checkpoint.seq} {checkpoint.at} {checkpoint.effect_n} ".encode()
    return hashlib.sha256(place + checkpoint.payload).digest()
