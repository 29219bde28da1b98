"""Writes to a journal for ever, telling each commit that was kept: the victim of the crash test.

`python -m tests.adapters.journal_writer PATH`. A line `EFFECT_N INPUT_SEQ` after each commit.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from itertools import count
from pathlib import Path

from engine.adapters.journal_sqlite import SqliteJournal
from engine.model.codec import encode
from engine.model.digest import next_digest
from engine.model.effects import Effect, Notify, PlaceOrder
from engine.model.events import RearmCommand
from engine.model.orders import Intent, OrderKind, Side
from engine.ports.journal import Checkpoint


def main() -> None:
    """Append until killed."""
    journal = SqliteJournal.open(Path(sys.argv[1]))
    tail = journal.tail()
    n, digest, seq = tail.effect_n, tail.digest, tail.seq
    for turn in count():
        seq += 1
        if turn % 3 == 0:
            journal.append_input(seq, seq, RearmCommand(actor="a", latch=str(seq)))
        for _ in range(turn % 5):
            n += 1
            notice = Notify(at=seq, to="page", rule="guard.x", text="t" * (n % 300))
            effect: Effect = _order(n) if n % 4 == 0 else notice
            raw = encode(effect)
            digest = next_digest(digest, raw)
            journal.append_effect(n, seq, seq, effect, raw, digest)
        if turn % 50 == 49:
            journal.write_checkpoint(Checkpoint(seq=seq, at=seq, effect_n=n, payload=b"%d" % n * 20_000))
        else:
            journal.commit(durable=turn % 7 == 0)
        sys.stdout.write(f"{n} {journal.tail().input_seq}\n")
        sys.stdout.flush()


def _order(n: int) -> PlaceOrder:
    return PlaceOrder(
        at=n, client_id=f"rb-{n}", account="main", venue="paper", symbol="ALFAUSDT", side=Side.BUY,
        kind=OrderKind.MARKET, intent=Intent.ENTRY, quantity=Decimal(1), limit_price=None, trigger_price=None,
        reference_price=Decimal(2), reduce_only=False, close_position=False, post_only=False, purpose="p",
        policy_version=1,
    )


if __name__ == "__main__":
    main()
