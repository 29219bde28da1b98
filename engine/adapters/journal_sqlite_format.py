"""The journal's tables, what SQLite's refusals mean in words, and what a record is about."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.model.effects import Effect, TargetOpened
from engine.model.events import Event, OrderFilled
from engine.ports.journal import JournalError

SCHEMA_VERSION = 1
APPLICATION_ID = 0x52424A31
"""`RBJ1` in the file's header: tells a journal from any other SQLite file."""

SCHEMA = """
create table meta (name text primary key, value text not null) without rowid;
create table inputs (seq integer primary key, at integer not null, kind text not null, payload blob not null);
create table effects (
    n integer primary key, seq integer not null, at integer not null, kind text not null,
    payload blob not null, digest blob not null
);
create index effects_by_time on effects (at);
create table subjects (subject text, record text, id integer, primary key (subject, record, id)) without rowid;
create table client_ids (client_id text primary key, n integer not null) without rowid;
create table blobs (digest text primary key, bytes blob not null) without rowid;
create table checkpoints (
    seq integer primary key, at integer not null, effect_n integer not null, bytes blob not null, sha256 blob not null
);
create table status (only integer primary key check (only = 1), at integer not null, json blob not null);
"""

MARKET = """
create table if not exists market (seq integer primary key, at integer not null, payload blob not null)
"""
"""Market events of a live run behind the oldest checkpoint kept: what a recovery runs through again."""

_RESUME = "then start again, with --resume if the run had begun"
_DAMAGED = "move the state directory away and start with a fresh one; the venue is the truth about open orders"


@contextmanager
def said_plainly(path: Path) -> Iterator[None]:
    """Turn what SQLite or the file system raises about the journal at `path` into a JournalError."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise plainly(path, error) from error


def plainly(path: Path, error: sqlite3.Error | OSError) -> JournalError:
    """Return `error` as an operator can use it: what happened to the journal at `path`, and what to do."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    number = getattr(error, "errno", None)
    if code == sqlite3.SQLITE_FULL or number in (errno.ENOSPC, errno.EDQUOT):
        return JournalError(f"the disk is full: {path} cannot be written", f"free some space, {_RESUME}")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or "malformed" in str(error):
        return JournalError(f"the journal {path} is damaged ({error})", _DAMAGED)
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM) or number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return JournalError(f"the journal {path} may not be written", "make its directory writable for this user")
    if code == sqlite3.SQLITE_CANTOPEN or number in (errno.ENOENT, errno.ENOTDIR):
        return JournalError(
            f"the journal {path} cannot be opened", "make sure its directory exists and this user may write in it"
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return JournalError(f"another program is writing to {path}", "close it (an SQLite shell?) and try again")
    if isinstance(error, sqlite3.OperationalError) and "no such table" in str(error):
        return JournalError(f"{path} is not a journal of this engine: {error}", "give the right --state")
    return JournalError(f"the journal {path} failed: {error}", f"check the disk and its messages, {_RESUME}")


def not_ours(path: Path) -> JournalError:
    """Return the error for a file that is some other program's database."""
    return JournalError(f"{path} is not a journal of this engine", "give the right --state, or move the file away")


def too_new(path: Path, version: str) -> JournalError:
    """Return the error for a journal that a newer engine wrote."""
    return JournalError(
        f"{path} has schema {version}; this engine knows schemas up to {SCHEMA_VERSION}",
        "run the newer engine that wrote it, or give another --state",
    )


def subjects_of(noun: Effect | Event) -> tuple[str, ...]:
    """Return what `noun` is about, as `rule:`, `order:` and `symbol:` words, without doubles, in their order."""
    about: list[str] = []
    fill = noun.fill if isinstance(noun, OrderFilled) else noun
    for rule in _rules(noun):
        about += [f"rule:{rule}", f"rule:{rule.split('[')[0]}"]
    for kind, name in (("order", "client_id"), ("symbol", "symbol")):
        value = getattr(fill, name, "")
        if value:
            about.append(f"{kind}:{value}")
    return tuple(dict.fromkeys(about))


def _rules(noun: Effect | Event) -> list[str]:
    found = [getattr(noun, name) for name in ("rule", "instance") if getattr(noun, name, "")]
    found += getattr(noun, "rules", ()) or getattr(noun, "binding", ())
    name = noun.name if isinstance(noun, TargetOpened) else getattr(noun, "latch", "")
    if name:
        # rule/episode, rule[label,label]/episode: labels may hold a slash, the episode never does.
        found.append(name.rsplit("/", 1)[0])
    return [str(rule) for rule in found]
