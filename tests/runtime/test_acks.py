"""acks.yaml: bound to one pair, whole or nothing, and what is printed to be pasted is what is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.time import SECOND, parse_instant
from engine.ruleset.diagnostics import Finding
from engine.ruleset.ruling import pair_digest
from engine.runtime.acks import Ack, acknowledged, entry, read_acks

BASE, HEAD = "a" * 64, "b" * 64
PAIR = pair_digest(BASE, HEAD)
AT = parse_instant("2026-01-05T14:00:00Z")


def file_of(*entries: str) -> bytes:
    return ("version: 1\nacks:\n" + "".join(entries)).encode()


def one(**changes: str) -> str:
    keys = {"pair": f'"{PAIR}"', "by": "Ada", "reason": "the peg is noisy", "at": '"2026-01-05T14:00:00Z"', **changes}
    return "  - " + "\n    ".join(f"{key}: {value}" for key, value in keys.items() if value) + "\n"


def test_it_holds_for_one_pair_in_one_order() -> None:
    acks, findings = read_acks(file_of(one()), "acks.yaml")

    assert findings == ()
    assert acknowledged(acks, BASE, HEAD) == Ack(pair=PAIR, by="Ada", reason="the peg is noisy", at=AT)
    assert acknowledged(acks, HEAD, BASE) is None
    assert acknowledged(acks, BASE, "c" * 64) is None


def test_a_report_says_who_when_and_why() -> None:
    acks, _ = read_acks(file_of(one()), "acks.yaml")

    assert str(acknowledged(acks, BASE, HEAD)) == "acknowledged by Ada at 2026-01-05T14:00:00Z: the peg is noisy"


def test_a_file_that_is_not_there_is_no_mistake() -> None:
    acks, findings = read_acks(b"", "acks.yaml")

    assert (acknowledged(acks, BASE, HEAD), findings) == (None, ())


@pytest.mark.parametrize(("text", "line"), [
    (file_of(one(), one(pair='"xyz"')), 7), (file_of(one(), one(pair='"0123456789ABCDEF"')), 7),
    (file_of(one(by="")), 3),
    (file_of(one(reason='""')), 5), (file_of(one(at="yesterday")), 6), (file_of(one(), one()), 7),
    (file_of(one(extra="1")), 7), (b"version: 1\n", 1), (b"version: 2\nacks: []\n", 1), (b"[]\n", 1), (b"\xff\xfe", 1),
    (b"version: 1\nacks: {}\n", 2), (b"version: 1\nacks: [1]\n", 2), (file_of(one(by="[Ada]")), 4),
    (file_of(one(at="2026-01-05T14:00:00Z")), 6), (b"# nothing\n", 1),
])
def test_a_file_with_a_mistake_acknowledges_nothing_and_says_where(text: bytes, line: int) -> None:
    acks, findings = read_acks(text, "acks.yaml")

    assert acknowledged(acks, BASE, HEAD) is None
    assert findings and all(isinstance(one, Finding) and one.file == "acks.yaml" and one.fix for one in findings)
    assert min(one.line for one in findings) == line


words = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f\xad"), min_size=1,
                max_size=60).filter(lambda text: not any(0x7F <= ord(char) <= 0x9F for char in text))


@given(words, words, st.integers(0, 4_000_000_000))
def test_what_is_printed_to_be_pasted_is_what_is_read(by: str, reason: str, at: int) -> None:
    acks, findings = read_acks(file_of(entry(PAIR, by, reason, at * SECOND)), "acks.yaml")

    assert findings == ()
    assert acknowledged(acks, BASE, HEAD) == Ack(pair=PAIR, by=by, reason=reason, at=at * SECOND)
